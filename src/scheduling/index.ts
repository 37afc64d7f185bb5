/**
 * Decides when a schedule is due and what happens to each of its slots. The rules are pure: they get the stored ledger,
 * what this process has learned since, and the time. `nextStep` returns one step; the caller carries it out and asks
 * again.
 *
 * Guarantees: every due slot ends exactly once, dispatched or missed with a reason, whichever process dies and however
 * many processes believe that they lead (`exploration.test.ts` tries all interleavings of small cases). An edit, a
 * resume or a restored broker never fires a past slot. The first step after an outage costs the same, however long the
 * outage was.
 * Assumes: a ledger is written by compare-and-swap under a fence that admits one dispatcher at a time. Jobs are placed,
 * removed and acknowledged under the same fence. Placing a job that exists or has ended does nothing. An end stays
 * readable until it is acknowledged.
 * Does not: read a clock, or know brokers and objects. Everything comes in as a value.
 */
export {
  defaultPendingSeconds,
  dueOf,
  executionsPlace,
  generationOf,
  hashOfGeneration,
  isQueueGeneration,
  isSchedulerGeneration,
  jobsPlace,
  mostStatusNext,
  queueOfGeneration,
  queueOfRun,
  unsettledRun,
  waitingSlots,
} from './ledger.ts'
export type {
  ActiveRun,
  CancelResult,
  Knowledge,
  KnownCalendars,
  Ledger,
  MissedReason,
  MissedRuns,
  OpenSlot,
  RunObservation,
  RunOutcome,
  RunReason,
  SchedulePlan,
  Step,
  WriteName,
} from './ledger.ts'
export { defaultClockRule } from './clock-changes.ts'
export { type ClockConflict, findClockConflict } from './clock-conflict.ts'
export { resolveHashes } from './cron.ts'
export { showSlots, type ShownSlot } from './clock-notes.ts'
export { runsLeft } from './due-slots.ts'
export { groupChangeOf, slotForGroup } from './group.ts'
export { dueAt, type DueSource, dueUpTo, findJitterFault } from './jitter.ts'
export { nextStep } from './next-step.ts'
export { type Followed, type FollowedRun, placeOfRuns, type PrimitiveEngine, primitivePlaces } from './primitive.ts'
export { findSchedulerClocks } from './scheduler-clocks.ts'
export { schedulerPattern } from './scheduler-pattern.ts'
export { recentRuns, type RecentRun } from './recent-runs.ts'
export { calendarsInUse } from './retiming.ts'
export { parseLedger, type ParsedLedger } from './stored-ledger.ts'
export { findChanges, type Change } from './transitions.ts'
export { type CalendarFault, type CalendarRules, isNeverDue, parseCalendars, withCalendars } from './calendars.ts'
export { parseCalendarFile } from './calendar-file.ts'
export type { FileCover } from './cover.ts'
export { zoneOf } from './time-zone.ts'
export { parseTiming, type ParsedTiming, type SlotSource, slotsWithin, type Timing } from './timing.ts'
