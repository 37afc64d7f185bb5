import {
  alertChannels,
  deployments,
  jobs,
  taskAlerts,
  taskBrokers,
  taskDependencies,
  taskExecutions,
  taskQueues,
  taskSchedules,
  workerPools,
  type AlertChannel,
  type Deployment,
  type Job,
  type KubeObject,
  type TaskAlert,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
  type TaskQueue,
  type TaskSchedule,
  type WorkerPool,
} from '../api/index.ts'
import type { Clock } from '../clock/index.ts'
import { labels } from '../contract/index.ts'
import { createInformerOfNamespaces, type Informer, type KubeClient } from '../kube/index.ts'
import type { Logger, MetricOwner, Metrics } from '../observability/index.ts'
import { isRecorded, slotRunOf } from '../plans/index.ts'
import type { Startable } from '../runtime/index.ts'
import { startersOf } from '../services/jobs/index.ts'

/** What the operator knows of the cluster, whether it leads or follows: the caches are warm when it takes over. */
export type Caches = {
  readonly pools: Informer<WorkerPool, 'byBroker'>
  readonly queues: Informer<TaskQueue, 'byBroker' | 'byQueue'>
  readonly schedules: Informer<TaskSchedule, 'byBroker' | 'byDependency'>
  readonly dependencies: Informer<TaskDependency, 'byBroker'>
  readonly executions: Informer<TaskExecution, 'byDependency' | 'bySchedule' | 'byBroker' | 'byUnrecordedSlot'>
  readonly taskBrokers: Informer<TaskBroker>
  readonly alerts: Informer<TaskAlert, 'byTarget' | 'byChannel'>
  readonly channels: Informer<AlertChannel>
  /** Those that carry the pool label. */
  readonly deployments: Informer<Deployment>
  /** Those that were started for runs and slots. */
  readonly jobs: Informer<Job, 'byStarter'>
}

export function createCaches(deps: {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  /** Empty: all. */
  readonly namespaces: readonly string[]
  readonly metrics: Metrics
}): Caches {
  const { metrics, ...informerDeps } = deps
  return {
    pools: createInformerOfNamespaces<WorkerPool, 'byBroker'>({
      ...informerDeps,
      resource: workerPools,
      onRelist: metrics.relists(workerPools.plural),
      indexes: { byBroker: ({ metadata, spec }) => [`${metadata.namespace ?? ''}/${spec.brokerRef.name}`] },
    }),
    queues: createInformerOfNamespaces<TaskQueue, 'byBroker' | 'byQueue'>({
      ...informerDeps,
      resource: taskQueues,
      onRelist: metrics.relists(taskQueues.plural),
      indexes: {
        byBroker: ({ metadata, spec }) => [`${metadata.namespace ?? ''}/${spec.brokerRef.name}`],
        byQueue: ({ spec }) => [spec.queueName],
      },
    }),
    schedules: createInformerOfNamespaces<TaskSchedule, 'byBroker' | 'byDependency'>({
      ...informerDeps,
      resource: taskSchedules,
      onRelist: metrics.relists(taskSchedules.plural),
      indexes: {
        byBroker: ({ metadata, spec }) => [`${metadata.namespace ?? ''}/${spec.brokerRef.name}`],
        byDependency: ({ metadata, spec }) =>
          spec.dependencyRef === undefined ? [] : [`${metadata.namespace ?? ''}/${spec.dependencyRef.name}`],
      },
    }),
    dependencies: createInformerOfNamespaces<TaskDependency, 'byBroker'>({
      ...informerDeps,
      resource: taskDependencies,
      onRelist: metrics.relists(taskDependencies.plural),
      indexes: { byBroker: ({ metadata, spec }) => [`${metadata.namespace ?? ''}/${spec.brokerRef.name}`] },
    }),
    executions: createInformerOfNamespaces<TaskExecution, 'byDependency' | 'bySchedule' | 'byBroker' | 'byUnrecordedSlot'>({
      ...informerDeps,
      resource: taskExecutions,
      onRelist: metrics.relists(taskExecutions.plural),
      indexes: {
        byDependency: (execution) => {
          const dependency = dependencyOf(execution)
          return dependency === undefined ? [] : [dependency]
        },
        bySchedule: ({ metadata, spec }) =>
          spec.scheduleRef === undefined ? [] : [`${metadata.namespace ?? ''}/${spec.scheduleRef.name}`],
        byUnrecordedSlot: (execution) => {
          const run = isRecorded(execution) ? undefined : slotRunOf(execution)
          return run === undefined ? [] : [`${execution.metadata.namespace ?? ''}/${run.schedule}`]
        },
        // Of one whose schedule or graph is not known yet the broker is not either: it is looked at when that comes.
        byBroker: ({ metadata, spec, status }) => [`${metadata.namespace ?? ''}/${status?.broker ?? spec.brokerRef?.name ?? 'default'}`],
      },
    }),
    taskBrokers: createInformerOfNamespaces<TaskBroker>({
      ...informerDeps,
      resource: taskBrokers,
      onRelist: metrics.relists(taskBrokers.plural),
    }),
    alerts: createInformerOfNamespaces<TaskAlert, 'byTarget' | 'byChannel'>({
      ...informerDeps,
      resource: taskAlerts,
      onRelist: metrics.relists(taskAlerts.plural),
      indexes: {
        /** `WorkerPool/namespace/name`. */
        byTarget: ({ metadata, spec }) => [`${spec.target.kind}/${metadata.namespace ?? ''}/${spec.target.name}`],
        byChannel: ({ metadata, spec }) => (spec.channelRefs ?? []).map(({ name }) => `${metadata.namespace ?? ''}/${name}`),
      },
    }),
    channels: createInformerOfNamespaces<AlertChannel>({
      ...informerDeps,
      resource: alertChannels,
      onRelist: metrics.relists(alertChannels.plural),
    }),
    deployments: createInformerOfNamespaces<Deployment>({
      ...informerDeps,
      resource: deployments,
      labelSelector: labels.pool,
      onRelist: metrics.relists(deployments.plural),
    }),
    jobs: createInformerOfNamespaces<Job, 'byStarter'>({
      ...informerDeps,
      resource: jobs,
      labelSelector: labels.startedBy,
      onRelist: metrics.relists(jobs.plural),
      indexes: { byStarter: startersOf },
    }),
  }
}

/** Series of an object go with it: at once, and whatever was told after that, before the next reader sees it. */
export function tieMetrics(metrics: Metrics, caches: Caches): void {
  const cacheOf: Readonly<Record<Exclude<MetricOwner, 'Namespace'>, Pick<Informer<KubeObject>, 'get' | 'onChange'>>> = {
    AlertChannel: caches.channels,
    TaskAlert: caches.alerts,
    TaskBroker: caches.taskBrokers,
    TaskDependency: caches.dependencies,
    TaskQueue: caches.queues,
    TaskSchedule: caches.schedules,
    WorkerPool: caches.pools,
  }
  // A namespace without a broker runs nothing any more.
  metrics.keepOnly((kind, key) => (kind === 'Namespace' ? caches.taskBrokers.list(key).length > 0 : cacheOf[kind].get(key) !== undefined))
  for (const [kind, cache] of Object.entries(cacheOf) as [keyof typeof cacheOf, (typeof cacheOf)[keyof typeof cacheOf]][]) {
    cache.onChange((key, current) => (current === undefined ? metrics.of(kind, key).forget() : undefined))
  }
}

/** The graph that is run, also where a schedule names it. */
export function dependencyOf({ metadata, spec, status }: TaskExecution): string | undefined {
  const name = spec.dependencyRef?.name ?? status?.dependency
  return name === undefined ? undefined : `${metadata.namespace ?? ''}/${name}`
}

/** The caches as parts of the process. */
export function partsOf(caches: Caches): readonly (Startable & { readonly synced: Promise<void> })[] {
  return Object.entries(caches).map(([name, { start, synced, stopped }]) => ({ name: `cache of ${name}`, start, synced, stopped }))
}

/** `namespace/name` of each. */
export function keysOf(objects: readonly KubeObject[]): readonly string[] {
  return objects.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)
}
