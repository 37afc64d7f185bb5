import type { ScalingDecision, ScalingInput } from './decide-replicas.ts'
import type { Demand } from './demand.ts'

/**
 * Explains the number of replicas, what limited it, and what would change it: one line for `status.decision`.
 * Example: `10 replicas: 2,050 jobs (2,000 waiting, 50 running) need 41 at 50 per replica, limited by maxReplicas 10.
 * Next: raise spec.scaling.maxReplicas if the cluster has room.`
 */
export function describeDecision(input: ScalingInput, decision: ScalingDecision): string {
  return `${plural(decision.replicas, 'replica')}: ${explainDecision(input, decision)}`
}

/** The same without the number in front, where the number is shown already. */
export function explainDecision({ rules, signal, unschedulable }: ScalingInput, decision: ScalingDecision): string {
  if (!signal.known) {
    const since = signal.sinceMs === undefined ? '' : ` since ${clockTime(signal.sinceMs)}`
    return `held, because the queues cannot be read${since} (${signal.message}).`
  }
  const cause = causeOf(signal.demand, decision, rules.targetBacklogPerReplica)
  switch (decision.limit) {
    case 'UnschedulablePods':
      return `${cause}. ${plural(unschedulable, 'pod')} cannot be scheduled, so no more are added. Next: add a node or lower requests.`
    case 'TooManyReplicas':
      return `${cause}, limited by maxReplicas ${rules.maxReplicas}. Next: raise spec.scaling.maxReplicas if the cluster has room.`
    case 'QueueConcurrencyLimited':
      // While the scale-down window keeps more replicas, that window is what counts.
      if (decision.heldUntilMs !== undefined) break
      return `${cause}. Next: raise that limit (maxConcurrency of its TaskQueue) if what it protects has room.`
    case 'TooFewReplicas':
    case undefined:
      break
    default:
      decision.limit satisfies never
  }
  if (decision.heldUntilMs !== undefined) {
    return `${cause}; kept until ${clockTime(decision.heldUntilMs)} by the scale-down window of ${rules.scaleDownWindowSeconds} s.`
  }
  if (decision.replicas > decision.wanted) return `${cause}; minReplicas is ${rules.minReplicas}.`
  return decision.replicas === 0 ? 'no jobs. The next job starts a pod.' : `${cause}.`
}

function causeOf(demand: Demand, { wanted, capped }: ScalingDecision, target: number): string {
  const jobs = demand.backlog + demand.active
  const orphans = `${plural(demand.orphaned, 'active job')} without a worker`
  if (jobs === 0) return demand.orphaned === 0 ? 'no jobs' : `${orphans}, which only a worker can return to the queue`
  const parts = `${count(demand.backlog)} waiting, ${count(demand.active)} running`
  const need = `${plural(jobs, 'job')} (${parts}) ${jobs === 1 ? 'needs' : 'need'} ${count(capped?.from ?? wanted)} at ${count(target)} per replica${capWords(wanted, capped)}`
  return demand.orphaned === 0 ? need : `${need}; ${orphans}`
}

/** `, and 2 are enough: queue "email" runs at most 4 at once`. */
function capWords(wanted: number, capped: ScalingDecision['capped']): string {
  if (capped === undefined) return ''
  const limits = capped.queues.map(({ queue, concurrency }) => `queue "${queue}" runs at most ${count(concurrency)} at once`)
  return `, and ${count(wanted)} ${wanted === 1 ? 'is' : 'are'} enough: ${limits.join(', ')}`
}

function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** Formats a number with thousands separators, the same in every locale. */
function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/gu, ',')
}

function clockTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/u, 'Z')
}
