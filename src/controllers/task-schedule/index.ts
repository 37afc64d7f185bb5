/**
 * The TaskSchedule controller: dispatches each slot exactly once, by a ledger in the broker, and reports the outcomes of runs.
 *
 * Data goes one way: gather (caches, the API server's answer to the template) -> decide (a plan) -> act (`services/engine` drives the slots:
 * the pure state machine of `scheduling`, one step after the other, against the broker) -> status, Events and metrics. `watches.ts` lists
 * what asks for a look; a moment that the state machine names does too. A schedule at rest costs no round trip. Nothing is written to a
 * broker without the proof of the dispatch lease.
 */
export { taskScheduleKind } from './kind.ts'
