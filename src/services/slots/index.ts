/**
 * Slots of schedules: what the engine observes of a ledger and its runs, and how each step is carried out; with an executor for each thing
 * that a slot may start. Guarantees: every write is a compare-and-swap with a proof, every effect is idempotent by the slot, and a process
 * that dies in between is continued by the next. This room makes no decisions; see `scheduling`.
 */
export { type ConcurrencyGroups, createConcurrencyGroups, type GroupMember, type GroupPlace, type GroupView } from './concurrency-groups.ts'
export { createExecutionSlots, type ExecutionSlotsDeps, type ExecutionSlotsMemory } from './execution-slots.ts'
export { createJobSlots, cronJobNaming, type JobSlotsDeps, type JobSlotsMemory, slotJobNaming } from './job-slots.ts'
export { createSchedulerSlots, type SchedulerSlotsMemory } from './scheduler-slots.ts'
export { createQueueSlots, type QueueSlotsDeps } from './queue-slots.ts'
export { nothingAcknowledged, type SlotExecutor, type SlotRef } from './slot-executor.ts'
export { emptySlotMemory, type LedgerRecord, type SlotDeps, type SlotMemory, type SlotVisit } from './ledger-record.ts'
export { createSlotKind, deletionPlan, type SlotHappening, type SlotPostponed } from './slots.ts'
