import type { Broker, QueueReading } from '../../broker/index.ts'
import { sleep, type Clock, type TimerHandle } from '../../clock/index.ts'
import { hasCode, taskmillError, TaskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { afterFailure, afterReading, hasDemand, type QueueSnapshot, type Step } from './queue-snapshot.ts'

/** How long one blocking read waits: short enough to find out in time that its connection is dead. */
const blockMs = 5_000
/** After news, so that a flood of events costs twenty reads a second and not thousands; where each of them is waited for, a hundred. */
const newsGapMs = { WhenEmpty: 50, Always: 10 } as const
/** After news, the same queues are looked at again. */
const followUpMs = [100, 250, 500] as const

/** Of each queue the broker looks at that many active jobs, the longest active ones: when all of them are orphans, so are the others. */
const orphansLookedAt = 100

/**
 * Beside the pass that reads every queue: `WhenEmpty`: the first job has to be seen at once, because nobody works on the queue. `Always`: every
 * job has to be, whatever the queue holds already.
 */
export type WatchMode = 'Never' | 'WhenEmpty' | 'Always'

export type BrokerFeed = {
  /** What to read from now on. */
  want(queues: ReadonlyMap<string, WatchMode>): void
  /** Undefined until the first read has ended. */
  snapshot(queue: string): QueueSnapshot | undefined
  stop(): Promise<void>
}

export type BrokerFeedDeps = {
  readonly broker: Broker
  readonly clock: Clock
  readonly log: Logger
  /** From the start of one pass over all wanted queues to the next. */
  readonly passMs: number
  /** Queues whose snapshot changed in a way that a decision may depend on. Must not throw. */
  readonly onChange: (queues: readonly string[]) => void
}

/**
 * Keeps the snapshots of one broker's queues fresh: all wanted queues each pass, in one round trip; a queue at zero also at once when
 * its stream has news, and when its next delayed job is due; what is always watched with each of its events. Reads never overlap, so that no older reading overwrites a newer one.
 */
export function createBrokerFeed({ broker, clock, log, passMs, onChange }: BrokerFeedDeps): BrokerFeed {
  const stopped = new AbortController()
  const snapshots = new Map<string, QueueSnapshot>()
  const orphansCountedAtMs = new Map<string, number>()
  const toRead = new Set<string>()
  let wanted: ReadonlyMap<string, WatchMode> = new Map()
  let reading: Promise<void> | undefined
  let passTimer: TimerHandle | undefined
  let dueTimer: TimerHandle | undefined
  const followUps = new Set<TimerHandle>()
  /** Interrupts the watch, or its wait for something to watch, when what is to be watched changes. */
  let rewatch = new AbortController()
  let watchedNames = ''

  const request = (queues: Iterable<string>): Promise<void> => {
    for (const queue of queues) toRead.add(queue)
    reading ??= readRequested().finally(() => (reading = undefined))
    return reading
  }

  const readRequested = async () => {
    while (toRead.size > 0 && !stopped.signal.aborted) {
      const batch = [...toRead].filter((queue) => wanted.has(queue))
      toRead.clear()
      if (batch.length === 0) continue
      const changed = await readBatch(batch)
      if (stopped.signal.aborted) return
      updateWatch()
      armDueTimer()
      if (changed.length > 0) onChange(changed)
    }
  }

  /** Returns the queues that changed. When the broker refuses the whole, each is read alone: one broken queue must not blind all others. */
  const readBatch = async (batch: readonly string[]): Promise<string[]> => {
    try {
      const readings = await broker.readQueues(batch)
      const orphaned = await orphansOf(readings)
      return readings.flatMap((each) => {
        const before = snapshots.get(each.queue)
        const step = afterReading(before, each, orphaned.get(each.queue) ?? 0, clock.now())
        return keep(each.queue, { ...step, isChanged: step.isChanged || isNews(before, each) })
      })
    } catch (error) {
      if (batch.length > 1 && hasCode(error, 'TM_BROKER_COMMAND_FAILED'))
        return (await Promise.all(batch.map((queue) => readBatch([queue])))).flat()
      const failure =
        error instanceof TaskmillError ? error : taskmillError('TM_BROKER_COMMAND_FAILED', 'reading queues failed', { cause: error })
      return batch.flatMap((queue) => keep(queue, afterFailure(snapshots.get(queue), failure, clock.now())))
    }
  }

  /**
   * Looks at the locks of active jobs only where nobody may be at work on them: in queues at zero, and from then on until the orphans that
   * were found are gone. Once a pass at most; in between, what was counted last holds.
   */
  const orphansOf = async (readings: readonly QueueReading[]): Promise<ReadonlyMap<string, number>> => {
    const orphaned = new Map<string, number>()
    const toCount: string[] = []
    for (const { queue, active } of readings) {
      const before = snapshots.get(queue)
      const known = before?.ok ? Math.min(before.orphaned, active) : 0
      if (active === 0 || (!isWatched(queue) && known === 0)) continue
      const countedAtMs = orphansCountedAtMs.get(queue)
      if (countedAtMs !== undefined && clock.now() - countedAtMs < passMs / 2) orphaned.set(queue, known)
      else toCount.push(queue)
    }
    if (toCount.length === 0) return orphaned
    const counted = await broker.countOrphans(toCount)
    for (const queue of toCount) {
      orphansCountedAtMs.set(queue, clock.now())
      const { active = 0 } = readings.find((each) => each.queue === queue) ?? {}
      const found = counted.get(queue) ?? 0
      orphaned.set(queue, found >= orphansLookedAt ? active : Math.min(found, active))
    }
    return orphaned
  }

  const isWatched = (queue: string) => (wanted.get(queue) ?? 'Never') !== 'Never'

  /** One job came and another one went: it holds as many as before, and all the same something has happened. */
  const isNews = (before: QueueSnapshot | undefined, { queue, streamId, waiting }: QueueReading) =>
    wanted.get(queue) === 'Always' && waiting > 0 && before?.ok === true && before.reading.streamId !== streamId

  const keep = (queue: string, { next, isChanged }: Step): string[] => {
    if (!wanted.has(queue)) return []
    snapshots.set(queue, next)
    return isChanged ? [queue] : []
  }

  const hasJobs = (queue: string): boolean => {
    const snapshot = snapshots.get(queue)
    return snapshot?.ok === true && hasDemand(snapshot.reading)
  }

  /** A burst takes a moment to arrive: what the first look saw may have been its beginning, and the watch ends when the pool wakes. */
  const followUp = (queues: readonly string[]) => {
    if (followUps.size > 0 || queues.length === 0) return
    for (const afterMs of followUpMs) {
      const timer = clock.setTimeout(() => {
        followUps.delete(timer)
        void request(queues)
      }, afterMs)
      followUps.add(timer)
    }
  }

  const pass = () => {
    passTimer = clock.setTimeout(pass, passMs)
    void request(wanted.keys())
  }

  /** Those of the watched queues that were read; one that is not empty is found by the pass, unless it is always watched. */
  const watchable = (): Map<string, string> => {
    const cursors = new Map<string, string>()
    for (const [queue, mode] of wanted) {
      const snapshot = snapshots.get(queue)
      if (mode === 'Never' || !snapshot?.ok || (mode === 'WhenEmpty' && hasDemand(snapshot.reading))) continue
      cursors.set(queue, snapshot.reading.streamId)
    }
    return cursors
  }

  const updateWatch = () => {
    const names = [...watchable().keys()].toSorted().join()
    if (names === watchedNames) return
    watchedNames = names
    rewatch.abort()
  }

  const watchLoop = async () => {
    while (!stopped.signal.aborted) {
      rewatch = new AbortController()
      const cursors = watchable()
      const interrupt = AbortSignal.any([rewatch.signal, stopped.signal])
      try {
        if (cursors.size === 0) await aborted(interrupt)
        else {
          const news = await broker.watchQueues(cursors, blockMs, interrupt)
          if (news.size === 0) continue
          await request(news.keys())
          const isAwaited = [...news.keys()].some((queue) => wanted.get(queue) === 'Always')
          followUp([...news.keys()].filter((queue) => wanted.get(queue) === 'WhenEmpty' && hasJobs(queue)))
          await sleep(clock, isAwaited ? newsGapMs.Always : newsGapMs.WhenEmpty, stopped.signal)
        }
      } catch (error) {
        if (interrupt.aborted) continue
        log.debug({ error }, 'watching queues failed')
        await sleep(clock, passMs, stopped.signal).catch(() => undefined)
      }
    }
  }

  /** One timer for the next delayed job of all queues at zero, on the broker's clock. */
  const armDueTimer = () => {
    if (dueTimer !== undefined) clock.clearTimeout(dueTimer)
    dueTimer = undefined
    let nextMs = Infinity
    for (const queue of wanted.keys()) {
      const snapshot = snapshots.get(queue)
      if (!isWatched(queue) || !snapshot?.ok || snapshot.reading.nextDueAtMs === undefined) continue
      nextMs = Math.min(nextMs, snapshot.readAtMs + snapshot.reading.nextDueAtMs - snapshot.reading.brokerTimeMs)
    }
    if (nextMs === Infinity) return
    dueTimer = clock.setTimeout(() => void request([...wanted.keys()].filter(isWatched)), nextMs - clock.now() + 1)
  }

  const watching = watchLoop()
  return {
    want(queues) {
      const before = wanted
      wanted = new Map(queues)
      for (const known of [snapshots, orphansCountedAtMs]) for (const queue of known.keys()) if (!wanted.has(queue)) known.delete(queue)
      if (passTimer === undefined && wanted.size > 0) pass()
      else void request([...wanted.keys()].filter((queue) => !before.has(queue)))
      if (wanted.size === 0 && passTimer !== undefined) {
        clock.clearTimeout(passTimer)
        passTimer = undefined
      }
      updateWatch()
      armDueTimer()
    },
    snapshot: (queue) => snapshots.get(queue),
    async stop() {
      stopped.abort()
      for (const timer of [passTimer, dueTimer, ...followUps]) if (timer !== undefined) clock.clearTimeout(timer)
      await Promise.all([watching, reading])
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
