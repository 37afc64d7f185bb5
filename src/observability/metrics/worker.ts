import { declareMetrics } from '../declaration.ts'

export const workerMetrics = declareMetrics({
  title: 'Workers',
  about:
    'Of each process `taskmill worker`. Which pod it is, Prometheus adds as a label of the target. Task types without a handler share the label `<unknown>`.',
  metrics: {
    taskmill_tasks_total: {
      type: 'Counter',
      help: 'Runs of handlers that ended: succeeded, retried (failed with attempts left), failed (for good), interrupted (runs again elsewhere).',
      labels: ['queue', 'type', 'outcome'],
    },
    taskmill_task_duration_seconds: {
      type: 'Histogram',
      help: 'Time that one run of a handler took, by how it ended.',
      labels: ['queue', 'type', 'outcome'],
      // 5 ms to an hour.
      buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
    },
    taskmill_worker_slots: { type: 'Gauge', help: 'Jobs that this worker runs at once at most.' },
    taskmill_worker_busy: { type: 'Gauge', help: 'Jobs that this worker has: running, or about to be stored.' },
  },
})
