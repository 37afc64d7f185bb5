/**
 * What to do about one alert: pure, from a world to a plan. Read it from top to bottom: whether anything is to be decided now, what became of
 * the last notifications, what the value is, who is to be notified.
 */
import {
  advance,
  type AlertRecord,
  type DecidedNotification,
  decideNotifications,
  type Facts,
  longestRunSeconds,
  measure,
  newRecord,
  type NotifyRules,
  type Transition,
  withDelivery,
  withSuccess,
  withSuspension,
  withTiming,
} from '../../alerting/index.ts'
import { overrideAt, type TaskAlertStatus } from '../../api/index.ts'
import { dueAt, dueUpTo } from '../../scheduling/index.ts'
import type { Delivery } from '../../services/notifications/index.ts'
import type { World } from './gather.ts'
import { clockTime, recordOf, statusOf, wasJudged } from './status.ts'

export type Plan = {
  /** To be stored before anything is sent. */
  readonly status: TaskAlertStatus
  readonly record: AlertRecord
  /** The alert began to fire now, or ended. */
  readonly transition?: Transition
  /** When the answer may change by time alone. */
  readonly againAfterMs?: number
}

/** How long after its creation an alert waits for what it names; creation times are whole seconds. */
const togetherMs = 2_000
const longestMessage = 400

/** Why nothing is decided now: the status stays, or the alert is judged later. Undefined: it is judged. */
export function postponementOf(world: World): { readonly kind: 'KeepStatus' } | { readonly kind: 'Wait'; readonly ms: number } | undefined {
  const { facts, status } = world
  // A moment after a start the previous status stays, until the values are read.
  if (facts.kind === 'Unknown' && facts.reason === 'NotReadYet' && wasJudged(status)) return { kind: 'KeepStatus' }
  const ms = patienceMs(world)
  return ms > 0 ? { kind: 'Wait', ms } : undefined
}

/** What an alert names is often created together with it, a moment later: until then the status does not say that it is missing. */
function patienceMs({ alert, status, facts, faults, channels, nowMs }: World): number {
  const isMissing = facts.kind === 'Unknown' && (facts.reason === 'TargetNotFound' || facts.reason === 'BrokerNotFound')
  if (wasJudged(status) || faults.length > 0 || (!isMissing && ![...channels.values()].includes(undefined))) return 0
  return Math.min(togetherMs, (Date.parse(alert.metadata.creationTimestamp ?? '') || 0) + togetherMs - nowMs)
}

export function decide(world: World): Plan {
  const { alert, condition, facts, due, suspension, nowMs } = world
  const { forSeconds, severity, cooldownSeconds } = alert.spec
  const quiet = quietOf(world)
  const remembered = withFacts(withSuspension(recordWithDeliveries(world), suspension.suspended !== undefined, nowMs), world)
  const measurement = measure(condition, withExpectation(facts, remembered, due), nowMs, suspension.suspended)
  const { record: judged, transition, againAtMs } = advance(remembered, measurement, forSeconds, nowMs)
  const notified = decideNotifications(judged, { severity, cooldownSeconds, channels: world.channels, quiet }, nowMs)
  const moments = [againAtMs, notified.againAtMs, quiet?.untilMs, suspension.changesAtMs].filter((each) => each !== undefined)
  return {
    status: statusOf(world, { measurement, ...notified }),
    record: notified.record,
    ...(transition === undefined ? {} : { transition }),
    ...(moments.length === 0 ? {} : { againAfterMs: Math.max(0, Math.min(...moments) - nowMs) }),
  }
}

/** The active override of the alert. If it says both, it silences, which is the stronger of the two. */
function quietOf({ alert, nowMs }: World): NotifyRules['quiet'] {
  const active = overrideAt(alert.spec.override, nowMs)
  if (active === undefined) return undefined
  const { override, endsInMs } = active
  return { kind: override.silence === true ? 'Silenced' : 'Acknowledged', untilMs: nowMs + endsInMs }
}

/** The record remembers how long after they were due successes come, and when the schedule got other slots. */
function withFacts(record: AlertRecord, { facts, timingHash, nowMs }: World): AlertRecord {
  if (facts.kind !== 'Successes') return record
  const timed = timingHash === undefined ? record : withTiming(record, timingHash, nowMs)
  if (facts.lastSuccessAtMs === undefined || facts.lastRunSeconds === undefined) return timed
  return withSuccess(timed, { seconds: facts.lastRunSeconds, atMs: facts.lastSuccessAtMs })
}

/** From when on a success is expected: after a suspension that was seen, from its end on; and never before the next run is due, which an edit of the schedule can move. */
function withExpectation(facts: Facts, record: AlertRecord, due: World['due']): Facts {
  if (facts.kind !== 'Successes') return facts
  const resumed = Math.max(record.resumedAtMs ?? 0, facts.resumedAtMs ?? 0)
  const seconds = (ms: number) => Math.floor(ms / 1000)
  const slotsFrom = seconds(Math.max(facts.createdAtMs, record.timing?.changedAtMs ?? 0))
  const dueFrom = seconds(Math.max(facts.lastSuccessAtMs ?? 0, resumed))
  const next = due?.slots.next(Math.max(slotsFrom, dueUpTo(due, dueFrom)))
  return {
    ...facts,
    resumedAtMs: resumed === 0 ? undefined : resumed,
    nextDueMs: due && (next === undefined ? Infinity : dueAt(due, next) * 1000),
    longestRunSeconds: longestRunSeconds(record),
  }
}

/** The record, with the outcomes of the notifications that were under way. */
function recordWithDeliveries(world: World): AlertRecord {
  const before = recordOf(world, newRecord)
  let record = before
  for (const { channel, sequence, delivery } of before.notifications) {
    const state = world.deliveries.get(channel)
    const outcome = delivery === 'Pending' && state !== undefined ? outcomeOf(state) : undefined
    if (outcome !== undefined) record = withDelivery(record, channel, sequence, outcome)
  }
  return record
}

function outcomeOf(delivery: Delivery): Pick<DecidedNotification, 'delivery' | 'message'> | undefined {
  switch (delivery.kind) {
    case 'Delivered':
      return { delivery: 'Delivered' }
    case 'GivenUp':
      return { delivery: 'GivenUp', message: `given up after ${delivery.attempts} attempts: ${cut(delivery.message)}` }
    case 'Waiting': {
      if (delivery.message === undefined) return undefined
      const retry = delivery.retryAtMs === undefined ? '' : `, retry ${clockTime(delivery.retryAtMs)}`
      // What to do stands at the end.
      const [why = '', ...next] = cut(delivery.message).split('. Next: ')
      return { delivery: 'Pending', message: [`${why}, attempt ${delivery.attempts}${retry}`, ...next].join('. Next: ') }
    }
  }
}

function cut(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 1)}…`
}
