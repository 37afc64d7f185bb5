import type { BrokerEndpoint, PlacedRef, PlacedState } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { Brokers } from '../brokers/index.ts'
import { createSubscriptions, type ChangeSource, idOf, type Reader, type ReaderContext, type Subscription } from '../signals/index.ts'
import { subscriberOf } from './tracking.ts'

/**
 * Where placed jobs are that have not ended: in their queue, or active in a worker. It is for people: nothing is decided by it, but who misses a
 * job here looks for it.
 *
 * Guarantees: a job is looked at 2 s after it is named, then at intervals that double up to 30 s, so that a short job costs nothing and a long
 * one next to nothing. Jobs that are due within a second of each other share a round trip per broker.
 * Does not: learn of ends (`Tracking` does, at once), or say that a broker is away: what was found last stays.
 */
export type Whereabouts = {
  /** Looks for these jobs of one owner until others are named. The same jobs again cost nothing. */
  follow(owner: string, endpoint: BrokerEndpoint, refs: readonly PlacedRef[]): void
  forget(owner: string): void
  /** What was found last, by the job's id; a job that was not looked at yet is missing. */
  of(owner: string): ReadonlyMap<string, PlacedState>
  /** Keys of the objects of that kind whose jobs were looked at. */
  changesOf(kind: 'TaskExecution' | 'TaskSchedule'): ChangeSource
  stop(): Promise<void>
}

export type WhereaboutsDeps = { readonly brokers: Pick<Brokers, 'acquire'>; readonly clock: Clock; readonly log: Logger }

type PlacedSubscription = Subscription & { readonly refs: readonly PlacedRef[] }

/** What is known of the jobs of one subscriber. */
type Look = { found: ReadonlyMap<string, PlacedState>; intervalMs: number; dueAtMs: number }

type Lookout = Omit<WhereaboutsDeps, 'brokers'> & {
  readonly context: ReaderContext<PlacedSubscription>
  /** By `idOf`. */
  readonly looks: Map<string, Look>
}

type PlacedReader = Reader<PlacedSubscription> & { found(id: string): ReadonlyMap<string, PlacedState> | undefined }

const firstMs = 2_000
const longestMs = 30_000
/** Jobs that are due within this time are looked at together. */
const togetherMs = 1_000
const nothing: ReadonlyMap<string, PlacedState> = new Map()

export function createWhereabouts({ brokers, clock, log }: WhereaboutsDeps): Whereabouts {
  const book = createSubscriptions<PlacedSubscription, PlacedReader>({
    what: 'whereabouts of jobs',
    brokers,
    clock,
    log,
    retryMs: firstMs,
    isSame: (a, b) => idsOf(a) === idsOf(b),
    openReader(context) {
      const lookout: Lookout = { clock, log, context, looks: new Map() }
      return {
        update: (before, after) => update(lookout, before, after),
        read: () => lookAtDue(lookout),
        found: (id) => lookout.looks.get(id)?.found,
      }
    },
  })
  return {
    follow: (owner, endpoint, refs) => book.subscribe({ subscriber: subscriberOf(owner), endpoint, refs }),
    forget: (owner) => book.unsubscribe(subscriberOf(owner)),
    of: (owner) => book.find(subscriberOf(owner))?.reader.found(idOf(subscriberOf(owner))) ?? nothing,
    changesOf: book.changesOf,
    stop: book.stop,
  }
}

function update({ clock, context, looks }: Lookout, before: PlacedSubscription | undefined, after: PlacedSubscription | undefined): void {
  if (after === undefined) return void (before !== undefined && looks.delete(idOf(before.subscriber)))
  const id = idOf(after.subscriber)
  const known = looks.get(id)
  // What was known of jobs that are still there stays until they are looked at again. Jobs that come every second do not postpone the look.
  const dueAtMs = Math.min(known?.dueAtMs ?? Infinity, clock.monotonicNow() + firstMs)
  looks.set(id, { found: known?.found ?? nothing, intervalMs: 2 * firstMs, dueAtMs })
  context.requestReadAfter(firstMs)
}

async function lookAtDue(lookout: Lookout): Promise<void> {
  const { clock, context, looks } = lookout
  const nowMs = clock.monotonicNow()
  const due = [...looks].filter(([, { dueAtMs }]) => dueAtMs <= nowMs + togetherMs)
  for (const [, look] of due) {
    look.dueAtMs = nowMs + look.intervalMs
    look.intervalMs = Math.min(2 * look.intervalMs, longestMs)
  }
  await Promise.all(due.map(([id, look]) => lookAt(lookout, id, look)))
  if (!context.isOpen()) return
  const earliestMs = [...looks.values()].reduce((earliest, { dueAtMs }) => Math.min(earliest, dueAtMs), Infinity)
  context.requestReadAfter(earliestMs - clock.monotonicNow())
}

/** One owner's jobs that cannot be looked at do not keep those of others from it. */
async function lookAt({ context, log, looks }: Lookout, id: string, look: Look): Promise<void> {
  const subscription = context.subscriptions.get(id)
  if (subscription === undefined) return
  try {
    const states = await context.broker.lookAtPlaced(subscription.refs)
    // Other jobs were named meanwhile.
    if (looks.get(id) !== look) return
    look.found = new Map(states.map((state) => [state.id, state]))
    context.announce(subscription.subscriber)
  } catch (error) {
    log.debug({ ...subscription.subscriber, error: errorMessage(error) }, 'cannot find out where jobs are, retrying later')
  }
}

function idsOf({ refs }: PlacedSubscription): string {
  return refs.map(({ id }) => id).join('\n')
}
