import type { WorkerPoolStatus } from '../../api/index.ts'
import { setQueueMetrics, type Metrics } from '../../observability/index.ts'
import type { World } from './gather.ts'

/** Sets the gauges of a pool and of its queues. */
export function setGauges(metrics: Metrics, key: string, { pool, signals }: World, status: WorkerPoolStatus): void {
  const series = metrics.of('WorkerPool', key)
  series.set('taskmill_pool_desired_replicas', {}, status.desiredReplicas ?? 0)
  series.set('taskmill_pool_ready_replicas', {}, status.readyReplicas ?? 0)
  series.set('taskmill_pool_max_replicas', {}, pool.spec.scaling.maxReplicas)

  const known = signals.kind === 'Read' ? signals.queues : []
  const queues = new Map(pool.spec.queues.map(({ name }, index) => [name, known[index]] as const))
  setQueueMetrics(metrics, 'WorkerPool', key, { broker: pool.spec.brokerRef.name, queues })
}
