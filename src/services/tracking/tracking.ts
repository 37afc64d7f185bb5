import type { Broker, BrokerEndpoint, EndedJob } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import { ownerOf } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { fingerprintOf, type BrokerLease, type Brokers } from '../brokers/index.ts'
import { findEnds } from './find-ends.ts'
import type { Signals } from '../signals/index.ts'

/** A done queue of a broker. */
export type DonePlace = { readonly doneQueue: string; readonly endpoint: BrokerEndpoint }

/** Whose ends are to be known: a ledger or a run, by its name in the broker. */
export type TrackedOwner = DonePlace & { readonly owner: string }

/**
 * Learns within milliseconds when a tracked job has ended, from any worker.
 *
 * Guarantees: an end is told until it is acknowledged, and again after a restart; one stream read watches the done queues of all
 * owners of a broker, and nothing is read while nothing ends. What belongs to a schedule or run that is gone, ledger or log and all, is
 * removed.
 * Does not: record anything.
 */
export type Tracking = {
  /**
   * Watches this done queue until it is taken back (undefined), whether there are owners or not: jobs of one that was deleted
   * end too. `key` names who asks; again with the same place costs nothing.
   */
  keep(key: string, place: DonePlace | undefined): void
  /** Asking again with the same values costs nothing. `onEnded` is called when there is something new in `ended`. */
  track(tracked: TrackedOwner, onEnded: () => void): void
  untrack(owner: string): void
  /** The ends that are known and not acknowledged. */
  ended(owner: string): readonly EndedJob[]
  /** Whether ends are known of an owner that nobody tracks. */
  hasUnclaimed(owner: string): boolean
  /** These jobs' ends are recorded, and their done jobs were removed. */
  acknowledged(owner: string, ids: readonly string[]): void
  stop(): Promise<void>
}

export type TrackingDeps = {
  readonly brokers: Brokers
  readonly signals: Signals
  readonly clock: Clock
  readonly log: Logger
  /** Whether the object of this ledger or run is known not to exist. */
  readonly isGone: (owner: string) => boolean
  /** Ends have arrived of an owner that is not gone, and that nobody tracks: as long as they stay, they are in the way of others. */
  readonly onUnclaimed: (owner: string) => void
}

/** One done queue of one broker, and who waits for ends in it. */
type Place = {
  readonly id: string
  readonly doneQueue: string
  readonly lease: BrokerLease
  readonly keepers: Set<string>
  /** By owner. */
  readonly watchers: Map<string, () => void>
  /** By owner. */
  ended: Map<string, EndedJob[]>
  truncated: boolean
  reading: Promise<void> | undefined
  /** Something changed while it was read. */
  again: boolean
  timer: TimerHandle | undefined
}

const retryMs = 2_000

export function createTracking({ brokers, signals, clock, log, isGone, onUnclaimed }: TrackingDeps): Tracking {
  const places = new Map<string, Place>()
  const kept = new Map<string, Place>()
  const tracked = new Map<string, Place>()
  const ending = new Set<Promise<void>>()

  const placeOf = ({ doneQueue, endpoint }: DonePlace): Place => {
    const id = JSON.stringify([fingerprintOf(endpoint), doneQueue])
    const known = places.get(id)
    if (known !== undefined) return known
    const place: Place = {
      id,
      doneQueue,
      lease: brokers.acquire(endpoint),
      keepers: new Set(),
      watchers: new Map(),
      ended: new Map(),
      truncated: false,
      reading: undefined,
      again: false,
      timer: undefined,
    }
    places.set(id, place)
    signals.subscribe({ key: signalKey(id), brokerKey: endpoint, queues: [doneQueue], atZero: true, everyJob: true }, () => refresh(place))
    // What had ended before anybody asked.
    refresh(place)
    return place
  }

  const closeIfIdle = (place: Place) => {
    if (place.watchers.size === 0 && place.keepers.size === 0) close(place)
  }

  const close = (place: Place) => {
    places.delete(place.id)
    signals.unsubscribe(signalKey(place.id))
    if (place.timer !== undefined) clock.clearTimeout(place.timer)
    const end = Promise.resolve(place.reading)
      .then(() => place.lease.release())
      .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'closing a broker failed'))
      .then(() => void ending.delete(end))
    ending.add(end)
  }

  const refresh = (place: Place) => {
    if (!places.has(place.id)) return
    if (place.reading !== undefined) {
      place.again = true
      return
    }
    place.again = false
    place.reading = read(place)
      .catch((error: unknown) => {
        log.debug({ queue: place.doneQueue, error: errorMessage(error) }, 'cannot read what has ended, trying again')
        place.timer ??= clock.setTimeout(() => {
          place.timer = undefined
          refresh(place)
        }, retryMs)
      })
      .then(() => {
        place.reading = undefined
        if (place.again) refresh(place)
      })
  }

  async function read(place: Place): Promise<void> {
    const { broker } = place.lease
    // What is acknowledged while it is read has to be looked at again.
    place.truncated = true
    const { ended, truncated } = await findEnds(broker, place.doneQueue, ({ owner }) => place.watchers.has(owner))
    const before = place.ended
    place.truncated = truncated
    place.ended = Map.groupBy(ended, ({ owner }) => owner)
    for (const [owner, jobs] of place.ended) {
      const known = new Set(before.get(owner)?.map(({ id }) => id))
      if (jobs.every(({ id }) => known.has(id))) continue
      const watcher = place.watchers.get(owner)
      if (watcher !== undefined) watcher()
      else if (!isGone(owner)) onUnclaimed(owner)
    }
    await forgetStrangers(place)
  }

  /** Ends for which nobody waits: when the object and what was stored of it are gone, nobody ever will. */
  async function forgetStrangers({ lease, ended, watchers, doneQueue }: Place): Promise<void> {
    const strangers = [...ended.keys()].filter((owner) => !watchers.has(owner) && isGone(owner))
    if (strangers.length === 0) return
    const lost = await notStored(lease.broker, strangers)
    const refs = lost.flatMap((owner) => (ended.get(owner) ?? []).map(({ id }) => ({ id, doneQueue })))
    if (refs.length === 0) return
    await lease.broker.acknowledgeEnded(refs)
    for (const owner of lost) ended.delete(owner)
    log.info({ queue: doneQueue, jobs: refs.length }, 'ends of jobs whose schedule or run is gone were removed')
  }

  const untrack = (owner: string) => {
    const place = tracked.get(owner)
    if (place === undefined) return
    tracked.delete(owner)
    place.watchers.delete(owner)
    closeIfIdle(place)
    if (place.ended.has(owner)) refresh(place)
  }

  return {
    keep(key, wanted) {
      const before = kept.get(key)
      const place = wanted && placeOf(wanted)
      if (place === before) return
      place?.keepers.add(key)
      if (place === undefined) kept.delete(key)
      else kept.set(key, place)
      before?.keepers.delete(key)
      if (before !== undefined) closeIfIdle(before)
    },
    track(wanted, onEnded) {
      const { owner } = wanted
      const place = placeOf(wanted)
      if (tracked.get(owner) === place) return
      untrack(owner)
      place.watchers.set(owner, onEnded)
      tracked.set(owner, place)
    },
    untrack,
    ended: (owner) => tracked.get(owner)?.ended.get(owner) ?? [],
    hasUnclaimed: (owner) => !tracked.has(owner) && [...places.values()].some(({ ended }) => ended.has(owner)),
    acknowledged(owner, ids) {
      const place = tracked.get(owner)
      if (place === undefined) return
      const gone = new Set(ids)
      const left = (place.ended.get(owner) ?? []).filter(({ id }) => !gone.has(id))
      if (left.length === 0) place.ended.delete(owner)
      else place.ended.set(owner, left)
      if (place.truncated) refresh(place)
    },
    async stop() {
      for (const place of [...places.values()]) close(place)
      tracked.clear()
      await Promise.all(ending)
    },
  }
}

/** Those of which the broker has neither a ledger nor a log. */
async function notStored(broker: Broker, owners: readonly string[]): Promise<readonly string[]> {
  const isRun = (owner: string) => ownerOf(owner).kind === 'TaskExecution'
  const ledgers = owners.filter((owner) => !isRun(owner))
  const runs = owners.filter(isRun)
  const [{ stored }, logs] = await Promise.all([
    broker.readLedgers(ledgers),
    Promise.all(runs.map((run) => broker.readRun(run, Number.MAX_SAFE_INTEGER))),
  ])
  return [...ledgers.filter((_, index) => stored[index] === undefined), ...runs.filter((_, index) => logs[index]?.length === 0)]
}

function signalKey(id: string): string {
  return `done ${id}`
}
