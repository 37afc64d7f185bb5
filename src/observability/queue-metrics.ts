import type { Metrics } from './metrics.ts'

/** What was read of a queue, as far as it is told. */
export type QueueFigures = {
  readonly waiting: number
  readonly prioritized: number
  readonly delayed: number
  readonly active: number
  readonly paused: boolean
  readonly concurrency?: number | undefined
  readonly oldestReadyAtMs?: number | undefined
}

const jobStates = ['waiting', 'prioritized', 'delayed', 'active'] as const

/**
 * Tells the queues of an object as gauges: all that it has, by name; undefined for one that was not read now, of which the last values stay. A
 * queue that several objects have is told by each of them, from the same readings.
 */
export function tellQueues(
  metrics: Metrics,
  owner: 'WorkerPool' | 'TaskQueue',
  key: string,
  { broker, queues }: { readonly broker: string; readonly queues: ReadonlyMap<string, QueueFigures | undefined> },
): void {
  const series = metrics.of(owner, key)
  const isOwn = (labels: { readonly queue: string }) => queues.has(labels.queue)
  series.retain('taskmill_queue_jobs', isOwn)
  series.retain('taskmill_queue_oldest_wait_seconds', isOwn)
  series.retain('taskmill_queue_paused', isOwn)
  series.retain('taskmill_queue_concurrency_limit', isOwn)
  for (const [queue, figures] of queues) {
    if (figures === undefined) continue
    for (const state of jobStates) series.set('taskmill_queue_jobs', { broker, queue, state }, figures[state])
    series.since('taskmill_queue_oldest_wait_seconds', { broker, queue }, figures.oldestReadyAtMs)
    series.set('taskmill_queue_paused', { broker, queue }, figures.paused ? 1 : 0)
    series.set('taskmill_queue_concurrency_limit', { broker, queue }, figures.concurrency)
  }
}
