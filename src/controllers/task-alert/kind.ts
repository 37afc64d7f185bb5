import { keysOf, siblingKey, type TaskAlert, taskAlerts } from '../../api/index.ts'
import type { InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { type AlertingDeps, createAlertingController } from './alerting.ts'
import { createTaskAlertController, type TaskAlertDeps } from './controller.ts'
import { alertingKeys, alertingWatches, findTarget, type TaskAlertSources, targetOfAlert, taskAlertWatches } from './watches.ts'

const alerts: InformerDeclaration<TaskAlert, 'byTarget' | 'byChannel'> = {
  resource: taskAlerts,
  indexes: {
    /** `WorkerPool/namespace/name`. */
    byTarget: (alert) => [targetOfAlert(alert)],
    byChannel: (alert) => (alert.spec.channelRefs ?? []).map(({ name }) => siblingKey(alert, name)),
  },
}

type Deps = Omit<TaskAlertDeps, 'alerts' | 'channels' | 'brokers' | 'queues' | 'targetOf'> & TaskAlertSources

export const taskAlertKind = {
  name: 'task-alert',
  caches: { alerts },
  keys: ({ caches }) => keysOf(caches.alerts.list()),
  watches: taskAlertWatches,
  create: ({ caches, ...deps }) =>
    createTaskAlertController({
      ...deps,
      alerts: caches.alerts,
      channels: caches.channels,
      brokers: caches.taskBrokers,
      queues: caches.queues,
      targetOf: (...target) => findTarget(caches, ...target),
    }),
} satisfies Kind<Deps>

/** Keeps the condition Alerting of each target; its keys are those of `targetKey`. */
export const alertingKind = {
  name: 'alerting',
  caches: {},
  keys: alertingKeys,
  watches: alertingWatches,
  create: ({ caches, ...deps }) =>
    createAlertingController({
      ...deps,
      alertsOf: (target) => caches.alerts.byIndex('byTarget', target),
      targetOf: (...target) => findTarget(caches, ...target),
    }),
} satisfies Kind<Omit<AlertingDeps, 'alertsOf' | 'targetOf'> & Pick<TaskAlertSources, 'caches'>>
