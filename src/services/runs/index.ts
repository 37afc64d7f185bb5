/**
 * The drivers of slots and runs, their executors, and the sweep of what nobody owns any more. Guarantees: every
 * write is a compare-and-swap with a proof, every effect is idempotent, and whoever dies in between is continued. Does not: decide anything; that
 * do `scheduling` and `graph`.
 */
export { createExecutionSlots, emptyExecutionSlotsMemory, type ExecutionSlotsDeps, type ExecutionSlotsMemory } from './execution-slots.ts'
export { createJobSlots, emptyJobSlotsMemory, type JobSlotsDeps, type JobSlotsMemory } from './job-slots.ts'
export { createNodeJobs, type JobDoing, type JobsDoing, type NodeJobs, type NodeJobsDeps } from './node-jobs.ts'
export { createQueueSlots, type QueueSlotsDeps } from './queue-slots.ts'
export { createRunDriver, type RunDriver, type RunMemory, type RunVerdict, type RunVisit, type RunVisitResult } from './run-driver.ts'
export {
  createSlotDriver,
  emptyLedgerMemory,
  type LedgerMemory,
  type SlotDriver,
  type SlotDriverDeps,
  type Visit,
  type VisitResult,
} from './slot-driver.ts'
export type { SlotExecutor, SlotRef } from './slot-executor.ts'
export { createSweep, type Sweep, type SweepDeps } from './sweep.ts'
