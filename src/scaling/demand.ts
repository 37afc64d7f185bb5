/** What one queue holds at the moment of reading. All counts are jobs. */
export type QueueLoad = {
  readonly waiting: number
  readonly prioritized: number
  /** Delayed jobs whose time has come: BullMQ moves them to `wait` only from a running worker, so they are demand already. */
  readonly dueDelayed: number
  readonly active: number
  /** Those of `active` whose worker is gone: only another worker gives them back. */
  readonly orphaned: number
  readonly paused: boolean
  /** Unix ms since which the oldest ready job could have run. */
  readonly oldestReadyAtMs?: number
}

/** The load of a pool: the sum over its queues. */
export type Demand = {
  /** Jobs that could start now, if there were a slot. */
  readonly backlog: number
  /** Jobs that a worker runs, as far as is known. */
  readonly active: number
  /** Active jobs without a worker. They need one worker that gives them back, whatever their number; then they are backlog. */
  readonly orphaned: number
  readonly oldestReadyAtMs?: number
}

/** Sums up the queues of a pool. A paused queue contributes only what already runs: more pods would not start its jobs. */
export function demandOf(queues: readonly QueueLoad[]): Demand {
  let [backlog, active, orphaned] = [0, 0, 0]
  let oldest: number | undefined
  for (const queue of queues) {
    active += queue.active - queue.orphaned
    orphaned += queue.orphaned
    if (queue.paused) continue
    backlog += queue.waiting + queue.prioritized + queue.dueDelayed
    const since = queue.oldestReadyAtMs
    if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since
  }
  return { backlog, active, orphaned, ...(oldest === undefined ? {} : { oldestReadyAtMs: oldest }) }
}
