/**
 * The values that the rules of a schedule go over: what its spec asks for, the ledger, what this process has learned, and the step that follows.
 */
import type { Slot } from '../contract/index.ts'
import type { Cover } from './cover.ts'
import { type Followed, type PrimitiveEngine, primitivePlaces } from './primitive.ts'
import type { CalendarsVersion, SlotSource, Timing } from './timing.ts'

/** What the schedule's spec asks for now, compiled. */
export type SchedulePlan = {
  readonly timing: Timing
  /** The slots of `timing`, without those that its calendars leave out. */
  readonly slots: SlotSource
  /** `namespace/name` of the schedule: what delays follow from. */
  readonly seed: string
  /** The moments at which a slot may be, by the calendars. */
  readonly calendars?: Cover | undefined
  /** The calendars by which this process decided slots before: an edit of them counts what they left undecided. */
  readonly formerCalendars?: KnownCalendars | undefined
  readonly suspended: boolean
  /**
   * Something that a run needs is missing, for example its graph. No slot is decided until it exists; then the catch-up
   * policy applies. Running runs are followed meanwhile.
   */
  readonly isHeld?: boolean | undefined
  readonly concurrencyPolicy: 'Allow' | 'Forbid' | 'Replace' | 'Queue'
  /** With `Queue`: how many slots may wait. */
  readonly queueLimit?: number | undefined
  /** With `Queue`: a slot also waits until the schedules of this group have fewer active runs than `limit`: the lowest that any of them names. */
  readonly group?: { readonly name: string; readonly limit: number } | undefined
  /** With `Queue`: a slot waits until the run before it has succeeded, or a later run by hand has. */
  readonly dependsOnPast?: boolean | undefined
  /** When the newest run by hand that succeeded ended (Unix ms). */
  readonly succeededByHandAtMs?: number | undefined
  readonly missedRuns: 'Latest' | 'Skip' | 'All'
  readonly missedRunsLimit: number
  readonly startingDeadlineSeconds?: number | undefined
  readonly pendingDeadlineSeconds?: number | undefined
  readonly runDeadlineSeconds?: number | undefined
  /** `pendingDeadlineSeconds` is not the user's: it ends only runs that are stuck. */
  readonly isPendingDefault?: boolean | undefined
  /** What `runDeadlineSeconds` does to the run: it is cancelled, or continues without counting (the default). */
  readonly onDeadline?: 'Abandon' | 'Cancel' | undefined
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
  /** How many slots the same source knows to be dispatched: `maxRuns` counts them, also if the ledger has lost them. */
  readonly statusDispatched?: number | undefined
  /**
   * When the next runs are due, at most `mostStatusNext`, as the status named them last: of calendars whose dates nobody has any more, these are what an edit
   * can count.
   */
  readonly statusNext?: readonly Slot[] | undefined
  /** Set when the schedule was deleted: remove what has not started, or leave everything. */
  readonly deletion?: 'Delete' | 'Orphan' | undefined
}

/** A status with fewer next slots has named all that there were. */
export const mostStatusNext = 5

/** A ledger has only the version. */
export type KnownCalendars = { readonly version: CalendarsVersion; readonly cover: Cover }

export const openStates = ['Intended', 'Placed', 'Revoking', 'Final', 'Waiting'] as const

/**
 * A slot between its intent and its end as an entry of the ledger.
 * - `Intended`: its run may exist. Only what cannot be started by the write itself: a Kubernetes Job, a TaskExecution, a run that starts anew.
 * - `Placed`: its job exists and waits for its time.
 * - `Revoking`: its job is being removed; it may be gone, or may have started.
 * - `Final`: dispatched; the cursor has not passed it yet.
 * - `Waiting`: due, with the policy `Queue`; it starts when no run is active and no earlier slot waits. The cursor may
 *   have passed it. It has no job, and is not active.
 *
 * An operator of a version that does not know a state refuses to read the ledger, so that it dispatches nothing.
 */
export type OpenSlot = {
  readonly slot: Slot
  readonly state: (typeof openStates)[number]
  readonly generation: string
  readonly epoch: number
  /** When its run is due, if that is later. */
  readonly dueAt?: Slot
  /**
   * The run was dispatched before, and nothing of it has ever run. Once it is taken back, it starts anew from the present template. It was counted
   * as dispatched then.
   */
  readonly restarts?: true
  /** It is counted as dispatched already: if it is taken back, it is neither dispatched again nor missed. */
  readonly isCounted?: true
}

export type ActiveRun = {
  readonly slot: Slot
  readonly generation: string
  /** When it was due, if that was later. */
  readonly dueAt?: Slot
  readonly dispatchedAtMs: number
  readonly startedAtMs?: number
  /** It is being cancelled: what its outcome is once that is done. */
  readonly ending?: Ending
}

/** Written before the effect, so that the process that continues after a crash records the same outcome. */
export type Ending = { readonly reason: EndingReason; readonly message: string }

export const endingReasons = ['RunDeadlineExceeded', 'Replaced'] as const

export type EndingReason = (typeof endingReasons)[number]

/**
 * All outcomes of a run. For a graph they are the outcomes of its TaskExecution; a Kubernetes Job fails or times out
 * like one.
 */
export const runReasons = [
  'Succeeded',
  'Skipped',
  'AttemptsExhausted',
  'Failed',
  'TimedOut',
  'Cancelled',
  'JobRemoved',
  'ExecutionRemoved',
  'Refused',
  'PendingDeadlineExceeded',
  'RunDeadlineExceeded',
  'Replaced',
] as const

export type RunReason = (typeof runReasons)[number]

/** How a run ended, as far as is known. */
export type RunOutcome = {
  readonly slot: Slot
  readonly succeeded: boolean
  readonly reason: RunReason
  readonly message?: string
  /** What the task returned, as JSON; absent when that is long, or not known. */
  readonly result?: string
  readonly attemptsMade?: number
  readonly attempts?: number
  readonly worker?: string
  readonly startedAtMs?: number
  readonly finishedAtMs: number
}

export type MissedReason =
  | 'StartingDeadlineExceeded'
  | 'Superseded'
  | 'Skipped'
  | 'TooManyMissed'
  | 'Overlap'
  | 'QueueFull'
  | 'Suspended'
  | 'ScheduleChanged'
  /** A primitive owns the clock, and did not start it. */
  | 'NotCreated'
  | 'LedgerRegressed'

/**
 * `isLowerBound`: there were more, or may have been. One decision walks over at most 100 slots of a timing that has no formula for their
 * number. With a `count` of 0 nothing is known of their number, and none is later than `lastSlot`.
 */
export type MissedRuns = { readonly count: number; readonly lastSlot: Slot; readonly isLowerBound?: true }

/** The record of one schedule. A slot above the cursor that is not open has not been decided yet. */
export type Ledger = {
  /**
   * 2 if `timing` has a field that readers of version 1 do not know, or the policy is one: they would dispatch by the rest of it, or take the
   * policy for `Allow`, so they must refuse the ledger. 3 with a `group`: readers of version 2 would start runs that it does not count.
   */
  readonly v: 1 | 2 | 3
  /** The timing by which slots are decided. If the spec has another one, it is adopted first. */
  readonly timing: Timing & { readonly suspended: boolean }
  /** The concurrency group, by its name in the broker, in which its active runs count. */
  readonly group?: string
  /** Every slot up to and including this one is final, unless it is open. */
  readonly cursor: Slot
  readonly open: readonly OpenSlot[]
  /** Runs that were dispatched and are not known to have ended; the newest 1,000. */
  readonly active: readonly ActiveRun[]
  readonly dispatched: number
  readonly lastDispatched?: { readonly slot: Slot; readonly dueAt?: Slot; readonly atMs: number }
  readonly lastRun?: RunOutcome
  readonly lastSuccess?: RunOutcome
  readonly lastFailure?: RunOutcome
  /** The last ten runs, as `recent-runs.ts` writes them; absent until a run has ended. */
  readonly recent?: string
  readonly consecutiveFailures: number
  /** With `dependsOnPast`: when a run by hand made up for the failures before it (Unix ms). The object of that run may be gone. */
  readonly settledAtMs?: number
  readonly missed: Readonly<Partial<Record<MissedReason, MissedRuns>>>
  /**
   * When the operator found (Unix ms) that the broker had lost acknowledged data, because it was restored from an older
   * state.
   */
  readonly regressedAtMs?: number
}

/** Returns the newest slot that the ledger knows to be decided. A slot that waits is not, although the cursor passed it. */
export function newestDecidedSlot({ cursor, open, lastDispatched }: Ledger): Slot {
  const finals = open.filter(({ state }) => state === 'Final').map(({ slot }) => slot)
  const newest = Math.max(cursor, lastDispatched?.slot ?? cursor, ...finals)
  const firstWaiting = open.find(({ state }) => state === 'Waiting')?.slot
  // Slots start in order: none behind it was dispatched, unless the ledger says so.
  return firstWaiting === undefined ? newest : Math.max(lastDispatched?.slot ?? -Infinity, Math.min(newest, firstWaiting - 1))
}

/** Returns the failed run that keeps slots waiting with `dependsOnPast`; undefined: none does. */
export function unsettledRun(
  ledger: Pick<Ledger, 'lastRun' | 'lastFailure' | 'consecutiveFailures' | 'settledAtMs'>,
): RunOutcome | undefined {
  const { lastFailure, consecutiveFailures, settledAtMs = 0 } = ledger
  // A run that was replaced, before the policy was edited, has neither succeeded nor failed: the run before it counts.
  const lastRun = ledger.lastRun?.reason === 'Replaced' ? (consecutiveFailures > 0 ? lastFailure : undefined) : ledger.lastRun
  return lastRun === undefined || lastRun.succeeded || settledAtMs >= wholeSeconds(lastRun.finishedAtMs) ? undefined : lastRun
}

/** Objects of the API server know the time to the second. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

/** Slots that are due and wait for the run before them, in order. */
export function waitingSlots(ledger: Pick<Ledger, 'open'>): readonly Slot[] {
  return slotsIn(ledger, 'Waiting')
}

/** When the run of a slot is due, by the timing that decided it. */
export function dueOf({ slot, dueAt = slot }: { readonly slot: Slot; readonly dueAt?: Slot }): Slot {
  return dueAt
}

/** The open slots in a state, in order. */
export function slotsIn({ open }: Pick<Ledger, 'open'>, state: OpenSlot['state']): readonly Slot[] {
  return open.filter((each) => each.state === state).map(({ slot }) => slot)
}

/**
 * What this process has learned since it read the ledger. It is lost with the process; then the effects are repeated.
 */
export type Knowledge = {
  /** Slots that are intended, and whose runs exist or have existed. */
  readonly placed: ReadonlySet<Slot>
  /** Slots of which the present template makes nothing. Their ends are among `ended` once they are due: until then an edit can help them. */
  readonly refused: ReadonlySet<Slot>
  /** Results of removing the jobs of revoked slots. */
  readonly removed: ReadonlyMap<Slot, 'Removed' | 'Started' | 'Absent'>
  /** Results of cancelling runs. */
  readonly cancelled: ReadonlyMap<Slot, CancelResult>
  /** Ends that have arrived and are not acknowledged. */
  readonly ended: readonly RunOutcome[]
  /** States of active runs, as observed a moment ago. */
  readonly looked: ReadonlyMap<Slot, RunObservation>
  /** Active runs of which nothing was found when somebody looked for them last, perhaps some time ago. */
  readonly missing?: ReadonlySet<Slot> | undefined
  /** The primitive that owns the clock by the ledger; undefined: none does, or it cannot be observed. */
  readonly followed?: Followed | undefined
  /** The primitives that exist for this schedule and belong to it. */
  readonly present?: readonly PrimitiveEngine[] | undefined
  /** The concurrency group has no room for another run, or older slots of other schedules are before. */
  readonly isGroupFull?: boolean | undefined
  /** Slots of other schedules wait for room in the concurrency group. */
  readonly isGroupAwaited?: boolean | undefined
}

/**
 * - `Cancelled`: it is gone, or ends by itself as soon as it can.
 * - `Running`: nothing can stop it; it continues.
 * - `Ended`: it had ended before; its end arrives, and counts. If it does not arrive, it has to be cancelled again: somebody may have removed it.
 * - `Absent`: there is nothing, and no end will come.
 */
export type CancelResult = 'Cancelled' | 'Running' | 'Ended' | 'Absent'

export type RunObservation = {
  readonly state: 'Waiting' | 'Active' | 'Ended' | 'Absent'
  readonly startedAtMs?: number | undefined
  /** Nothing of it has ever run, no worker and no container. */
  readonly isUntouched?: boolean | undefined
  /** Nothing of it has run for longer than `defaultPendingSeconds`, and nobody suspends it. */
  readonly isStuck?: boolean | undefined
  /** What keeps it from starting. */
  readonly trouble?: string | undefined
}

/** After this time a Kubernetes Job of which nothing has run counts as stuck. */
export const defaultPendingSeconds = 900

export type Step =
  /**
   * Write the ledger by compare-and-swap; `what` names the reason. The broker must refuse it before `notBeforeMs` and
   * from `beforeMs` on, by its own clock. `places`: the jobs of these slots are placed in the same moment, or nothing is done. `ends`: the runs
   * that it ends; if it is missing, the last run of the ledger, unless that was the last before. `makes`: it is written only if something can be
   * started for these slots.
   */
  | {
      readonly kind: 'Write'
      readonly what: WriteName
      readonly ledger: Ledger
      readonly notBeforeMs?: number
      readonly beforeMs?: number
      readonly places?: readonly Slot[]
      readonly ends?: readonly RunOutcome[]
      readonly makes?: readonly Slot[]
    }
  | { readonly kind: 'Place' | 'Remove' | 'Cancel' | 'Look' | 'Acknowledge'; readonly slots: readonly Slot[] }
  /**
   * Of a primitive. `Start`: create it or bring it in step; it may start slots after `after` only. `Stop`: it starts nothing any more.
   * `Survey`: read from the source what it did. `Remove`: it goes, its runs stay.
   */
  | {
      readonly kind: 'Follow'
      readonly act: 'Start' | 'Stop' | 'Survey' | 'Remove'
      readonly engine: PrimitiveEngine
      readonly after: Slot
    }
  /** Delete the ledger itself. */
  | { readonly kind: 'Delete' }
  | { readonly kind: 'Wait'; readonly untilMs?: number | undefined }

export type WriteName =
  | 'adopt'
  | 'regressed'
  | 'retime'
  | 'record'
  | 'placed'
  | 'taken back'
  | 'revoke'
  | 'restart'
  | 'cancel'
  | 'free'
  | 'settle'
  | 'intend'
  | 'dispatch'
  | 'final'
  | 'follow'
  | 'hand over'

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

export function hashOfGeneration(generation: string): string {
  return generation.slice(0, generation.indexOf('/'))
}

/** Whether a run of the first generation was made from the template of the second: by the same executor, or by a primitive. */
export function isMadeFrom(generation: string, template: string): boolean {
  const isPrimitive = Object.values(primitivePlaces).some((place) => queueOfGeneration(generation).startsWith(place))
  return generation === template || (isPrimitive && hashOfGeneration(generation) === hashOfGeneration(template))
}

/** The queue that has a run of that generation: where Taskmill placed it, or a job scheduler. */
export function queueOfRun(generation: string): string {
  const place = queueOfGeneration(generation)
  const ofScheduler = `${primitivePlaces.BullMQ}:`
  return place.startsWith(ofScheduler) ? place.slice(ofScheduler.length) : place
}

/** Whether a job scheduler of BullMQ has started the run, or could have. */
export function isSchedulerGeneration(generation: string): boolean {
  return queueOfGeneration(generation).startsWith(`${primitivePlaces.BullMQ}:`)
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
