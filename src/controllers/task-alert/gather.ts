/** What can be found out for one alert, without waiting for it: from caches, and from what is read for all alerts together. */
import { type AlertCondition, type Facts, factsFor, type Suspended, type UnknownReason, type Waiting } from '../../alerting/index.ts'
import { findCondition, type TaskAlert, type TaskBroker, type TaskQueue } from '../../api/index.ts'
import type { BrokerEndpoint } from '../../broker/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { QueueSnapshot, RunCounts, Signals, Subscriber } from '../../services/signals/index.ts'
import { type Suspension, suspensionOf } from './suspension.ts'
import type { Target } from './target.ts'

export type GatherDeps = {
  readonly taskBroker: (key: string) => TaskBroker | undefined
  /** All that are about a queue of that name, wherever. */
  readonly taskQueues: (queue: string) => readonly TaskQueue[]
  /** How to get into the brokers. */
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly signals: Signals
  readonly counts: RunCounts
  readonly now: () => number
}

/** What was found out, and whether somebody wants it so. */
export type Gathered = { readonly facts: Facts; readonly suspension: Suspension }

type Unknown = Extract<Facts, { readonly kind: 'Unknown' }>

/** Runs are counted for a day. */
const countedSeconds = 86_400

/**
 * Asks for what the condition needs to be read from now on (asking again costs nothing), and takes back what it does not.
 */
export function createGather({ taskBroker, taskQueues, directory, signals, counts, now }: GatherDeps): {
  gather(key: string, alert: TaskAlert, condition: AlertCondition, target: Target | undefined): Gathered
  forget(key: string): void
} {
  const subscriberOf = (key: string): Subscriber => ({ kind: 'TaskAlert', key })

  function forget(key: string): void {
    signals.unsubscribe(subscriberOf(key))
    counts.unsubscribe(subscriberOf(key))
  }

  function endpointOf({ brokerKey }: Target): { readonly kind: 'Known'; readonly endpoint: BrokerEndpoint } | Unknown {
    const name = brokerKey.slice(brokerKey.indexOf('/') + 1)
    if (taskBroker(brokerKey) === undefined) {
      return unknown('BrokerNotFound', `TaskBroker "${name}" of the target does not exist in this namespace. Next: create it`)
    }
    const place = directory.get(brokerKey)
    if (place.kind === 'Known') return place
    if (place.kind === 'Unknown') return unknown('NotReadYet', 'the broker is being looked up')
    return unknown('BrokerNotUsable', `${place.message}. See: kubectl describe taskbroker ${name}`)
  }

  /** Whether a TaskQueue at the same broker suspends a queue. One that another is in conflict with decides nothing. */
  function suspensionOfQueue({ brokerKey }: Target, queue: string): Suspension {
    const deciding = taskQueues(queue).filter(
      ({ metadata, spec, status }) =>
        `${metadata.namespace ?? ''}/${spec.brokerRef.name}` === brokerKey &&
        findCondition(status?.conditions, 'Ready')?.reason !== 'PolicyConflict',
    )
    return merged(deciding.map((object) => suspensionOf(object, now())))
  }

  function backlog(key: string, target: Target, endpoint: BrokerEndpoint): Gathered {
    const { queues, brokerKey } = target
    signals.subscribe({ subscriber: subscriberOf(key), endpoint, queues, watch: 'Never' })
    const known = signals.snapshot(subscriberOf(key))
    const all = queues.map((queue) => ({ snapshot: known.get(queue), suspension: suspensionOfQueue(target, queue) }))
    const { changesAtMs } = merged(all.map(({ suspension }) => suspension))
    return { facts: combine(all, brokerKey), suspension: changesAtMs === undefined ? {} : { changesAtMs } }
  }

  function counted(
    key: string,
    { subjects, brokerKey }: Target,
    endpoint: BrokerEndpoint,
    windowSeconds: number,
  ): Extract<Facts, { readonly kind: 'Counts' }> | Unknown {
    const [namespace = ''] = key.split('/')
    counts.subscribe({ subscriber: subscriberOf(key), endpoint, namespace, subjects, windowSeconds })
    const read = counts.snapshot(subscriberOf(key))
    if (read.kind === 'Read') {
      const { succeeded, failed, missed, lostUntilMs } = read
      return { kind: 'Counts', succeeded, failed, missed, lostUntilMs }
    }
    if (read.kind === 'Pending') return unknown('NotReadYet', 'the runs are being counted for the first time')
    return unreachable(read.message, brokerKey)
  }

  function successes(key: string, alert: TaskAlert, target: Target): Facts {
    const { schedule } = target
    if (schedule === undefined) throw new TypeError('the schema admits noSuccess with a TaskSchedule only')
    const place = endpointOf(target)
    const windowSeconds = Math.min(alert.spec.windowSeconds ?? 0, countedSeconds)
    const read = place.kind === 'Known' ? counted(key, target, place.endpoint, windowSeconds) : place
    // What the status tells may be enough; else it takes the count, and a broker that can say.
    if (read.kind === 'Unknown' && read.reason !== 'BrokerUnreachable') return read
    return {
      kind: 'Successes',
      createdAtMs: timeOf(schedule.metadata.creationTimestamp) ?? now(),
      // Of a suspension that nobody saw: the last slot that was left out.
      resumedAtMs: timeOf(schedule.status?.missedRuns?.find(({ reason }) => reason === 'Suspended')?.lastSlotTime),
      lastSuccessAtMs: timeOf(schedule.status?.lastSuccessTime),
      counted: read.kind === 'Counts' ? read.succeeded : undefined,
      lostUntilMs: read.kind === 'Counts' ? read.lostUntilMs : undefined,
    }
  }

  function found(key: string, alert: TaskAlert, condition: AlertCondition, target: Target): Gathered {
    const needs = factsFor(condition)
    if (needs === 'Successes') return { facts: successes(key, alert, target), suspension: {} }
    const place = endpointOf(target)
    if (place.kind === 'Unknown') {
      forget(key)
      return { facts: place, suspension: {} }
    }
    const { windowSeconds = 0 } = alert.spec
    switch (needs) {
      case 'Backlog':
        return backlog(key, target, place.endpoint)
      case 'Counts':
        return { facts: counted(key, target, place.endpoint, windowSeconds), suspension: {} }
    }
  }

  return {
    gather(key, alert, condition, target) {
      if (factsFor(condition) === 'Backlog') counts.unsubscribe(subscriberOf(key))
      else signals.unsubscribe(subscriberOf(key))
      if (target === undefined) {
        forget(key)
        const { kind, name } = alert.spec.target
        const message = `${kind} "${name}" does not exist in this namespace. Next: create it, or another TaskAlert`
        return { facts: unknown('TargetNotFound', message), suspension: {} }
      }
      const { facts, suspension } = found(key, alert, condition, target)
      return { facts, suspension: merged([suspensionOf(target.object, now()), suspension]) }
    },
    forget,
  }
}

/** Suspended by any of them; it may change when any of them changes. */
function merged(all: readonly Suspension[]): Suspension {
  const suspended = all.find((each) => each.suspended !== undefined)?.suspended
  const changes = all.flatMap(({ changesAtMs }) => (changesAtMs === undefined ? [] : [changesAtMs]))
  return { ...(suspended === undefined ? {} : { suspended }), ...(changes.length === 0 ? {} : { changesAtMs: Math.min(...changes) }) }
}

type OneQueue = { readonly snapshot: QueueSnapshot | undefined; readonly suspension: Suspension }

/** Of several queues all have to be known: a sum of some is none. What waits in those that are suspended is told apart. */
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
