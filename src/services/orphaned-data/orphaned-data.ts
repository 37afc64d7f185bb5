import type { BrokerEndpoint } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import { createBrokerSweep, type BrokerSweepDeps, type Swept } from './broker-sweep.ts'

/**
 * Removes from brokers the data of schedules, runs and TaskQueues that are gone: objects deleted while no operator looked, and whole
 * namespaces. A namespace of which no TaskBroker names the broker any more, and no record is left, leaves the broker with everything it had.
 *
 * Guarantees: only data that this cluster wrote last, in watched namespaces, is removed, only with the dispatch lease there, only after the
 * API server said that the object does not exist, and not if its deletion policy is `Orphan`. An object that comes back meanwhile keeps its
 * record. A broker costs one pass when a leader first meets it, and one an hour, whatever becomes of other brokers. A broker that no
 * TaskBroker names any more is forgotten once nothing is left there, or after an hour.
 */
export type OrphanedData = {
  readonly name: string
  /** Until the signal aborts. Once. */
  start(signal: AbortSignal): void
  readonly stopped: Promise<void>
  /** Adds a broker through which this process may dispatch; the first time in a term a pass begins at once. */
  watchBroker(endpoint: BrokerEndpoint): void
  /** Some object could not remove its data itself, or a TaskBroker is gone: a pass over all known brokers begins after 1 s. */
  lookAgain(): void
}

export type OrphanedDataDeps = BrokerSweepDeps & {
  readonly clock: Clock
  /** Default an hour. */
  readonly everyMs?: number
}

/** After an object asked for it; and after a pass that failed or left something, doubling. */
const soonMs = 1_000
const firstRetryMs = 1_000
/** The longest pause between two tries, and the one at a broker that no TaskBroker names. */
const longestRetryMs = { named: 15_000, unnamed: 600_000 }
/** So long a broker that no TaskBroker names is tried. */
const patienceMs = 3_600_000

/** A server and key prefix: credentials may change. */
type Place = {
  endpoint: BrokerEndpoint
  timer?: TimerHandle | undefined
  /** The pass under way. */
  pass?: Promise<void> | undefined
  /** The earliest time that was asked for while a pass was under way. */
  askedMs?: number | undefined
  failures: number
  /** Since when no TaskBroker names it. */
  unnamedSinceMs?: number | undefined
}

type Passes = {
  readonly deps: OrphanedDataDeps
  readonly sweep: ReturnType<typeof createBrokerSweep>
  readonly places: Map<string, Place>
  /** Undefined: not started yet. */
  signal: AbortSignal | undefined
}

export function createOrphanedData(deps: OrphanedDataDeps): OrphanedData {
  const passes: Passes = { deps, sweep: createBrokerSweep(deps), places: new Map(), signal: undefined }
  const { places } = passes
  const stopped = Promise.withResolvers<void>()
  return {
    name: 'orphaned data',
    start(until) {
      passes.signal = until
      const end = () => {
        for (const { timer } of places.values()) if (timer !== undefined) deps.clock.clearTimeout(timer)
        Promise.all([...places.values()].flatMap(({ pass }) => pass ?? [])).then(() => stopped.resolve(), stopped.reject)
      }
      until.addEventListener('abort', end, { once: true })
      for (const place of places.values()) request(passes, place, 0)
    },
    stopped: stopped.promise,
    watchBroker(endpoint) {
      const id = placeOf(endpoint)
      const known = places.get(id)
      if (known !== undefined) return void (known.endpoint = endpoint)
      const place: Place = { endpoint, failures: 0 }
      places.set(id, place)
      request(passes, place, 0)
    },
    lookAgain() {
      for (const place of places.values()) request(passes, place, soonMs)
    },
  }
}

function request(passes: Passes, place: Place, afterMs: number): void {
  const { clock } = passes.deps
  if (passes.signal === undefined || passes.signal.aborted) return
  if (place.pass !== undefined) return void (place.askedMs = Math.min(place.askedMs ?? Infinity, afterMs))
  if (place.timer !== undefined) clock.clearTimeout(place.timer)
  place.timer = clock.setTimeout(() => {
    place.timer = undefined
    place.askedMs = undefined
    place.pass = look(passes, place)
  }, afterMs)
}

async function look(passes: Passes, place: Place): Promise<void> {
  const { deps, sweep, signal = AbortSignal.abort() } = passes
  const swept = await sweep(place.endpoint, signal).catch((error: unknown) => {
    const { address } = place.endpoint
    deps.log.debug({ address, error: errorMessage(error) }, 'cannot remove orphaned data from a broker, retrying')
    return { isComplete: false, isEmpty: false }
  })
  place.pass = undefined
  const pauseMs = nextPauseMs(passes, place, swept)
  if (pauseMs === undefined) passes.places.delete(placeOf(place.endpoint))
  else request(passes, place, Math.min(place.askedMs ?? Infinity, pauseMs))
}

/** Undefined: the broker is forgotten. */
function nextPauseMs({ deps }: Passes, place: Place, { isComplete, isEmpty }: Swept): number | undefined {
  const { clock, log, everyMs = 3_600_000 } = deps
  const { address, keyPrefix } = place.endpoint
  const isNamed = deps.taskBrokers.list().some(({ spec }) => spec.standalone.address === address && spec.keyPrefix === keyPrefix)
  place.unnamedSinceMs = isNamed ? undefined : (place.unnamedSinceMs ?? clock.monotonicNow())
  // Objects that still have records at a broker which nobody names are likely to go too.
  const isDone = isNamed ? isComplete : isEmpty
  place.failures = isDone ? 0 : place.failures + 1
  if (isDone) return isNamed ? everyMs : undefined
  if (place.unnamedSinceMs !== undefined && clock.monotonicNow() - place.unnamedSinceMs >= patienceMs) {
    log.warn({ address, keyPrefix }, 'gave up removing orphaned data from a broker that no TaskBroker names; creating one continues it')
    return undefined
  }
  return Math.min(firstRetryMs * 2 ** (place.failures - 1), isNamed ? longestRetryMs.named : longestRetryMs.unnamed)
}

function placeOf({ address, keyPrefix }: BrokerEndpoint): string {
  return `${address} ${keyPrefix}`
}
