import { annotations, type Slot } from '../../contract/index.ts'
import type { Followed, Ledger, PrimitiveEngine } from '../../scheduling/index.ts'

/**
 * What became of a change of a primitive. `postponed`: it has to be tried again, and why. `Fenced`: another process holds the dispatch lease,
 * and nothing was done.
 */
export type PrimitiveAnswer = 'Done' | 'Fenced' | { readonly postponed: string }

/**
 * What starts the runs of one schedule instead of Taskmill: its CronJob, or its job scheduler. For one visit; the rules of `scheduling` say
 * what to do with it.
 *
 * Guarantees that these rely on: each change is idempotent, so that a process that does not know whether it happened repeats it. The
 * primitive starts runs in the order of their slots, and only of slots after the one that `start` was given. Something of the same name
 * that does not belong to the schedule is never changed. All that is unexpected is thrown, and everything is observed again.
 */
export type Primitive = {
  readonly engine: PrimitiveEngine
  /** Whether it exists and belongs to the schedule. No round trip while nothing has changed. */
  readonly isPresent: (ledger: Ledger | undefined) => Promise<boolean>
  /** What it is and has done. No round trip while nothing has changed. */
  readonly observe: (ledger: Ledger, nowMs: number) => Promise<Followed>
  /** Creates it or brings it in step with the plan; of a suspended schedule, it starts nothing. */
  readonly start: (after: Slot) => Promise<PrimitiveAnswer>
  /** Keeps it from starting anything; `observe` says when it is certain that it does not. */
  readonly stop: () => Promise<PrimitiveAnswer>
  /** Reads from the source what it has started, which the next `observe` tells. */
  readonly survey: () => Promise<PrimitiveAnswer>
  /** It goes; the runs that it has started stay. */
  readonly remove: () => Promise<PrimitiveAnswer>
}

/** A sentence about a value of the annotation `adopt` that means nothing; empty if there is none. */
export function unknownAdoption(adopt: string | undefined): string {
  return adopt === undefined ? '' : ` The annotation ${annotations.adopt} is ${JSON.stringify(adopt)}; it may be DryRun or Confirm.`
}
