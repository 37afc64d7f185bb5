/**
 * What the running operator shares between its controllers: the connections to brokers, what is known of the queues, and the writing of
 * status. Guarantees: the number of connections and of round trips does not grow with the number of resources; a queue that cannot be
 * read is told apart from an empty one; `stop` leaves nothing running. Does not: decide anything.
 */
export { createBrokerDirectory, type BrokerDirectory, type BrokerDirectoryDeps, type BrokerState } from './broker-directory.ts'
export { createBrokerHold, createBrokers, type BrokerHold, type Brokers } from './brokers.ts'
export { createDispatchers, type Dispatchers, type DispatchersDeps, type DispatchState } from './dispatchers.ts'
export { createExecutionSlots, emptyExecutionSlotsMemory, type ExecutionSlotsDeps, type ExecutionSlotsMemory } from './execution-slots.ts'
export { createJobSlots, emptyJobSlotsMemory, type JobSlotsDeps, type JobSlotsMemory } from './job-slots.ts'
export {
  createJobs,
  jobNamed,
  starterOf,
  startersOf,
  type Creation,
  type JobLook,
  type JobRef,
  type JobReport,
  type Jobs,
  type JobsDeps,
  type Starter,
  type Trial,
} from './jobs.ts'
export { createNodeJobs, type JobDoing, type JobsDoing, type NodeJobs, type NodeJobsDeps } from './node-jobs.ts'
export { createOutcomes, type Outcomes, type RecordedOutcome } from './outcomes.ts'
export { createPodWatch, type PodLook, type WantingPods } from './pod-watch.ts'
export { createQueueSlots, type QueueSlotsDeps } from './queue-slots.ts'
export { createRunDriver, type RunDriver, type RunMemory, type RunVerdict, type RunVisit, type RunVisitResult } from './run-driver.ts'
export { createSignals, type Signals, type SignalsDeps, type SignalSubscription } from './signals.ts'
export type { QueueSnapshot } from './queue-snapshot.ts'
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
export { createDelivery, placeOf, type ChannelPlace, type HttpPost } from './delivery.ts'
export { createNotifier, type ChannelActivity, type Delivery, type Notification, type Notifier } from './notifier.ts'
export { createRunCounts, type CountsSnapshot, type RunCounts } from './run-counts.ts'
export { createSecretCache, type SecretCache, type SecretCacheDeps } from './secret-cache.ts'
export { createStatusWriter, type StatusWriter } from './status-writer.ts'
export { createSweep, type Sweep, type SweepDeps } from './sweep.ts'
export { createTracking, type TrackedOwner, type Tracking, type TrackingDeps } from './tracking.ts'
export { turnAt } from './turn.ts'
export { createWhereabouts, type Whereabouts } from './whereabouts.ts'
export { createWriteBudget, type WriteBudget } from './write-budget.ts'
