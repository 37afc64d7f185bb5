import type { Demand } from './demand.ts'
import { recordRecommendation, stabilizedReplicas, type RecommendationHistory } from './stabilization.ts'

/** What the pool's spec says about scaling. */
export type ScalingRules = {
  readonly minReplicas: number
  readonly maxReplicas: number
  /** Jobs (backlog and running) that one replica is meant to have. */
  readonly targetBacklogPerReplica: number
  /** Slots of one pod. */
  readonly concurrency: number
  readonly scaleDownWindowSeconds: number
}

/** The queues, as far as they are known. An unreadable queue is not an empty queue. */
export type Signal =
  { readonly known: true; readonly demand: Demand } | { readonly known: false; readonly message: string; readonly sinceMs?: number }

export type ScalingInput = {
  readonly rules: ScalingRules
  readonly signal: Signal
  /** Replicas of the Deployment now; 0 when there is none yet. */
  readonly current: number
  /** Pods for which no node has room. */
  readonly unschedulable: number
  readonly history: RecommendationHistory
  readonly nowMs: number
}

export type ScalingDecision = {
  readonly replicas: number
  /** Replicas that the demand alone asks for; `current` while the demand is unknown. */
  readonly wanted: number
  /** Set when minReplicas or maxReplicas changed the answer (HPA's words), or when the nodes are full. */
  readonly limit?: 'TooFewReplicas' | 'TooManyReplicas' | 'UnschedulablePods'
  /** Set while the scale-down window keeps more replicas than wanted: when it lets go (Unix ms). */
  readonly heldUntilMs?: number
  readonly history: RecommendationHistory
}

/**
 * wanted = max(1, ceil((backlog + active) / targetBacklogPerReplica), ceil(active / concurrency)), or 0 without any job; orphaned jobs
 * alone ask for one replica.
 *
 * The second term keeps a slot for every running job, so that scaling in does not ask running jobs to leave. The answer is the
 * highest `wanted` of the scale-down window, between minReplicas and maxReplicas, and no more than there are while pods wait for a node.
 * While the queues cannot be read the replicas stay, and the window starts again when they can.
 */
export function decideReplicas({ rules, signal, current, unschedulable, history, nowMs }: ScalingInput): ScalingDecision {
  const windowMs = rules.scaleDownWindowSeconds * 1000
  const wanted = signal.known ? replicasFor(signal.demand, rules) : current
  const started = history.entries.length === 0 ? recordRecommendation(history, current, nowMs, windowMs) : history
  const next = recordRecommendation(started, wanted, nowMs, windowMs)
  const stabilized = stabilizedReplicas(next, windowMs)
  const asked = Math.min(Math.max(stabilized.replicas, rules.minReplicas), rules.maxReplicas)
  const isCrowded = unschedulable > 0 && asked >= current
  const replicas = isCrowded ? Math.max(current, rules.minReplicas) : asked
  const held = stabilized.untilMs !== undefined && replicas > Math.max(wanted, rules.minReplicas)
  const limit = isCrowded ? 'UnschedulablePods' : limitOf(wanted, stabilized.replicas, rules)
  return {
    replicas,
    wanted,
    ...(limit === undefined ? {} : { limit }),
    ...(held && stabilized.untilMs !== undefined ? { heldUntilMs: stabilized.untilMs } : {}),
    history: next,
  }
}

function replicasFor(demand: Demand, rules: ScalingRules): number {
  const jobs = demand.backlog + demand.active
  if (jobs === 0) return demand.orphaned > 0 ? 1 : 0
  return Math.max(1, Math.ceil(jobs / rules.targetBacklogPerReplica), Math.ceil(demand.active / rules.concurrency))
}

/** Too many by what is asked for now; too few only when nothing else keeps more replicas. */
function limitOf(wanted: number, stabilized: number, rules: ScalingRules): ScalingDecision['limit'] {
  if (wanted > rules.maxReplicas) return 'TooManyReplicas'
  return stabilized < rules.minReplicas ? 'TooFewReplicas' : undefined
}
