import type { Slot } from '../contract/index.ts'
import type { Ledger, RunOutcome } from './ledger.ts'
import type { SlotSource, Timing } from './timing.ts'

/** What the schedule's spec asks for now, compiled. */
export type SchedulePlan = {
  readonly timing: Timing
  /** The slots of `timing`. */
  readonly slots: SlotSource
  readonly suspended: boolean
  /**
   * Something that a run needs is missing, for example its graph. No slot is decided until it exists; then the catch-up
   * policy applies. Running runs are followed meanwhile.
   */
  readonly isHeld?: boolean | undefined
  readonly concurrencyPolicy: 'Allow' | 'Forbid'
  readonly missedRuns: 'Latest' | 'Skip' | 'All'
  readonly missedRunsLimit: number
  readonly startingDeadlineSeconds?: number | undefined
  readonly pendingDeadlineSeconds?: number | undefined
  readonly runDeadlineSeconds?: number | undefined
  /** Fingerprint of the template and its executor. A job that was placed ahead from another generation is revoked. */
  readonly generation: string
  readonly epoch: number
  /** Creation time of the schedule (Unix ms). A schedule without a ledger has no slots before it. */
  readonly createdAtMs: number
  /**
   * The newest slot that is known to be dispatched from another source than the ledger: the status, or memory. Detects
   * a regressed ledger.
   */
  readonly statusSlot?: Slot | undefined
  /** Set when the schedule was deleted: remove what has not started, or leave everything. */
  readonly deletion?: 'Delete' | 'Orphan' | undefined
}

/**
 * What this process has learned since it read the ledger. It is lost with the process; then the effects are repeated.
 */
export type Knowledge = {
  /** Slots whose jobs are, or have been, in the queue. */
  readonly placed: ReadonlySet<Slot>
  /** Results of removing the jobs of revoked slots. */
  readonly removed: ReadonlyMap<Slot, 'Removed' | 'Started' | 'Absent'>
  /** Ends that have arrived and are not acknowledged. */
  readonly ended: readonly RunOutcome[]
  /** States of active runs, as observed a moment ago. */
  readonly looked: ReadonlyMap<Slot, RunObservation>
}

export type RunObservation = { readonly state: 'Waiting' | 'Active' | 'Ended' | 'Absent'; readonly startedAtMs?: number | undefined }

export type Step =
  /**
   * Write the ledger by compare-and-swap; `what` names the reason. The broker must refuse it before `notBeforeMs` and
   * from `beforeMs` on, by its own clock.
   */
  | { readonly kind: 'Write'; readonly what: WriteName; readonly ledger: Ledger; readonly notBeforeMs?: number; readonly beforeMs?: number }
  | { readonly kind: 'Place' | 'Remove' | 'Look' | 'Acknowledge'; readonly slots: readonly Slot[] }
  /** Delete the ledger itself. */
  | { readonly kind: 'Delete' }
  | { readonly kind: 'Wait'; readonly untilMs?: number | undefined }

export type WriteName = 'adopt' | 'regressed' | 'retime' | 'record' | 'placed' | 'taken back' | 'revoke' | 'free' | 'intend' | 'final'

/** Used in place of a queue name, for runs that are objects of the API server. No queue name starts with a dot. */
export const executionsPlace = '.execution'
export const jobsPlace = '.job'

/**
 * Formats which template a run was made from, and where it was placed: enough to find the run after the template has
 * changed.
 */
export function generationOf(hash: string, queue: string): string {
  return `${hash}/${queue}`
}

export function queueOfGeneration(generation: string): string {
  return generation.slice(generation.indexOf('/') + 1)
}

export function isQueueGeneration(generation: string): boolean {
  return !queueOfGeneration(generation).startsWith('.')
}

/**
 * Whether the second generation's template can also place and remove the runs of the first. All queues are alike; Jobs
 * and TaskExecutions are not.
 */
export function hasSameExecutor(a: string, b: string): boolean {
  return isQueueGeneration(a) ? isQueueGeneration(b) : queueOfGeneration(a) === queueOfGeneration(b)
}
