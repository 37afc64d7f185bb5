/**
 * The TaskSchedule controller: dispatches each slot exactly once, by way of a ledger in the broker, and says what became of the runs.
 *
 * Data goes one way: gather (caches, dispatch lease, pending completions) -> decide (a plan) -> act (`services/engine` drives it: the pure
 * state machine of `scheduling`, one step after the other, against the broker) -> status, Events and metrics. A schedule is reconciled when it or its TaskBroker changes, when the dispatch
 * lease comes or goes, when one of its runs ends, when the graph that it starts comes or goes, or when a moment comes that the state machine named. A schedule at rest costs no
 * round trip. It never writes to a broker without the proof of the dispatch lease.
 */
export { taskScheduleKind } from './kind.ts'
