/**
 * What carries out the runs of slots: the jobs of a queue, or whatever else a slot may start. The slot driver tells it what the state machine
 * of `scheduling` wants, and asks it what has come of that.
 */
import type { SubjectKind } from '../../contract/index.ts'
import type { Slot } from '../../contract/index.ts'
import type { RunObservation, RunOutcome } from '../../scheduling/index.ts'

/** A slot, and the template that its run is made from. */
export type SlotRef = { readonly slot: Slot; readonly generation: string }

export type Placing = 'Done' | 'Fenced' | { readonly postponed: string }

/**
 * Guarantees that the driver relies on: an effect is idempotent by the slot, so that whoever does not know whether it happened repeats it;
 * one whose end was acknowledged is not begun again; `Fenced` means that nothing was done; an end is told until it is acknowledged, and
 * again after a restart. All that is unexpected is thrown, and everything is looked at again.
 */
export type SlotExecutor = {
  /** Whether runs of this generation are its. Exactly one of a visit's executors says so. */
  readonly runs: (generation: string) => boolean
  /**
   * Before each step, with its runs that the ledger waits for: asks for what `ended` has to know of them, and says in how many
   * milliseconds to ask again, if nothing tells of it. Nothing is asked for whose ends arrive by themselves.
   */
  readonly gather?: (begun: readonly SlotRef[]) => Promise<number>
  /** The intent is written. What is refused for good is told as an end that failed, by `ended`. `postponed`: why it has to be tried again. */
  readonly place: (slots: readonly SlotRef[]) => Promise<Placing>
  /** Takes back what has not started; one answer for each, in order. `Absent`: there is nothing, and no end will come. */
  readonly remove: (slots: readonly SlotRef[]) => Promise<readonly ('Removed' | 'Started' | 'Absent' | 'Fenced')[]>
  /** One answer for each, in order. */
  readonly look: (slots: readonly SlotRef[]) => Promise<readonly RunObservation[]>
  /** The ends that have arrived and are not acknowledged, as far as is known now. */
  readonly ended: (nowMs: number) => readonly RunOutcome[]
  /** These ends are recorded, or are of no interest; of those that it knows of. */
  readonly acknowledge: (slots: readonly Slot[]) => Promise<'Done' | 'Fenced'>
  /** The ledger is about to go: nobody is going to record what has ended. */
  readonly forget: () => Promise<void>
  /** What an end of such a run counts for, besides its schedule. */
  readonly subjects: (generation: string) => readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
}
