import type { Broker, BrokerEndpoint, DispatchProof, EndedJob } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { parseOwner } from '../../contract/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { Brokers } from '../brokers/index.ts'
import {
  createSubscriptions,
  type ChangeSource,
  idOf,
  type Reader,
  type ReaderContext,
  type Signals,
  type Subscriber,
  type Subscription,
} from '../signals/index.ts'

/** A done queue of a broker: the ends of the tracked jobs of one namespace arrive there. */
export type DoneQueue = { readonly doneQueue: string; readonly endpoint: BrokerEndpoint }

/** Whose ends are to be known: a ledger or a run, by its name in the broker. */
export type TrackedOwner = DoneQueue & { readonly owner: string }

/**
 * Learns within milliseconds when a tracked job has ended, whichever worker ran it.
 *
 * Guarantees: an end stays known until it is acknowledged, and is read again after a restart. One stream read watches the done queues of all
 * owners of a broker, and nothing is read while nothing ends. Ends of a schedule or run that is gone, ledger or log and all, are removed.
 * Does not: record anything.
 */
export type Tracking = {
  /**
   * Watches this done queue for a TaskBroker until it is taken back (undefined), whether anybody tracks an owner or not: jobs of a deleted
   * owner end too. The same queue again costs nothing.
   */
  watch(brokerKey: string, queue: DoneQueue | undefined): void
  /** The same values again cost nothing. */
  track(tracked: TrackedOwner): void
  untrack(owner: string): void
  /** The ends that are known and not acknowledged. */
  ended(owner: string): readonly EndedJob[]
  /** Whether ends of an untracked owner are known. */
  hasUnclaimed(owner: string): boolean
  /** These jobs' ends are recorded, and their done jobs were removed. */
  acknowledged(owner: string, ids: readonly string[]): void
  /**
   * Keys of the objects of that kind for which ends have arrived; also of those that do not track them, as long as the object is not gone:
   * ends that are never acknowledged delay those of others.
   */
  changesOf(kind: 'TaskSchedule' | 'TaskExecution'): ChangeSource
  stop(): Promise<void>
}

export type TrackingDeps = {
  readonly brokers: Pick<Brokers, 'acquire'>
  readonly signals: Pick<Signals, 'subscribe' | 'unsubscribe' | 'changesOf'>
  readonly clock: Clock
  readonly log: Logger
  /** Whether the object of this ledger or run is known not to exist. */
  readonly isGone: (owner: string) => boolean
  /** The proof of the dispatch lease of that namespace there; undefined: this process does not hold it, and removes nothing. */
  readonly proofIn: (namespace: string, endpoint: BrokerEndpoint) => DispatchProof | undefined
}

type DoneQueueSubscription = Subscription & DoneQueue

type EndsReader = Reader<DoneQueueSubscription> &
  Pick<Tracking, 'ended' | 'acknowledged'> & { readonly id: string; readonly requestRead: () => void }

type Ends = Pick<TrackingDeps, 'isGone' | 'proofIn' | 'log'> & {
  readonly context: ReaderContext<DoneQueueSubscription>
  readonly doneQueue: string
  byOwner: Map<string, readonly EndedJob[]>
  /** The queue holds more ends than were read. */
  isTruncated: boolean
}

const retryMs = 2_000
/** As many ends as are worked on at once. */
const enoughEnds = 100

export function createTracking({ brokers, signals, clock, log, isGone, proofIn }: TrackingDeps): Tracking {
  const book = createSubscriptions<DoneQueueSubscription, EndsReader>({
    what: 'ends of jobs',
    brokers,
    clock,
    log,
    retryMs,
    partOf: ({ doneQueue }) => doneQueue,
    isSame: () => true,
    openReader: (context, { doneQueue }) =>
      openEnds({ context, doneQueue, isGone, proofIn, log, byOwner: new Map(), isTruncated: false }, signals),
  })
  const endListening = signals.changesOf(doneQueueKind).onChange((id) => {
    for (const reader of book.readers()) if (reader.id === id) reader.requestRead()
  })
  return {
    watch(brokerKey, queue) {
      const subscriber = { kind: 'TaskBroker', key: brokerKey }
      if (queue === undefined) book.unsubscribe(subscriber)
      else book.subscribe({ subscriber, ...queue })
    },
    track: ({ owner, doneQueue, endpoint }) => book.subscribe({ subscriber: subscriberOf(owner), doneQueue, endpoint }),
    untrack: (owner) => book.unsubscribe(subscriberOf(owner)),
    ended: (owner) => book.find(subscriberOf(owner))?.reader.ended(owner) ?? [],
    hasUnclaimed(owner) {
      if (book.find(subscriberOf(owner)) !== undefined) return false
      return book.readers().some((reader) => reader.ended(owner).length > 0)
    },
    acknowledged: (owner, ids) => book.find(subscriberOf(owner))?.reader.acknowledged(owner, ids),
    changesOf: book.changesOf,
    async stop() {
      endListening()
      await book.stop()
    },
  }
}

/** The kind under which a done queue subscribes to its own signals. */
const doneQueueKind = 'DoneQueue'

function openEnds(ends: Ends, signals: TrackingDeps['signals']): EndsReader {
  const { context, doneQueue } = ends
  const subscriber = { kind: doneQueueKind, key: context.id }
  signals.subscribe({ subscriber, endpoint: context.endpoint, queues: [doneQueue], watch: 'Always' })
  // What had ended before anybody asked.
  void context.requestRead()
  return {
    id: context.id,
    requestRead: () => void context.requestRead(),
    update(before, after) {
      // No tracker waits any more for the ends that are known of an owner: perhaps it is gone.
      if (before !== undefined && after === undefined && [...ends.byOwner.keys()].some((owner) => isOf(owner, before.subscriber))) {
        void context.requestRead()
      }
    },
    read: () => readEnds(ends),
    ended: (owner) => ends.byOwner.get(owner) ?? [],
    acknowledged: (owner, ids) => forgetEnds(ends, owner, ids),
    stop: () => signals.unsubscribe(subscriber),
  }
}

async function readEnds(ends: Ends): Promise<void> {
  const { context, doneQueue, isGone } = ends
  // What is acknowledged while it is read has to be looked at again.
  ends.isTruncated = true
  const { ended, truncated } = await findEnds(context.broker, doneQueue, ({ owner }) => isTracked(ends, owner))
  if (!context.isOpen()) return
  const before = ends.byOwner
  ends.isTruncated = truncated
  ends.byOwner = Map.groupBy(ended, ({ owner }) => owner)
  for (const [owner, jobs] of ends.byOwner) {
    const known = new Set(before.get(owner)?.map(({ id }) => id))
    const isNew = jobs.some(({ id }) => !known.has(id))
    if (isNew && (isTracked(ends, owner) || !isGone(owner))) context.announce(subscriberOf(owner))
  }
  await removeOrphanedEnds(ends)
}

function isTracked({ context }: Ends, owner: string): boolean {
  return context.subscriptions.has(idOf(subscriberOf(owner)))
}

/** Untracked ends whose object and record in the broker are gone: no owner will ever track them. Without the dispatch lease they stay. */
async function removeOrphanedEnds(ends: Ends): Promise<void> {
  const { byOwner, context, doneQueue, isGone, proofIn, log } = ends
  const untracked = [...byOwner.keys()].filter((owner) => !isTracked(ends, owner) && isGone(owner))
  const [first] = untracked
  if (first === undefined) return
  const orphaned = await withoutRecord(context.broker, untracked)
  const refs = orphaned.flatMap((orphanOf) => (byOwner.get(orphanOf) ?? []).map(({ id }) => ({ id, doneQueue, orphanOf })))
  const proof = proofIn(parseOwner(first).namespace, context.endpoint)
  if (refs.length === 0 || proof === undefined) return
  if ((await context.broker.acknowledgeEnded(refs, proof)) === 'Fenced') return
  for (const owner of orphaned) byOwner.delete(owner)
  log.info({ queue: doneQueue, jobs: refs.length }, 'removed ends of jobs whose schedule or run is gone')
}

/** Those of which the broker has neither a ledger nor a log. */
async function withoutRecord(broker: Broker, owners: readonly string[]): Promise<readonly string[]> {
  const isRun = (owner: string) => parseOwner(owner).kind === 'TaskExecution'
  const ledgers = owners.filter((owner) => !isRun(owner))
  const runs = owners.filter(isRun)
  const [{ stored }, logs] = await Promise.all([
    broker.readLedgers(ledgers),
    Promise.all(runs.map((run) => broker.readRun(run, Number.MAX_SAFE_INTEGER))),
  ])
  return [...ledgers.filter((_, index) => stored[index] === undefined), ...runs.filter((_, index) => logs[index]?.length === 0)]
}

function forgetEnds(ends: Ends, owner: string, ids: readonly string[]): void {
  const gone = new Set(ids)
  const left = (ends.byOwner.get(owner) ?? []).filter(({ id }) => !gone.has(id))
  if (left.length === 0) ends.byOwner.delete(owner)
  else ends.byOwner.set(owner, left)
  // There is room for ends that were not read.
  if (ends.isTruncated) void ends.context.requestRead()
}

/**
 * The ends in a done queue, oldest first, until enough wanted ones are among them: unwanted ends hide no wanted one.
 * `truncated`: there are more. An end that is removed from the queue meanwhile can hide another one; then ask again.
 */
export async function findEnds(
  broker: Pick<Broker, 'readEnded'>,
  doneQueue: string,
  isWanted: (job: EndedJob) => boolean,
): Promise<{ readonly ended: readonly EndedJob[]; readonly wanted: readonly EndedJob[]; readonly truncated: boolean }> {
  const found = new Map<string, EndedJob>()
  for (let from = 0; ;) {
    const page = await broker.readEnded([doneQueue], from)
    for (const job of page.ended) found.set(job.id, job)
    const ended = [...found.values()]
    const wanted = ended.filter(isWanted)
    if (page.next === undefined || wanted.length >= enoughEnds) return { ended, wanted, truncated: page.next !== undefined }
    from = page.next
  }
}

/** The object of a ledger or run. */
export function subscriberOf(owner: string): Subscriber {
  const { kind, namespace, name } = parseOwner(owner)
  return { kind, key: `${namespace}/${name}` }
}

function isOf(owner: string, subscriber: Subscriber): boolean {
  return idOf(subscriberOf(owner)) === idOf(subscriber)
}
