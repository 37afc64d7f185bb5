import type { BrokerEndpoint } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { createBrokerFeed, type BrokerFeed, type WatchMode } from './broker-feed.ts'
import { fingerprintOf, type BrokerLease, type Brokers } from '../brokers/index.ts'
import type { QueueSnapshot } from './queue-snapshot.ts'

/** What one pool wants to know. */
export type SignalSubscription = {
  /** Whose it is, such as `namespace/name`. */
  readonly key: string
  readonly brokerKey: BrokerEndpoint
  readonly queues: readonly string[]
  /** No worker runs: the first job has to be seen at once instead of within a pass. */
  readonly atZero: boolean
  /** Every job has to be seen at once, however many there are. */
  readonly everyJob?: boolean
}

export type Signals = {
  /**
   * Keeps these queues read until it is taken back; again with the same key replaces what it said before, and costs nothing when that
   * is the same. `onChange` is called after something changed that a decision may depend on, never from within this call.
   */
  subscribe(subscription: SignalSubscription, onChange: () => void): void
  unsubscribe(key: string): void
  /** The newest knowledge of the subscriber's queues. A queue that was not read yet is missing. */
  snapshot(key: string): ReadonlyMap<string, QueueSnapshot>
  /** Ends all reading and waits for what is under way. */
  stop(): Promise<void>
}

type Subscriber = SignalSubscription & { readonly onChange: () => void }
type Source = { readonly lease: BrokerLease; readonly feed: BrokerFeed; readonly subscribers: Map<string, Subscriber> }

export type SignalsDeps = {
  readonly brokers: Brokers
  readonly clock: Clock
  readonly log: Logger
  /** Default 1 s. */
  readonly passMs?: number
}

/** Reads the queues of all pools, once per broker and pass, whatever the number of pools. */
export function createSignals({ brokers, clock, log, passMs = 1_000 }: SignalsDeps): Signals {
  const sources = new Map<string, Source>()
  const sourceOf = new Map<string, string>()
  const ending = new Set<Promise<void>>()

  const open = (endpoint: BrokerEndpoint): Source => {
    const subscribers = new Map<string, Subscriber>()
    const lease = brokers.acquire(endpoint)
    const onChange = (queues: readonly string[]) => {
      for (const { key, queues: own, onChange: tell } of [...subscribers.values()]) {
        if (!own.some((queue) => queues.includes(queue))) continue
        try {
          tell()
        } catch (error) {
          log.error({ key, error: errorMessage(error) }, 'a subscriber of queue signals failed')
        }
      }
    }
    return { lease, subscribers, feed: createBrokerFeed({ broker: lease.broker, clock, log, passMs, onChange }) }
  }

  const close = (id: string, { feed, lease }: Source) => {
    sources.delete(id)
    const end = Promise.all([feed.stop(), lease.release()])
      .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'closing a broker failed'))
      .then(() => void ending.delete(end))
    ending.add(end)
  }

  /** A queue of several pools is at zero as soon as one of them is: each of them has to start its own workers. */
  const rewant = ({ feed, subscribers }: Source) => {
    const wanted = new Map<string, WatchMode>()
    for (const { queues, atZero, everyJob } of subscribers.values()) {
      for (const queue of queues) {
        const before = wanted.get(queue) ?? 'Never'
        wanted.set(queue, everyJob === true ? 'Always' : before === 'Never' && atZero ? 'WhenEmpty' : before)
      }
    }
    feed.want(wanted)
  }

  const unsubscribe = (key: string) => {
    const id = sourceOf.get(key)
    const source = id === undefined ? undefined : sources.get(id)
    if (id === undefined || source === undefined) return
    sourceOf.delete(key)
    source.subscribers.delete(key)
    if (source.subscribers.size === 0) close(id, source)
    else rewant(source)
  }

  return {
    subscribe(subscription, onChange) {
      const { key, brokerKey } = subscription
      const id = fingerprintOf(brokerKey)
      if (sourceOf.has(key) && sourceOf.get(key) !== id) unsubscribe(key)
      const source = sources.get(id) ?? open(brokerKey)
      sources.set(id, source)
      sourceOf.set(key, id)
      const before = source.subscribers.get(key)
      source.subscribers.set(key, { ...subscription, onChange })
      if (
        before?.atZero === subscription.atZero &&
        before.everyJob === subscription.everyJob &&
        before.queues.join() === subscription.queues.join()
      )
        return
      rewant(source)
    },
    unsubscribe,
    snapshot(key) {
      const source = sources.get(sourceOf.get(key) ?? '')
      const known = new Map<string, QueueSnapshot>()
      for (const queue of source?.subscribers.get(key)?.queues ?? []) {
        const snapshot = source?.feed.snapshot(queue)
        if (snapshot !== undefined) known.set(queue, snapshot)
      }
      return known
    },
    async stop() {
      for (const [id, source] of sources) close(id, source)
      sourceOf.clear()
      await Promise.all(ending)
    },
  }
}
