/**
 * When a schedule is due, and what becomes of each of its slots: pure rules over what is stored in the broker, what was learned since, and
 * the time. `nextStep` says what to do; whoever asked does it, and asks again.
 *
 * Guarantees: every due slot ends once, as dispatched or as missed with a reason, whatever dies in between and however many believe that
 * they lead (`exploration.test.ts` tries all interleavings of small cases); an edit, a resume or a restored broker never fires anything
 * retroactively; a look at the end of an outage costs the same however long it was.
 * Assumes: a ledger is written by compare-and-swap with a proof that one dispatcher at a time can give; jobs are placed, taken back and
 * acknowledged under the same proof; placing what is there, or has ended, does nothing; an end stays readable until it is acknowledged.
 * Does not: read a clock, or know brokers and objects. All of it comes in as values.
 */
export { generationOf, isQueueGeneration, executionsPlace, jobsPlace, queueOfGeneration } from './plan.ts'
export type { Knowledge, RunObservation, SchedulePlan, Step, WriteName } from './plan.ts'
export { parseLedger } from './ledger.ts'
export type { ActiveRun, Ledger, MissedReason, MissedRuns, OpenSlot, ParsedLedger, RunOutcome, RunReason } from './ledger.ts'
export { nextStep } from './next-step.ts'
export { findChanges, type Change } from './transitions.ts'
export { parseTiming, type ParsedTiming, type SlotSource, type Timing } from './timing.ts'
