import type { Demand, LimitedQueue } from './demand.ts'

/** What the pool's spec says about scaling. */
export type ScalingRules = {
  readonly minReplicas: number
  readonly maxReplicas: number
  /** Number of jobs, waiting and running, per replica. */
  readonly targetBacklogPerReplica: number
  /** Number of jobs that one pod runs at the same time. */
  readonly concurrency: number
  readonly scaleDownWindowSeconds: number
}

/** What is known about the queues. A queue that cannot be read is not an empty queue. */
export type Signal =
  { readonly known: true; readonly demand: Demand } | { readonly known: false; readonly message: string; readonly sinceMs?: number }

export type ScalingInput = {
  readonly rules: ScalingRules
  readonly signal: Signal
  /** Current replicas of the Deployment; 0 if there is none yet. */
  readonly current: number
  /** Number of pods for which no node has room. */
  readonly unschedulable: number
  readonly history: RecommendationHistory
  readonly nowMs: number
}

export type ScalingDecision = {
  readonly replicas: number
  /** Replicas that the demand alone asks for; `current` while the demand is unknown. */
  readonly wanted: number
  /**
   * Set if minReplicas, maxReplicas, the nodes or a limit of the queues changed the answer. Named as in the
   * HorizontalPodAutoscaler.
   */
  readonly limit?: 'TooFewReplicas' | 'TooManyReplicas' | 'UnschedulablePods' | 'QueueConcurrencyLimited'
  /** Set if the concurrency of queues lowered `wanted`: the number before, and those queues. */
  readonly capped?: { readonly from: number; readonly queues: readonly LimitedQueue[] }
  /** Set while the scale-down window keeps more replicas than wanted: when the window ends (Unix ms). */
  readonly heldUntilMs?: number
  readonly history: RecommendationHistory
}

/**
 * Decides the number of replicas.
 *
 * wanted = max(1, ceil((backlog + active) / targetBacklogPerReplica), ceil(active / concurrency)), or 0 without any
 * job. Orphaned jobs alone ask for one replica. The second term keeps a slot for every running job, so that a scale-in
 * does not interrupt running jobs.
 *
 * A queue with a concurrency limit counts at most the jobs of the replicas whose slots fill that limit.
 *
 * The answer is the highest `wanted` of the scale-down window, between minReplicas and maxReplicas. While pods wait for
 * a node, no replica is added. While the queues cannot be read, the replicas stay, and the window starts again
 * afterwards.
 */
export function decideReplicas({ rules, signal, current, unschedulable, history, nowMs }: ScalingInput): ScalingDecision {
  const windowMs = rules.scaleDownWindowSeconds * 1000
  const uncapped = signal.known ? replicasFor(signal.demand, rules) : current
  const wanted = signal.known ? replicasFor(signal.demand, rules, beyondLimits(signal.demand, rules)) : current
  // After a start or an unreadable queue the window is empty. It starts with the current replicas, so that they do not
  // fall at once.
  const started = history.entries.length === 0 ? recordRecommendation(history, current, nowMs, windowMs) : history
  const next = recordRecommendation(started, wanted, nowMs, windowMs)
  const stabilized = stabilizedReplicas(next, windowMs)
  const asked = Math.min(Math.max(stabilized.replicas, rules.minReplicas), rules.maxReplicas)
  // More pods would only wait too. Fewer are possible.
  const isCrowded = unschedulable > 0 && asked >= current
  const replicas = isCrowded ? Math.max(current, rules.minReplicas) : asked
  const held = stabilized.untilMs !== undefined && replicas > Math.max(wanted, rules.minReplicas)
  const limit = isCrowded ? 'UnschedulablePods' : limitOf(wanted, uncapped, stabilized.replicas, rules)
  return {
    replicas,
    wanted,
    ...(limit === undefined ? {} : { limit }),
    ...(signal.known && wanted < uncapped ? { capped: { from: uncapped, queues: cappedQueues(signal.demand, rules) } } : {}),
    ...(held && stabilized.untilMs !== undefined ? { heldUntilMs: stabilized.untilMs } : {}),
    history: next,
  }
}

function replicasFor(demand: Demand, rules: ScalingRules, without = 0): number {
  const jobs = demand.backlog + demand.active - without
  if (jobs === 0) return demand.orphaned > 0 ? 1 : 0
  return Math.max(1, Math.ceil(jobs / rules.targetBacklogPerReplica), Math.ceil(demand.active / rules.concurrency))
}

/** Returns the jobs of limited queues that no further replica would start. */
function beyondLimits({ limited = [] }: Demand, rules: ScalingRules): number {
  return limited.reduce((sum, queue) => sum + Math.max(0, queue.jobs - mostCounted(queue, rules)), 0)
}

function cappedQueues({ limited = [] }: Demand, rules: ScalingRules): readonly LimitedQueue[] {
  return limited.filter((queue) => queue.jobs > mostCounted(queue, rules))
}

function mostCounted({ concurrency }: LimitedQueue, { concurrency: slots, targetBacklogPerReplica }: ScalingRules): number {
  return Math.ceil(concurrency / slots) * targetBacklogPerReplica
}

/** Too many: what is asked for now. Too few: only if nothing else keeps more replicas. */
function limitOf(wanted: number, uncapped: number, stabilized: number, rules: ScalingRules): ScalingDecision['limit'] {
  if (wanted > rules.maxReplicas) return 'TooManyReplicas'
  if (wanted < uncapped) return 'QueueConcurrencyLimited'
  return stabilized < rules.minReplicas ? 'TooFewReplicas' : undefined
}

/**
 * The memory of the scale-down window, as in the HorizontalPodAutoscaler: replicas fall only to the highest
 * recommendation of the last window. Decisions are made on events, not at a fixed pace, so a recommendation holds until
 * the next one replaces it.
 *
 * The entries fall from first to last: an entry followed by an equal or higher one can never be the maximum again. So
 * memory is bounded by the number of different falling steps in a window, and every operation is O(1) amortised.
 */
type Recommendation = {
  readonly replicas: number
  /** The last time (Unix ms) at which this was recommended. */
  readonly untilMs: number
}

export type RecommendationHistory = {
  /** Falling in replicas, rising in time. The last entry is the current recommendation. */
  readonly entries: readonly Recommendation[]
}

export const emptyHistory: RecommendationHistory = { entries: [] }

/** Records that `replicas` is recommended from `nowMs` on, and that the previous recommendation held until now. */
function recordRecommendation(history: RecommendationHistory, replicas: number, nowMs: number, windowMs: number): RecommendationHistory {
  const last = history.entries.at(-1)
  const held = last === undefined ? history.entries : push(history.entries, { replicas: last.replicas, untilMs: nowMs })
  const entries = push(held, { replicas, untilMs: nowMs })
  return { entries: entries.filter((entry, index) => index === entries.length - 1 || entry.untilMs > nowMs - windowMs) }
}

/**
 * Returns the highest recommendation of the window, and when it stops counting (undefined if it is the current one).
 */
function stabilizedReplicas(history: RecommendationHistory, windowMs: number): { readonly replicas: number; readonly untilMs?: number } {
  const [head, ...rest] = history.entries
  if (head === undefined) return { replicas: 0 }
  return rest.length === 0 ? { replicas: head.replicas } : { replicas: head.replicas, untilMs: head.untilMs + windowMs }
}

function push(entries: readonly Recommendation[], next: Recommendation): readonly Recommendation[] {
  const kept = entries.filter((entry) => entry.replicas > next.replicas)
  return [...kept, next]
}
