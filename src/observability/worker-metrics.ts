/** Metrics of a worker: what it ran and what it has room for. Which pod it is, Prometheus adds as a label of the target. */
import { workerGroups } from './metrics/all.ts'
import { createMetricRegistry } from './registry.ts'

/**
 * How one run of a handler ended. `retried`: failed, and the job has attempts left. `failed`: for good. `interrupted`: taken away by a drain or a
 * lost lock, no attempt used up.
 */
export type TaskOutcome = 'succeeded' | 'retried' | 'failed' | 'interrupted'

export type TaskLabels = { readonly queue: string; readonly type: string }

export type WorkerMetrics = {
  /** To be called when a run begins: from then on all its series exist. */
  taskStarted(labels: TaskLabels): void
  taskEnded(labels: TaskLabels, outcome: TaskOutcome, seconds: number): void
  /** The text exposition format, for `/metrics`, in pieces. */
  read(): AsyncIterable<string>
  readonly contentType: string
}

export type WorkerSlots = {
  readonly slots: number
  /** Asked when the metrics are read. */
  readonly busy: () => number
}

const outcomes: readonly TaskOutcome[] = ['succeeded', 'retried', 'failed', 'interrupted']

export function createWorkerMetrics({ slots, busy }: WorkerSlots): WorkerMetrics {
  const metrics = createMetricRegistry(workerGroups, { now: () => 0 })
  metrics.set('taskmill_worker_slots', {}, slots)
  metrics.beforeRead(() => metrics.set('taskmill_worker_busy', {}, busy()))
  return {
    taskStarted(labels) {
      for (const outcome of outcomes) metrics.add('taskmill_tasks_total', { ...labels, outcome }, 0)
    },
    taskEnded(labels, outcome, seconds) {
      metrics.add('taskmill_tasks_total', { ...labels, outcome })
      metrics.observe('taskmill_task_duration_seconds', { ...labels, outcome }, seconds)
    },
    read: metrics.read,
    contentType: metrics.contentType,
  }
}
