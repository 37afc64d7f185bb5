import type { WorkerPoolStatus } from '../../api/index.ts'
import type { Metrics } from '../../observability/index.ts'
import { namespaceOf } from './ownership.ts'
import type { World } from './world.ts'

type QueueLabels = Parameters<Metrics['forgetQueue']>[0]

/**
 * The pool's gauges. The series of a pool that is gone, or of a queue that it no longer has, are removed; a queue that another pool has
 * as well comes back with that pool's next look.
 */
export function createPoolMetrics(metrics: Metrics): {
  report(key: string, world: World, status: WorkerPoolStatus): void
  forget(key: string): void
} {
  const published = new Map<string, { readonly namespace: string; readonly pool: string; readonly queues: readonly QueueLabels[] }>()

  const forgetQueues = (key: string, keep: readonly QueueLabels[]): void => {
    for (const labels of published.get(key)?.queues ?? []) {
      if (!keep.some(({ broker, queue }) => broker === labels.broker && queue === labels.queue)) metrics.forgetQueue(labels)
    }
  }

  return {
    report(key, { pool, signals }, status) {
      const [namespace, name] = [namespaceOf(pool), pool.metadata.name]
      metrics.poolReplicas({ namespace, pool: name }, status.desiredReplicas ?? 0, status.readyReplicas ?? 0)
      const queues = pool.spec.queues.map((queue) => ({ namespace, broker: pool.spec.brokerRef.name, queue: queue.name }))
      forgetQueues(key, queues)
      published.set(key, { namespace, pool: name, queues })
      if (signals.kind !== 'Read') return
      for (const [index, labels] of queues.entries()) {
        const load = signals.queues[index]
        if (load !== undefined) metrics.queueJobs(labels, load)
      }
    },
    forget(key) {
      const entry = published.get(key)
      if (entry === undefined) return
      forgetQueues(key, [])
      metrics.forgetPool({ namespace: entry.namespace, pool: entry.pool })
      published.delete(key)
    },
  }
}
