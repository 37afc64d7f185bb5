import type { EventType } from './builtin/event.ts'
import type { ConditionStatus } from './object.ts'

/** A reason says one thing only, so the status of its condition follows from it. */
export type ReasonDeclaration = {
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
