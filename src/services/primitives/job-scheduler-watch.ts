import type { BrokerEndpoint, JobSchedulerRef } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { Brokers } from '../brokers/index.ts'
import { createSubscriptions, type ChangeSource, idOf, type Reader, type ReaderContext, type Subscription } from '../signals/index.ts'

/** The job scheduler of one schedule as it was seen last; without a version there was none. */
export type SeenJobScheduler = JobSchedulerRef & { readonly version: string | undefined }

/**
 * Finds out when job schedulers are no longer as they were seen: a worker has made the next job, or somebody has edited or removed one.
 *
 * Guarantees: each is confirmed about every 30 s, or every second per hundred of them at a broker, the one that was seen longest ago first. At most one
 * round trip a second and broker, however many there are.
 * Does not: learn of runs that fall due or end; their times and the done queue tell those at once.
 */
export type JobSchedulerWatch = {
  /** Replaces what was seen of this schedule (`namespace/name`) before. */
  watch(schedule: string, endpoint: BrokerEndpoint, seen: SeenJobScheduler): void
  forget(schedule: string): void
  /** Keys of the schedules whose scheduler is another. */
  readonly changes: ChangeSource
  stop(): Promise<void>
}

export type JobSchedulerWatchDeps = { readonly brokers: Pick<Brokers, 'acquire'>; readonly clock: Clock; readonly log: Logger }

type Watched = Subscription & { readonly seen: SeenJobScheduler }

const confirmedWithinMs = 30_000
const pauseMs = 1_000
const mostPerRead = 100
const kind = 'TaskSchedule'

export function createJobSchedulerWatch({ brokers, clock, log }: JobSchedulerWatchDeps): JobSchedulerWatch {
  const book = createSubscriptions<Watched, Reader<Watched>>({
    what: 'versions of job schedulers',
    brokers,
    clock,
    log,
    retryMs: pauseMs,
    isSame: ({ seen: a }, { seen: b }) => a.queue === b.queue && a.id === b.id && a.version === b.version,
    openReader: openReader,
  })
  const subscriberOf = (key: string) => ({ kind, key })
  return {
    watch: (key, endpoint, seen) => book.subscribe({ subscriber: subscriberOf(key), endpoint, seen }),
    forget: (key) => book.unsubscribe(subscriberOf(key)),
    changes: book.changesOf(kind),
    stop: book.stop,
  }
}

function openReader(context: ReaderContext<Watched>): Reader<Watched> {
  /** The one that was looked at, or seen, longest ago comes first. */
  const order = new Set<string>()
  const toTheEnd = (id: string): void => {
    order.delete(id)
    order.add(id)
  }
  const pauseNow = (): number => Math.max(pauseMs, confirmedWithinMs / Math.max(1, order.size))
  return {
    update(before, after) {
      if (after === undefined) return void (before !== undefined && order.delete(idOf(before.subscriber)))
      toTheEnd(idOf(after.subscriber))
      context.requestReadAfter(pauseNow())
    },
    async read() {
      const { subscriptions, broker } = context
      const count = Math.min(mostPerRead, Math.ceil((order.size * pauseNow()) / confirmedWithinMs))
      const ids = firstOf(order, count)
      const watched = ids.flatMap((id) => subscriptions.get(id) ?? [])
      const versions = await broker.readJobSchedulerVersions(watched.map(({ seen }) => seen))
      if (!context.isOpen()) return
      for (const id of ids) if (order.has(id)) toTheEnd(id)
      for (const [index, { subscriber, seen }] of watched.entries()) {
        // What was seen meanwhile is newer.
        if (versions[index] !== seen.version && subscriptions.get(idOf(subscriber))?.seen === seen) context.announce(subscriber)
      }
      context.requestReadAfter(pauseNow())
    },
  }
}

function firstOf(all: ReadonlySet<string>, count: number): readonly string[] {
  const first: string[] = []
  for (const each of all) {
    if (first.length === count) break
    first.push(each)
  }
  return first
}
