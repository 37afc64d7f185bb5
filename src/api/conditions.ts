import type { EventType } from './builtin.ts'
import { type ConditionStatus, type Condition, kubeTime } from './object.ts'

/** A reason has one meaning, so it determines the status of its condition. */
type ReasonDeclaration = {
  readonly status: ConditionStatus
  /** What the reason means, and what to do next if something must be done. */
  readonly meaning: string
}

/** The conditions of a kind: by type, then by reason. */
export type ConditionRegistry = {
  readonly [type: string]: { readonly meaning: string; readonly reasons: { readonly [reason: string]: ReasonDeclaration } }
}

/** The Events of a kind, by reason. */
export type EventRegistry = {
  readonly [reason: string]: { readonly type: EventType; readonly action: string; readonly meaning: string }
}

/** A condition to show; `setConditions` adds the times. */
export type WantedCondition = {
  readonly type: string
  readonly status: ConditionStatus
  readonly reason: string
  readonly message: string
}

/** An Event to record. */
export type WantedEvent = { readonly type: EventType; readonly reason: string; readonly action: string; readonly note: string }

/**
 * Returns the only function that creates conditions of a kind. An undeclared type or reason does not compile, and a
 * reason cannot have the wrong status.
 */
export function conditionsOf<const R extends ConditionRegistry>(registry: R) {
  return <T extends keyof R & string>(type: T, reason: keyof R[T]['reasons'] & string, message: string): WantedCondition => ({
    type,
    status: declared(registry[type]?.reasons[reason], type, reason).status,
    reason,
    message,
  })
}

/** Returns the only function that creates Events of a kind. The reason determines type and action. */
export function eventsOf<const R extends EventRegistry>(registry: R) {
  return (reason: keyof R & string, note: string): WantedEvent => {
    const { type, action } = declared<EventRegistry[string]>(registry[reason], 'Event', reason)
    return { type, reason, action, note }
  }
}

function declared<T>(declaration: T | undefined, ...path: readonly string[]): T {
  if (declaration === undefined) throw new TypeError(`not declared: ${path.join(' ')}`)
  return declaration
}

/** Longest condition message that the API server admits. */
export const maxConditionMessageLength = 32_768

/**
 * Returns the conditions to write: exactly the wanted ones, in their order, for this generation.
 *
 * `lastTransitionTime` changes only with the status, so that the same facts give the same bytes. Unwanted conditions
 * are dropped, so `Reconciling` and `Stalled` end by themselves: a controller states all of its conditions each time.
 * Server-side apply keeps the conditions of other writers, because we never wrote them.
 */
export function setConditions(
  previous: readonly Condition[] | undefined,
  wanted: readonly WantedCondition[],
  nowMs: number,
  generation: number | undefined,
): readonly Condition[] {
  return wanted.map(({ type, status, reason, message }) => {
    const before = previous?.find((condition) => condition.type === type)
    return {
      type,
      status,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : kubeTime(nowMs),
      reason,
      message: clip(message),
    }
  })
}

/** Returns the condition of a type; undefined if there is none. */
export function findCondition<C extends { readonly type: string }>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** Returns the condition of a type as it stands, to be wanted again: what is not known now stays as it was said last. */
export function keepCondition(conditions: readonly Condition[] | undefined, type: string): WantedCondition | undefined {
  const condition = findCondition(conditions, type)
  return condition && { type, status: condition.status, reason: condition.reason, message: condition.message }
}

function clip(message: string): string {
  return message.length <= maxConditionMessageLength ? message : `${message.slice(0, maxConditionMessageLength - 1)}…`
}
