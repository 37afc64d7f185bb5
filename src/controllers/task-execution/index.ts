/**
 * The TaskExecution controller: brings one run to its end, by a log in the broker, and reports its progress.
 *
 * Data goes one way: gather (caches) -> decide (what the run begins with) -> act (`services/engine` drives the run: the pure rules of `graph`,
 * one step after the other, against the broker) -> status, Events and metrics. `watches.ts` lists what asks for a look; a moment that the
 * rules name does too. A run that has ended costs nothing until it is deleted. Nothing is written to a broker without the proof of the
 * dispatch lease.
 */
export { taskExecutionKind } from './kind.ts'
