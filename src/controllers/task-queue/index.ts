/**
 * The TaskQueue controller: makes hold what is declared for a queue, with BullMQ's own settings, so that every worker keeps to it at once.
 *
 * Data goes one way: gather (caches, the reading of the queue) -> act (`services/engine` drives it: apply, by one script that decides by what was
 * recorded, then clean) -> status and Events. A queue is reconciled when its object or its TaskBroker changes, when the dispatch lease comes or goes, when what
 * is in it changes, or when a moment comes: the end of an override, or the age of the oldest job that is kept. At rest it costs no round trip.
 * It takes back what it applied, and never what somebody else did.
 */
export { taskQueueKind } from './kind.ts'
