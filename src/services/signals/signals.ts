import type { Clock } from '../../clock/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { Brokers } from '../brokers/index.ts'
import { openQueueFeed, type QueueFeed, type QueueSubscription } from './queue-feed.ts'
import type { QueueSnapshot } from './queue-snapshot.ts'
import { createSubscriptions, type ChangeSource, type Subscriber } from './subscriptions.ts'

/** Reads the queues of all objects once per broker and pass, whatever the number of objects. */
export type Signals = {
  /** Keeps these queues read until `unsubscribe`; replaces what the subscriber wanted before; the same wish again costs nothing. */
  subscribe(subscription: QueueSubscription): void
  unsubscribe(subscriber: Subscriber): void
  /** The newest snapshots of the subscriber's queues. A queue that was not read yet is missing. */
  snapshot(subscriber: Subscriber): ReadonlyMap<string, QueueSnapshot>
  /** Keys of subscribers of that kind, one of whose queues changed in a way that a decision may depend on. */
  changesOf(kind: string): ChangeSource
  /** Ends all reading and waits for what is under way; from then on nothing is read. */
  stop(): Promise<void>
}

export type SignalsDeps = {
  readonly brokers: Pick<Brokers, 'acquire'>
  readonly clock: Clock
  readonly log: Logger
  /** Default 1 s. */
  readonly passMs?: number
}

export function createSignals({ brokers, clock, log, passMs = 1_000 }: SignalsDeps): Signals {
  const { subscribe, unsubscribe, find, changesOf, stop } = createSubscriptions<QueueSubscription, QueueFeed>({
    what: 'queues',
    brokers,
    clock,
    log,
    retryMs: passMs,
    isSame: (a, b) => a.watch === b.watch && a.queues.join() === b.queues.join(),
    openReader: (context) => openQueueFeed(context, { clock, log, passMs }),
  })
  return {
    subscribe,
    unsubscribe,
    snapshot(subscriber) {
      const found = find(subscriber)
      const known = new Map<string, QueueSnapshot>()
      for (const queue of found?.subscription.queues ?? []) {
        const snapshot = found?.reader.snapshot(queue)
        if (snapshot !== undefined) known.set(queue, snapshot)
      }
      return known
    },
    changesOf,
    stop,
  }
}
