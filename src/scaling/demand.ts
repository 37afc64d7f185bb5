/** What one queue holds at the moment of reading. All counts are jobs. */
export type QueueLoad = {
  readonly queue: string
  readonly waiting: number
  readonly prioritized: number
  /** Delayed jobs whose time has come: BullMQ moves them to `wait` only from a running worker, so they are demand already. */
  readonly dueDelayed: number
  readonly active: number
  /** Those of `active` whose worker is gone: only another worker gives them back. */
  readonly orphaned: number
  readonly paused: boolean
  /** The most jobs of it that run at once, over all workers. */
  readonly concurrency?: number
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
  /** The queues with a limit and jobs: more slots than the limit would find nothing to do in them. */
  readonly limited?: readonly LimitedQueue[]
}

export type LimitedQueue = {
  readonly queue: string
  readonly concurrency: number
  /** Those of the backlog and of the active jobs that are in it. */
  readonly jobs: number
}

/** Sums up the queues of a pool. A paused queue contributes only what already runs: more pods would not start its jobs. */
export function demandOf(queues: readonly QueueLoad[]): Demand {
  let [backlog, active, orphaned] = [0, 0, 0]
  let oldest: number | undefined
  const limited: LimitedQueue[] = []
  for (const queue of queues) {
    active += queue.active - queue.orphaned
    orphaned += queue.orphaned
    if (queue.paused) continue
    const ready = queue.waiting + queue.prioritized + queue.dueDelayed
    backlog += ready
    if (queue.concurrency !== undefined && ready > 0) {
      limited.push({ queue: queue.queue, concurrency: queue.concurrency, jobs: ready + queue.active - queue.orphaned })
    }
    const since = queue.oldestReadyAtMs
    if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since
  }
  return {
    backlog,
    active,
    orphaned,
    ...(oldest === undefined ? {} : { oldestReadyAtMs: oldest }),
    ...(limited.length === 0 ? {} : { limited }),
  }
}
