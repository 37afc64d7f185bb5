import type { QueueReading } from '../../broker/index.ts'
import { sleep, type Clock, type TimerHandle } from '../../clock/index.ts'
import { hasCode, taskmillError, TaskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { afterFailure, afterReading, hasDemand, type QueueSnapshot, type SnapshotStep } from './queue-snapshot.ts'
import { idOf, type Reader, type ReaderContext, type Subscriber, type Subscription } from './subscriptions.ts'

/**
 * What is read of a queue beside the pass that reads every queue. `WhenEmpty`: no worker runs, so the first job has to be seen at once.
 * `Always`: every job has to be seen at once, whatever the queue holds already.
 */
export type WatchMode = 'Never' | 'WhenEmpty' | 'Always'

/** The queues that a subscriber wants to know about. */
export type QueueSubscription = Subscription & { readonly queues: readonly string[]; readonly watch: WatchMode }

/**
 * Keeps the snapshots of one broker's queues fresh: of all queues once a pass, in one round trip; of a queue that is watched also when its
 * stream has an event, and when its next delayed job is due.
 */
export type QueueFeed = Reader<QueueSubscription> & {
  /** Undefined until the first read has ended. */
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

type Queue = {
  readonly name: string
  /** What each subscriber wants of it, by `idOf`. */
  readonly subscribers: Map<string, { readonly subscriber: Subscriber; readonly watch: WatchMode }>
  watch: WatchMode
  snapshot?: QueueSnapshot
  orphansCountedAtMs?: number
}

type Feed = QueueFeedDeps & {
  readonly context: ReaderContext<QueueSubscription>
  readonly queues: Map<string, Queue>
  readonly toRead: Set<string>
  readonly stopping: AbortController
  readonly followUps: Set<TimerHandle>
  passTimer: TimerHandle | undefined
  dueTimer: TimerHandle | undefined
  /** Interrupts the watch, or its wait for something to watch, when other queues are to be watched. */
  rewatch: AbortController
  watchedNames: string
}

export function openQueueFeed(context: ReaderContext<QueueSubscription>, deps: QueueFeedDeps): QueueFeed {
  const feed: Feed = {
    ...deps,
    context,
    queues: new Map(),
    toRead: new Set(),
    stopping: new AbortController(),
    followUps: new Set(),
    passTimer: undefined,
    dueTimer: undefined,
    rewatch: new AbortController(),
    watchedNames: '',
  }
  const watching = watchStreams(feed)
  startPass(feed)
  return {
    update: (before, after) => update(feed, before, after),
    read: () => readRequested(feed),
    snapshot: (queue) => feed.queues.get(queue)?.snapshot,
    async stop() {
      feed.stopping.abort()
      for (const timer of [feed.passTimer, feed.dueTimer, ...feed.followUps]) if (timer !== undefined) feed.clock.clearTimeout(timer)
      await watching
    },
  }
}

/** Costs what the one subscriber names, however many others there are. What is watched follows at the end of the read. */
function update(feed: Feed, before: QueueSubscription | undefined, after: QueueSubscription | undefined): void {
  for (const name of after?.queues ?? []) {
    if (after === undefined) break
    const known = feed.queues.get(name)
    const queue: Queue = known ?? { name, subscribers: new Map(), watch: 'Never' }
    queue.subscribers.set(idOf(after.subscriber), { subscriber: after.subscriber, watch: after.watch })
    queue.watch = strictest(queue)
    feed.queues.set(name, queue)
    if (known === undefined) feed.toRead.add(name)
  }
  for (const name of before?.queues ?? []) {
    const queue = feed.queues.get(name)
    if (before === undefined || queue === undefined || after?.queues.includes(name) === true) continue
    queue.subscribers.delete(idOf(before.subscriber))
    queue.watch = strictest(queue)
    if (queue.subscribers.size === 0) feed.queues.delete(name)
  }
  void feed.context.requestRead()
}

/** A queue of several pools is watched as soon as one of them is at zero: each pool has to start its own workers. */
function strictest({ subscribers }: Queue): WatchMode {
  const modes = new Set([...subscribers.values()].map(({ watch }) => watch))
  return modes.has('Always') ? 'Always' : modes.has('WhenEmpty') ? 'WhenEmpty' : 'Never'
}

function requestQueues(feed: Feed, names: Iterable<string>): Promise<void> {
  for (const name of names) feed.toRead.add(name)
  return feed.context.requestRead()
}

function startPass(feed: Feed): void {
  feed.passTimer = feed.clock.setTimeout(() => startPass(feed), feed.passMs)
  void requestQueues(feed, feed.queues.keys())
}

async function readRequested(feed: Feed): Promise<void> {
  const batch = [...feed.toRead].filter((name) => feed.queues.has(name))
  feed.toRead.clear()
  const changed = batch.length === 0 ? [] : await readBatch(feed, batch)
  if (!feed.context.isOpen()) return
  updateWatch(feed)
  armDueTimer(feed)
  const subscribers = new Map(changed.flatMap((name) => [...(feed.queues.get(name)?.subscribers ?? [])]))
  for (const { subscriber } of subscribers.values()) feed.context.announce(subscriber)
}

/** Returns the queues that changed. When the broker refuses the whole, each is read alone: one broken queue must not blind all others. */
async function readBatch(feed: Feed, batch: readonly string[]): Promise<string[]> {
  const { clock, context } = feed
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
function keep({ queues }: Feed, name: string, { next, isChanged }: SnapshotStep): string[] {
  const queue = queues.get(name)
  if (queue === undefined) return []
  queue.snapshot = next
  return isChanged ? [name] : []
}

/** One job came and another one went: the queue holds as many as before, but a subscriber wants to see every job. */
function isJobReplaced(queue: Queue | undefined, { streamId, waiting }: QueueReading): boolean {
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
    const cursors = watchable(feed)
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

async function answerEvents(feed: Feed, events: ReadonlyMap<string, string>): Promise<void> {
  if (events.size === 0) return
  const names = [...events.keys()]
  await requestQueues(feed, names)
  if (feed.stopping.signal.aborted) return
  const modeOf = (name: string) => feed.queues.get(name)?.watch
  followUp(
    feed,
    names.filter((name) => modeOf(name) === 'WhenEmpty' && hasJobs(feed.queues.get(name))),
  )
  const gapMs = names.some((name) => modeOf(name) === 'Always') ? eventGapMs.Always : eventGapMs.WhenEmpty
  await sleep(feed.clock, gapMs, feed.stopping.signal)
}

function hasJobs(queue: Queue | undefined): boolean {
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

/** The watched queues that were read, with their cursors. One that is not empty is read by the pass, unless it is always watched. */
function watchable({ queues }: Feed): ReadonlyMap<string, string> {
  const cursors = new Map<string, string>()
  for (const { name, watch, snapshot } of queues.values()) {
    if (watch === 'Never' || snapshot?.ok !== true || (watch === 'WhenEmpty' && hasDemand(snapshot.reading))) continue
    cursors.set(name, snapshot.reading.streamId)
  }
  return cursors
}

function updateWatch(feed: Feed): void {
  const names = [...watchable(feed).keys()].toSorted().join()
  if (names === feed.watchedNames) return
  feed.watchedNames = names
  feed.rewatch.abort()
}

/** One timer for the next delayed job of all watched queues, on the broker's clock. */
function armDueTimer(feed: Feed): void {
  const { clock, queues } = feed
  if (feed.dueTimer !== undefined) clock.clearTimeout(feed.dueTimer)
  feed.dueTimer = undefined
  let nextMs = Infinity
  for (const { watch, snapshot } of queues.values()) {
    if (watch === 'Never' || snapshot?.ok !== true || snapshot.reading.nextDueAtMs === undefined) continue
    nextMs = Math.min(nextMs, snapshot.readAtMs + snapshot.reading.nextDueAtMs - snapshot.reading.brokerTimeMs)
  }
  if (nextMs === Infinity) return
  const readWatched = () => {
    const watched = [...feed.queues.values()].filter(({ watch }) => watch !== 'Never')
    void requestQueues(
      feed,
      watched.map(({ name }) => name),
    )
  }
  feed.dueTimer = clock.setTimeout(readWatched, nextMs - clock.now() + 1)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
