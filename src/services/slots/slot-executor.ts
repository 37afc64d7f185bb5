/**
 * What carries out the runs of slots: jobs of a queue, Kubernetes Jobs, or runs of a graph. It does what the state machine of `scheduling`
 * wants, and returns what it saw.
 */
import type { KubeObject } from '../../api/index.ts'
import type { PlacedJob } from '../../broker/index.ts'
import type { Slot, SubjectKind } from '../../contract/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { CancelResult, RunObservation, RunOutcome } from '../../scheduling/index.ts'

/** A slot, the template that its run is made from, and when it is due, if that is later. */
export type SlotRef = { readonly slot: Slot; readonly generation: string; readonly dueAt?: Slot }

/**
 * `postponed`: why it has to be tried again. `refused`: slots for which nothing can be started, and why: no other slot waits for them, and
 * they count as failed once they are due.
 */
export type Placing = {
  readonly outcome: 'Done' | 'Fenced' | { readonly postponed: string }
  readonly refused: ReadonlyMap<Slot, string>
}

/** What slots start; `refused` as above. */
export type MadeOfSlots<T> = {
  readonly made: readonly { readonly slot: Slot; readonly what: T }[]
  readonly refused: ReadonlyMap<Slot, string>
}

/**
 * How runs start. `WithWrite`: as jobs of a queue, which the write to the ledger places. `AfterIntent`: by an effect of its own, once the
 * intent is written. `make` has no effect.
 */
export type Starting =
  | { readonly kind: 'WithWrite'; readonly make: (slots: readonly SlotRef[]) => MadeOfSlots<PlacedJob> }
  | {
      readonly kind: 'AfterIntent'
      readonly make: (slots: readonly SlotRef[]) => MadeOfSlots<unknown>
      readonly place: (slots: readonly SlotRef[]) => Promise<Placing>
    }

/** `ids`: the done jobs that were removed. */
export type Acknowledged = 'Fenced' | { readonly ids: readonly string[] }

/**
 * What is known of an executor's runs at one moment. `ends`: the pending completions, each until it is acknowledged, and again after a
 * restart. `missing`: runs of which nothing was found some time ago. `againAfterMs`: when to observe again, if no event announces a change.
 */
export type ObservedRuns = {
  readonly ends: readonly RunOutcome[]
  readonly missing?: readonly Slot[]
  readonly againAfterMs?: number | undefined
}

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
  readonly starting: Starting
  /** Takes back what has not started; one answer for each, in order. `Absent`: there is nothing, and no end will come. */
  readonly remove: (slots: readonly SlotRef[]) => Promise<readonly ('Removed' | 'Started' | 'Absent' | 'Fenced')[]>
  /** Cancels runs, also started ones, as far as that is possible; one answer for each, in order. */
  readonly cancel: (slots: readonly SlotRef[]) => Promise<readonly (CancelResult | 'Fenced')[]>
  /** What active runs are doing; one answer for each, in order. */
  readonly look: (slots: readonly SlotRef[]) => Promise<readonly RunObservation[]>
  /** These ends were observed, and are recorded or will never be. */
  readonly acknowledge: (slots: readonly Slot[]) => Promise<Acknowledged>
  /** The ledger is about to be deleted: removes the ends that will never be recorded. */
  readonly forget: () => Promise<Acknowledged>
  /** What an end of such a run counts for, besides its schedule. */
  readonly subjects: (generation: string) => readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
}

/**
 * Makes of each slot what it starts. An expression that held for the slot it was tried with may fail for another one: then the slot is
 * refused, and the others are made all the same. `field` is where the expressions stand.
 */
export function makeOfSlots<T>(
  field: string,
  slots: readonly SlotRef[],
  make: (slot: SlotRef) => T,
): MadeOfSlots<T> & { readonly refused: Map<Slot, string> } {
  const made: { slot: Slot; what: T }[] = []
  const refused = new Map<Slot, string>()
  for (const ref of slots) {
    const { slot } = ref
    try {
      made.push({ slot, what: make(ref) })
    } catch (error) {
      if (!hasCode(error, 'TM_EXPRESSION_FAILED', 'TM_EXPRESSION_TOO_COSTLY')) throw error
      refused.set(slot, `${field}: ${errorMessage(error)}`)
    }
  }
  return { made, refused }
}

/** Those of the UIDs that these objects still have; undefined: none, as for most of ten thousand schedules. */
export function stillAmong(uids: ReadonlySet<string>, objects: readonly KubeObject[]): Set<string> | undefined {
  const left = objects.flatMap(({ metadata: { uid } }) => (uid !== undefined && uids.has(uid) ? [uid] : []))
  return left.length === 0 ? undefined : new Set(left)
}

/** An executor that has nothing in a done queue acknowledges nothing there. */
export const nothingAcknowledged: Acknowledged = { ids: [] }
