import type { Broker, BrokerEndpoint, DispatchClaim, DispatchProof } from '../../broker/index.ts'
import type { Clock, TimerHandle } from '../../clock/index.ts'
import { dispatcherName, doneQueue, type OwnerMarker } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import { type Brokers, type DispatchLeaseDeps, dispatchLeaseIn, fingerprintOf } from '../brokers/index.ts'
import { findEnds } from '../tracking/index.ts'
import { type RemovalDeps, removeOrphan } from './remove-orphan.ts'

/**
 * Removes from brokers the data of schedules, runs and TaskQueues that are gone: objects deleted while no operator looked, and whole
 * namespaces.
 *
 * Guarantees: only data that this cluster wrote last, in watched namespaces, is removed, only with the dispatch lease there, and not if its
 * deletion policy is `Orphan`. An object that comes back meanwhile keeps its record. A broker costs one pass when a leader first meets it,
 * and one an hour.
 */
export type OrphanedData = {
  readonly name: string
  /** Until the signal aborts. Once. */
  start(signal: AbortSignal): void
  readonly stopped: Promise<void>
  /** Adds a broker through which this process may dispatch; the first time in a term a pass begins at once. */
  watchBroker(endpoint: BrokerEndpoint): void
  /** Some object could not remove its data itself: a pass over all known brokers begins after 1 s. */
  lookAgain(): void
}

export type OrphanedDataDeps = RemovalDeps &
  Pick<DispatchLeaseDeps, 'directory' | 'dispatchLeases'> & {
    readonly taskBrokers: Parameters<typeof dispatchLeaseIn>[0]['taskBrokers']
    readonly brokers: Brokers
    readonly clock: Clock
    /** UID of kube-system. */
    readonly cluster: string
    /** Who claims: as for the dispatch leases. */
    readonly holder: string
    readonly by: string
    readonly epoch: () => number
    readonly isWatched: (namespace: string) => boolean
    /** Where TaskExecutions that are gone are noted, by `namespace/name`: one that comes under the name is another run. */
    readonly deletedRuns: { add(key: string): void }
    /** Default an hour. */
    readonly everyMs?: number
  }

/** After an object asked for it; and after a pass that failed. */
const soonMs = 1_000
const retryMs = 15_000
const patienceMs = 30_000

/** What is known of the brokers, from pass to pass. */
type Passes = {
  readonly deps: OrphanedDataDeps
  /** By fingerprint. */
  readonly known: Map<string, BrokerEndpoint>
  readonly due: Set<string>
  /** Jobs that run although their owner is gone, by broker and done queue: their ends have to be removed when they come. */
  readonly running: Map<string, Map<string, Set<string>>>
  signal: AbortSignal
}

export function createOrphanedData(deps: OrphanedDataDeps): OrphanedData {
  const { clock, everyMs = 3_600_000 } = deps
  const passes: Passes = { deps, known: new Map(), due: new Set(), running: new Map(), signal: AbortSignal.abort() }
  /** A broker became due while a pass ran. */
  let isNew = false
  const stopped = Promise.withResolvers<void>()
  let pass: Promise<void> | undefined
  let timer: TimerHandle | undefined

  const wake = (afterMs: number) => {
    if (passes.signal.aborted) return
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = clock.setTimeout(() => {
      timer = undefined
      pass ??= run().finally(() => (pass = undefined))
    }, afterMs)
  }

  async function run(): Promise<void> {
    isNew = false
    await lookAtDueBrokers(passes)
    if (passes.due.size > 0) return wake(isNew ? soonMs : retryMs)
    for (const id of passes.known.keys()) passes.due.add(id)
    wake(everyMs)
  }

  return {
    name: 'orphaned data',
    start(until) {
      passes.signal = until
      const end = () => {
        if (timer !== undefined) clock.clearTimeout(timer)
        Promise.resolve(pass).then(() => stopped.resolve(), stopped.reject)
      }
      until.addEventListener('abort', end, { once: true })
      wake(0)
    },
    stopped: stopped.promise,
    watchBroker(endpoint) {
      if (!addBroker(passes, endpoint)) return
      isNew = true
      if (pass === undefined) wake(0)
    },
    lookAgain() {
      for (const id of passes.known.keys()) passes.due.add(id)
      isNew = true
      if (pass === undefined) wake(soonMs)
    },
  }
}

/** Returns whether it is new. Other credentials for the same place take the place of the former ones. */
function addBroker({ known, due }: Passes, endpoint: BrokerEndpoint): boolean {
  const id = fingerprintOf(endpoint)
  if (known.has(id)) return false
  for (const [other, { address, keyPrefix }] of known) {
    if (address === endpoint.address && keyPrefix === endpoint.keyPrefix) known.delete(other)
  }
  known.set(id, endpoint)
  due.add(id)
  return true
}

/** A broker stays due if something is left to do there, or if it cannot be reached. */
async function lookAtDueBrokers(passes: Passes): Promise<void> {
  const { deps, known, due, signal } = passes
  for (const id of [...due]) {
    const endpoint = known.get(id)
    due.delete(id)
    if (endpoint === undefined || signal.aborted) continue
    try {
      if (!(await lookAtBroker(passes, endpoint))) due.add(id)
    } catch (error) {
      due.add(id)
      deps.log.debug({ address: endpoint.address, error: errorMessage(error) }, 'cannot remove orphaned data from a broker, retrying')
    }
  }
}

/** Returns whether nothing is left to do. */
async function lookAtBroker(passes: Passes, endpoint: BrokerEndpoint): Promise<boolean> {
  const { deps, signal } = passes
  const { broker, release } = deps.brokers.acquire(endpoint)
  try {
    let isComplete = true
    let cursor = '0'
    do {
      const page = await broker.listOwners(deps.installation, cursor)
      for (const [owner, marker] of page.owners) {
        if (isOrphaned(deps, marker)) isComplete = (await removeFrom(passes, endpoint, broker, owner, marker)) && isComplete
      }
      cursor = page.cursor
    } while (cursor !== '0' && !signal.aborted)
    return (await removeLateEnds(passes, broker, fingerprintOf(endpoint))) && isComplete
  } finally {
    await release()
  }
}

function isOrphaned(deps: OrphanedDataDeps, { cluster, kind, namespace, name, deletionPolicy }: OwnerMarker): boolean {
  const isOurs = cluster === deps.cluster && deletionPolicy === 'Delete'
  return isOurs && deps.isWatched(namespace) && !deps.exists(kind, namespace, name)
}

/** With the dispatch lease of the namespace, or, if no TaskBroker there asks for it, with one that is claimed for a moment. */
async function removeFrom(passes: Passes, endpoint: BrokerEndpoint, broker: Broker, owner: string, marker: OwnerMarker): Promise<boolean> {
  const { deps } = passes
  const { namespace } = marker
  if (marker.kind === 'TaskExecution') deps.deletedRuns.add(`${namespace}/${marker.name}`)
  const removeWith = async (proof: DispatchProof): Promise<boolean> => {
    const { isComplete, stillRunning } = await removeOrphan(deps, { broker, proof, owner, marker, signal: passes.signal })
    expectEnds(passes, fingerprintOf(endpoint), doneQueue(deps.installation, namespace), stillRunning)
    return isComplete
  }
  const lease = dispatchLeaseIn(deps, namespace, endpoint)
  if (lease.kind === 'Held') return removeWith(lease.proof)
  // Where another cluster dispatches, it removes this, or continues it.
  if (lease.kind !== 'Unclaimed') return lease.kind === 'Standby'
  const proof = { dispatcher: dispatcherName(deps.installation, namespace), epoch: deps.epoch(), holder: deps.holder }
  const claim: DispatchClaim = { ...proof, by: deps.by, patienceMs }
  const [answer] = await broker.claimDispatch([claim])
  if (answer?.kind !== 'Held') return answer?.kind === 'HeldByOther'
  try {
    return await removeWith(proof)
  } finally {
    // Unless a user has created a TaskBroker there meanwhile, which holds the lease now.
    if (dispatchLeaseIn(deps, namespace, endpoint).kind === 'Unclaimed') await broker.releaseDispatch(proof)
  }
}

function expectEnds({ running }: Passes, id: string, queue: string, jobs: readonly string[]): void {
  if (jobs.length === 0) return
  const queues = running.get(id) ?? new Map<string, Set<string>>()
  running.set(id, queues.set(queue, new Set([...(queues.get(queue) ?? []), ...jobs])))
}

/** Returns whether all have come. No ledger waits for them, so that no proof is needed. */
async function removeLateEnds({ running }: Passes, broker: Broker, id: string): Promise<boolean> {
  const queues = running.get(id) ?? new Map<string, Set<string>>()
  const found = await Promise.all([...queues].map(([queue, jobs]) => findEnds(broker, queue, ({ id: job }) => jobs.has(job))))
  const come = found.flatMap(({ wanted }) => wanted)
  if (come.length > 0) await broker.acknowledgeEnded(come)
  for (const job of come) queues.get(job.doneQueue)?.delete(job.id)
  for (const [queue, jobs] of queues) if (jobs.size === 0) queues.delete(queue)
  return queues.size === 0
}
