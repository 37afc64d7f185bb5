/**
 * The TaskExecution controller: brings one run to its end, by way of its log in the broker, and says what becomes of it.
 *
 * Data goes one way: gather (the caches) -> decide (what a visit is made with) -> act (`services/engine` drives it: the pure rules of `graph`,
 * one step after the other, against the broker) -> status, Events and metrics. A run is looked at when it, what it refers to or its TaskBroker changes, when the dispatch lease
 * comes or goes, when one of its jobs ends, or when a moment comes that the rules named. A run that has ended costs nothing until it is deleted.
 * It never writes to a broker without the proof of the dispatch lease.
 */
export { taskExecutionKind } from './kind.ts'
