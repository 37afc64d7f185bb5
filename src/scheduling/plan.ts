import type { Slot } from '../contract/index.ts'
import type { Ledger, RunOutcome } from './ledger.ts'
import type { SlotSource, Timing } from './timing.ts'

/** What the schedule asks for now. */
export type SchedulePlan = {
  readonly timing: Timing
  /** Those of `timing`. */
  readonly slots: SlotSource
  readonly suspended: boolean
  /** Something that a run needs is missing: no slot is decided until it is there, and then as after an outage. What runs is followed. */
  readonly isHeld?: boolean | undefined
  readonly concurrencyPolicy: 'Allow' | 'Forbid'
  readonly missedRuns: 'Latest' | 'Skip' | 'All'
  readonly missedRunsLimit: number
  readonly startingDeadlineSeconds?: number | undefined
  readonly pendingDeadlineSeconds?: number | undefined
  readonly runDeadlineSeconds?: number | undefined
  /** Fingerprint of the template: a job that is placed ahead and made from another one is taken back. */
  readonly generation: string
  readonly epoch: number
  /** A schedule that was never seen before is due from here on. */
  readonly createdAtMs: number
  /** The newest slot that is known, from elsewhere than the ledger (the status, memory), to have been dispatched. */
  readonly statusSlot?: Slot | undefined
  /** The schedule was deleted: take back what can be, or leave all as it is. */
  readonly deletion?: 'Delete' | 'Orphan' | undefined
}

/** What this process learned since it read the ledger. */
export type Knowledge = {
  /** Their jobs are in the queue, or have been. */
  readonly placed: ReadonlySet<Slot>
  /** What taking them back has come to. */
  readonly removed: ReadonlyMap<Slot, 'Removed' | 'Started' | 'Absent'>
  /** Ends that have arrived and are not acknowledged. */
  readonly ended: readonly RunOutcome[]
  /** What active runs were doing a moment ago. */
  readonly looked: ReadonlyMap<Slot, RunObservation>
}

export type RunObservation = { readonly state: 'Waiting' | 'Active' | 'Ended' | 'Absent'; readonly startedAtMs?: number | undefined }

export type Step =
  /** Compare-and-swap; `what` names it. To be refused while the broker's clock is not at `notBeforeMs` yet, or is at `beforeMs` or later. */
  | { readonly kind: 'Write'; readonly what: WriteName; readonly ledger: Ledger; readonly notBeforeMs?: number; readonly beforeMs?: number }
  | { readonly kind: 'Place' | 'Remove' | 'Look' | 'Acknowledge'; readonly slots: readonly Slot[] }
  /** Of the ledger itself. */
  | { readonly kind: 'Delete' }
  | { readonly kind: 'Wait'; readonly untilMs?: number | undefined }

export type WriteName = 'adopt' | 'regressed' | 'retime' | 'record' | 'placed' | 'taken back' | 'revoke' | 'free' | 'intend' | 'final'

/** In place of a queue's name, which never begins with a dot: its runs are objects of the API server. */
export const executionsPlace = '.execution'
export const jobsPlace = '.job'

/** Which template a run was made from, and where it was put: enough to find it when the template has changed. */
export function generationOf(hash: string, queue: string): string {
  return `${hash}/${queue}`
}

export function queueOfGeneration(generation: string): string {
  return generation.slice(generation.indexOf('/') + 1)
}

export function isQueueGeneration(generation: string): boolean {
  return !queueOfGeneration(generation).startsWith('.')
}

/** Whether the template of the one says how to carry out the runs of the other: any queue is as good as another, an object is not. */
export function hasSameExecutor(a: string, b: string): boolean {
  return isQueueGeneration(a) ? isQueueGeneration(b) : queueOfGeneration(a) === queueOfGeneration(b)
}
