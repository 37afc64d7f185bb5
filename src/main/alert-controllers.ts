/** The parts of a term that judge alerts and tell channels: what each is made of, and what it is asked to look at again by. */
import { alertingType, findCondition } from '../api/index.ts'
import { createAlertChannelController } from '../controllers/alert-channel/index.ts'
import {
  createAlertingController,
  createTaskAlertController,
  dependencyTarget,
  poolTarget,
  queueTarget,
  scheduleTarget,
  type Target,
  type TargetKind,
  targetKey,
} from '../controllers/task-alert/index.ts'
import type { Informer } from '../kube/index.ts'
import type { KubeObject } from '../api/index.ts'
import type { Controller, Startable } from '../runtime/index.ts'
import { createDelivery, createNotifier, type Notifier } from '../services/notifications/index.ts'
import { createRunCounts, type RunCounts } from '../services/signals/index.ts'
import { keysOf } from './caches.ts'
import { atEnd, type Term } from './term.ts'

/** In the order of their start. Notifications end first, while there is somebody to remember what came of them. */
export function alertParts(term: Term): readonly Startable[] {
  const { caches, clock, log, rng, metrics, brokers, installation, outcomes, at } = term
  const counts = createRunCounts({ brokers, installation, clock, log })
  outcomes.onRecorded((end) => counts.recorded(end))
  const deliver = createDelivery({ channelOf: (key) => caches.channels.get(key), secrets: term.secrets, post: term.post, log })
  const notifier = createNotifier({
    async deliver(...notification) {
      at('before deliver')
      const attempt = await deliver(...notification)
      at('after deliver')
      return attempt
    },
    clock,
    rng,
    log,
    onAttempt: (channel, outcome) => metrics.of('AlertChannel', channel).add('taskmill_notifications_total', { outcome }),
  })
  const controllers = [alertController(term, counts, notifier), alertingController(term), channelController(term, notifier)]
  return [atEnd('counts of runs', counts.stop), ...controllers, { name: 'notifications', ...notifier }]
}

type Watchable = Pick<Informer<KubeObject>, 'get' | 'list' | 'onChange'>

/** What can be watched, by kind. */
function targetsOf({ caches }: Term): { readonly caches: Readonly<Record<TargetKind, Watchable>>; readonly targetOf: TargetOf } {
  return {
    caches: {
      WorkerPool: caches.pools,
      TaskQueue: caches.queues,
      TaskSchedule: caches.schedules,
      TaskDependency: caches.dependencies,
    },
    targetOf(kind, namespace, name) {
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
    },
  }
}

type TargetOf = (kind: TargetKind, namespace: string, name: string) => Target | undefined

function made<T>(object: T | undefined, make: (object: T) => Target): Target | undefined {
  return object === undefined ? undefined : make(object)
}

function alertController(term: Term, counts: RunCounts, notifier: Notifier): Controller {
  const { caches, directory } = term
  const { alerts, channels, queues, taskBrokers } = caches
  const targets = targetsOf(term)
  const { reconcile } = createTaskAlertController({
    ...term,
    alerts,
    channels,
    brokers: taskBrokers,
    queues,
    targetOf: targets.targetOf,
    counts,
    notifier,
    enqueue: (key) => controller.enqueue(key),
  })
  const controller = term.controllerOf('task-alert', () => keysOf(alerts.list()), reconcile)
  const enqueueAll = (keys: readonly string[]) => {
    for (const key of keys) controller.enqueue(key)
  }
  const enqueueThoseBeside = (broker: string) => enqueueAll(keysOf(alerts.list(broker.slice(0, broker.indexOf('/')))))
  term.follow(alerts, (key) => controller.enqueue(key))
  term.follow(channels, (key) => enqueueAll(keysOf(alerts.byIndex('byChannel', key))))
  term.signals.changesOf('TaskAlert').onChange((key) => controller.enqueue(key))
  counts.changesOf('TaskAlert').onChange((key) => controller.enqueue(key))
  term.follow(taskBrokers, enqueueThoseBeside)
  directory.onChange(enqueueThoseBeside)
  // It may suspend a queue of a pool. What it says of the queue itself is news to those who watch it only.
  term.follow(queues, (key, current, previous) => {
    if (current?.metadata.generation !== previous?.metadata.generation) enqueueThoseBeside(key)
  })
  for (const [kind, cache] of Object.entries(targets.caches)) {
    term.follow(cache, (key) => enqueueAll(keysOf(alerts.byIndex('byTarget', `${kind}/${key}`))))
  }
  return controller
}

function alertingController(term: Term): Controller {
  const { alerts } = term.caches
  const targets = targetsOf(term)
  const { reconcile } = createAlertingController({
    ...term,
    alertsOf: (target) => alerts.byIndex('byTarget', target),
    targetOf: targets.targetOf,
  })
  // What an alert said that was deleted while nobody looked stands on its target still.
  const marked = () =>
    Object.entries(targets.caches).flatMap(([kind, cache]) =>
      cache
        .list()
        .filter(isMarked)
        .map(({ metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`),
    )
  const keys = () => new Set([...alerts.list().map(targetOfAlert), ...marked()])
  const controller = term.controllerOf('alerting', keys, reconcile)
  term.follow(alerts, (_, current, previous) => {
    for (const alert of [current, previous]) if (alert !== undefined) controller.enqueue(targetOfAlert(alert))
  })
  for (const [kind, cache] of Object.entries(targets.caches)) {
    term.follow(cache, (key, current) => {
      const target = `${kind}/${key}`
      if (alerts.byIndex('byTarget', target).length > 0 || (current !== undefined && isMarked(current))) controller.enqueue(target)
    })
  }
  return controller
}

type AlertObject = ReturnType<Term['caches']['alerts']['list']>[number]

export function targetOfAlert({ metadata, spec }: AlertObject): string {
  return targetKey(spec.target.kind, metadata.namespace ?? '', spec.target.name)
}

function isMarked(object: KubeObject): boolean {
  const { status } = object as { readonly status?: { readonly conditions?: readonly { readonly type: string }[] } }
  return findCondition(status?.conditions, alertingType) !== undefined
}

function channelController(term: Term, notifier: Notifier): Controller {
  const { channels } = term.caches
  const { reconcile } = createAlertChannelController({ ...term, channels, notifier })
  const controller = term.controllerOf('alert-channel', () => keysOf(channels.list()), reconcile)
  term.follow(channels, (key) => controller.enqueue(key))
  notifier.onActivity((key) => controller.enqueue(key))
  return controller
}
