import {
  alertingType,
  findCondition,
  type KubeObject,
  keysOf,
  namespaceOf,
  type TaskAlert,
  type TaskBroker,
  type TaskDependency,
  type TaskQueue,
  type TaskSchedule,
  type WorkerPool,
} from '../../api/index.ts'
import type { ChannelRules } from '../../alerting/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, watchSpecs, type Watch } from '../../runtime/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import type { Notifier } from '../../services/notifications/index.ts'
import type { RunCounts, Signals } from '../../services/signals/index.ts'
import {
  dependencyTarget,
  poolTarget,
  queueTarget,
  scheduleTarget,
  type Target,
  targetKey,
  type TargetKind,
  type TargetObject,
} from './target.ts'

export type TaskAlertCaches = {
  readonly alerts: Informer<TaskAlert, 'byTarget' | 'byChannel'>
  readonly channels: Pick<Informer<KubeObject & { readonly spec: NonNullable<ChannelRules> }>, 'get' | 'onChange'>
  readonly taskBrokers: Informer<TaskBroker>
  readonly pools: Informer<WorkerPool>
  readonly queues: Informer<TaskQueue, 'byQueue'>
  readonly schedules: Informer<TaskSchedule>
  readonly dependencies: Informer<TaskDependency>
}

export type TaskAlertSources = {
  readonly caches: TaskAlertCaches
  readonly signals: Pick<Signals, 'changesOf'>
  readonly counts: Pick<RunCounts, 'changesOf'>
  readonly notifier: Pick<Notifier, 'onOutcome'>
  readonly directory: Pick<BrokerDirectory, 'onChange'>
  readonly configMaps: Pick<ConfigMaps, 'changesOf'>
}

/** Of each alert: for what it judges and whom it notifies. */
export function taskAlertWatches({ caches, signals, counts, notifier, directory, configMaps }: TaskAlertSources): readonly Watch[] {
  const { alerts, channels, queues, taskBrokers } = caches
  const ofNamespace = (key: string) => keysOf(alerts.list(namespaceOf(key)))
  return [
    watch('TaskAlerts', alerts, (key) => [key]),
    watch('channels', channels, (key) => keysOf(alerts.byIndex('byChannel', key))),
    watch('queues', signals.changesOf('TaskAlert'), (key) => [key]),
    watch('ConfigMaps of calendars', configMaps.changesOf('TaskAlert'), (key) => [key]),
    watch('counts of runs', counts.changesOf('TaskAlert'), (key) => [key]),
    // Also while the operator stops: an outcome that is not recorded is a notification that the next leader sends again.
    watch('outcomes of notifications', { onChange: notifier.onOutcome }, (key) => [key], { throughStop: true }),
    watchSpecs('TaskBrokers', taskBrokers, ofNamespace),
    watch('endpoints', directory, ofNamespace),
    // A TaskQueue may suspend a queue of a pool. Its status concerns only the alerts that watch the TaskQueue itself.
    watch('settings of TaskQueues', queues, (key, current, previous) =>
      current?.metadata.generation === previous?.metadata.generation ? [] : ofNamespace(key),
    ),
    ...targetCaches(caches).map(([kind, cache]) => watch(kind, cache, (key) => keysOf(alerts.byIndex('byTarget', `${kind}/${key}`)))),
  ]
}

/** Of each target: for its condition Alerting. */
export function alertingWatches({ caches }: Pick<TaskAlertSources, 'caches'>): readonly Watch[] {
  const { alerts } = caches
  return [
    watch('TaskAlerts', alerts, (_, ...objects) => objects.filter((alert) => alert !== undefined).map(targetOfAlert)),
    ...targetCaches(caches).map(([kind, cache]) =>
      watch(kind, cache, (key, current) => {
        const target = `${kind}/${key}`
        const isWatched = alerts.byIndex('byTarget', target).length > 0
        // One that is gone is forgotten, also when its alerts went first.
        return isWatched || current === undefined || isMarked(current) ? [target] : []
      }),
    ),
  ]
}

/** Every target of an alert, and those that still show an alert that was deleted while no operator ran. */
export function alertingKeys({ caches }: Pick<TaskAlertSources, 'caches'>): Iterable<string> {
  const marked = targetCaches(caches).flatMap(([kind, cache]) =>
    cache
      .list()
      .filter(isMarked)
      .map(({ metadata }) => targetKey(kind, metadata.namespace ?? '', metadata.name)),
  )
  return new Set([...caches.alerts.list().map(targetOfAlert), ...marked])
}

export function targetOfAlert({ metadata, spec }: TaskAlert): string {
  return targetKey(spec.target.kind, metadata.namespace ?? '', spec.target.name)
}

/** Reads the target of an alert from the caches. */
export function findTarget(caches: TaskAlertCaches, kind: TargetKind, namespace: string, name: string): Target | undefined {
  const key = `${namespace}/${name}`
  switch (kind) {
    case 'WorkerPool':
      return made(caches.pools.get(key), poolTarget)
    case 'TaskQueue':
      return made(caches.queues.get(key), queueTarget)
    case 'TaskSchedule':
      return made(caches.schedules.get(key), scheduleTarget)
    case 'TaskDependency':
      return made(caches.dependencies.get(key), dependencyTarget)
  }
}

function made<T>(object: T | undefined, make: (object: T) => Target): Target | undefined {
  return object === undefined ? undefined : make(object)
}

type Targets = Pick<Informer<TargetObject>, 'list' | 'onChange'>

/** The caches of all kinds of targets. A kind that is missing does not compile. */
function targetCaches(caches: TaskAlertCaches): readonly (readonly [TargetKind, Targets])[] {
  const byKind: Readonly<Record<TargetKind, Targets>> = {
    WorkerPool: caches.pools,
    TaskQueue: caches.queues,
    TaskSchedule: caches.schedules,
    TaskDependency: caches.dependencies,
  }
  return Object.entries(byKind) as [TargetKind, Targets][]
}

function isMarked({ status }: TargetObject): boolean {
  return findCondition(status?.conditions, alertingType) !== undefined
}
