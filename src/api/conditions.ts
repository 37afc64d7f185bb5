import { maxConditionMessageLength } from './kinds/condition-list.ts'
import { type Condition, kubeTime } from './object.ts'
import type { WantedCondition } from './registry.ts'

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
