/**
 * What carries out the runs of slots: jobs of a queue, Kubernetes Jobs, or runs of a graph. It does what the state machine of `scheduling`
 * wants, and returns what it saw.
 */
import type { Slot, SubjectKind } from '../../contract/index.ts'
import type { RunObservation, RunOutcome } from '../../scheduling/index.ts'

/** A slot, and the template that its run is made from. */
export type SlotRef = { readonly slot: Slot; readonly generation: string }

/** `postponed`: why it has to be tried again. */
export type Placing = 'Done' | 'Fenced' | { readonly postponed: string }

/** `ids`: the done jobs that were removed. */
export type Acknowledged = 'Fenced' | { readonly ids: readonly string[] }

/**
 * What is known of an executor's runs at one moment. `ends`: the pending completions, each until it is acknowledged, and again after a
 * restart. `againAfterMs`: when to observe again, if no event announces a change.
 */
export type ObservedRuns = { readonly ends: readonly RunOutcome[]; readonly againAfterMs?: number | undefined }

/**
 * Guarantees that the engine relies on: an effect is idempotent by the slot, so that a process that does not know whether it happened repeats
 * it; a run whose end was acknowledged is not started again; `Fenced` means that nothing was done. All that is unexpected is thrown, and
 * everything is observed again.
 */
export type SlotExecutor = {
  /** Whether it runs this generation. Exactly one executor of a visit does. */
  readonly isFor: (generation: string) => boolean
  /** Before each step, with its runs that the ledger waits for. Costs a round trip only for what is not known yet. */
  readonly observe: (begun: readonly SlotRef[], nowMs: number) => Promise<ObservedRuns>
  /** The intent is written. A run that is refused for good is observed as an end that failed. */
  readonly place: (slots: readonly SlotRef[]) => Promise<Placing>
  /** Takes back what has not started; one answer for each, in order. `Absent`: there is nothing, and no end will come. */
  readonly remove: (slots: readonly SlotRef[]) => Promise<readonly ('Removed' | 'Started' | 'Absent' | 'Fenced')[]>
  /** What active runs are doing; one answer for each, in order. */
  readonly look: (slots: readonly SlotRef[]) => Promise<readonly RunObservation[]>
  /** These ends were observed, and are recorded or will never be. */
  readonly acknowledge: (slots: readonly Slot[]) => Promise<Acknowledged>
  /** The ledger is about to be deleted: removes the ends that will never be recorded. */
  readonly forget: () => Promise<Acknowledged>
  /** What an end of such a run counts for, besides its schedule. */
  readonly subjects: (generation: string) => readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
}

/** An executor that has nothing in a done queue acknowledges nothing there. */
export const nothingAcknowledged: Acknowledged = { ids: [] }
