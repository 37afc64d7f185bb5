/**
 * What is known of queues and of ended runs, read for all objects together, and the book of subscribers that this and other rooms share.
 * Guarantees: round trips do not grow with the number of objects; a value that cannot be read is no empty one; changes are announced, and
 * nothing here calls a controller. Does not: decide anything.
 */
export type { WatchMode } from './feed-queue.ts'
export type { QueueSubscription } from './queue-feed.ts'
export type { QueueSnapshot } from './queue-snapshot.ts'
export { createRunCounts, type CountsSnapshot, type CountsSubscription, type RunCounts } from './run-counts.ts'
export { createSignals, type Signals, type SignalsDeps } from './signals.ts'
export {
  createSubscriptions,
  idOf,
  type ChangeSource,
  type Reader,
  type ReaderContext,
  type Subscriber,
  type Subscription,
  type Subscriptions,
} from './subscriptions.ts'
