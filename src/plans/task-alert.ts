import { type AlertCondition, duration, plural } from '../alerting/index.ts'
import { alertConditionNames, type AlertConditionName, memberOf, type TaskAlert, type TaskSchedule } from '../api/index.ts'
import type { Slot } from '../contract/index.ts'
import { errorMessage } from '../errors/index.ts'
import { compileTemplate } from '../expressions/index.ts'
import { parseTiming, type SlotSource, type Timing } from '../scheduling/index.ts'
import type { Fault, Understood } from './fault.ts'
import { timingOf } from './task-schedule.ts'

/** What the expressions of a message see. */
export type MessageFacts = {
  readonly target: { readonly kind: string; readonly name: string }
  readonly alert: { readonly name: string; readonly namespace: string; readonly severity: string }
  /** In the unit of the threshold. */
  readonly value: number
  readonly limit: string
}

export type AlertFaultReason = 'InvalidMessage' | 'UnreachableThreshold'

/** `messageOf` is missing where the alert has no words of its own; it throws what an expression throws. */
export type UnderstoodAlert = Understood<
  { readonly messageOf: ((facts: MessageFacts) => string) | undefined },
  Extract<AlertFaultReason, 'InvalidMessage'>
>

const mostCharacters = 2_048
/** Where the look at slots begins: the same for everybody, so that the answer does not depend on the day. */
const trialSlot = Date.UTC(2026, 10, 29) / 1000

/** What the alert watches for. */
export function alertConditionOf({ spec }: TaskAlert): AlertCondition {
  const { kind, value } = memberOf(spec, alertConditionNames)
  // The schema has windowSeconds with the conditions that need it, and with no other.
  const window = spec.windowSeconds === undefined ? {} : { windowSeconds: spec.windowSeconds }
  return { kind, ...value, ...window } as AlertCondition
}

export function understandAlert(alert: TaskAlert): UnderstoodAlert {
  const { message, target, severity } = alert.spec
  if (message === undefined) return { ok: true, messageOf: undefined }
  const { name, namespace = '' } = alert.metadata
  const trial: MessageFacts = { target, alert: { name, namespace, severity }, value: 1, limit: '> 0' }
  try {
    const template = compileTemplate(message, { variables: Object.keys(trial) })
    const messageOf = (facts: MessageFacts): string => textOf(template.evaluate(facts))
    messageOf(trial)
    return { ok: true, messageOf }
  } catch (error) {
    return { ok: false, faults: [{ reason: 'InvalidMessage', field: 'spec.message', message: errorMessage(error) }] }
  }
}

/** A schedule, and how many of the runs that an alert counts each of its slots starts. */
export type CountedStart = { readonly schedule: TaskSchedule; readonly runs: number }

/** What a condition counts, and how many it takes to fire, or to be judged; `field` has the number. */
type Threshold = { readonly counts: 'runs' | 'missed slots'; readonly needed: number; readonly field: string }

/** By condition; `none`: the condition does not count what a schedule starts. */
const thresholds: Readonly<Record<AlertConditionName, ((spec: TaskAlert['spec']) => Threshold) | 'none'>> = {
  taskFailures: ({ taskFailures }) => ({ counts: 'runs', needed: (taskFailures?.moreThan ?? 0) + 1, field: 'taskFailures.moreThan' }),
  failureRate: ({ failureRate }) => ({ counts: 'runs', needed: failureRate?.minimumRuns ?? 0, field: 'failureRate.minimumRuns' }),
  scheduleMissed: ({ scheduleMissed }) => ({
    counts: 'missed slots',
    needed: (scheduleMissed?.moreThan ?? 0) + 1,
    field: 'scheduleMissed.moreThan',
  }),
  noSuccess: 'none',
  queueBacklog: 'none',
  queueLatency: 'none',
}

/** One decision after an outage counts at most so many missed slots at once, unless the timing has a formula for their number. */
const mostMissedAtOnce = 100

/**
 * Finds a threshold that the alert can never reach, because all that it counts comes from these schedules, and they have
 * too few slots within the window. Runs can end closer together than they start: twice as many, and those that
 * `missedRuns: All` makes up for, are taken as possible.
 */
export function unreachableIn({ spec }: TaskAlert, starts: readonly CountedStart[]): Fault<'UnreachableThreshold'> | undefined {
  const threshold = thresholds[memberOf(spec, alertConditionNames).kind]
  if (threshold === 'none' || starts.length === 0) return undefined
  const { counts, needed, field } = threshold(spec)
  const windowSeconds = spec.windowSeconds ?? 0
  let most = 0
  let possible = counts === 'runs' ? 1 : mostMissedAtOnce
  for (const { schedule, runs } of starts) {
    const timing = timingOf(schedule)
    const parsed = parseTiming(timing)
    if (!parsed.ok || (counts === 'missed slots' && parsed.slots.count !== undefined)) return undefined
    // The present minute belongs to the window.
    const within = mostSlotsWithin(parsed.slots, { from: trialStart(timing), seconds: windowSeconds + 60, enough: needed })
    if (within === undefined) return undefined
    const slots = counts === 'runs' ? Math.min(within, timing.maxRuns ?? Infinity) : within
    const madeUpFor = schedule.spec.missedRuns === 'All' ? schedule.spec.missedRunsLimit : 0
    most += runs * slots
    possible += runs * (2 * slots + madeUpFor)
    if (possible >= needed) return undefined
  }
  const names = starts.map(({ schedule }) => `"${schedule.metadata.name}"`).join(', ')
  const doing =
    counts === 'runs' ? `${starts.length === 1 ? 'starts' : 'start'} at most ${plural(most, 'run')}` : `has at most ${plural(most, 'slot')}`
  const message =
    `${needed} ${counts} within ${duration(windowSeconds)} are out of reach, and the alert never fires: ` +
    `${starts.length === 1 ? 'TaskSchedule' : 'TaskSchedules'} ${names} ${doing} in that time. Next: lower it, or set a longer windowSeconds`
  return { reason: 'UnreachableThreshold', field: `spec.${field}`, message }
}

/** How many slots one looks at, at most: some milliseconds. */
const slotsLookedAt = 12_000
const daySeconds = 86_400

/** A moment from which on, for a year, a schedule is due as often as it ever is. */
function trialStart(timing: Timing): Slot {
  if ('at' in timing) return Math.min(...timing.at) - 1
  const { startTime = -Infinity, endTime = Infinity } = timing
  return Math.min(Math.max(trialSlot, startTime - 1), endTime - 366 * daySeconds)
}

/**
 * The most slots within any time of this length, or `enough` if there are so many: of a year, or of as many slots as are
 * looked at. undefined: these cover too short a time to tell.
 */
function mostSlotsWithin(
  slots: SlotSource,
  { from, seconds, enough }: { readonly from: Slot; readonly seconds: number; readonly enough: number },
): number | undefined {
  const looked: Slot[] = []
  let first = 0
  let most = 0
  for (let slot = slots.next(from); slot !== undefined && slot <= from + 366 * daySeconds; slot = slots.next(slot)) {
    looked.push(slot)
    while (slot - (looked[first] ?? slot) >= seconds) first++
    most = Math.max(most, looked.length - first)
    if (most >= enough) return most
    if (looked.length < slotsLookedAt) continue
    return slot - from >= (seconds <= 3600 ? 1 : 8) * daySeconds ? most : undefined
  }
  return most
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters - 1)}…`
}
