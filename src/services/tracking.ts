import type { BrokerEndpoint, EndedJob } from '../broker/index.ts'
import type { Clock, TimerHandle } from '../clock/index.ts'
import type { Slot } from '../contract/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { fingerprintOf, type BrokerLease, type Brokers } from './brokers.ts'
import type { Signals } from './signals.ts'

/** A done queue of a broker. */
export type DonePlace = { readonly doneQueue: string; readonly endpoint: BrokerEndpoint }

/** What is to be known of the ends of one schedule's runs. */
export type TrackedSchedule = DonePlace & {
  /** `namespace/name`. */
  readonly key: string
  readonly ledger: string
}

/**
 * Learns within milliseconds when a tracked job has ended, from any worker.
 *
 * Guarantees: an end is told until it is acknowledged, and again after a restart; one stream read watches the done queues of all
 * schedules of a broker, and nothing is read while nothing ends. What belongs to a schedule that is gone, ledger and all, is removed.
 * Does not: record anything.
 */
export type Tracking = {
  /**
   * Watches this done queue until it is taken back (undefined), whether there are schedules or not: runs of a schedule that was deleted
   * end too. `key` names who asks; again with the same place costs nothing.
   */
  keep(key: string, place: DonePlace | undefined): void
  /** Asking again with the same values costs nothing. `onEnded` is called when there is something new in `ended`. */
  track(schedule: TrackedSchedule, onEnded: () => void): void
  untrack(key: string): void
  /** The ends that are known and not acknowledged. */
  ended(key: string): readonly EndedJob[]
  /** They are recorded, and their done jobs were removed. */
  acknowledged(key: string, slots: readonly Slot[]): void
  stop(): Promise<void>
}

export type TrackingDeps = {
  readonly brokers: Brokers
  readonly signals: Signals
  readonly clock: Clock
  readonly log: Logger
  /** By ledger: whether its schedule is known not to exist. */
  readonly isGone: (ledger: string) => boolean
}

/** One done queue of one broker, and who waits for ends in it. */
type Place = {
  readonly id: string
  readonly doneQueue: string
  readonly lease: BrokerLease
  readonly keepers: Set<string>
  readonly watchers: Map<string, { readonly key: string; readonly onEnded: () => void }>
  /** By ledger. */
  ended: Map<string, EndedJob[]>
  truncated: boolean
  reading: Promise<void> | undefined
  /** Something changed while it was read. */
  again: boolean
  timer: TimerHandle | undefined
}

const retryMs = 2_000

export function createTracking({ brokers, signals, clock, log, isGone }: TrackingDeps): Tracking {
  const places = new Map<string, Place>()
  const kept = new Map<string, Place>()
  const tracked = new Map<string, { readonly place: Place; readonly ledger: string }>()
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
    signals.subscribe({ key: signalKey(id), brokerKey: endpoint, queues: [doneQueue], atZero: true }, () => refresh(place))
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
    const { ended, truncated } = await broker.readEnded([place.doneQueue])
    const before = place.ended
    place.truncated = truncated
    place.ended = Map.groupBy(ended, ({ ledger }) => ledger)
    for (const [ledger, jobs] of place.ended) {
      const known = new Set(before.get(ledger)?.map(({ slot }) => slot))
      if (jobs.some(({ slot }) => !known.has(slot))) place.watchers.get(ledger)?.onEnded()
    }
    await forgetStrangers(place)
  }

  /** Ends for which nobody waits: when schedule and ledger are gone, nobody ever will. */
  async function forgetStrangers({ lease, ended, watchers, doneQueue }: Place): Promise<void> {
    const strangers = [...ended.keys()].filter((ledger) => !watchers.has(ledger) && isGone(ledger))
    if (strangers.length === 0) return
    const { stored } = await lease.broker.readLedgers(strangers)
    const lost = strangers.filter((_, index) => stored[index] === undefined)
    const refs = lost.flatMap((ledger) => (ended.get(ledger) ?? []).map(({ id }) => ({ id, doneQueue })))
    if (refs.length === 0) return
    await lease.broker.acknowledgeEnded(refs)
    for (const ledger of lost) ended.delete(ledger)
    log.info({ queue: doneQueue, jobs: refs.length }, 'ends of runs whose schedule is gone were removed')
  }

  const untrack = (key: string) => {
    const entry = tracked.get(key)
    if (entry === undefined) return
    tracked.delete(key)
    entry.place.watchers.delete(entry.ledger)
    closeIfIdle(entry.place)
    if (entry.place.ended.has(entry.ledger)) refresh(entry.place)
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
    track(schedule, onEnded) {
      const { key, ledger } = schedule
      const place = placeOf(schedule)
      if (tracked.get(key)?.place === place) return
      untrack(key)
      place.watchers.set(ledger, { key, onEnded })
      tracked.set(key, { place, ledger })
    },
    untrack,
    ended(key) {
      const entry = tracked.get(key)
      return entry?.place.ended.get(entry.ledger) ?? []
    },
    acknowledged(key, slots) {
      const entry = tracked.get(key)
      if (entry === undefined) return
      const { place, ledger } = entry
      const left = (place.ended.get(ledger) ?? []).filter(({ slot }) => !slots.includes(slot))
      if (left.length === 0) place.ended.delete(ledger)
      else place.ended.set(ledger, left)
      if (place.truncated) refresh(place)
    },
    async stop() {
      for (const place of [...places.values()]) close(place)
      tracked.clear()
      await Promise.all(ending)
    },
  }
}

function signalKey(id: string): string {
  return `done ${id}`
}
