import type { Broker, BrokerEndpoint } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { fingerprintOf, type BrokerLease, type Brokers } from '../brokers/index.ts'
import { createCoalescedRead, type CoalescedRead } from './coalesced-read.ts'

/** Who wants something read: an object, by its kind and its key `namespace/name`. */
export type Subscriber = { readonly kind: string; readonly key: string }

/** What a subscriber wants read, and at which broker. A service adds what it needs to know. */
export type Subscription = { readonly subscriber: Subscriber; readonly endpoint: BrokerEndpoint }

/** Announces keys of objects that should be reconciled. `onChange` returns how to end it. */
export type ChangeSource = { onChange(handler: (key: string) => void): () => void }

/**
 * The book of subscribers that the services share which read something from brokers for many objects.
 *
 * Guarantees: one lease and one reader per broker, however many subscribers: opened with the first of them, closed after the last one has
 * left and the read under way has ended. Reads of one reader are coalesced (`CoalescedRead`). A service announces changes and never calls a
 * subscriber. After `stop` nothing is opened again: a reconcile that outlives its term subscribes to nothing.
 * A service contributes only what it reads (`Reader`) and what it keeps of that.
 */
export type Subscriptions<S extends Subscription, R> = {
  /** Replaces what the same subscriber wanted before; the same wish again costs nothing. Announces nothing within the call. */
  subscribe(subscription: S): void
  unsubscribe(subscriber: Subscriber): void
  find(subscriber: Subscriber): { readonly subscription: S; readonly reader: R } | undefined
  readers(): readonly R[]
  /** The keys of subscribers of that kind about which there is something new. */
  changesOf(kind: string): ChangeSource
  /** Ends all reading and waits for what is under way. */
  stop(): Promise<void>
}

/** What one reader reads for: the subscribers at one broker. */
export type ReaderContext<S> = {
  /** Of this reader; no other has it. */
  readonly id: string
  readonly broker: Broker
  readonly endpoint: BrokerEndpoint
  readonly subscriptions: ReadonlyMap<string, S>
  /** False after the last subscriber has left, while a read may still be under way. */
  isOpen(): boolean
  readonly requestRead: CoalescedRead['request']
  readonly requestReadAfter: CoalescedRead['requestAfter']
  /** There is something new for this object, whether it has subscribed or not. */
  announce(subscriber: Subscriber): void
}

export type Reader<S> = {
  /** A subscriber came (`before` is undefined), wants something else, or left (`after` is undefined). Requests what has to be read. */
  update(before: S | undefined, after: S | undefined): void
  /** Called once at a time. When it rejects, it is called again after `retryMs`. */
  read(): Promise<void>
  onFailure?(error: unknown): void
  /** Ends what the reader has started itself. */
  stop?(): Promise<void> | void
}

export type SubscriptionsDeps<S, R> = {
  /** For the log: what is read. */
  readonly what: string
  readonly brokers: Pick<Brokers, 'acquire'>
  readonly clock: Clock
  readonly log: Logger
  readonly retryMs: number
  /** Whether the second asks for nothing else than the first, at the same broker. */
  readonly isSame: (a: S, b: S) => boolean
  /** Subscriptions at one broker that differ in this have readers of their own; default: one reader a broker. */
  readonly partOf?: (subscription: S) => string
  /** `first` is the subscription that opens the reader; `update` is called with it too. */
  readonly openReader: (context: ReaderContext<S>, first: S) => R
}

type Group<S, R> = {
  readonly id: string
  readonly lease: BrokerLease
  readonly subscriptions: Map<string, S>
  readonly coalesced: CoalescedRead
  readonly reader: R
}

type Handlers = ReadonlySet<(key: string) => void>

type Book<S, R> = SubscriptionsDeps<S, R> & {
  readonly groups: Map<string, Group<S, R>>
  readonly groupOf: Map<string, Group<S, R>>
  readonly closing: Set<Promise<void>>
  /** By kind. */
  readonly handlers: Map<string, Handlers>
  isStopped: boolean
}

export function createSubscriptions<S extends Subscription, R extends Reader<S>>(deps: SubscriptionsDeps<S, R>): Subscriptions<S, R> {
  const book: Book<S, R> = {
    ...deps,
    groups: new Map(),
    groupOf: new Map(),
    closing: new Set(),
    handlers: new Map(),
    isStopped: false,
  }
  return {
    subscribe: (subscription) => subscribe(book, subscription),
    unsubscribe: (subscriber) => leave(book, idOf(subscriber)),
    find(subscriber) {
      const group = book.groupOf.get(idOf(subscriber))
      const subscription = group?.subscriptions.get(idOf(subscriber))
      return group === undefined || subscription === undefined ? undefined : { subscription, reader: group.reader }
    },
    readers: () => [...book.groups.values()].map(({ reader }) => reader),
    changesOf: (kind) => ({ onChange: (handler) => listen(book, kind, handler) }),
    async stop() {
      book.isStopped = true
      for (const group of book.groups.values()) close(book, group)
      book.groupOf.clear()
      await Promise.all(book.closing)
    },
  }
}

function subscribe<S extends Subscription, R extends Reader<S>>(book: Book<S, R>, subscription: S): void {
  if (book.isStopped) return
  const id = idOf(subscription.subscriber)
  const groupId = `${fingerprintOf(subscription.endpoint)} ${book.partOf?.(subscription) ?? ''}`
  const former = book.groupOf.get(id)
  const before = former?.id === groupId ? former.subscriptions.get(id) : undefined
  if (before !== undefined && book.isSame(before, subscription)) return
  const group = book.groups.get(groupId) ?? open(book, groupId, subscription)
  if (former !== group) leave(book, id)
  group.subscriptions.set(id, subscription)
  book.groupOf.set(id, group)
  group.reader.update(before, subscription)
}

function leave<S extends Subscription, R extends Reader<S>>(book: Book<S, R>, id: string): void {
  const group = book.groupOf.get(id)
  const before = group?.subscriptions.get(id)
  if (group === undefined || before === undefined) return
  book.groupOf.delete(id)
  group.subscriptions.delete(id)
  if (group.subscriptions.size === 0) close(book, group)
  else group.reader.update(before, undefined)
}

function open<S extends Subscription, R extends Reader<S>>(book: Book<S, R>, id: string, first: S): Group<S, R> {
  const { endpoint } = first
  const { clock, log, what, retryMs } = book
  const lease = book.brokers.acquire(endpoint)
  const subscriptions = new Map<string, S>()
  const coalesced = createCoalescedRead({
    read: () => group.reader.read(),
    clock,
    retryMs,
    onFailure(error) {
      log.debug({ what, address: endpoint.address, error: errorMessage(error) }, 'reading from a broker failed, retrying')
      group.reader.onFailure?.(error)
    },
  })
  const reader = book.openReader(
    {
      id,
      broker: lease.broker,
      endpoint,
      subscriptions,
      isOpen: () => book.groups.get(id) === group,
      requestRead: coalesced.request,
      requestReadAfter: coalesced.requestAfter,
      announce: (subscriber) => announce(book, subscriber),
    },
    first,
  )
  const group: Group<S, R> = { id, lease, subscriptions, coalesced, reader }
  book.groups.set(id, group)
  return group
}

/** Waits for the read under way. Where the lease was the broker's last, that read ends at once, because its connection is closed. */
function close<S extends Subscription, R extends Reader<S>>(book: Book<S, R>, group: Group<S, R>): void {
  book.groups.delete(group.id)
  const closed = Promise.all([group.reader.stop?.(), group.coalesced.stop(), group.lease.release()])
    .catch((error: unknown) => book.log.warn({ what: book.what, error: errorMessage(error) }, 'closing a broker failed'))
    .then(() => void book.closing.delete(closed))
  book.closing.add(closed)
}

function listen<S, R>(book: Book<S, R>, kind: string, handler: (key: string) => void): () => void {
  book.handlers.set(kind, new Set(book.handlers.get(kind)).add(handler))
  return () => {
    const left = new Set(book.handlers.get(kind))
    left.delete(handler)
    book.handlers.set(kind, left)
  }
}

/** A handler that throws keeps nothing from the others. */
function announce<S, R>({ handlers, log, what }: Book<S, R>, { kind, key }: Subscriber): void {
  for (const handler of handlers.get(kind) ?? []) {
    try {
      handler(key)
    } catch (error) {
      log.error({ what, kind, key, error: errorMessage(error) }, 'a listener to changes failed')
    }
  }
}

/** The key of `ReaderContext.subscriptions`. */
export function idOf({ kind, key }: Subscriber): string {
  return `${kind} ${key}`
}
