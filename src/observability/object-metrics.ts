/** Gauges that objects of several kinds set in the same way: their conditions and their queues. */
import type { Metrics } from './metrics.ts'
import { toldConditions } from './metrics/objects.ts'

type Condition = { readonly type: string; readonly status: string }

/** Sets the gauges of an object's conditions; called with each status. */
export type ConditionMetrics = (key: string, conditions: readonly Condition[]) => void

export function createConditionMetrics(metrics: Metrics, kind: keyof typeof toldConditions): ConditionMetrics {
  const told: Readonly<Record<string, 'Always' | 'True' | 'False'>> = toldConditions[kind]
  // One object of labels for all objects of the kind.
  const labelsOf = new Map(Object.keys(told).map((condition) => [condition, { kind, condition }]))
  return (key, conditions) => {
    const series = metrics.of(kind, key)
    for (const [type, labels] of labelsOf) {
      const status = conditions.find((condition) => condition.type === type)?.status
      const isTold = status !== undefined && (told[type] === 'Always' || told[type] === status)
      series.set('taskmill_object_condition', labels, isTold ? Number(status === 'True') : undefined)
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

/** States that are told only above 0. */
const otherStates = ['prioritized', 'delayed', 'active'] as const

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
    series.set('taskmill_queue_jobs', { broker, queue, state: 'waiting' }, figures.waiting)
    for (const state of otherStates) series.set('taskmill_queue_jobs', { broker, queue, state }, figures[state] || undefined)
    series.since('taskmill_queue_oldest_wait_seconds', { broker, queue }, figures.oldestReadyAtMs)
    series.set('taskmill_queue_paused', { broker, queue }, figures.paused ? 1 : 0)
    series.set('taskmill_queue_concurrency_limit', { broker, queue }, figures.concurrency)
  }
}
