/** What the processes report about themselves: the operator's controllers, its election and its client; a worker; Node. */
import { collectDefaultMetrics, type Registry } from 'prom-client'
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

export const clusterMetrics = declareMetrics({
  title: 'Election and API server',
  about: "Of the operator's process, named like those of client-go and controller-runtime.",
  metrics: {
    taskmill_build_info: { type: 'Gauge', help: '1, with the version of the operator as a label.', labels: ['version'] },
    taskmill_memory_used_ratio: {
      type: 'Gauge',
      help: 'Memory that the operator uses, as a part of a limit: the container (as the kernel counts), or the heap (what the last full garbage collection left).',
      labels: ['limit'],
      advice:
        'At 0.8 the operator collects its garbage. Still above, it drops what it can read or compute again: raise operator.resources.limits.memory of the chart.',
    },
    leader_election_master_status: {
      type: 'Gauge',
      help: '1 while this process holds the Lease, else 0.',
      labels: ['name'],
      advice: 'No process at 1: nothing is reconciled. See the logs of the operator and the Lease.',
    },
    leader_election_slowpath_total: {
      type: 'Counter',
      help: 'Renewals that had to read the Lease first, because another process had written it.',
      labels: ['name'],
    },
    taskmill_leader_epoch: {
      type: 'Gauge',
      help: 'The number of the term that this process leads or led last; 0 when it never did.',
      labels: ['name'],
    },
    rest_client_requests_total: {
      type: 'Counter',
      help: 'Requests to the API server that were answered, by status, or failed (code "<error>").',
      labels: ['code', 'method', 'host'],
      advice: 'Code 403: the roles of the chart do not match its version. Code 429: the API server has too much to do.',
    },
    taskmill_cache_relist_missed_total: {
      type: 'Counter',
      help: 'Changes that a new list of a resource found and the watch had missed: above 0 without an outage of the API server, watches lose events.',
      labels: ['resource'],
    },
  },
})

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

/** What prom-client reports of a Node process, under its names. */
export const processMetrics = declareMetrics({
  title: 'The process',
  about: 'Of the operator and of each worker, as reported by Node and the kernel; those of `process_…` on Linux only.',
  metrics: {
    process_cpu_user_seconds_total: { type: 'Counter', help: 'Total user CPU time spent in seconds.' },
    process_cpu_system_seconds_total: { type: 'Counter', help: 'Total system CPU time spent in seconds.' },
    process_cpu_seconds_total: { type: 'Counter', help: 'Total user and system CPU time spent in seconds.' },
    process_start_time_seconds: { type: 'Gauge', help: 'Start time of the process since unix epoch in seconds.' },
    process_resident_memory_bytes: { type: 'Gauge', help: 'Resident memory size in bytes.' },
    process_virtual_memory_bytes: { type: 'Gauge', help: 'Virtual memory size in bytes.' },
    process_heap_bytes: { type: 'Gauge', help: 'Process heap size in bytes.' },
    process_open_fds: { type: 'Gauge', help: 'Number of open file descriptors.' },
    process_max_fds: { type: 'Gauge', help: 'Maximum number of open file descriptors.' },
    nodejs_eventloop_lag_seconds: { type: 'Gauge', help: 'Lag of event loop in seconds.' },
    nodejs_eventloop_lag_p50_seconds: { type: 'Gauge', help: 'The 50th percentile of the recorded event loop delays.' },
    nodejs_eventloop_lag_p90_seconds: { type: 'Gauge', help: 'The 90th percentile of the recorded event loop delays.' },
    nodejs_eventloop_lag_p99_seconds: {
      type: 'Gauge',
      help: 'The 99th percentile of the recorded event loop delays.',
      advice: 'Above a second, the process does nothing in time: look at its CPU limit.',
    },
    nodejs_heap_size_total_bytes: { type: 'Gauge', help: 'Process heap size from Node.js in bytes.' },
    nodejs_heap_size_used_bytes: { type: 'Gauge', help: 'Process heap size used from Node.js in bytes.' },
    nodejs_external_memory_bytes: { type: 'Gauge', help: 'Node.js external memory size in bytes.' },
    nodejs_version_info: { type: 'Gauge', help: 'Node.js version info.', labels: ['version', 'major', 'minor', 'patch'] },
    nodejs_gc_duration_seconds: {
      type: 'Histogram',
      help: 'Garbage collection duration by kind, one of major, minor, incremental or weakcb.',
      labels: ['kind'],
      buckets: [0.001, 0.01, 0.1, 1, 2, 5],
    },
  },
})

/** Collects those, and no others: some of prom-client's are misnamed, some many and of no use here. */
export function collectProcessMetrics(registry: Registry): void {
  const { metrics } = processMetrics
  const { nodejs_gc_duration_seconds: gc } = metrics
  collectDefaultMetrics({ register: registry, gcDurationBuckets: [...gc.buckets] })
  for (const metric of registry.getMetricsAsArray()) {
    const { name } = metric as unknown as { readonly name: string }
    if (!Object.hasOwn(metrics, name)) registry.removeSingleMetric(name)
  }
}
