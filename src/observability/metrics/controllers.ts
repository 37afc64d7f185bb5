import { declareMetrics } from '../declaration.ts'

/** Those of Kubernetes' workqueue: 10 ns to 1,000 s. */
const queueBuckets = Array.from({ length: 12 }, (_, power) => 10 ** (power - 8))

export const controllerMetrics = declareMetrics({
  title: 'Controllers',
  about: "Of each controller and its queue of keys: controller-runtime's names, labels and meaning.",
  metrics: {
    controller_runtime_reconcile_total: {
      type: 'Counter',
      help: 'Reconciliations per controller, by result.',
      labels: ['controller', 'result'],
    },
    controller_runtime_reconcile_errors_total: {
      type: 'Counter',
      help: 'Reconciliations that failed, for whatever reason.',
      labels: ['controller'],
      advice: 'Steadily more: the log line "reconciliation failed" has the reason.',
    },
    controller_runtime_terminal_reconcile_errors_total: {
      type: 'Counter',
      help: 'Those that failed for good and are not repeated.',
      labels: ['controller'],
    },
    controller_runtime_reconcile_panics_total: {
      type: 'Counter',
      help: 'Those that failed because of a mistake in the program.',
      labels: ['controller'],
      advice: 'Any: report it, with the log line that has the stack.',
    },
    controller_runtime_reconcile_timeouts_total: {
      type: 'Counter',
      help: 'Those that were aborted because they took too long.',
      labels: ['controller'],
    },
    taskmill_fallback_reconciles_total: {
      type: 'Counter',
      help: 'Keys that were enqueued by the hourly fallback.',
      labels: ['controller'],
    },
    controller_runtime_max_concurrent_reconciles: {
      type: 'Gauge',
      help: 'How many keys may be reconciled at once.',
      labels: ['controller'],
    },
    controller_runtime_active_workers: { type: 'Gauge', help: 'How many keys are being reconciled.', labels: ['controller'] },
    controller_runtime_reconcile_time_seconds: {
      type: 'Histogram',
      help: 'Time that one reconciliation took.',
      labels: ['controller'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    },
    workqueue_depth: { type: 'Gauge', help: 'Keys that are due and not taken.', labels: ['name', 'controller'] },
    workqueue_adds_total: {
      type: 'Counter',
      help: 'Keys added, also those that were there already.',
      labels: ['name', 'controller'],
    },
    workqueue_retries_total: { type: 'Counter', help: 'Keys added again after a failure.', labels: ['name', 'controller'] },
    workqueue_queue_duration_seconds: {
      type: 'Histogram',
      help: 'From being due to being taken.',
      labels: ['name', 'controller'],
      buckets: queueBuckets,
    },
    workqueue_work_duration_seconds: {
      type: 'Histogram',
      help: 'From being taken to being done.',
      labels: ['name', 'controller'],
      buckets: queueBuckets,
    },
    workqueue_unfinished_work_seconds: {
      type: 'Gauge',
      help: 'Time spent so far on the keys being worked on, together.',
      labels: ['name', 'controller'],
    },
    workqueue_longest_running_processor_seconds: {
      type: 'Gauge',
      help: 'Time spent so far on the key that has taken longest.',
      labels: ['name', 'controller'],
      advice: 'Above a minute: the operator waits for something that does not answer, usually a broker or the API server.',
    },
  },
})
