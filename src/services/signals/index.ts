/**
 * What is known of queues and of ended runs, read for all who ask together. Guarantees: round trips do not grow with the number of
 * resources; what cannot be read is told apart from what is empty. Does not: decide anything.
 */
export { createOutcomes, type Outcomes, type RecordedOutcome } from './outcomes.ts'
export { createSignals, type Signals, type SignalsDeps, type SignalSubscription } from './signals.ts'
export type { QueueSnapshot } from './queue-snapshot.ts'
export { createRunCounts, type CountsSnapshot, type RunCounts } from './run-counts.ts'
