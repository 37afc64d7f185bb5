/** One queue of a feed: whether it rests, whether its stream is watched, and which queues a pass looks at. Pure. */
import type { QueueSnapshot } from './queue-snapshot.ts'
import { hasDemand } from './queue-snapshot.ts'
import { idOf, type Subscriber } from './subscriptions.ts'

/**
 * How soon a job in an empty queue has to be seen. `Never`: within a pass. `WhenEmpty`: at once, because no worker runs. `Always`: at once,
 * and so has every other job, whatever the queue holds already.
 */
export type WatchMode = 'Never' | 'WhenEmpty' | 'Always'

export type FeedQueue = {
  readonly name: string
  /** What each subscriber wants of it, by `idOf`. */
  readonly subscribers: Map<string, { readonly subscriber: Subscriber; readonly watch: WatchMode }>
  watch: WatchMode
  snapshot?: QueueSnapshot
  orphansCountedAtMs?: number
  /** When a reading differed from the one before, or its stream had an event. */
  changedAtMs: number
  /** When the broker last said that the queue is as the snapshot says. */
  confirmedAtMs: number
  /** When its global concurrency was last read. */
  limitReadAtMs: number
  /** Its stream had an event that no reading has seen yet. */
  isStirred: boolean
}

/** A queue that workers serve rests after so long without a change: the watch begins anew with each queue that joins or leaves it. */
const quietMs = 60_000
/** Within this time a pass looks at each queue that rests: a wake-up that the stream did not announce is found by then. */
const confirmWithinMs = 30_000
/** Of so many queues that rest a pass reads the global concurrency: it costs a command for each, whatever their number. */
const limitsPerPass = 20

/** `nowMs`: monotonic, as all times here. */
export function createFeedQueue(name: string, nowMs: number): FeedQueue {
  return { name, subscribers: new Map(), watch: 'Never', changedAtMs: nowMs, confirmedAtMs: nowMs, limitReadAtMs: nowMs, isStirred: false }
}

export function setWatch(queue: FeedQueue, subscriber: Subscriber, watch: WatchMode | undefined): void {
  if (watch === undefined) queue.subscribers.delete(idOf(subscriber))
  else queue.subscribers.set(idOf(subscriber), { subscriber, watch })
  // A queue of several pools is watched as soon as one of them is at zero: each pool has to start its own workers.
  const modes = new Set([...queue.subscribers.values()].map((each) => each.watch))
  queue.watch = modes.has('Always') ? 'Always' : modes.has('WhenEmpty') ? 'WhenEmpty' : 'Never'
}

/**
 * A queue rests while no job in it can start or runs. Its stream says when that ends, and a timer when its next delayed job is due, so that
 * it is not read with every pass.
 */
export function isResting({ isStirred, watch, snapshot, changedAtMs }: FeedQueue, nowMs: number): boolean {
  if (isStirred || snapshot?.ok !== true) return false
  const { reading, orphaned } = snapshot
  const isQuiet = !hasDemand(reading) && reading.active === 0 && orphaned === 0
  return isQuiet && (watch !== 'Never' || nowMs - changedAtMs >= quietMs)
}

/** From where its stream is watched; undefined when it is not. A queue with jobs is read by the pass, unless it is always watched. */
export function cursorOf(queue: FeedQueue, nowMs: number): string | undefined {
  const { watch, snapshot } = queue
  if (snapshot?.ok !== true) return undefined
  const isWatched = watch === 'Always' || (watch === 'WhenEmpty' && !hasDemand(snapshot.reading)) || isResting(queue, nowMs)
  return isWatched ? snapshot.reading.streamId : undefined
}

/** When its next delayed job is due, on the wall clock of this process; `Infinity` when there is none. */
export function dueAtMs({ snapshot }: FeedQueue): number {
  if (snapshot?.ok !== true || snapshot.reading.nextDueAtMs === undefined) return Infinity
  return snapshot.readAtMs + snapshot.reading.nextDueAtMs - snapshot.reading.brokerTimeMs
}

/**
 * Of the queues that rest, those that were confirmed longest ago: an even share each pass, so that all have their turn within
 * `confirmWithinMs`, and those whose time would be over by the next pass.
 */
export function queuesToConfirm(queues: Iterable<FeedQueue>, nowMs: number, passMs: number): readonly FeedQueue[] {
  const periodMs = Math.max(passMs, confirmWithinMs - passMs)
  const resting = [...queues].filter((queue) => isResting(queue, nowMs)).toSorted((a, b) => a.confirmedAtMs - b.confirmedAtMs)
  const share = Math.ceil((resting.length * passMs) / periodMs)
  return resting.filter(({ confirmedAtMs }, index) => index < share || nowMs - confirmedAtMs >= periodMs)
}

/**
 * Of the queues that rest, those whose global concurrency was read longest ago. No event announces that another client has changed it: of
 * 1,000 queues each has its turn within a minute.
 */
export function limitsToConfirm(queues: Iterable<FeedQueue>, nowMs: number): readonly FeedQueue[] {
  const resting = [...queues].filter((queue) => isResting(queue, nowMs)).toSorted((a, b) => a.limitReadAtMs - b.limitReadAtMs)
  return resting.slice(0, limitsPerPass)
}
