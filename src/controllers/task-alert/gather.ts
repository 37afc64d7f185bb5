/** What can be found out for one alert, without waiting for it: from caches, and from what is read for all alerts together. */
import type { AlertCondition, Facts, UnknownReason } from '../../alerting/index.ts'
import type { TaskAlert, TaskBroker } from '../../api/index.ts'
import type { BrokerEndpoint } from '../../broker/index.ts'
import type { BrokerDirectory, QueueSnapshot, RunCounts, Signals } from '../../services/index.ts'
import type { Target } from './target.ts'

export type GatherDeps = {
  readonly taskBroker: (key: string) => TaskBroker | undefined
  /** How to get into the brokers. */
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly signals: Signals
  readonly counts: RunCounts
  readonly now: () => number
}

type Unknown = Extract<Facts, { readonly kind: 'Unknown' }>

/** Runs are counted for a day. */
const countedSeconds = 86_400

/**
 * Asks for what the condition needs to be read from now on (asking again costs nothing), and takes back what it does not. `onChange` asks
 * for another look.
 */
export function createGather({ taskBroker, directory, signals, counts, now }: GatherDeps): {
  facts(key: string, alert: TaskAlert, condition: AlertCondition, target: Target | undefined, onChange: () => void): Facts
  forget(key: string): void
} {
  const nameOf = (key: string): string => `alert ${key}`

  function forget(key: string): void {
    signals.unsubscribe(nameOf(key))
    counts.unsubscribe(nameOf(key))
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

  function backlog(key: string, { queues, brokerKey }: Target, endpoint: BrokerEndpoint, onChange: () => void): Facts {
    signals.subscribe({ key: nameOf(key), brokerKey: endpoint, queues, atZero: false }, onChange)
    const known = signals.snapshot(nameOf(key))
    return combine(
      queues.map((queue) => known.get(queue)),
      brokerKey,
    )
  }

  function counted(
    key: string,
    { subjects, brokerKey }: Target,
    endpoint: BrokerEndpoint,
    windowSeconds: number,
    onChange: () => void,
  ): Extract<Facts, { readonly kind: 'Counts' }> | Unknown {
    const [namespace = ''] = key.split('/')
    counts.subscribe({ key: nameOf(key), brokerKey: endpoint, namespace, subjects, windowSeconds }, onChange)
    const read = counts.snapshot(nameOf(key))
    if (read.kind === 'Read') {
      const { succeeded, failed, missed } = read
      return { kind: 'Counts', succeeded, failed, missed }
    }
    if (read.kind === 'Pending') return unknown('NotReadYet', 'the runs are being counted for the first time')
    return unreachable(read.message, brokerKey)
  }

  function successes(key: string, alert: TaskAlert, target: Target, onChange: () => void): Facts {
    const { schedule } = target
    if (schedule === undefined) throw new TypeError('the schema admits noSuccess with a TaskSchedule only')
    if (schedule.spec.suspend)
      return unknown('ScheduleSuspended', `TaskSchedule "${schedule.metadata.name}" is suspended: no success is to be expected`)
    const place = endpointOf(target)
    const windowSeconds = Math.min(alert.spec.windowSeconds ?? 0, countedSeconds)
    const read = place.kind === 'Known' ? counted(key, target, place.endpoint, windowSeconds, onChange) : place
    // What the status tells may be enough; else it takes the count, and a broker that can say.
    if (read.kind === 'Unknown' && read.reason !== 'BrokerUnreachable') return read
    return {
      kind: 'Successes',
      createdAtMs: Date.parse(schedule.metadata.creationTimestamp ?? '') || now(),
      lastSuccessAtMs: timeOf(schedule.status?.lastSuccessTime),
      counted: read.kind === 'Counts' ? read.succeeded : undefined,
    }
  }

  return {
    facts(key, alert, condition, target, onChange) {
      const isOfQueues = condition.kind === 'QueueBacklog' || condition.kind === 'QueueLatency'
      if (!isOfQueues) signals.unsubscribe(nameOf(key))
      else counts.unsubscribe(nameOf(key))
      if (target === undefined) {
        forget(key)
        const { kind, name } = alert.spec.target
        return unknown('TargetNotFound', `${kind} "${name}" does not exist in this namespace. Next: create it, or another TaskAlert`)
      }
      if (condition.kind === 'NoSuccess') return successes(key, alert, target, onChange)
      const place = endpointOf(target)
      if (place.kind === 'Unknown') {
        forget(key)
        return place
      }
      if (isOfQueues) return backlog(key, target, place.endpoint, onChange)
      return counted(key, target, place.endpoint, condition.windowSeconds, onChange)
    },
    forget,
  }
}

/** Of several queues all have to be known: a sum of some is none. */
function combine(snapshots: readonly (QueueSnapshot | undefined)[], brokerKey: string): Facts {
  let [jobs, oldest]: [number, number | undefined] = [0, undefined]
  for (const snapshot of snapshots) {
    if (snapshot?.ok === false) return unreachable(snapshot.error.message, brokerKey)
    if (snapshot === undefined) return unknown('NotReadYet', 'the queues are being read for the first time')
    const { waiting, prioritized, dueDelayed, oldestReadyAtMs } = snapshot.reading
    jobs += waiting + prioritized + dueDelayed
    if (oldestReadyAtMs !== undefined) oldest = Math.min(oldest ?? Infinity, oldestReadyAtMs)
  }
  return { kind: 'Backlog', jobs, oldestReadyAtMs: oldest }
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
