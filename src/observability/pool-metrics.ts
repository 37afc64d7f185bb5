/** Metrics of pools and their queues. Series of an object are removed when the object goes (`forget…`). */
import { Gauge, type Registry } from 'prom-client'

/** The states of a queue's jobs that a gauge tells apart. */
export type QueueJobs = {
  readonly waiting: number
  readonly prioritized: number
  readonly delayed: number
  readonly active: number
}

export type QueueLabels = { readonly namespace: string; readonly broker: string; readonly queue: string }
export type PoolLabels = { readonly namespace: string; readonly pool: string }

export type PoolMetrics = {
  queueJobs(labels: QueueLabels, jobs: QueueJobs): void
  forgetQueue(labels: QueueLabels): void
  poolReplicas(labels: PoolLabels, desired: number, ready: number): void
  forgetPool(labels: PoolLabels): void
}

export function createPoolMetrics(registry: Registry): PoolMetrics {
  const registers = [registry]
  const jobs = new Gauge({
    name: 'taskmill_queue_jobs',
    help: 'Jobs of a queue that a WorkerPool consumes, by state, as last read from the broker.',
    labelNames: ['namespace', 'broker', 'queue', 'state'],
    registers,
  })
  const desiredReplicas = new Gauge({
    name: 'taskmill_pool_desired_replicas',
    help: 'Replicas that the WorkerPool wants.',
    labelNames: ['namespace', 'pool'],
    registers,
  })
  const readyReplicas = new Gauge({
    name: 'taskmill_pool_ready_replicas',
    help: 'Replicas of the WorkerPool that are Ready.',
    labelNames: ['namespace', 'pool'],
    registers,
  })
  const jobStates = ['waiting', 'prioritized', 'delayed', 'active'] as const
  return {
    queueJobs(labels, counts) {
      for (const state of jobStates) jobs.set({ ...labels, state }, counts[state])
    },
    forgetQueue(labels) {
      for (const state of jobStates) jobs.remove({ ...labels, state })
    },
    poolReplicas(labels, desired, ready) {
      desiredReplicas.set(labels, desired)
      readyReplicas.set(labels, ready)
    },
    forgetPool(labels) {
      desiredReplicas.remove(labels)
      readyReplicas.remove(labels)
    },
  }
}
