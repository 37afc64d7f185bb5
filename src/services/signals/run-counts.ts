/**
 * How many runs ended well or badly lately, for everybody who asks: read from the broker's counts by the minute.
 *
 * Guarantees: one round trip per broker and pass, whatever the number of subscribers, and none for what several of them ask; a pass is a
 * minute, since windows move by whole minutes, and begins at once, for what it concerns, when an end was recorded; a subscriber is told only when its
 * numbers are other ones, or cannot be read any more. What cannot be read is told apart from nothing, and so is what the broker has counted
 * and does not know any more: each read asks again for what the one before found.
 */
import { minutesOf } from '../../alerting/index.ts'
import type { BrokerEndpoint, CountRequest } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import type { SubjectKind } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { fingerprintOf, type BrokerLease, type Brokers } from '../brokers/index.ts'

export type CountsSubscription = {
  /** Whose it is, such as `namespace/name`. */
  readonly key: string
  readonly brokerKey: BrokerEndpoint
  readonly namespace: string
  /** Their ends are added up. */
  readonly subjects: readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
  readonly windowSeconds: number
}

export type CountsSnapshot =
  | { readonly kind: 'Pending' }
  | {
      readonly kind: 'Read'
      readonly succeeded: number
      readonly failed: number
      readonly missed: number
      /** Within the window the broker has lost what it had counted: there were at least so many. Until when that is so (Unix ms). */
      readonly lostUntilMs?: number
    }
  | { readonly kind: 'Unreadable'; readonly message: string; readonly sinceMs: number }

export type RunCounts = {
  /** Again with the same key replaces what it said before, and costs nothing when that is the same. `onChange` is never called from within this call. */
  subscribe(subscription: CountsSubscription, onChange: () => void): void
  unsubscribe(key: string): void
  snapshot(key: string): CountsSnapshot
  /** An end of that subject was recorded: its numbers are others now. */
  recorded(end: { readonly namespace: string; readonly subjectKind: SubjectKind; readonly subject: string }): void
  stop(): Promise<void>
}

export type RunCountsDeps = {
  readonly brokers: Brokers
  readonly installation: string
  readonly clock: Clock
  readonly log: Logger
}

type Subscriber = CountsSubscription & { readonly onChange: () => void; told: string }
type Request = { readonly namespace: string; readonly subjectKind: SubjectKind; readonly subject: string; readonly windowSeconds: number }
type Sums = { readonly succeeded: number; readonly failed: number; readonly missed: number }
/** What was found, and where. */
type Found = { readonly sums: Sums; readonly asked: CountRequest }
type Source = {
  readonly address: string
  readonly lease: BrokerLease
  readonly subscribers: Map<string, Subscriber>
  /** What they ask, each once, by `idOf`. */
  requests: ReadonlyMap<string, Request>
  /** The same, by `subjectOf`: which of them an end concerns. */
  bySubject: ReadonlyMap<string, readonly string[]>
  readonly found: Map<string, Found>
  /** When it was seen that the broker knows less than it did. */
  lostAtMs?: number
  failure?: { readonly message: string; readonly sinceMs: number } | undefined
  /** How far the broker's clock is ahead. */
  aheadMs: number
  readonly toRead: Set<string>
  reading?: Promise<void> | undefined
  passTimer?: TimerHandle | undefined
  soonTimer?: TimerHandle | undefined
}

const minuteMs = 60_000
/** The broker keeps the ends of an hour for 26 h at least. */
const keptMinutes = 25 * 60
/** After news, so that a flood of ends costs twenty reads a second. */
const newsGapMs = 50
const retryMs = 2_000

export function createRunCounts({ brokers, installation, clock, log }: RunCountsDeps): RunCounts {
  const sources = new Map<string, Source>()
  const sourceOf = new Map<string, string>()
  const ending = new Set<Promise<void>>()

  function open(id: string, endpoint: BrokerEndpoint): Source {
    const source: Source = {
      address: endpoint.address,
      lease: brokers.acquire(endpoint),
      subscribers: new Map(),
      requests: new Map(),
      bySubject: new Map(),
      found: new Map(),
      aheadMs: 0,
      toRead: new Set(),
    }
    sources.set(id, source)
    armPass(source)
    return source
  }

  function close(id: string, source: Source): void {
    sources.delete(id)
    disarm(source)
    const end = Promise.resolve(source.reading)
      .then(() => source.lease.release())
      .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'closing a broker failed'))
      .then(() => void ending.delete(end))
    ending.add(end)
  }

  function disarm(source: Source): void {
    for (const timer of [source.passTimer, source.soonTimer]) if (timer !== undefined) clock.clearTimeout(timer)
    source.soonTimer = undefined
  }

  /** When the windows move by a minute, on the broker's clock. */
  function armPass(source: Source): void {
    const intoMs = (clock.now() + source.aheadMs) % minuteMs
    source.passTimer = clock.setTimeout(() => {
      armPass(source)
      read(source, source.requests.keys())
    }, minuteMs - intoMs)
  }

  function read(source: Source, ids: Iterable<string>): void {
    for (const id of ids) source.toRead.add(id)
    source.reading ??= readAll(source).finally(() => (source.reading = undefined))
  }

  function readSoon(source: Source, ids: Iterable<string>, afterMs: number): void {
    for (const id of ids) source.toRead.add(id)
    source.soonTimer ??= clock.setTimeout(() => {
      source.soonTimer = undefined
      read(source, [])
    }, afterMs)
  }

  async function readAll(source: Source): Promise<void> {
    // What is subscribed to in one go is read in one go.
    await Promise.resolve()
    while (source.toRead.size > 0 && isOpen(source)) {
      const ids = [...source.toRead].filter((id) => source.requests.has(id))
      source.toRead.clear()
      if (ids.length === 0) continue
      try {
        await readOnce(source, ids)
      } catch (error) {
        if (!isOpen(source)) return
        source.failure ??= { message: errorMessage(error), sinceMs: clock.now() }
        readSoon(source, source.requests.keys(), retryMs)
        tell(source)
        return
      }
      if (!isOpen(source)) return
      source.failure = undefined
      tell(source)
    }
  }

  async function readOnce(source: Source, ids: readonly string[]): Promise<void> {
    const nowMs = clock.now() + source.aheadMs
    const asked = ids.flatMap((id) => {
      const request = source.requests.get(id)
      if (request === undefined) return []
      const { windowSeconds, ...subject } = request
      const { fromMinute, toMinute } = minutesOf(windowSeconds, nowMs)
      // One more: the broker's minute may have begun already.
      return [{ id, request: { ...subject, fromMinute, toMinute: toMinute + 1 } }]
    })
    // Ends are only ever added: where there were some there are as many, for as long as they are kept.
    const keptFrom = nowMs / minuteMs - keptMinutes
    const before = asked
      .flatMap(({ id }) => source.found.get(id) ?? [])
      .filter((found) => isLess(nothing, found.sums) && found.asked.fromMinute > keptFrom)
    const requests = [...asked.map(({ request }) => request), ...before.map((found) => found.asked)]
    const { counts, brokerTimeMs } = await source.lease.broker.readCounts(installation, requests)
    source.aheadMs = brokerTimeMs - clock.now()
    if (before.some(({ sums }, index) => isLess(counts[asked.length + index] ?? sums, sums))) {
      source.lostAtMs = clock.now()
      log.error({ broker: source.address }, 'the broker has lost what it had counted of runs')
    }
    for (const [index, { id, request }] of asked.entries()) {
      const sums = counts[index]
      if (sums !== undefined && source.requests.has(id)) source.found.set(id, { sums, asked: request })
    }
  }

  function tell(source: Source): void {
    for (const subscriber of [...source.subscribers.values()]) {
      const now = told(snapshotOf(source, subscriber, clock.now()))
      if (now === subscriber.told) continue
      subscriber.told = now
      try {
        subscriber.onChange()
      } catch (error) {
        log.error({ key: subscriber.key, error: errorMessage(error) }, 'a subscriber of counts failed')
      }
    }
  }

  /** Two subscribers that ask the same cost one question. */
  function rewant(source: Source): void {
    const wanted = new Map<string, Request>()
    for (const subscriber of source.subscribers.values()) for (const request of requestsOf(subscriber)) wanted.set(idOf(request), request)
    const before = source.requests
    source.requests = wanted
    source.bySubject = bySubject(wanted)
    for (const id of source.found.keys()) if (!wanted.has(id)) source.found.delete(id)
    const news = [...wanted.keys()].filter((id) => !before.has(id))
    if (news.length > 0) read(source, news)
  }

  const isOpen = (source: Source): boolean => source.subscribers.size > 0

  function unsubscribe(key: string): void {
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
      const source = sources.get(id) ?? open(id, brokerKey)
      sourceOf.set(key, id)
      const before = source.subscribers.get(key)
      const isSame = before !== undefined && requestsOf(before).map(idOf).join() === requestsOf(subscription).map(idOf).join()
      const subscriber: Subscriber = { ...subscription, onChange, told: '' }
      source.subscribers.set(key, subscriber)
      if (!isSame) rewant(source)
      // What it is given now it need not be told.
      subscriber.told = told(snapshotOf(source, subscriber, clock.now()))
    },
    unsubscribe,
    snapshot(key) {
      const source = sources.get(sourceOf.get(key) ?? '')
      const subscriber = source?.subscribers.get(key)
      return source === undefined || subscriber === undefined ? { kind: 'Pending' } : snapshotOf(source, subscriber, clock.now())
    },
    recorded(end) {
      for (const source of sources.values()) {
        const concerned = source.bySubject.get(subjectOf(end))
        if (concerned !== undefined) readSoon(source, concerned, newsGapMs)
      }
    },
    async stop() {
      for (const [id, source] of sources) {
        source.subscribers.clear()
        close(id, source)
      }
      sourceOf.clear()
      await Promise.all(ending)
    },
  }
}

function requestsOf({ namespace, subjects, windowSeconds }: CountsSubscription): readonly Request[] {
  return subjects.map(({ subjectKind, subject }) => ({ namespace, subjectKind, subject, windowSeconds }))
}

function bySubject(requests: ReadonlyMap<string, Request>): ReadonlyMap<string, readonly string[]> {
  const ids = new Map<string, string[]>()
  for (const [id, request] of requests) ids.set(subjectOf(request), [...(ids.get(subjectOf(request)) ?? []), id])
  return ids
}

function subjectOf({ namespace, subjectKind, subject }: Omit<Request, 'windowSeconds'>): string {
  return `${namespace}/${subjectKind}/${subject}`
}

function idOf(request: Request): string {
  return `${subjectOf(request)}/${request.windowSeconds}`
}

function snapshotOf({ failure, found, lostAtMs }: Source, subscription: CountsSubscription, nowMs: number): CountsSnapshot {
  if (failure !== undefined) return { kind: 'Unreadable', ...failure }
  const total = { succeeded: 0, failed: 0, missed: 0 }
  for (const request of requestsOf(subscription)) {
    const sums = found.get(idOf(request))?.sums
    if (sums === undefined) return { kind: 'Pending' }
    total.succeeded += sums.succeeded
    total.failed += sums.failed
    total.missed += sums.missed
  }
  // The window is up to a minute longer.
  const lostUntilMs = lostAtMs === undefined ? 0 : lostAtMs + subscription.windowSeconds * 1000 + minuteMs
  return { kind: 'Read', ...total, ...(lostUntilMs > nowMs ? { lostUntilMs } : {}) }
}

const nothing: Sums = { succeeded: 0, failed: 0, missed: 0 }

/** In any respect: what came since must not hide what is gone. */
function isLess(a: Sums, b: Sums): boolean {
  return a.succeeded < b.succeeded || a.failed < b.failed || a.missed < b.missed
}

/** Of what cannot be read it is news only that it cannot. */
function told(snapshot: CountsSnapshot): string {
  return snapshot.kind === 'Unreadable' ? snapshot.kind : JSON.stringify(snapshot)
}
