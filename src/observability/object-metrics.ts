/** Gauges that objects of several kinds set in the same way: their conditions and their queues. */
import type { MetricOwner, Metrics } from './metrics.ts'

type Condition = { readonly type: string; readonly status: string }

/** Sets the gauges of an object's conditions; called with each status. */
export type ConditionMetrics = (key: string, conditions: readonly Condition[]) => void

export function createConditionMetrics(metrics: Metrics, kind: MetricOwner): ConditionMetrics {
  return (key, conditions) => {
    const series = metrics.of(kind, key)
    series.retain('taskmill_object_condition', (labels) => conditions.some(({ type }) => type === labels.condition))
    for (const { type, status } of conditions) {
      series.set('taskmill_object_condition', { kind, condition: type }, status === 'True' ? 1 : 0)
    }
  }
}

/** The part of a queue's reading that becomes metrics. */
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
 * Sets the gauges of all queues of an object, by name. A queue that was not read now is undefined and keeps its last values. Several objects
 * may set the gauges of one queue, from the same readings.
 */
export function setQueueMetrics(
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
