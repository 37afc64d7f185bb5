import { type AlertCondition, duration } from '../alerting/index.ts'
import { alertConditionNames, type AlertConditionName, memberOf, type TaskAlert, type TaskSchedule } from '../api/index.ts'
import { errorMessage } from '../errors/index.ts'
import { compileTemplate } from '../expressions/index.ts'
import { parseTiming } from '../scheduling/index.ts'
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

export type AlertFaultReason = 'InvalidMessage' | 'ContradictoryWindow'

/** `messageOf` is missing where the alert has no words of its own; it throws what an expression throws. */
export type UnderstoodAlert = Understood<
  { readonly messageOf: ((facts: MessageFacts) => string) | undefined },
  Extract<AlertFaultReason, 'InvalidMessage'>
>

const mostCharacters = 2_048
/** Where the look at slots begins: the same for everybody, so that the answer does not depend on the day. */
const trialSlot = Date.UTC(2026, 10, 29) / 1000
const slotsLookedAt = 8

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

/** What an alert and its target say that cannot both be meant, by condition. `none`: there is nothing that can contradict it. */
const contradictions: Readonly<Record<AlertConditionName, ((alert: TaskAlert, target: TaskSchedule) => AlertContradiction) | 'none'>> = {
  taskFailures: 'none',
  failureRate: 'none',
  queueBacklog: 'none',
  queueLatency: 'none',
  scheduleMissed: 'none',
  noSuccess: windowShorterThanInterval,
}

type AlertContradiction = Fault<'ContradictoryWindow'> | undefined

/** What the alert and the schedule that it watches say that cannot both be meant. */
export function contradictionOf(alert: TaskAlert, schedule: TaskSchedule): AlertContradiction {
  const contradiction = contradictions[memberOf(alert.spec, alertConditionNames).kind]
  return contradiction === 'none' ? undefined : contradiction(alert, schedule)
}

/** The schedule's slots are further apart than the window is long: the alert would fire between any two runs, whatever they come to. */
function windowShorterThanInterval(alert: TaskAlert, schedule: TaskSchedule): AlertContradiction {
  const { windowSeconds = 0 } = alert.spec
  const parsed = parseTiming(timingOf(schedule))
  if (!parsed.ok) return undefined
  let shortest = Infinity
  for (let count = 0, slot = parsed.slots.next(trialSlot); count < slotsLookedAt && slot !== undefined; count++) {
    const next = parsed.slots.next(slot)
    if (next !== undefined) shortest = Math.min(shortest, next - slot)
    slot = next
  }
  if (shortest === Infinity || windowSeconds >= shortest) return undefined
  const message =
    `TaskSchedule "${schedule.metadata.name}" comes due every ${duration(shortest)} at most, so ${duration(windowSeconds)} without a success are ` +
    `normal. Next: set it to more than ${shortest}, with room for a run and its retries`
  return { reason: 'ContradictoryWindow', field: 'spec.windowSeconds', message }
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters - 1)}…`
}
