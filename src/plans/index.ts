/**
 * Converts objects of the API to what the engines need. Each kind whose schema cannot say everything has one function
 * `understand…`. It returns the compiled object, or all faults, each with its reason, its field and what to write
 * instead.
 *
 * Guarantees: the answer depends only on the object, so the operator and `taskmill lint` give the same one. Expressions
 * are compiled once and tried with an example, so that few faults remain for the run.
 * Assumes: the schema admits the object, and its defaults are filled in.
 * Does not: follow references, or read a clock.
 */
export { type CalendarFiles, configMapsOf, type ConfigMapReading, type Due, type LeftByFiles, parseConfigMap } from './calendars.ts'
export { type CronJobPlan, cronJobName } from './cron-job.ts'
export { type Fault, type Faults, hasFaults, summarizeFaults, type Understood } from './fault.ts'
export { findFaults } from './faults-of.ts'
export { type BackfillRange } from './backfill.ts'
export { type NextSlots, nextSlots, slotsToBackfill, slotTable } from './next-slots.ts'
export { isRecorded, type NewExecution, ownerOfSlots, type SlotRun, slotObjectName, parseSlotRun } from './slot-run.ts'
export {
  type ScheduleFaultReason,
  slotsLeftOf,
  type SlotStart,
  timingHashOf,
  timingOf,
  sampleSlot,
  understandSchedule,
  type UnderstoodSchedule,
} from './task-schedule.ts'
export { type RunSource, understandDependency, understandExecution, type UnderstoodDependency, type UnderstoodRun } from './run.ts'
export {
  alertConditionOf,
  type AlertFaultReason,
  type CountedStart,
  type MessageFacts,
  understandAlert,
  type UnderstoodAlert,
  unreachableIn,
} from './task-alert.ts'
