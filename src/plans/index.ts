/**
 * From an object of the API to what the engines understand: for each kind that has more to it than its schema can say one function
 * `understand…`, which returns that, or all that is wrong, each fault with its reason, its field and what to write instead.
 *
 * Guarantees: the answer follows from the object alone, so that whoever asks, in a cluster or without one, is told the same; expressions are
 * compiled once and tried with an example, so that few faults are left for the moment of the run.
 * Assumes: the schema admits the object, and its defaults are filled in.
 * Does not: follow references, or read a clock.
 */
export { type Fault, type Faults, hasFaults, summarizeFaults, type Understood } from './fault.ts'
export { findFaults } from './faults-of.ts'
export { isRecorded, type NewExecution, ownerOfSlots, type SlotRun, slotObjectName, parseSlotRun } from './slot-run.ts'
export {
  type ScheduleFaultReason,
  type SlotStart,
  timingOf,
  sampleSlot,
  understandSchedule,
  type UnderstoodSchedule,
} from './task-schedule.ts'
export { type RunSource, understandDependency, understandExecution, type UnderstoodDependency, type UnderstoodRun } from './run.ts'
export {
  alertConditionOf,
  type AlertFaultReason,
  contradictionOf,
  type MessageFacts,
  understandAlert,
  type UnderstoodAlert,
} from './task-alert.ts'
