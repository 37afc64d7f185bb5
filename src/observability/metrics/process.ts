import { collectDefaultMetrics, type Registry } from 'prom-client'
import { declareMetrics } from '../declaration.ts'

/** What prom-client tells of a Node process; its names, and those of its gauges that are no counters by name. */
export const processMetrics = declareMetrics({
  title: 'The process',
  about: 'Of the operator and of each worker, told by Node and the kernel; those of `process_…` on Linux only.',
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
