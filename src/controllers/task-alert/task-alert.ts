import type { Told } from '../../alerting/index.ts'
import {
  type AlertChannel,
  type KubeObject,
  type TaskAlert,
  taskAlerts,
  type TaskBroker,
  type TaskQueue,
  type TaskSchedule,
} from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Logger, type Metrics } from '../../observability/index.ts'
import { alertConditionOf, contradictionOf, type Fault, understandAlert, type UnderstoodAlert } from '../../plans/index.ts'
import { soonest } from '../../runtime/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { Delivery, Notifier } from '../../services/notifications/index.ts'
import type { RunCounts, Signals } from '../../services/signals/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { tellAlert } from './alert-metrics.ts'
import { decide } from './decide.ts'
import { transitionEvents } from './events.ts'
import { createGather } from './gather.ts'
import { notificationOf } from './notification.ts'
import { transitionOf, wasJudged } from './status.ts'
import type { Target, TargetKind } from './target.ts'
import type { World } from './world.ts'

export type TaskAlertDeps = {
  readonly client: KubeClient
  readonly alerts: Informer<TaskAlert>
  readonly channels: Informer<AlertChannel>
  readonly brokers: Informer<TaskBroker>
  readonly queues: Informer<TaskQueue, 'byQueue'>
  readonly targetOf: (kind: TargetKind, namespace: string, name: string) => Target | undefined
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly signals: Signals
  readonly counts: RunCounts
  readonly notifier: Notifier
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  /** Called before and after each write that matters, so that a fault test can end the process there. */
  readonly at: (point: string) => void
  /** Asks for another look at an alert. */
  readonly enqueue: (key: string) => void
}

type Context = { readonly signal: AbortSignal; readonly log: Logger }
/** What an object means, for as long as it is this one. */
type Memory = {
  readonly version: string
  readonly understood: UnderstoodAlert
  /** Of the schedule that it watches. */
  contradiction?: { readonly version: string; readonly fault: Fault<'ContradictoryWindow'> | undefined }
}

/** From the creation of an alert on, which is told in whole seconds. */
const togetherMs = 2_000
/** Values of alerts that do not fire are of less interest than those of pools. */
const gaugeIntervalMs = 60_000

export function createTaskAlertController(deps: TaskAlertDeps): {
  reconcile(key: string, context: Context): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, alerts, channels, notifier, events, clock } = deps
  const memories = new Map<string, Memory>()
  const gather = createGather({
    ...deps,
    taskBroker: (key) => deps.brokers.get(key),
    taskQueues: (queue) => deps.queues.byIndex('byQueue', queue),
    now: () => clock.now(),
  })
  const status = createStatusWriter<TaskAlert>({
    client,
    resource: taskAlerts,
    fieldManager: 'taskmill-task-alert',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(deps.metrics, 'TaskAlert'),
    gaugeIntervalMs,
    isRecord: true,
  })

  function forget(key: string): void {
    gather.forget(key)
    notifier.forget(key)
    status.forget(key)
    memories.delete(key)
  }

  function understand(key: string, alert: TaskAlert): Memory {
    const version = versionOf(alert)
    const known = memories.get(key)
    if (known?.version === version) return known
    const memory: Memory = { version, understood: understandAlert(alert) }
    memories.set(key, memory)
    return memory
  }

  function contradiction(memory: Memory, alert: TaskAlert, schedule: TaskSchedule): Fault<'ContradictoryWindow'> | undefined {
    const version = versionOf(schedule)
    if (memory.contradiction?.version !== version) memory.contradiction = { version, fault: contradictionOf(alert, schedule) }
    return memory.contradiction.fault
  }

  function worldOf(key: string, alert: TaskAlert, memory: Memory): World {
    const namespace = alert.metadata.namespace ?? ''
    const { target, channelRefs = [] } = alert.spec
    const latest: TaskAlert['status'] = status.latest(key, alert)
    const condition = alertConditionOf(alert)
    const object = deps.targetOf(target.kind, namespace, target.name)
    const { understood } = memory
    const contradicted = object?.schedule === undefined ? undefined : contradiction(memory, alert, object.schedule)
    const { facts, suspension } = gather.gather(key, alert, condition, object)
    return {
      alert,
      status: latest,
      condition,
      facts: contradicted === undefined ? facts : { kind: 'Unknown', reason: 'ContradictoryWindow', message: contradicted.message },
      suspension,
      faults: [...(contradicted === undefined ? [] : [contradicted]), ...(understood.ok ? [] : understood.faults)],
      channels: new Map(channelRefs.map(({ name }) => [name, channels.get(`${namespace}/${name}`)?.spec])),
      deliveries: new Map(
        (latest?.notifications ?? []).flatMap(({ channel, sequence }): readonly (readonly [string, Delivery])[] => {
          const delivery = notifier.delivery(`${namespace}/${channel}`, key, sequence)
          return delivery === undefined ? [] : [[channel, delivery]]
        }),
      ),
      nowMs: clock.now(),
    }
  }

  /** Only after it stands in the status that it is to be sent; what stands there and is not under way was left so by a process that ended. */
  function send(key: string, alert: TaskAlert, understood: UnderstoodAlert, record: Parameters<typeof notificationOf>[2]): void {
    const namespace = alert.metadata.namespace ?? ''
    for (const told of record.told) {
      const channel = `${namespace}/${told.channel}`
      if (told.delivery !== 'Pending') notifier.settle(channel, key, told.sequence)
      else if (channels.get(channel) !== undefined) sendOne(key, alert, understood, record, told)
    }
  }

  function sendOne(
    key: string,
    alert: TaskAlert,
    understood: UnderstoodAlert,
    record: Parameters<typeof notificationOf>[2],
    told: Told,
  ): void {
    const notification = notificationOf(alert, understood, record, told)
    if (notification !== undefined) notifier.send(notification, () => deps.enqueue(key))
  }

  return {
    async reconcile(key, context) {
      const alert = alerts.get(key)
      if (alert === undefined || alert.metadata.deletionTimestamp !== undefined) {
        forget(key)
        return {}
      }
      const memory = understand(key, alert)
      const world = worldOf(key, alert, memory)
      // A moment after a start: people go on reading what was, until it is known what is.
      if (world.facts.kind === 'Unknown' && world.facts.reason === 'NotReadYet' && wasJudged(world.status)) {
        tellAlert(deps.metrics, key, alert, world.status)
        return {}
      }
      const waitMs = patienceMs(world)
      if (waitMs > 0) return { requeueAfterMs: waitMs }
      const plan = decide(world)
      const news = newsIn(world.status, plan.status)
      if (news !== undefined) deps.at(`before write ${news}`)
      const written = await status.write(key, alert, plan.status, context.signal)
      if (news !== undefined) deps.at(`after write ${news}`)
      send(key, alert, memory.understood, plan.record)
      for (const event of transitionEvents(world.status, plan.status, world.condition, plan.transition)) events.event(alert, event)
      if (plan.transition !== undefined) {
        context.log.info({ alert: key, to: plan.transition.to, value: plan.transition.text }, 'an alert has changed')
      }
      tellAlert(deps.metrics, key, alert, plan.status)
      return soonest([plan.againAfterMs, written.againAfterMs])
    },
  }
}

function versionOf({ metadata }: KubeObject): string {
  return `${metadata.uid ?? ''}/${metadata.generation ?? ''}`
}

/** What a write is about that somebody would miss. */
function newsIn(before: TaskAlert['status'], after: NonNullable<TaskAlert['status']>): string | undefined {
  if (before?.state !== after.state) return after.state
  const told = (status: TaskAlert['status']): string => JSON.stringify(status?.notifications?.map((each) => [each.sequence, each.delivery]))
  return told(before) === told(after) ? undefined : 'notification'
}

/** What an alert names is often created together with it, a moment later: nobody need read that it was missing. */
function patienceMs({ alert, status, facts, faults, channels, nowMs }: World): number {
  const isMissing = facts.kind === 'Unknown' && (facts.reason === 'TargetNotFound' || facts.reason === 'BrokerNotFound')
  if (wasJudged(status) || faults.length > 0 || (!isMissing && ![...channels.values()].includes(undefined))) return 0
  return Math.min(togetherMs, (Date.parse(alert.metadata.creationTimestamp ?? '') || 0) + togetherMs - nowMs)
}
