import type { QueueReading } from '../../broker/index.ts'
import { sleep, type Clock, type TimerHandle } from '../../clock/index.ts'
import { hasCode, taskmillError, TaskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import {
  createFeedQueue,
  cursorOf,
  dueAtMs,
  isResting,
  limitsToConfirm,
  queuesToConfirm,
  setWatch,
  type FeedQueue,
  type WatchMode,
} from './feed-queue.ts'
import { afterFailure, afterReading, hasDemand, type QueueSnapshot, type SnapshotStep } from './queue-snapshot.ts'
import type { Reader, ReaderContext, Subscription } from './subscriptions.ts'

/** The queues that a subscriber wants to know about. */
export type QueueSubscription = Subscription & { readonly queues: readonly string[]; readonly watch: WatchMode }

/**
 * Keeps the snapshots of one broker's queues fresh: of all queues with jobs once a pass, in one round trip; of a queue that rests when its
 * stream has an event, and when its next delayed job is due.
 *
 * Guarantees: the cost follows what changes. A pass over queues that rest is three commands, however many they are: it only confirms some
 * of them, each within 30 s, in case the stream did not announce a change; and it reads the global concurrency of 20 in turn. When the broker cannot be asked, every queue is unreadable.
 */
export type QueueFeed = Reader<QueueSubscription> & {
  /** Undefined until the first read has ended. The reading of a queue that rests is of this moment: nothing has happened since. */
  snapshot(queue: string): QueueSnapshot | undefined
}

export type QueueFeedDeps = {
  readonly clock: Clock
  readonly log: Logger
  /** From the start of one pass over all queues to the next. */
  readonly passMs: number
}

/** How long one blocking read waits: short enough to find out in time that its connection is dead. */
const blockMs = 5_000
/** Between two events that are answered with a read: a flood of events costs 20 reads a second, or 100 of a queue that is always watched. */
const eventGapMs = { WhenEmpty: 50, Always: 10 } as const
/** After an event the same queues are read again: a burst takes a moment to arrive, and a pool that wakes up ends the watch. */
const followUpMs = [100, 250, 500] as const
/** The broker looks at so many active jobs of a queue, the longest active ones: if all of them are orphaned, so are the others. */
const orphansLookedAt = 100

type Feed = QueueFeedDeps & {
  readonly context: ReaderContext<QueueSubscription>
  readonly queues: Map<string, FeedQueue>
  readonly toRead: Set<string>
  /** The next read also confirms queues that rest. */
  isPassDue: boolean
  readonly stopping: AbortController
  readonly followUps: Set<TimerHandle>
  passTimer: TimerHandle | undefined
  dueTimer: TimerHandle | undefined
  /** Interrupts the watch, or its wait for something to watch, when other queues are to be watched. */
  rewatch: AbortController
  watchedNames: ReadonlySet<string>
}

export function openQueueFeed(context: ReaderContext<QueueSubscription>, deps: QueueFeedDeps): QueueFeed {
  const feed: Feed = {
    ...deps,
    context,
    queues: new Map(),
    toRead: new Set(),
    isPassDue: false,
    stopping: new AbortController(),
    followUps: new Set(),
    passTimer: undefined,
    dueTimer: undefined,
    rewatch: new AbortController(),
    watchedNames: new Set(),
  }
  const watching = watchStreams(feed)
  startPass(feed)
  return {
    update: (before, after) => update(feed, before, after),
    read: () => readRequested(feed),
    snapshot: (queue) => snapshotOf(feed, queue),
    async stop() {
      feed.stopping.abort()
      for (const timer of [feed.passTimer, feed.dueTimer, ...feed.followUps]) if (timer !== undefined) feed.clock.clearTimeout(timer)
      await watching
    },
  }
}

/** Of a queue that rests, as of now. */
function snapshotOf({ clock, queues }: Feed, name: string): QueueSnapshot | undefined {
  const queue = queues.get(name)
  if (queue?.snapshot?.ok !== true || !isResting(queue, clock.monotonicNow())) return queue?.snapshot
  const { reading, readAtMs } = queue.snapshot
  return { ...queue.snapshot, reading: { ...reading, brokerTimeMs: reading.brokerTimeMs + clock.now() - readAtMs } }
}

/** Costs what the one subscriber names, however many others there are. What is watched follows at the end of the read. */
function update(feed: Feed, before: QueueSubscription | undefined, after: QueueSubscription | undefined): void {
  for (const name of after?.queues ?? []) {
    if (after === undefined) break
    const known = feed.queues.get(name)
    const queue = known ?? createFeedQueue(name, feed.clock.monotonicNow())
    setWatch(queue, after.subscriber, after.watch)
    feed.queues.set(name, queue)
    if (known === undefined) feed.toRead.add(name)
  }
  for (const name of before?.queues ?? []) {
    const queue = feed.queues.get(name)
    if (before === undefined || queue === undefined || after?.queues.includes(name) === true) continue
    setWatch(queue, before.subscriber, undefined)
    if (queue.subscribers.size === 0) feed.queues.delete(name)
  }
  void feed.context.requestRead()
}

function requestQueues(feed: Feed, names: Iterable<string>): Promise<void> {
  for (const name of names) feed.toRead.add(name)
  return feed.context.requestRead()
}

function startPass(feed: Feed): void {
  feed.passTimer = feed.clock.setTimeout(() => startPass(feed), feed.passMs)
  feed.isPassDue = true
  const nowMs = feed.clock.monotonicNow()
  const withJobs = [...feed.queues.values()].filter((queue) => !isResting(queue, nowMs))
  void requestQueues(
    feed,
    withJobs.map(({ name }) => name),
  )
}

async function readRequested(feed: Feed): Promise<void> {
  const batch = [...feed.toRead].filter((name) => feed.queues.has(name))
  const isPass = feed.isPassDue
  feed.toRead.clear()
  feed.isPassDue = false
  const [changed, unconfirmed] = await Promise.all([readBatch(feed, batch), isPass ? confirmResting(feed) : []])
  const alsoChanged = await readBatch(feed, unconfirmed)
  if (!feed.context.isOpen()) return
  updateWatch(feed)
  armDueTimer(feed)
  const subscribers = new Map([...changed, ...alsoChanged].flatMap((name) => [...(feed.queues.get(name)?.subscribers ?? [])]))
  for (const { subscriber } of subscribers.values()) feed.context.announce(subscriber)
}

/** Returns the queues to be read: those that are not as their snapshots say, and all when the broker does not answer. */
async function confirmResting(feed: Feed): Promise<readonly string[]> {
  const { clock, context, passMs, queues } = feed
  const asked = queuesToConfirm(queues.values(), clock.monotonicNow(), passMs)
  const limited = limitsToConfirm(queues.values(), clock.monotonicNow())
  if (limited.length === 0) return []
  for (const queue of limited) queue.limitReadAtMs = clock.monotonicNow()
  try {
    const [changed, limits] = await Promise.all([
      context.broker.findChangedQueues(readingsOf(asked)),
      context.broker.findChangedLimits(readingsOf(limited)),
    ])
    const isChanged = new Set([...changed, ...limits])
    for (const queue of asked) if (!isChanged.has(queue.name)) queue.confirmedAtMs = clock.monotonicNow()
    return [...isChanged]
  } catch (error) {
    return hasCode(error, 'TM_BROKER_COMMAND_FAILED') ? asked.map(({ name }) => name) : [...queues.keys()]
  }
}

function readingsOf(queues: readonly FeedQueue[]): readonly QueueReading[] {
  return queues.flatMap(({ snapshot }) => (snapshot?.ok === true ? [snapshot.reading] : []))
}

/** Returns the queues that changed. When the broker refuses the whole, each is read alone: one broken queue must not blind all others. */
async function readBatch(feed: Feed, batch: readonly string[]): Promise<string[]> {
  const { clock, context } = feed
  if (batch.length === 0) return []
  try {
    const readings = await context.broker.readQueues(batch)
    const orphaned = await countOrphans(feed, readings)
    return readings.flatMap((reading) => {
      const queue = feed.queues.get(reading.queue)
      const step = afterReading(queue?.snapshot, reading, orphaned.get(reading.queue) ?? 0, clock.now())
      return keep(feed, reading.queue, { ...step, isChanged: step.isChanged || isJobReplaced(queue, reading) })
    })
  } catch (error) {
    if (batch.length > 1 && hasCode(error, 'TM_BROKER_COMMAND_FAILED')) {
      return (await Promise.all(batch.map((name) => readBatch(feed, [name])))).flat()
    }
    const failure =
      error instanceof TaskmillError ? error : taskmillError('TM_BROKER_COMMAND_FAILED', 'reading queues failed', { cause: error })
    return batch.flatMap((name) => keep(feed, name, afterFailure(feed.queues.get(name)?.snapshot, failure, clock.now())))
  }
}

/** A queue without subscribers keeps nothing. */
function keep({ clock, queues }: Feed, name: string, { next, isChanged }: SnapshotStep): string[] {
  const queue = queues.get(name)
  if (queue === undefined) return []
  const nowMs = clock.monotonicNow()
  if (isChanged || streamIdOf(queue.snapshot) !== streamIdOf(next)) queue.changedAtMs = nowMs
  queue.snapshot = next
  queue.confirmedAtMs = nowMs
  queue.isStirred = false
  return isChanged ? [name] : []
}

function streamIdOf(snapshot: QueueSnapshot | undefined): string | undefined {
  return snapshot?.ok === true ? snapshot.reading.streamId : undefined
}

/** One job came and another one went: the queue holds as many as before, but a subscriber wants to see every job. */
function isJobReplaced(queue: FeedQueue | undefined, { streamId, waiting }: QueueReading): boolean {
  const before = queue?.snapshot
  return queue?.watch === 'Always' && waiting > 0 && before?.ok === true && before.reading.streamId !== streamId
}

/**
 * Looks at the locks of active jobs only where no worker may be left to finish them: in watched queues, and from then on until the orphans
 * that were found are gone. At most once a pass; in between, the last count stays.
 */
async function countOrphans(feed: Feed, readings: readonly QueueReading[]): Promise<ReadonlyMap<string, number>> {
  const { clock, context, passMs, queues } = feed
  const orphaned = new Map<string, number>()
  const toCount: QueueReading[] = []
  for (const reading of readings) {
    const queue = queues.get(reading.queue)
    const known = queue?.snapshot?.ok === true ? Math.min(queue.snapshot.orphaned, reading.active) : 0
    if (queue === undefined || reading.active === 0 || (queue.watch === 'Never' && known === 0)) continue
    const { orphansCountedAtMs = -Infinity } = queue
    if (clock.now() - orphansCountedAtMs < passMs / 2) orphaned.set(queue.name, known)
    else toCount.push(reading)
  }
  if (toCount.length === 0) return orphaned
  const counted = await context.broker.countOrphans(toCount.map(({ queue }) => queue))
  for (const { queue: name, active } of toCount) {
    const queue = queues.get(name)
    if (queue !== undefined) queue.orphansCountedAtMs = clock.now()
    const found = counted.get(name) ?? 0
    orphaned.set(name, found >= orphansLookedAt ? active : Math.min(found, active))
  }
  return orphaned
}

/** Waits for events of the watched queues and reads those that have some, until the feed stops. */
async function watchStreams(feed: Feed): Promise<void> {
  const { clock, context, log, passMs, stopping } = feed
  while (!stopping.signal.aborted) {
    feed.rewatch = new AbortController()
    const cursors = cursorsOf(feed)
    feed.watchedNames = new Set(cursors.keys())
    const interrupt = AbortSignal.any([feed.rewatch.signal, stopping.signal])
    try {
      if (cursors.size === 0) await aborted(interrupt)
      else await answerEvents(feed, await context.broker.watchQueues(cursors, blockMs, interrupt))
    } catch (error) {
      if (interrupt.aborted) continue
      log.debug({ error }, 'watching queues failed')
      await sleep(clock, passMs, stopping.signal).catch(() => undefined)
    }
  }
}

/** Reads at once what has to be seen at once; the next pass reads the others. */
async function answerEvents(feed: Feed, events: ReadonlyMap<string, string>): Promise<void> {
  const queues = [...events.keys()].flatMap((name) => feed.queues.get(name) ?? [])
  for (const queue of queues) queue.isStirred = true
  const urgent = queues.filter(({ watch }) => watch !== 'Never')
  if (urgent.length === 0) return
  await requestQueues(
    feed,
    urgent.map(({ name }) => name),
  )
  if (feed.stopping.signal.aborted) return
  const sleepers = urgent.filter((queue) => queue.watch === 'WhenEmpty' && hasJobs(queue))
  followUp(
    feed,
    sleepers.map(({ name }) => name),
  )
  const gapMs = urgent.some(({ watch }) => watch === 'Always') ? eventGapMs.Always : eventGapMs.WhenEmpty
  await sleep(feed.clock, gapMs, feed.stopping.signal)
}

function hasJobs(queue: FeedQueue | undefined): boolean {
  return queue?.snapshot?.ok === true && hasDemand(queue.snapshot.reading)
}

function followUp(feed: Feed, names: readonly string[]): void {
  if (feed.followUps.size > 0 || names.length === 0) return
  for (const afterMs of followUpMs) {
    const timer = feed.clock.setTimeout(() => {
      feed.followUps.delete(timer)
      void requestQueues(feed, names)
    }, afterMs)
    feed.followUps.add(timer)
  }
}

function cursorsOf({ clock, queues }: Feed): ReadonlyMap<string, string> {
  const nowMs = clock.monotonicNow()
  const cursors = new Map<string, string>()
  for (const queue of queues.values()) {
    const cursor = cursorOf(queue, nowMs)
    if (cursor !== undefined) cursors.set(queue.name, cursor)
  }
  return cursors
}

/** Makes nothing of a thousand queues as long as they are the same. */
function updateWatch({ clock, queues, rewatch, watchedNames }: Feed): void {
  const nowMs = clock.monotonicNow()
  let watched = 0
  for (const queue of queues.values()) {
    if (cursorOf(queue, nowMs) === undefined) continue
    if (!watchedNames.has(queue.name)) return rewatch.abort()
    watched += 1
  }
  if (watched !== watchedNames.size) rewatch.abort()
}

/** One timer for the next delayed job of all queues, on the broker's clock; queues that the pass reads come with it. */
function armDueTimer(feed: Feed): void {
  const { clock, queues } = feed
  if (feed.dueTimer !== undefined) clock.clearTimeout(feed.dueTimer)
  feed.dueTimer = undefined
  const nowMs = clock.monotonicNow()
  const dueOf = (queue: FeedQueue) => (queue.watch !== 'Never' || isResting(queue, nowMs) ? dueAtMs(queue) : Infinity)
  const nextMs = Math.min(...[...queues.values()].map(dueOf))
  if (nextMs === Infinity) return
  const readDue = () => {
    const due = [...queues.values()].filter((queue) => dueOf(queue) <= clock.now())
    void requestQueues(
      feed,
      due.map(({ name }) => name),
    )
  }
  feed.dueTimer = clock.setTimeout(readDue, nextMs - clock.now() + 1)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
