/** The metrics of the operator: the registry of all of them, and the hooks of what measures itself. */
import type { OwnerOf } from './declaration.ts'
import type { MetricsDetail } from './family.ts'
import { operatorGroups } from './metrics/all.ts'
import type { clusterMetrics, controllerMetrics } from './metrics/process.ts'
import { createMetricRegistry, type MetricRegistry, type Series } from './registry.ts'

type Groups = (typeof operatorGroups)[number]

/** Kinds whose objects have metrics. */
export type MetricOwner = OwnerOf<Groups>

export const metricOwners: readonly MetricOwner[] = [
  ...new Set(operatorGroups.flatMap((group): readonly MetricOwner[] => ('owners' in group ? group.owners : []))),
]

/** Every metric of the operator. */
export type Metrics = MetricRegistry<Groups> &
  ClusterMetrics & {
    /** The hooks of a controller; called again with the same name in each term. */
    controller(source: ControllerSource): ControllerMetrics
  }

export type MetricsDeps = {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Default: object. */
  readonly detail?: MetricsDetail
}

export function createMetrics(deps: MetricsDeps): Metrics {
  const registry = createMetricRegistry<Groups>(operatorGroups, deps)
  return { ...registry, ...createClusterMetrics(registry), controller: createControllerMetrics(registry) }
}

type ElectionMetrics = { onLeading(isLeader: boolean): void; onSlowPath(): void; onEpoch(epoch: number): void }

/** One answered attempt; fits the observer of `kube`. */
type ApiResponse = { readonly method: string; readonly status: number | 'error' }

/** Hooks for the election, the client and the caches. Every series exists from the start. */
type ClusterMetrics = {
  election(name: string): ElectionMetrics
  apiRequests(host: string): (response: ApiResponse) => void
  /** For the informer of a resource: after each list but the first. */
  relists(resource: string): (relist: { readonly missed: number }) => void
}

function createClusterMetrics(series: Series<typeof clusterMetrics>): ClusterMetrics {
  return {
    election(name) {
      series.set('leader_election_master_status', { name }, 0)
      series.add('leader_election_slowpath_total', { name }, 0)
      series.set('taskmill_leader_epoch', { name }, 0)
      return {
        onLeading: (isLeader) => series.set('leader_election_master_status', { name }, isLeader ? 1 : 0),
        onSlowPath: () => series.add('leader_election_slowpath_total', { name }),
        onEpoch: (value) => series.set('taskmill_leader_epoch', { name }, value),
      }
    },
    relists(resource) {
      series.add('taskmill_cache_relist_missed_total', { resource }, 0)
      return ({ missed }) => series.add('taskmill_cache_relist_missed_total', { resource }, missed)
    },
    apiRequests(host) {
      series.add('rest_client_requests_total', { code: '200', method: 'GET', host }, 0)
      return ({ method, status }) =>
        series.add('rest_client_requests_total', { code: status === 'error' ? '<error>' : String(status), method, host })
    },
  }
}

type Outcome = 'success' | 'error' | 'requeue_after'
type Failure = 'error' | 'terminal' | 'panic' | 'timeout'

/** The hooks of one controller; they fit those of `runtime`. */
type ControllerMetrics = {
  onReconcile(outcome: Outcome, seconds: number): void
  onFailure(kind: Failure): void
  onActive(workers: number): void
  onFallback(keys: number): void
  onDepth(depth: number): void
  onAdd(): void
  onTaken(waitedSeconds: number): void
  onDone(workedSeconds: number): void
  onRetry(): void
}

type ControllerSource = {
  readonly name: string
  readonly concurrency: number
  /** For how long each key in work has been reconciled; asked when the metrics are read. */
  readonly workingSeconds: () => readonly number[]
}

const failures = {
  terminal: 'controller_runtime_terminal_reconcile_errors_total',
  panic: 'controller_runtime_reconcile_panics_total',
  timeout: 'controller_runtime_reconcile_timeouts_total',
} as const

/** Every series of a controller exists from the start, at 0. */
function createControllerMetrics(
  series: Series<typeof controllerMetrics> & { beforeRead(refresh: () => void): void },
): (source: ControllerSource) => ControllerMetrics {
  /** The newest of a name: each term has its own. */
  const sources = new Map<string, ControllerSource>()
  series.beforeRead(() => {
    for (const { name, workingSeconds } of sources.values()) {
      const queue = { name, controller: name }
      const seconds = workingSeconds()
      series.set(
        'workqueue_unfinished_work_seconds',
        queue,
        seconds.reduce((sum, each) => sum + each, 0),
      )
      series.set('workqueue_longest_running_processor_seconds', queue, Math.max(0, ...seconds))
    }
  })

  return (source) => {
    const { name } = source
    const isFirst = !sources.has(name)
    sources.set(name, source)
    const controller = { controller: name }
    const queue = { name, controller: name }
    for (const result of ['success', 'error', 'requeue', 'requeue_after']) {
      series.add('controller_runtime_reconcile_total', { ...controller, result }, 0)
    }
    series.add('controller_runtime_reconcile_errors_total', controller, 0)
    for (const each of Object.values(failures)) series.add(each, controller, 0)
    series.add('taskmill_fallback_reconciles_total', controller, 0)
    series.add('workqueue_adds_total', queue, 0)
    series.add('workqueue_retries_total', queue, 0)
    if (isFirst) {
      series.open('workqueue_queue_duration_seconds', queue)
      series.open('workqueue_work_duration_seconds', queue)
      series.open('controller_runtime_reconcile_time_seconds', controller)
    }
    series.set('workqueue_depth', queue, 0)
    series.set('controller_runtime_active_workers', controller, 0)
    series.set('controller_runtime_max_concurrent_reconciles', controller, source.concurrency)
    return {
      onReconcile(result, seconds) {
        series.add('controller_runtime_reconcile_total', { ...controller, result })
        series.observe('controller_runtime_reconcile_time_seconds', controller, seconds)
      },
      onFailure(kind) {
        series.add('controller_runtime_reconcile_errors_total', controller)
        if (kind !== 'error') series.add(failures[kind], controller)
      },
      onActive: (workers) => series.set('controller_runtime_active_workers', controller, workers),
      onFallback: (keys) => series.add('taskmill_fallback_reconciles_total', controller, keys),
      onDepth: (keys) => series.set('workqueue_depth', queue, keys),
      onAdd: () => series.add('workqueue_adds_total', queue),
      onTaken: (seconds) => series.observe('workqueue_queue_duration_seconds', queue, seconds),
      onDone: (seconds) => series.observe('workqueue_work_duration_seconds', queue, seconds),
      onRetry: () => series.add('workqueue_retries_total', queue),
    }
  }
}
