/**
 * The TaskQueue controller: makes hold what is declared for a queue, with BullMQ's own settings, so that every worker keeps to it at once.
 *
 * Data goes one way: gather (caches, whose turn it is, the reading of the queue) -> apply (one script, which decides by what was recorded) ->
 * clean -> status and Events. A queue is reconciled when its object or its TaskBroker changes, when the turn to act comes or goes, when what
 * is in it changes, or when a moment comes: the end of an override, or the age of the oldest job that is kept. At rest it costs no round trip.
 * It takes back what it applied, and never what somebody else did.
 */
export { taskQueueKind } from './kind.ts'
