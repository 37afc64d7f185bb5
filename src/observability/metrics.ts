/**
 * Every metric of the operator, declared once. Names of the reconcile loop are controller-runtime's, so that existing dashboards and
 * alerts work; our own are `taskmill_…` in base units. Series of an object are removed when the object goes (`forget…`).
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export type ReconcileOutcome = 'success' | 'error' | 'requeue_after'

/** The states of a queue's jobs that a gauge tells apart. */
export type QueueJobs = {
  readonly waiting: number
  readonly prioritized: number
  readonly delayed: number
  readonly active: number
}

export type QueueLabels = { readonly namespace: string; readonly broker: string; readonly queue: string }
export type PoolLabels = { readonly namespace: string; readonly pool: string }

export type Metrics = {
  reconciled(controller: string, outcome: ReconcileOutcome, seconds: number): void
  leading(name: string, isLeader: boolean): void
  queueJobs(labels: QueueLabels, jobs: QueueJobs): void
  forgetQueue(labels: QueueLabels): void
  poolReplicas(labels: PoolLabels, desired: number, ready: number): void
  forgetPool(labels: PoolLabels): void
  /** The text exposition format, for `/metrics`. */
  render(): Promise<string>
  readonly contentType: string
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const reconcileTotal = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciliations per controller, by result.',
    labelNames: ['controller', 'result'],
    registers,
  })
  const reconcileTime = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Time that one reconciliation took.',
    labelNames: ['controller'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  })
  const master = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process holds the Lease, else 0.',
    labelNames: ['name'],
    registers,
  })
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
    contentType: registry.contentType,
    render: () => registry.metrics(),
    reconciled(controller, outcome, seconds) {
      reconcileTotal.inc({ controller, result: outcome })
      reconcileTime.observe({ controller }, seconds)
    },
    leading: (name, isLeader) => master.set({ name }, isLeader ? 1 : 0),
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
