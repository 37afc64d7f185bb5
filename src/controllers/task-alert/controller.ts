import type { ChannelRules } from '../../alerting/index.ts'
import { type TaskAlert, taskAlerts, type TaskBroker, type TaskQueue } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Logger, type Metrics } from '../../observability/index.ts'
import { soonest } from '../../runtime/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import type { KillPointHook } from '../../services/engine/index.ts'
import type { Notifier } from '../../services/notifications/index.ts'
import type { RunCounts, Signals } from '../../services/signals/index.ts'
import { closingMs, createStatusWriter, runningGaugeMs, type WriteBudget } from '../../services/status/index.ts'
import { sendNotifications } from './act.ts'
import { decide, postponementOf } from './decide.ts'
import { transitionEvents } from './events.ts'
import { createGather } from './gather.ts'
import { setAlertGauge } from './metrics.ts'
import { changeIn, transitionOf } from './status.ts'
import type { Target, TargetKind } from './target.ts'

export type TaskAlertDeps = {
  readonly client: KubeClient
  readonly alerts: Pick<Informer<TaskAlert>, 'get'>
  readonly channels: { get(key: string): { readonly spec: NonNullable<ChannelRules> } | undefined }
  readonly brokers: Pick<Informer<TaskBroker>, 'get'>
  readonly queues: Pick<Informer<TaskQueue, 'byQueue'>, 'byIndex'>
  readonly targetOf: (kind: TargetKind, namespace: string, name: string) => Target | undefined
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly signals: Signals
  readonly counts: RunCounts
  readonly notifier: Notifier
  readonly configMaps: Pick<ConfigMaps, 'follow'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** Calls back when what can be made again is to be dropped. */
  readonly onMemoryShort: (handler: () => void) => void
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly reachPoint: KillPointHook
}

type Context = { readonly signal: AbortSignal; readonly log: Logger }

export function createTaskAlertController(deps: TaskAlertDeps): {
  reconcile(key: string, context: Context): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, alerts, notifier, events, metrics, clock } = deps
  const { gather, forget, dropPlans } = createGather({
    ...deps,
    channelOf: (key) => deps.channels.get(key)?.spec,
    taskBroker: (key) => deps.brokers.get(key),
    taskQueues: (queue) => deps.queues.byIndex('byQueue', queue),
    now: () => clock.now(),
  })
  deps.onMemoryShort(dropPlans)
  const statuses = createStatusWriter<TaskAlert>({
    client,
    resource: taskAlerts,
    fieldManager: 'taskmill-task-alert',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskAlert'),
    // Its value changes only while something happens in the target.
    gaugeIntervalMs: runningGaugeMs,
    isRecord: true,
  })

  return {
    async reconcile(key, { signal, log }) {
      const alert = alerts.get(key)
      if (alert === undefined || alert.metadata.deletionTimestamp !== undefined) {
        forget(key)
        notifier.forget(key)
        statuses.forget(key)
        return {}
      }
      // What goes with its namespace is no alarm.
      if (deps.statusBudget.isClosing(alert.metadata)) return { requeueAfterMs: closingMs }
      const world = gather(key, alert, statuses.latest(key, alert))
      const postponement = postponementOf(world)
      if (postponement?.kind === 'Wait') return { requeueAfterMs: postponement.ms }
      if (postponement?.kind === 'KeepStatus') {
        setAlertGauge(metrics, key, alert, world.status)
        return {}
      }
      const { status, record, transition, againAfterMs } = decide(world)

      // The status is the record: it is stored before anything that follows from it is sent.
      const change = changeIn(world.status, status)
      if (change !== undefined) deps.reachPoint(`before write ${change}`)
      const written = await statuses.write(key, alert, status, signal)
      if (change !== undefined) deps.reachPoint(`after write ${change}`)
      sendNotifications(notifier, key, world, record, (channel) => deps.channels.get(channel) !== undefined)

      for (const event of transitionEvents(world.status, status, world.condition, transition)) events.event(alert, event)
      if (transition !== undefined) log.info({ alert: key, to: transition.to, value: transition.text }, 'an alert has changed')
      setAlertGauge(metrics, key, alert, status)
      return soonest([againAfterMs, written.againAfterMs])
    },
  }
}
