import type { WorkerPoolStatus } from '../../api/index.ts'
import type { Metrics } from '../../observability/index.ts'
import type { World } from './world.ts'

const jobStates = ['waiting', 'prioritized', 'delayed', 'active'] as const

/** The gauges of a pool and of its queues. A queue of several pools is told by each of them. */
export function tellPool(metrics: Metrics, key: string, { pool, signals }: World, status: WorkerPoolStatus): void {
  const series = metrics.of('WorkerPool', key)
  series.set('taskmill_pool_desired_replicas', {}, status.desiredReplicas ?? 0)
  series.set('taskmill_pool_ready_replicas', {}, status.readyReplicas ?? 0)
  series.set('taskmill_pool_max_replicas', {}, pool.spec.scaling.maxReplicas)

  const broker = pool.spec.brokerRef.name
  const isOwn = (labels: { readonly queue: string }) => pool.spec.queues.some(({ name }) => name === labels.queue)
  series.retain('taskmill_queue_jobs', isOwn)
  series.retain('taskmill_queue_oldest_wait_seconds', isOwn)
  if (signals.kind !== 'Read') return
  for (const [index, { name: queue }] of pool.spec.queues.entries()) {
    const load = signals.queues[index]
    if (load === undefined) continue
    for (const state of jobStates) series.set('taskmill_queue_jobs', { broker, queue, state }, load[state])
    series.since('taskmill_queue_oldest_wait_seconds', { broker, queue }, load.oldestReadyAtMs)
  }
}
