import { type AlertCondition, duration } from '../alerting/index.ts'
import type { TaskAlert, TaskSchedule } from '../api/index.ts'
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

/** What is watched; the schema admits exactly one. */
export function alertConditionOf({ spec }: TaskAlert): AlertCondition {
  const { windowSeconds = 0 } = spec
  if (spec.taskFailures !== undefined) return { kind: 'TaskFailures', ...spec.taskFailures, windowSeconds }
  if (spec.failureRate !== undefined) return { kind: 'FailureRate', ...spec.failureRate, windowSeconds }
  if (spec.queueBacklog !== undefined) return { kind: 'QueueBacklog', ...spec.queueBacklog }
  if (spec.queueLatency !== undefined) return { kind: 'QueueLatency', ...spec.queueLatency }
  if (spec.scheduleMissed !== undefined) return { kind: 'ScheduleMissed', ...spec.scheduleMissed, windowSeconds }
  return { kind: 'NoSuccess', windowSeconds }
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

/** An alert that no success could keep from firing: the schedule's slots are further apart than the window is long. */
export function contradictionOf(alert: TaskAlert, schedule: TaskSchedule): Fault<'ContradictoryWindow'> | undefined {
  const { noSuccess, windowSeconds = 0 } = alert.spec
  if (noSuccess === undefined) return undefined
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
