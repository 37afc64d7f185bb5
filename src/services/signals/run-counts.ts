/**
 * How many runs succeeded, failed or were missed lately, for all alerts together: read from the broker's counts by the minute.
 *
 * Guarantees: one round trip per broker and pass, whatever the number of subscribers, and each question once, however many ask it. A pass
 * runs each minute, because windows move by whole minutes; a recorded end causes a read of what it concerns within 50 ms. A subscriber is
 * announced only when its numbers changed or cannot be read any more. A count that cannot be read is no zero, and neither is one that the
 * broker has lost: each read repeats the questions of the read before, and a smaller answer is a loss.
 */
import { minutesOf } from '../../alerting/index.ts'
import type { CountRequest } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import type { CountIncrement, SubjectKind } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { createBrokerClock, type BrokerClock, type Brokers } from '../brokers/index.ts'
import {
  createSubscriptions,
  idOf,
  type ChangeSource,
  type Reader,
  type ReaderContext,
  type Subscriber,
  type Subscription,
} from './subscriptions.ts'

export type CountsSubscription = Subscription & {
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
      /** Until then (Unix ms) these are lower bounds: the broker has lost a part of what it had counted within the window. */
      readonly lostUntilMs?: number
    }
  | { readonly kind: 'Unreadable'; readonly message: string; readonly sinceMs: number }

export type RunCounts = {
  /** Replaces what the subscriber wanted before; the same wish again costs nothing. */
  subscribe(subscription: CountsSubscription): void
  unsubscribe(subscriber: Subscriber): void
  snapshot(subscriber: Subscriber): CountsSnapshot
  /** These ends were counted in the broker a moment ago, by this process: it is the one that dispatches. Only requests a read. */
  recorded(namespace: string, ends: readonly CountIncrement[]): void
  /** Keys of subscribers of that kind whose numbers changed. */
  changesOf(kind: string): ChangeSource
  stop(): Promise<void>
}

export type RunCountsDeps = {
  readonly brokers: Pick<Brokers, 'acquire'>
  readonly installation: string
  readonly clock: Clock
  readonly log: Logger
}

/** What is asked about one subject. */
type Question = { readonly namespace: string; readonly subjectKind: SubjectKind; readonly subject: string; readonly windowSeconds: number }
type Sums = { readonly succeeded: number; readonly failed: number; readonly missed: number }
/** What was answered, and what exactly had been asked. */
type Answer = { readonly sums: Sums; readonly asked: CountRequest }

/** A question with its last answer. */
type Count = { readonly question: Question; readonly subscribers: Set<string>; answer?: Answer }

type Counter = Omit<RunCountsDeps, 'brokers'> & {
  readonly context: ReaderContext<CountsSubscription>
  readonly brokerClock: BrokerClock
  /** By `questionId`. */
  readonly counts: Map<string, Count>
  /** Questions by `subjectId`: those that an end concerns. */
  readonly bySubject: Map<string, Set<string>>
  readonly toRead: Set<string>
  /** What each subscriber was shown last, by `idOf`. */
  readonly shown: Map<string, string>
  /** When the broker was found to know less than before. */
  lostAtMs: number | undefined
  failure: { readonly message: string; readonly sinceMs: number } | undefined
  passTimer: TimerHandle | undefined
}

type CountReader = Reader<CountsSubscription> & {
  snapshot(subscription: CountsSubscription): CountsSnapshot
  recorded(end: Omit<Question, 'windowSeconds'>): void
}

const minuteMs = 60_000
/** The broker keeps the ends of an hour for 26 h at least. */
const keptMinutes = 25 * 60
/** From a recorded end to the read: a flood of ends costs 20 reads a second. */
const recordedGapMs = 50
const retryMs = 2_000

export function createRunCounts({ brokers, ...deps }: RunCountsDeps): RunCounts {
  const brokerClock = createBrokerClock(deps.clock)
  const { subscribe, unsubscribe, find, readers, changesOf, stop } = createSubscriptions<CountsSubscription, CountReader>({
    what: 'counts of runs',
    brokers,
    clock: deps.clock,
    log: deps.log,
    retryMs,
    isSame: (a, b) => questionsOf(a).map(questionId).join() === questionsOf(b).map(questionId).join(),
    openReader: (context) => openCounter(context, { ...deps, brokerClock }),
  })
  return {
    subscribe,
    unsubscribe,
    snapshot(subscriber) {
      const found = find(subscriber)
      return found === undefined ? { kind: 'Pending' } : found.reader.snapshot(found.subscription)
    },
    recorded(namespace, ends) {
      for (const reader of readers()) for (const end of ends) reader.recorded({ ...end, namespace })
    },
    changesOf,
    stop,
  }
}

function openCounter(
  context: ReaderContext<CountsSubscription>,
  deps: Omit<RunCountsDeps, 'brokers'> & { readonly brokerClock: BrokerClock },
): CountReader {
  const counter: Counter = {
    ...deps,
    context,
    counts: new Map(),
    bySubject: new Map(),
    toRead: new Set(),
    shown: new Map(),
    lostAtMs: undefined,
    failure: undefined,
    passTimer: undefined,
  }
  armPass(counter)
  return {
    update: (before, after) => update(counter, before, after),
    read: () => readRequested(counter),
    onFailure: (error) => fail(counter, error),
    snapshot: (subscription) => snapshotOf(counter, subscription),
    recorded: (end) => readSoon(counter, end),
    stop() {
      if (counter.passTimer !== undefined) counter.clock.clearTimeout(counter.passTimer)
    },
  }
}

/** The next pass is when the windows move by a minute, on the broker's clock. */
function armPass(counter: Counter): void {
  const { brokerClock, clock, context, counts, toRead } = counter
  const afterMs = minuteMs - (brokerClock.now(context.broker) % minuteMs)
  counter.passTimer = clock.setTimeout(() => {
    armPass(counter)
    for (const id of counts.keys()) toRead.add(id)
    void context.requestRead()
  }, afterMs)
}

function readSoon({ bySubject, context, toRead }: Counter, end: Omit<Question, 'windowSeconds'>): void {
  const concerned = bySubject.get(subjectId(end))
  if (concerned === undefined) return
  for (const id of concerned) toRead.add(id)
  context.requestReadAfter(recordedGapMs)
}

function update(counter: Counter, before: CountsSubscription | undefined, after: CountsSubscription | undefined): void {
  const unread = counter.toRead.size
  const wanted = new Set(after === undefined ? [] : questionsOf(after).map((question) => addQuestion(counter, question, after)))
  if (before !== undefined) {
    for (const id of questionsOf(before).map(questionId)) if (!wanted.has(id)) dropQuestion(counter, id, before)
    if (after === undefined) counter.shown.delete(idOf(before.subscriber))
  }
  // The subscriber reads this snapshot itself.
  if (after !== undefined) counter.shown.set(idOf(after.subscriber), textOf(snapshotOf(counter, after)))
  if (counter.toRead.size > unread) void counter.context.requestRead()
}

/** Two subscribers that ask the same share a question. */
function addQuestion({ counts, bySubject, toRead }: Counter, question: Question, { subscriber }: CountsSubscription): string {
  const id = questionId(question)
  const known = counts.get(id)
  const count: Count = known ?? { question, subscribers: new Set() }
  count.subscribers.add(idOf(subscriber))
  if (known !== undefined) return id
  counts.set(id, count)
  toRead.add(id)
  const subject = subjectId(question)
  bySubject.set(subject, (bySubject.get(subject) ?? new Set<string>()).add(id))
  return id
}

function dropQuestion({ counts, bySubject }: Counter, id: string, { subscriber }: CountsSubscription): void {
  const count = counts.get(id)
  count?.subscribers.delete(idOf(subscriber))
  if (count === undefined || count.subscribers.size > 0) return
  counts.delete(id)
  const subject = subjectId(count.question)
  bySubject.get(subject)?.delete(id)
  if (bySubject.get(subject)?.size === 0) bySubject.delete(subject)
}

async function readRequested(counter: Counter): Promise<void> {
  const { context, counts, toRead } = counter
  const ids = [...toRead].filter((id) => counts.has(id))
  toRead.clear()
  if (ids.length === 0) return
  await readCounts(counter, ids)
  if (!context.isOpen()) return
  counter.failure = undefined
  announceChanges(counter)
}

function fail(counter: Counter, error: unknown): void {
  counter.failure ??= { message: errorMessage(error), sinceMs: counter.clock.now() }
  for (const id of counter.counts.keys()) counter.toRead.add(id)
  announceChanges(counter)
}

async function readCounts(counter: Counter, ids: readonly string[]): Promise<void> {
  const { brokerClock, clock, context, counts, installation, log } = counter
  const nowMs = brokerClock.now(context.broker)
  const asked = ids.flatMap((id) => {
    const count = counts.get(id)
    return count === undefined ? [] : [{ id, request: requestOf(count.question, nowMs) }]
  })
  // Ends are only ever added: where there were some there are as many, for as long as they are kept.
  const keptFromMinute = nowMs / minuteMs - keptMinutes
  const repeated = asked
    .flatMap(({ id }) => counts.get(id)?.answer ?? [])
    .filter(({ asked: { fromMinute }, sums }) => isLess(nothing, sums) && fromMinute > keptFromMinute)
  const requests = [...asked.map(({ request }) => request), ...repeated.map((answer) => answer.asked)]
  const { counts: sums } = await brokerClock.timed(context.broker, () => context.broker.readCounts(installation, requests))
  if (repeated.some((answer, index) => isLess(sums[asked.length + index] ?? answer.sums, answer.sums))) {
    counter.lostAtMs = clock.now()
    log.error({ broker: context.endpoint.address }, 'the broker has lost its counts of runs')
  }
  for (const [index, { id, request }] of asked.entries()) {
    const [count, answer] = [counts.get(id), sums[index]]
    if (count !== undefined && answer !== undefined) count.answer = { sums: answer, asked: request }
  }
}

function requestOf({ windowSeconds, ...subject }: Question, nowMs: number): CountRequest {
  const { fromMinute, toMinute } = minutesOf(windowSeconds, nowMs)
  // One more: the broker's minute may have begun already.
  return { ...subject, fromMinute, toMinute: toMinute + 1 }
}

function announceChanges(counter: Counter): void {
  const { context, shown } = counter
  for (const [id, subscription] of context.subscriptions) {
    const text = textOf(snapshotOf(counter, subscription))
    if (text === shown.get(id)) continue
    shown.set(id, text)
    context.announce(subscription.subscriber)
  }
}

function snapshotOf({ clock, counts, failure, lostAtMs }: Counter, subscription: CountsSubscription): CountsSnapshot {
  if (failure !== undefined) return { kind: 'Unreadable', ...failure }
  const total = { succeeded: 0, failed: 0, missed: 0 }
  for (const question of questionsOf(subscription)) {
    const sums = counts.get(questionId(question))?.answer?.sums
    if (sums === undefined) return { kind: 'Pending' }
    total.succeeded += sums.succeeded
    total.failed += sums.failed
    total.missed += sums.missed
  }
  // The window is up to a minute longer.
  const lostUntilMs = lostAtMs === undefined ? 0 : lostAtMs + subscription.windowSeconds * 1000 + minuteMs
  return { kind: 'Read', ...total, ...(lostUntilMs > clock.now() ? { lostUntilMs } : {}) }
}

/** The same text as long as a subscriber has nothing to do: of counts that cannot be read, only that they cannot. */
function textOf(snapshot: CountsSnapshot): string {
  return snapshot.kind === 'Unreadable' ? snapshot.kind : JSON.stringify(snapshot)
}

function questionsOf({ namespace, subjects, windowSeconds }: CountsSubscription): readonly Question[] {
  return subjects.map(({ subjectKind, subject }) => ({ namespace, subjectKind, subject, windowSeconds }))
}

function subjectId({ namespace, subjectKind, subject }: Omit<Question, 'windowSeconds'>): string {
  return `${namespace}/${subjectKind}/${subject}`
}

function questionId(question: Question): string {
  return `${subjectId(question)}/${question.windowSeconds}`
}

const nothing: Sums = { succeeded: 0, failed: 0, missed: 0 }

/** In any of the three: a success that came since must not hide a failure that is lost. */
function isLess(a: Sums, b: Sums): boolean {
  return a.succeeded < b.succeeded || a.failed < b.failed || a.missed < b.missed
}
