/** The content of one queue when it was read. All counts are jobs. */
export type QueueLoad = {
  readonly queue: string
  readonly waiting: number
  readonly prioritized: number
  /**
   * Delayed jobs that are due. They count as demand already, because BullMQ moves them to `wait` only from a running
   * worker.
   */
  readonly dueDelayed: number
  readonly active: number
  /** Those of `active` whose worker is gone. Only another worker returns them to the queue. */
  readonly orphaned: number
  readonly paused: boolean
  /** The concurrency limit of the queue, over all workers. */
  readonly concurrency?: number
  /** Since when (Unix ms) the oldest ready job could have started. */
  readonly oldestReadyAtMs?: number
}

/** The load of a pool: the sum over its queues. */
export type Demand = {
  /** Jobs that could start now if there were a slot. */
  readonly backlog: number
  /** Jobs that a worker is known to run. */
  readonly active: number
  /** Active jobs without a worker. One worker is enough to return them all to the queue; then they are backlog. */
  readonly orphaned: number
  readonly oldestReadyAtMs?: number
  /** The queues with a concurrency limit and jobs. Slots beyond the limit would stay idle. */
  readonly limited?: readonly LimitedQueue[]
}

export type LimitedQueue = {
  readonly queue: string
  readonly concurrency: number
  /** Jobs of this queue in the backlog and among the active jobs. */
  readonly jobs: number
}

/**
 * Sums up the queues of a pool. A paused queue counts only its running jobs, because more pods would not start its
 * other jobs.
 */
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
