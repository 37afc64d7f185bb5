/** Something that the author of an object must correct, as its conditions and `taskmill lint` say it. */
export type Fault<Reason extends string = string> = {
  /** The reason of the condition Stalled. */
  readonly reason: Reason
  /** From the object's root, as the API server writes paths: `spec.task.payload.items[0]`. */
  readonly field: string
  /** What is wrong with the field, and what to write instead. */
  readonly message: string
}

/** Collects faults. */
export type PushFaults<Reason extends string> = Pick<Fault<Reason>[], 'push'>

/** At least one fault. All are listed, so that the author can correct them together. */
export type Faults<Reason extends string = string> = readonly [Fault<Reason>, ...Fault<Reason>[]]

/** The result of every `understand…` function: what the engines need of the object, or all its faults. */
export type Understood<Meaning extends object, Reason extends string = string> =
  ({ readonly ok: true } & Meaning) | { readonly ok: false; readonly faults: Faults<Reason> }

export function hasFaults<Reason extends string>(faults: readonly Fault<Reason>[]): faults is Faults<Reason> {
  return faults.length > 0
}

const shownFaults = 3

/**
 * Returns one reason and one message for a condition: the reason of the first fault, and the messages of the first
 * three.
 */
export function summarizeFaults<Reason extends string>(faults: Faults<Reason>): { readonly reason: Reason; readonly message: string } {
  const shown = faults.slice(0, shownFaults).map(({ field, message }) => `${field}: ${message}`)
  const more = faults.length - shown.length
  return { reason: faults[0].reason, message: [...shown, ...(more === 0 ? [] : [`${more} more; taskmill lint lists them all`])].join('. ') }
}
