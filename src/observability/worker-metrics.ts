/** Metrics of a worker: what it ran and what it has room for. Which pod it is, Prometheus adds as a label of the target. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

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
  /** The text exposition format, for `/metrics`. */
  render(): Promise<string>
  readonly contentType: string
}

export type WorkerSlots = {
  readonly slots: number
  /** Asked when the metrics are read. */
  readonly busy: () => number
}

const outcomes: readonly TaskOutcome[] = ['succeeded', 'retried', 'failed', 'interrupted']
/** 5 ms to an hour. */
const durationBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]

export function createWorkerMetrics({ slots, busy }: WorkerSlots): WorkerMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const labelNames = ['queue', 'type', 'outcome']
  const total = new Counter({
    name: 'taskmill_tasks_total',
    help: 'Runs of handlers that ended: succeeded, retried (failed with attempts left), failed (for good), interrupted (runs again elsewhere).',
    labelNames,
    registers,
  })
  const duration = new Histogram({
    name: 'taskmill_task_duration_seconds',
    help: 'Time that one run of a handler took, by how it ended.',
    labelNames,
    buckets: durationBuckets,
    registers,
  })
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  gauge('taskmill_worker_slots', 'Jobs that this worker runs at once at most.', () => slots)
  gauge('taskmill_worker_busy', 'Jobs that this worker has: running, or about to be stored.', busy)
  return {
    taskStarted(labels) {
      for (const outcome of outcomes) total.inc({ ...labels, outcome }, 0)
    },
    taskEnded(labels, outcome, seconds) {
      total.inc({ ...labels, outcome })
      duration.observe({ ...labels, outcome }, seconds)
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
