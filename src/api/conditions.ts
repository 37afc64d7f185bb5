import type { EventType } from './builtin.ts'
import { type ConditionStatus, type Condition, kubeTime } from './object.ts'

/** A reason says one thing only, so the status of its condition follows from it. */
type ReasonDeclaration = {
  readonly status: ConditionStatus
  /** What it means, and what to do next where something has to be done. */
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

/** A condition that a controller wants to be shown; `setConditions` adds the times. */
export type WantedCondition = {
  readonly type: string
  readonly status: ConditionStatus
  readonly reason: string
  readonly message: string
}

/** An Event that a controller wants to be recorded. */
export type WantedEvent = { readonly type: EventType; readonly reason: string; readonly action: string; readonly note: string }

/**
 * The only way to a condition of a kind: a type or reason that is not declared does not compile, and a reason cannot come with the
 * wrong status.
 */
export function conditionsOf<const R extends ConditionRegistry>(registry: R) {
  return <T extends keyof R & string>(type: T, reason: keyof R[T]['reasons'] & string, message: string): WantedCondition => ({
    type,
    status: declared(registry[type]?.reasons[reason], type, reason).status,
    reason,
    message,
  })
}

/** The only way to an Event of a kind: its type and action follow from the reason. */
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

/** What the API server admits as the message of a condition. */
export const maxConditionMessageLength = 32_768

/**
 * The conditions to write: exactly the wanted ones, in their order, for this generation.
 *
 * `lastTransitionTime` stays what it was where the status did not change, so that the same facts give the same bytes. What is not
 * wanted is left out (so `Reconciling` and `Stalled` end when nobody asks for them): a controller states all of its conditions
 * each time. Conditions of other writers are theirs: server-side apply keeps them, because we never wrote them.
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

/** The condition of a type, if there is one. */
export function findCondition<C extends { readonly type: string }>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type)
}

function clip(message: string): string {
  return message.length <= maxConditionMessageLength ? message : `${message.slice(0, maxConditionMessageLength - 1)}…`
}
