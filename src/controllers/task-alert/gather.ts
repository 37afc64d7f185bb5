/**
 * Everything that is known about one alert, from caches and from what is read for all alerts together. Nothing here waits: a value that was not
 * read yet is unknown, and the alert is reconciled again when it arrives.
 */
import {
  type AlertCondition,
  type ChannelRules,
  type Facts,
  factsFor,
  type FactsKind,
  type Suspended,
  type UnknownReason,
  type Waiting,
} from '../../alerting/index.ts'
import {
  findCondition,
  type KubeObject,
  type TaskAlert,
  type TaskAlertStatus,
  type TaskBroker,
  type TaskQueue,
  type TaskSchedule,
} from '../../api/index.ts'
import type { BrokerEndpoint } from '../../broker/index.ts'
import {
  alertConditionOf,
  type AlertFaultReason,
  type Fault,
  configMapsOf,
  type ConfigMapReading,
  type Due,
  type LeftByFiles,
  slotsLeftOf,
  timingHashOf,
  understandAlert,
  type UnderstoodAlert,
  unreachableIn,
} from '../../plans/index.ts'
import { dueAt, type DueSource, slotsWithin } from '../../scheduling/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import type { Delivery, Notifier } from '../../services/notifications/index.ts'
import type { QueueSnapshot, RunCounts, Signals, Subscriber } from '../../services/signals/index.ts'
import { type Suspension, suspensionOf, type Target, type TargetKind } from './target.ts'

/** Everything that a decision about one alert depends on. */
export type World = {
  readonly alert: TaskAlert
  /** The status that was written last, which can be newer than the one in the cache. */
  readonly status: TaskAlertStatus | undefined
  readonly condition: AlertCondition
  /** The alert's own words, if it has any and they can be used. */
  readonly understood: UnderstoodAlert
  readonly facts: Facts
  /** The slots of the schedule that is watched, and when their runs are due; undefined: it has none, or the target is something else. */
  readonly due: DueSource | undefined
  /** The same as long as that schedule is due at the same times. */
  readonly timingHash: string | undefined
  /** Whether the target is suspended on purpose, and when that changes by itself. */
  readonly suspension: Suspension
  /** What is wrong with the spec; the alert is judged all the same where that is possible. */
  readonly faults: readonly Fault<AlertFaultReason>[]
  /** The channels of channelRefs, in their order; undefined: there is none of that name. */
  readonly channels: ReadonlyMap<string, ChannelRules>
  /** The state of the last notification to each channel, if this process sent it. */
  readonly deliveries: ReadonlyMap<string, Delivery>
  readonly nowMs: number
}

export type FactsDeps = {
  readonly taskBroker: (key: string) => TaskBroker | undefined
  /** All TaskQueues of any namespace that are about a queue of that name. */
  readonly taskQueues: (queue: string) => readonly TaskQueue[]
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly signals: Signals
  readonly counts: RunCounts
  readonly now: () => number
}

export type GatherDeps = FactsDeps & {
  readonly targetOf: (kind: TargetKind, namespace: string, name: string) => Target | undefined
  /** By `namespace/name`. */
  readonly channelOf: (key: string) => ChannelRules
  readonly notifier: Pick<Notifier, 'delivery'>
  readonly configMaps: Pick<ConfigMaps, 'follow'>
}

/** What was read for an alert, and whether a user has suspended its target. */
export type Gathered = { readonly facts: Facts; readonly suspension: Suspension }

/** What is read for whom. */
export type Asked = {
  readonly key: string
  readonly alert: TaskAlert
  readonly condition: AlertCondition
  readonly target: Target | undefined
  /** Of the schedule that is the target, if its slots are known. */
  readonly due?: DueSource | undefined
}

type Unknown = Extract<Facts, { readonly kind: 'Unknown' }>

/** What follows from an alert's spec and its schedule, for as long as both are these. */
type Memory = {
  readonly version: string
  readonly understood: UnderstoodAlert
  schedule?: {
    readonly version: string
    /** Of the ConfigMaps that its calendars name. */
    readonly readings: readonly ConfigMapReading[]
    readonly left: LeftByFiles | undefined
    readonly fault: Fault<'UnreachableThreshold'> | undefined
  }
}

/** Runs are counted for a day. */
const countedSeconds = 86_400

export function createGather(deps: GatherDeps): {
  gather(key: string, alert: TaskAlert, status: TaskAlertStatus | undefined): World
  forget(key: string): void
  /** Forgets what can be compiled again. */
  dropPlans(): void
} {
  /** Expressions and cron schedules are compiled once. */
  const memories = new Map<string, Memory>()

  function memoryOf(key: string, alert: TaskAlert): Memory {
    const known = memories.get(key)
    if (known?.version === versionOf(alert)) return known
    const memory: Memory = { version: versionOf(alert), understood: understandAlert(alert) }
    memories.set(key, memory)
    return memory
  }

  return {
    gather(key, alert, status) {
      const namespace = alert.metadata.namespace ?? ''
      const condition = alertConditionOf(alert)
      const target = deps.targetOf(alert.spec.target.kind, namespace, alert.spec.target.name)
      const memory = memoryOf(key, alert)
      const { understood } = memory
      const { left, fault } = understandTarget(deps, memory, key, alert, target?.schedule)
      const due = left?.kind === 'Left' ? left.plan : undefined
      const { facts, suspension } = gatherFacts(deps, { key, alert, condition, target, due })
      return {
        alert,
        status,
        condition,
        understood,
        facts: left?.kind === 'Unread' && facts.kind === 'Successes' ? calendarsUnread : facts,
        due: due && dueUntilCompletion(due, target?.schedule),
        timingHash: due && timingHashOf(due.timing),
        suspension,
        faults: [...(fault === undefined ? [] : [fault]), ...(understood.ok ? [] : understood.faults)],
        channels: new Map((alert.spec.channelRefs ?? []).map(({ name }) => [name, deps.channelOf(`${namespace}/${name}`)])),
        deliveries: deliveriesOf(deps.notifier, key, namespace, status),
        nowMs: deps.now(),
      }
    },
    forget(key) {
      stopReading(deps, key)
      deps.configMaps.follow(subscriberOf(key), [])
      memories.delete(key)
    },
    dropPlans: () => memories.clear(),
  }
}

function understandTarget(
  { configMaps }: Pick<GatherDeps, 'configMaps'>,
  memory: Memory,
  key: string,
  alert: TaskAlert,
  schedule: TaskSchedule | undefined,
): Partial<Pick<NonNullable<Memory['schedule']>, 'left' | 'fault'>> {
  const files = configMaps.follow(subscriberOf(key), schedule === undefined ? [] : configMapsOf(schedule))
  if (schedule === undefined) return {}
  const version = versionOf(schedule)
  const readings = [...files.values()]
  const known = memory.schedule
  if (known?.version === version && readings.every((reading, index) => reading === known.readings[index])) return known
  const fault = unreachableIn(alert, [{ schedule, runs: 1 }])
  memory.schedule = { version, readings, left: slotsLeftOf(schedule, files), fault }
  return memory.schedule
}

/** What `maxRuns` ends has no slot after the last one that was dispatched. */
function dueUntilCompletion(due: Due, schedule: TaskSchedule | undefined): DueSource {
  const { conditions, lastScheduleTime } = schedule?.status ?? {}
  const endTime = timeOf(lastScheduleTime)
  const isCompleted = findCondition(conditions, 'Completed')?.status === 'True' && endTime !== undefined
  return isCompleted ? { ...due, slots: slotsWithin(due.slots, { endTime: endTime / 1000 }) } : due
}

function versionOf({ metadata }: KubeObject): string {
  return `${metadata.uid ?? ''}/${metadata.generation ?? ''}`
}

function deliveriesOf(
  notifier: Pick<Notifier, 'delivery'>,
  key: string,
  namespace: string,
  status: TaskAlertStatus | undefined,
): ReadonlyMap<string, Delivery> {
  const found = (status?.notifications ?? []).map(
    ({ channel, sequence }) => [channel, notifier.delivery(`${namespace}/${channel}`, key, sequence)] as const,
  )
  return new Map(found.filter((each): each is readonly [string, Delivery] => each[1] !== undefined))
}

/**
 * Reads what the condition needs. The first call subscribes to it; calling again costs nothing. A subscription that the condition does not need
 * any more ends.
 */
export function gatherFacts(deps: FactsDeps, asked: Asked): Gathered {
  const { key, alert, condition, target } = asked
  const needs = factsFor(condition)
  stopReading(deps, key, sources[needs])
  if (target === undefined) {
    stopReading(deps, key)
    const { kind, name } = alert.spec.target
    const message = `${kind} "${name}" does not exist in this namespace. Next: create it, or another TaskAlert`
    return { facts: unknown('TargetNotFound', message), suspension: {} }
  }
  const { facts, suspension } = factsOf(deps, asked, target, needs)
  return { facts, suspension: merged([suspensionOf(target.object, deps.now()), suspension]) }
}

/** Where facts are read. */
const sources = { Backlog: 'signals', Counts: 'counts', Successes: 'counts' } as const satisfies Record<FactsKind, 'signals' | 'counts'>

/** Ends the subscriptions of an alert, except the one to `kept`. */
function stopReading(deps: Pick<FactsDeps, 'signals' | 'counts'>, key: string, kept?: 'signals' | 'counts'): void {
  for (const source of ['signals', 'counts'] as const) if (source !== kept) deps[source].unsubscribe(subscriberOf(key))
}

function subscriberOf(key: string): Subscriber & { readonly kind: 'TaskAlert' } {
  return { kind: 'TaskAlert', key }
}

function factsOf(deps: FactsDeps, asked: Asked, target: Target, needs: FactsKind): Gathered {
  const place = endpointOf(deps, target)
  const windowSeconds = asked.alert.spec.windowSeconds ?? 0
  switch (needs) {
    case 'Successes':
      return { facts: successes(deps, asked, target, place), suspension: {} }
    case 'Backlog':
    case 'Counts':
      if (place.kind === 'Unknown') {
        stopReading(deps, asked.key)
        return { facts: place, suspension: {} }
      }
      return needs === 'Backlog'
        ? backlog(deps, asked, target, place.endpoint)
        : { facts: counted(deps, asked, target, place.endpoint, windowSeconds), suspension: {} }
  }
}

type Place = { readonly kind: 'Known'; readonly endpoint: BrokerEndpoint } | Unknown

function endpointOf({ taskBroker, directory }: FactsDeps, { brokerKey }: Target): Place {
  const name = brokerKey.slice(brokerKey.indexOf('/') + 1)
  if (taskBroker(brokerKey) === undefined) {
    return unknown('BrokerNotFound', `TaskBroker "${name}" of the target does not exist in this namespace. Next: create it`)
  }
  const place = directory.get(brokerKey)
  switch (place.kind) {
    case 'Known':
      return place
    case 'Unknown':
      return unknown('NotReadYet', 'the broker is being looked up')
    case 'Blocked':
      return unknown('BrokerNotUsable', `${place.message}. See: kubectl describe taskbroker ${name}`)
  }
}

function backlog(deps: FactsDeps, { key }: Asked, target: Target, endpoint: BrokerEndpoint): Gathered {
  const { queues, brokerKey } = target
  deps.signals.subscribe({ subscriber: subscriberOf(key), endpoint, queues, watch: 'Never' })
  const known = deps.signals.snapshot(subscriberOf(key))
  const all = queues.map((queue) => ({ snapshot: known.get(queue), suspension: suspensionOfQueue(deps, target, queue) }))
  // A suspended queue does not suspend the target: its jobs stand apart in the facts.
  const { changesAtMs } = merged(all.map(({ suspension }) => suspension))
  return { facts: combine(all, brokerKey), suspension: changesAtMs === undefined ? {} : { changesAtMs } }
}

/** Whether a TaskQueue of the same broker suspends a queue. A TaskQueue in conflict with another one decides nothing. */
function suspensionOfQueue({ taskQueues, now }: FactsDeps, { brokerKey }: Target, queue: string): Suspension {
  const deciding = taskQueues(queue).filter(
    ({ metadata, spec, status }) =>
      `${metadata.namespace ?? ''}/${spec.brokerRef.name}` === brokerKey &&
      findCondition(status?.conditions, 'Ready')?.reason !== 'PolicyConflict',
  )
  return merged(deciding.map((object) => suspensionOf(object, now())))
}

function counted(
  { counts }: FactsDeps,
  { key }: Asked,
  { subjects, brokerKey }: Target,
  endpoint: BrokerEndpoint,
  windowSeconds: number,
): Extract<Facts, { readonly kind: 'Counts' }> | Unknown {
  const [namespace = ''] = key.split('/')
  counts.subscribe({ subscriber: subscriberOf(key), endpoint, namespace, subjects, windowSeconds })
  const read = counts.snapshot(subscriberOf(key))
  switch (read.kind) {
    case 'Read': {
      const { succeeded, failed, missed, lostUntilMs } = read
      return { kind: 'Counts', succeeded, failed, missed, lostUntilMs }
    }
    case 'Pending':
      return unknown('NotReadYet', 'the runs are being counted for the first time')
    case 'Unreadable':
      return unreachable(read.message, brokerKey)
  }
}

function successes(deps: FactsDeps, asked: Asked, target: Target, place: Place): Facts {
  const { schedule } = target
  if (schedule === undefined) throw new TypeError('the schema admits noSuccess with a TaskSchedule only')
  const windowSeconds = Math.min(asked.alert.spec.windowSeconds ?? 0, countedSeconds)
  const read = place.kind === 'Known' ? counted(deps, asked, target, place.endpoint, windowSeconds) : place
  // A success in the status is enough while the broker is away.
  if (read.kind === 'Unknown' && read.reason !== 'BrokerUnreachable') return read
  const { lastSuccessTime, lastSuccessSlotTime } = schedule.status ?? {}
  const [lastSuccessAtMs, slotMs] = [timeOf(lastSuccessTime), timeOf(lastSuccessSlotTime)]
  return {
    kind: 'Successes',
    createdAtMs: timeOf(schedule.metadata.creationTimestamp) ?? deps.now(),
    // The end of a suspension that no operator saw: the last slot that it left out.
    resumedAtMs: timeOf(schedule.status?.missedRuns?.find(({ reason }) => reason === 'Suspended')?.lastSlotTime),
    lastSuccessAtMs,
    lastRunSeconds: lastSuccessAtMs === undefined || slotMs === undefined ? undefined : (lastSuccessAtMs - dueMs(asked, slotMs)) / 1000,
    counted: read.kind === 'Counts' ? read.succeeded : undefined,
    lostUntilMs: read.kind === 'Counts' ? read.lostUntilMs : undefined,
  }
}

function dueMs({ due }: Asked, slotMs: number): number {
  return due === undefined ? slotMs : dueAt(due, slotMs / 1000) * 1000
}

/** Suspended by any of them; it can change when any of them changes. */
function merged(all: readonly Suspension[]): Suspension {
  const suspended = all.find((each) => each.suspended !== undefined)?.suspended
  const changes = all.flatMap(({ changesAtMs }) => (changesAtMs === undefined ? [] : [changesAtMs]))
  return { ...(suspended === undefined ? {} : { suspended }), ...(changes.length === 0 ? {} : { changesAtMs: Math.min(...changes) }) }
}

type OneQueue = { readonly snapshot: QueueSnapshot | undefined; readonly suspension: Suspension }

/** The sum over several queues, which needs all of them. The jobs of suspended queues are summed up apart. */
function combine(queues: readonly OneQueue[], brokerKey: string): Facts {
  let waiting: Waiting = { jobs: 0 }
  let suspended: (Waiting & Suspended) | undefined
  for (const { snapshot, suspension } of queues) {
    if (snapshot?.ok === false) return unreachable(snapshot.error.message, brokerKey)
    if (snapshot === undefined) return unknown('NotReadYet', 'the queues are being read for the first time')
    const { waiting: plain, prioritized, dueDelayed, oldestReadyAtMs } = snapshot.reading
    const own = { jobs: plain + prioritized + dueDelayed, oldestReadyAtMs }
    if (suspension.suspended === undefined) waiting = sum(waiting, own)
    else suspended = { ...sum(suspended ?? { jobs: 0 }, own), words: suspended?.words ?? suspension.suspended.words }
  }
  return { kind: 'Backlog', ...waiting, ...(suspended === undefined ? {} : { suspended }) }
}

function sum(a: Waiting, b: Waiting): Waiting {
  const oldest = Math.min(a.oldestReadyAtMs ?? Infinity, b.oldestReadyAtMs ?? Infinity)
  return { jobs: a.jobs + b.jobs, oldestReadyAtMs: oldest === Infinity ? undefined : oldest }
}

const calendarsUnread = unknown('NotReadYet', 'the ConfigMaps of the calendars of the schedule are being read for the first time')

function unreachable(message: string, brokerKey: string): Unknown {
  const name = brokerKey.slice(brokerKey.indexOf('/') + 1)
  return unknown('BrokerUnreachable', `${message}. Next: kubectl describe taskbroker ${name}`)
}

function unknown(reason: UnknownReason, message: string): Unknown {
  return { kind: 'Unknown', reason, message }
}

function timeOf(time: string | undefined): number | undefined {
  const ms = Date.parse(time ?? '')
  return Number.isNaN(ms) ? undefined : ms
}
