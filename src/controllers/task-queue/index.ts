/**
 * The TaskQueue controller: applies what is declared for a queue as BullMQ's own settings, so that every worker follows it at once.
 *
 * Data goes one way: gather (caches, the reading of the queue) -> act (`services/engine` drives the settings: apply, by one script that
 * compares with what was recorded, then clean) -> status and Events. `watches.ts` lists what asks for a look; the end of an override and the
 * age of the oldest job that is kept do too. At rest it costs no round trip. It takes back what it applied, and never a setting of others.
 */
export { taskQueueKind } from './kind.ts'
