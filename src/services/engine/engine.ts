import type { Broker, BrokerEndpoint, DispatchProof } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import {
  type BrokerClock,
  type BrokerConnection,
  type Brokers,
  createBrokerConnection,
  type DispatchLease,
  dispatchLeaseAt,
  type DispatchLeaseDeps,
  isBrokerFailure,
} from '../brokers/index.ts'
import { keepStatusMs, retryMs, type Situation } from './situation.ts'
import { type Kind, type Memory, visitRecord, type VisitReport, type VisitResult } from './visit.ts'

/** What is remembered of an object between two looks: its record, the connection to its broker, and since when its lease is undecided. */
export type ObjectMemory<Record> = Memory<Record> & {
  readonly connection: BrokerConnection
  undecidedSinceMs: number | undefined
  /** Nothing is left in the broker that this cluster has to remove: a deletion is seen twice, when it begins and when the object is gone. */
  isRemoved?: boolean
}

/** Where a visit acts, and with which proof. */
export type Site = { readonly broker: Broker; readonly proof: DispatchProof; readonly signal: AbortSignal }

/** What stops a visit is a situation of the kind's own. */
type Named = { readonly kind: string }
type Context = { readonly signal: AbortSignal; readonly log: Logger }

/**
 * What has become of a look at an object. `Driven`: nothing prevents it. `Failed`: an error that the broker did not cause; throw it after
 * what happened is reported. The rest are situations of all kinds, and of this one.
 */
export type Driven<Happened, Stop extends Named> = {
  /** Nothing is left to do until something happens. */
  readonly isWaiting?: boolean
  readonly situation: Situation | Stop | { readonly kind: 'Driven' } | { readonly kind: 'Failed'; readonly error: unknown }
  readonly againAfterMs?: number | undefined
  readonly happened: readonly Happened[]
}

/** `isComplete`: nothing is left in the broker that this cluster has to remove. */
export type Removal<Happened> = { readonly isComplete: boolean; readonly happened: readonly Happened[] }

/**
 * The engine of everything that is recorded in a broker: dispatch lease, connection, fencing, retries and removal, for all kinds alike.
 *
 * Guarantees: those of `visitRecord`. An object is driven only with the dispatch lease of its namespace. What was learned
 * through a lost connection is forgotten. Nothing here calls back: what happened comes back as values.
 */
export type Engine = {
  /** `onReturn`: the broker was away and is there again, perhaps with less than it had. */
  remember<Record>(onReturn?: () => void): ObjectMemory<Record>
  /** By the caches; `brokerKey` is `namespace/name` of the TaskBroker. */
  leaseAt(brokerKey: string): DispatchLease
  drive<Record, Observed extends { readonly record: Record }, Action, Happened, Stop extends Named>(
    memory: ObjectMemory<Record>,
    brokerKey: string,
    kindAt: (site: Site) => Kind<Record, Observed, Action, Happened, Stop>,
    context: Context,
  ): Promise<Driven<Happened, Stop>>
  /**
   * The object is being deleted or gone: with a kind whose wish is the deletion, until nothing is recorded; and the connection is given back.
   * Once that is complete it costs nothing, until the object is driven again.
   */
  remove<Record, Observed extends { readonly record: Record }, Action, Happened, Stop extends Named>(
    memory: ObjectMemory<Record>,
    brokerKey: string,
    kindAt: (site: Site) => Kind<Record, Observed, Action, Happened, Stop>,
    context: Context,
  ): Promise<Removal<Happened>>
  /** Whether the status that was written stays as it is: the lease has been undecided for less than 10 s. */
  isUndecided(memory: ObjectMemory<unknown>): boolean
  /** The broker's time, in Unix milliseconds; without a connection this process's own. */
  now(memory: ObjectMemory<unknown>): number
}

export type EngineDeps = DispatchLeaseDeps & {
  readonly brokers: Pick<Brokers, 'acquire'>
  readonly brokerClock: BrokerClock
  readonly clock: Pick<Clock, 'now' | 'monotonicNow'>
}

export function createEngine(deps: EngineDeps): Engine {
  const { brokers, brokerClock, clock } = deps
  return {
    remember<Record>(onReturn?: () => void) {
      const forget = () => void (memory.record = undefined)
      const connection = createBrokerConnection(brokers, forget, onReturn)
      const memory: ObjectMemory<Record> = { record: undefined, connection, undecidedSinceMs: undefined }
      return memory
    },
    leaseAt: (brokerKey) => dispatchLeaseAt(deps, brokerKey),
    async drive(memory, brokerKey, kindAt, { signal }) {
      memory.isRemoved = false
      const lease = dispatchLeaseAt(deps, brokerKey)
      const driven =
        lease.kind === 'Held' ? await driveWith(deps, memory, lease, kindAt, signal) : await standBy(deps, memory, brokerKey, lease)
      if (driven.situation.kind !== 'Pending') memory.undecidedSinceMs = undefined
      else memory.undecidedSinceMs ??= clock.monotonicNow()
      return driven
    },
    async remove(memory, ...request) {
      if (memory.isRemoved === true) return { isComplete: true, happened: [] }
      const removal = await removeObject(deps, memory, ...request)
      memory.isRemoved = removal.isComplete
      return removal
    },
    isUndecided({ undecidedSinceMs }) {
      return undecidedSinceMs !== undefined && clock.monotonicNow() - undecidedSinceMs < keepStatusMs
    },
    now: ({ connection: { broker } }) => (broker === undefined ? clock.now() : brokerClock.now(broker)),
  }
}

async function removeObject<Record, Observed extends { readonly record: Record }, Action, Happened, Stop extends Named>(
  deps: EngineDeps,
  memory: ObjectMemory<Record>,
  brokerKey: string,
  kindAt: (site: Site) => Kind<Record, Observed, Action, Happened, Stop>,
  { signal, log }: Context,
): Promise<Removal<Happened>> {
  const happened: Happened[] = []
  try {
    const lease = dispatchLeaseAt(deps, brokerKey)
    // On standby another cluster removes or continues it.
    if (lease.kind !== 'Held') return { isComplete: lease.kind === 'Standby', happened }
    const broker = await memory.connection.connectTo(lease.endpoint)
    const site = { broker, proof: lease.proof, signal }
    const report = await removeRecord(kindAt(site), memory, site)
    happened.push(...report.happened)
    if (report.result.kind === 'Failed') throw report.result.error
    return { isComplete: report.result.kind !== 'Fenced', happened }
  } catch (error) {
    signal.throwIfAborted()
    log.warn({ error: errorMessage(error) }, 'a deleted object leaves orphaned data in its broker, which is removed later')
    return { isComplete: false, happened }
  } finally {
    await memory.connection.release()
  }
}

/** Visits until there is nothing more to do, however many steps that takes. */
export async function removeRecord<Record, Observed extends { readonly record: Record }, Action, Happened, Stop extends Named>(
  kind: Kind<Record, Observed, Action, Happened, Stop>,
  memory: Memory<Record>,
  site: Pick<Site, 'proof' | 'signal'>,
): Promise<VisitReport<Happened, Stop>> {
  const happened: Happened[] = []
  for (;;) {
    const report = await visitRecord(kind, memory, site)
    happened.push(...report.happened)
    if (report.result.kind !== 'Busy') return { result: report.result, happened }
  }
}

async function driveWith<Record, Observed extends { readonly record: Record }, Action, Happened, Stop extends Named>(
  { brokerClock }: EngineDeps,
  memory: ObjectMemory<Record>,
  { endpoint, proof }: { readonly endpoint: BrokerEndpoint; readonly proof: DispatchProof },
  kindAt: (site: Site) => Kind<Record, Observed, Action, Happened, Stop>,
  signal: AbortSignal,
): Promise<Driven<Happened, Stop>> {
  const broker = await memory.connection.connectTo(endpoint)
  const { result, happened } = await visitRecord(kindAt({ broker, proof, signal }), memory, { proof, signal })
  return { ...outcomeOf(result, () => brokerClock.now(broker)), happened }
}

function outcomeOf<Stop extends Named>(result: VisitResult<Stop>, now: () => number): Omit<Driven<never, Stop>, 'happened'> {
  switch (result.kind) {
    case 'Waiting': {
      const againAfterMs = result.untilMs === undefined ? undefined : Math.max(0, result.untilMs - now())
      return { situation: { kind: 'Driven' }, isWaiting: true, againAfterMs }
    }
    case 'Fenced':
      return { situation: { kind: 'Pending' }, againAfterMs: retryMs.fenced }
    case 'Stopped':
      return { situation: result.stopped, againAfterMs: result.againAfterMs }
    case 'Failed':
      return failureOf(result.error)
    case 'Busy':
    case 'Deleted':
    case 'Unwanted':
      return { situation: { kind: 'Driven' }, againAfterMs: 0 }
  }
}

function failureOf<Stop extends Named>(error: unknown): Omit<Driven<never, Stop>, 'happened'> {
  if (hasCode(error, 'TM_LEDGER_UNREADABLE')) {
    return { situation: { kind: 'Unreadable', message: errorMessage(error) }, againAfterMs: retryMs.unreadable }
  }
  if (!isBrokerFailure(error)) return { situation: { kind: 'Failed', error } }
  return { situation: { kind: 'Unreachable', message: errorMessage(error) }, againAfterMs: retryMs.unreachable }
}

/** Without the lease nothing is done, and what was known of the record may change at any time. */
async function standBy(
  deps: EngineDeps,
  memory: ObjectMemory<unknown>,
  brokerKey: string,
  lease: Exclude<DispatchLease, { readonly kind: 'Held' }>,
): Promise<Driven<never, never>> {
  memory.record = undefined
  if (lease.kind === 'NoBroker') await memory.connection.release()
  if (lease.kind !== 'Pending') return { situation: lease, happened: [] }
  return { situation: await explainPending(deps, memory, brokerKey), againAfterMs: retryMs.undecided, happened: [] }
}

/** A claim without an answer for 5 s: the broker is away, which only asking it can tell, or it has just been asked. */
async function explainPending(deps: EngineDeps, memory: ObjectMemory<unknown>, brokerKey: string): Promise<Situation> {
  const place = deps.directory.get(brokerKey)
  const nowMs = deps.clock.monotonicNow()
  memory.undecidedSinceMs ??= nowMs
  if (place.kind !== 'Known' || nowMs - memory.undecidedSinceMs < retryMs.undecided) return { kind: 'Pending' }
  try {
    const broker = await memory.connection.connectTo(place.endpoint)
    await broker.readLedgers([])
    return { kind: 'Pending' }
  } catch (error) {
    return { kind: 'Unreachable', message: errorMessage(error) }
  }
}
