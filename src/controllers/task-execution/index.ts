/**
 * The TaskExecution controller: brings one run to its end, by way of its log in the broker, and says what becomes of it.
 *
 * Data goes one way: gather (the caches, whose turn it is, what has ended) -> drive (the pure rules of `graph`, one step after the other,
 * against the broker) -> status and Events. A run is looked at when it, what it refers to or its TaskBroker changes, when the turn to dispatch
 * comes or goes, when one of its jobs ends, or when a moment comes that the rules named. A run that has ended costs nothing until it is deleted.
 * It never writes to a broker without the proof that it is this process's turn.
 */
export { taskExecutionKind } from './kind.ts'
