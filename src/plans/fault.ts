/** Something in an object that its author has to correct, in the words of its conditions and of `taskmill lint`. */
export type Fault<Reason extends string = string> = {
  /** The reason of Stalled. */
  readonly reason: Reason
  /** From the object's root, as the API server writes paths: `spec.task.payload.items[0]`. */
  readonly field: string
  /** What is wrong with the field, and what to write instead. */
  readonly message: string
}

/** There is always one, and all are named, so that nobody corrects them one after the other. */
export type Faults<Reason extends string = string> = readonly [Fault<Reason>, ...Fault<Reason>[]]

/** What every `understand…` returns: what the engines need of the object, or all that is wrong with it. */
export type Understood<Meaning extends object, Reason extends string = string> =
  ({ readonly ok: true } & Meaning) | { readonly ok: false; readonly faults: Faults<Reason> }

export function hasFaults<Reason extends string>(faults: readonly Fault<Reason>[]): faults is Faults<Reason> {
  return faults.length > 0
}

const shownFaults = 3

/** One reason and one message, as a condition has room for: those of the first fault, and the words of the next ones. */
export function summarizeFaults<Reason extends string>(faults: Faults<Reason>): { readonly reason: Reason; readonly message: string } {
  const shown = faults.slice(0, shownFaults).map(({ field, message }) => `${field}: ${message}`)
  const more = faults.length - shown.length
  return { reason: faults[0].reason, message: [...shown, ...(more === 0 ? [] : [`${more} more; taskmill lint lists them all`])].join('. ') }
}
