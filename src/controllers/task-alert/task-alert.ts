import type { Told } from '../../alerting/index.ts'
import { type AlertChannel, type TaskAlert, taskAlerts, type TaskBroker } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Logger, type Metrics } from '../../observability/index.ts'
import { alertConditionOf, contradictionOf, understandAlert, type UnderstoodAlert } from '../../plans/index.ts'
import {
  type BrokerDirectory,
  createStatusWriter,
  type Delivery,
  type Notifier,
  type RunCounts,
  type Signals,
  type WriteBudget,
} from '../../services/index.ts'
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
  /** Asks for another look at an alert. */
  readonly enqueue: (key: string) => void
}

type Context = { readonly signal: AbortSignal; readonly log: Logger }
/** What an object means, for as long as it is this one. */
type Memory = { readonly uid: string | undefined; readonly generation: number | undefined; readonly understood: UnderstoodAlert }

/** Values of alerts that do not fire are of less interest than those of pools. */
const gaugeIntervalMs = 60_000

export function createTaskAlertController(deps: TaskAlertDeps): {
  reconcile(key: string, context: Context): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, alerts, channels, notifier, events, clock } = deps
  const memories = new Map<string, Memory>()
  const gather = createGather({ ...deps, taskBroker: (key) => deps.brokers.get(key), now: () => clock.now() })
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

  function understand(key: string, alert: TaskAlert): UnderstoodAlert {
    const { uid, generation } = alert.metadata
    const known = memories.get(key)
    if (known !== undefined && known.uid === uid && known.generation === generation) return known.understood
    const understood = understandAlert(alert)
    memories.set(key, { uid, generation, understood })
    return understood
  }

  function worldOf(key: string, alert: TaskAlert, understood: UnderstoodAlert): World {
    const namespace = alert.metadata.namespace ?? ''
    const { target, channelRefs = [] } = alert.spec
    const latest: TaskAlert['status'] = status.latest(key, alert)
    const condition = alertConditionOf(alert)
    const object = deps.targetOf(target.kind, namespace, target.name)
    const contradiction = object?.schedule === undefined ? undefined : contradictionOf(alert, object.schedule)
    const facts = gather.facts(key, alert, condition, object, () => deps.enqueue(key))
    return {
      alert,
      status: latest,
      condition,
      facts: contradiction === undefined ? facts : { kind: 'Unknown', reason: 'ContradictoryWindow', message: contradiction.message },
      faults: [...(contradiction === undefined ? [] : [contradiction]), ...(understood.ok ? [] : understood.faults)],
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
      const understood = understand(key, alert)
      const world = worldOf(key, alert, understood)
      // A moment after a start: people go on reading what was, until it is known what is.
      if (world.facts.kind === 'Unknown' && world.facts.reason === 'NotReadYet' && wasJudged(world.status)) {
        tellAlert(deps.metrics, key, alert, world.status)
        return {}
      }
      const plan = decide(world)
      const written = await status.write(key, alert, plan.status, context.signal)
      send(key, alert, understood, plan.record)
      for (const event of transitionEvents(world.status, plan.status, world.condition, plan.transition)) events.event(alert, event)
      if (plan.transition !== undefined) {
        context.log.info({ alert: key, to: plan.transition.to, value: plan.transition.text }, 'an alert has changed')
      }
      tellAlert(deps.metrics, key, alert, plan.status)
      return soonest([plan.againAfterMs, written.againAfterMs])
    },
  }
}

function soonest(delays: readonly (number | undefined)[]): { readonly requeueAfterMs?: number } {
  const known = delays.filter((delay) => delay !== undefined)
  return known.length === 0 ? {} : { requeueAfterMs: Math.min(...known) }
}
