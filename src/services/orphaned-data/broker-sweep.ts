import type { Broker, BrokerEndpoint, DispatchClaim, DispatchProof, Portion } from '../../broker/index.ts'
import { dispatcherName, doneQueue, type OwnerMarker, parseOwner } from '../../contract/index.ts'
import { type Brokers, type DispatchLeaseDeps, dispatchLeaseIn } from '../brokers/index.ts'
import { isArchivable } from '../../graph/index.ts'
import { archiveRun } from '../runs/index.ts'
import { findEnds } from '../tracking/index.ts'
import { type Orphan, type OwnedKind, type RemovalDeps, removeOrphan } from './remove-orphan.ts'

export type BrokerSweepDeps = RemovalDeps &
  Pick<DispatchLeaseDeps, 'directory' | 'dispatchLeases'> & {
    readonly taskBrokers: Parameters<typeof dispatchLeaseIn>[0]['taskBrokers']
    readonly brokers: Pick<Brokers, 'acquire'>
    /** UID of kube-system. */
    readonly cluster: string
    /** Who claims: as for the dispatch leases. */
    readonly holder: string
    readonly by: string
    readonly epoch: () => number
    readonly isWatched: (namespace: string) => boolean
    /** Those of these objects that the API server has, by its own answer; rejects when it gives none. */
    readonly findThere: (kind: OwnedKind, namespace: string, names: readonly string[], signal: AbortSignal) => Promise<ReadonlySet<string>>
    /** Whether the API server has a TaskBroker of the namespace that names the endpoint; rejects when it does not answer. */
    readonly isNamed: (endpoint: BrokerEndpoint, namespace: string, signal: AbortSignal) => Promise<boolean>
    /** Where TaskExecutions that are gone are noted, by `namespace/name`: one that comes under the name is another run. */
    readonly deletedRuns: { add(key: string): void }
  }

/** How long another holder has to be silent to lose its lease to one that is claimed for a moment. */
const patienceMs = 30_000
/** So many owners are worked on at the same time. */
const ownersAtOnce = 16

type Owner = Pick<Orphan, 'owner' | 'marker'>

/** Jobs that run although their owner is gone, with the name of that owner: their ends have to be removed when they come. */
type Running = Map<string, string>

/** One pass over one broker, with the namespaces at it in which jobs of removed owners still run. */
type Pass = {
  readonly deps: BrokerSweepDeps
  readonly broker: Broker
  readonly endpoint: BrokerEndpoint
  readonly signal: AbortSignal
  readonly running: Map<string, Running>
  readonly spaces: Map<string, Space>
}

/** What a namespace has at the broker: records that stay, those of this cluster among them, and a dispatch lease that this cluster claimed last. */
type Space = { records: number; ownRecords: number; hasLease: boolean }

/** `isEmpty`: this cluster has nothing there any more. */
export type Swept = { readonly isComplete: boolean; readonly isEmpty: boolean }

/** Returns a function that looks through one broker: removes what is orphaned, archives old runs, and resolves with what is left there. */
export function createBrokerSweep(deps: BrokerSweepDeps): (endpoint: BrokerEndpoint, signal: AbortSignal) => Promise<Swept> {
  const runningAt = new Map<string, Map<string, Running>>()
  return async (endpoint, signal) => {
    const place = `${endpoint.address} ${endpoint.keyPrefix}`
    const running = runningAt.get(place) ?? new Map<string, Running>()
    const { broker, release } = deps.brokers.acquire(endpoint)
    const pass: Pass = { deps, broker, endpoint, signal, running, spaces: new Map() }
    try {
      const isComplete = await removeOrphans(pass)
      await removeLateEnds(pass)
      const isClosed = await closeSpaces(pass)
      const isDone = isComplete && isClosed && running.size === 0
      return {
        isComplete: isDone,
        isEmpty: isDone && [...pass.spaces.values()].every(({ ownRecords, hasLease }) => ownRecords === 0 && !hasLease),
      }
    } finally {
      if (running.size > 0) runningAt.set(place, running)
      else runningAt.delete(place)
      await release()
    }
  }
}

async function removeOrphans(pass: Pass): Promise<boolean> {
  const { deps, broker, signal } = pass
  let isComplete = true
  let cursor = '0'
  do {
    const page = await broker.listOwners(deps.installation, cursor)
    for (const owner of page.unreadable) spaceOf(pass, parseOwner(owner).namespace).records++
    const orphans: Owner[] = []
    const old: Owner[] = []
    for (const [owner, marker] of page.owners) {
      if (!isRecord(marker)) spaceOf(pass, marker.namespace).hasLease = isOurs(deps, marker)
      else if (isOrphaned(deps, marker)) orphans.push({ owner, marker })
      else {
        noteRecord(pass, marker)
        if (isOurs(deps, marker) && isArchivable(marker.endedAtMs ?? Infinity, deps.brokerClock.now(broker))) old.push({ owner, marker })
      }
    }
    const isRemoved = await inNamespaces(pass, await withoutObject(pass, orphans), removeOwner)
    const isArchived = await inNamespaces(pass, old, archiveOwner)
    isComplete &&= isRemoved && isArchived
    cursor = page.cursor
  } while (cursor !== '0' && !signal.aborted)
  return isComplete
}

/**
 * Those without an object. The cache may be behind; so the API server is asked, once for all of a kind in a namespace, after their markers were
 * read: an object is older than its marker.
 */
async function withoutObject(pass: Pass, owners: readonly Owner[]): Promise<readonly Owner[]> {
  const { deps, signal } = pass
  const gone: Owner[] = []
  for (const alike of Map.groupBy(owners, ({ marker: { namespace, kind } }) => `${kind} ${namespace}`).values()) {
    const [first] = alike
    if (first === undefined) continue
    const { kind, namespace } = first.marker
    const names = alike.map(({ marker: { name } }) => name)
    const there = await deps.findThere(kind, namespace, names, signal)
    for (const owner of alike) {
      if (there.has(owner.marker.name)) noteRecord(pass, owner.marker)
      else gone.push(owner)
    }
  }
  return gone
}

function isRecord(marker: OwnerMarker): marker is Owner['marker'] {
  return marker.kind !== 'Namespace'
}

function spaceOf({ spaces }: Pass, namespace: string): Space {
  const space: Space = spaces.get(namespace) ?? { records: 0, ownRecords: 0, hasLease: false }
  spaces.set(namespace, space)
  return space
}

/** A record that stays. */
function noteRecord(pass: Pass, marker: OwnerMarker): void {
  const space = spaceOf(pass, marker.namespace)
  space.records++
  if (isOurs(pass.deps, marker)) space.ownRecords++
}

/** A namespace leaves the broker when no TaskBroker of it names the broker any more, and no record is left. */
async function closeSpaces(pass: Pass): Promise<boolean> {
  const { deps, broker, endpoint, signal, spaces } = pass
  const { reachPoint = () => undefined } = deps
  let isComplete = true
  for (const [namespace, space] of spaces) {
    if (signal.aborted) return false
    isComplete = (await forgetUnusedQueues(pass, namespace)) && isComplete
    const mayClose = space.hasLease && space.records === 0 && dispatchLeaseIn(deps, namespace, endpoint).kind === 'Unclaimed'
    if (!mayClose || (await deps.isNamed(endpoint, namespace, signal))) continue
    const isDone = await withLeaseToClose(pass, namespace, async (proof) => {
      reachPoint('before close namespace')
      const isClosed = await inPortions(signal, (next) => broker.closeNamespace(proof, next))
      reachPoint('after close namespace')
      if (isClosed) deps.log.info({ namespace, address: endpoint.address }, 'removed what a namespace without a TaskBroker had')
      return isClosed
    })
    if (isDone) {
      spaces.delete(namespace)
      // The ends of jobs that still run come nowhere any more.
      pass.running.delete(namespace)
    }
    isComplete &&= isDone
  }
  return isComplete
}

/** Of a namespace in which this process dispatches: others look after theirs, and a closing leaves nothing. */
async function forgetUnusedQueues({ deps, broker, endpoint, signal }: Pass, namespace: string): Promise<boolean> {
  const lease = dispatchLeaseIn(deps, namespace, endpoint)
  if (lease.kind !== 'Held') return true
  return inPortions(signal, (next) => broker.forgetUnusedQueues(lease.proof, deps.brokerClock.now(broker), next))
}

/** Returns whether all of it is done. */
async function inPortions(signal: AbortSignal, work: (next: string | undefined) => Promise<Portion>): Promise<boolean> {
  let portion = await work(undefined)
  while (portion.outcome === 'More' && !signal.aborted) portion = await work(portion.next)
  return portion.outcome === 'Done'
}

/** By the cache. It may be behind, so that the API server is asked before anything is removed. */
function isOrphaned(deps: BrokerSweepDeps, { cluster, kind, namespace, name, deletionPolicy }: Owner['marker']): boolean {
  return isOurs(deps, { cluster, namespace }) && deletionPolicy === 'Delete' && !deps.exists(kind, namespace, name)
}

function isOurs(deps: BrokerSweepDeps, { cluster, namespace }: Pick<OwnerMarker, 'cluster' | 'namespace'>): boolean {
  return cluster === deps.cluster && deps.isWatched(namespace)
}

/** With the dispatch lease of the namespace, or, if no TaskBroker there asks for it, with one that is claimed for a moment. */
async function withLease(pass: Pass, namespace: string, act: (proof: DispatchProof) => Promise<boolean>): Promise<boolean> {
  const { deps, endpoint } = pass
  const lease = dispatchLeaseIn(deps, namespace, endpoint)
  if (lease.kind === 'Held') return act(lease.proof)
  // Where another cluster dispatches, it removes this, or continues it.
  if (lease.kind !== 'Unclaimed') return lease.kind === 'Standby'
  return withClaim(pass, namespace, 'Borrow', act)
}

/** A TaskBroker may come at any moment, and its schedules then dispatch with the same proof: its claim ends the closing. */
async function withLeaseToClose(pass: Pass, namespace: string, act: (proof: DispatchProof) => Promise<boolean>): Promise<boolean> {
  const { deps, endpoint } = pass
  if (dispatchLeaseIn(deps, namespace, endpoint).kind !== 'Unclaimed') return true
  return withClaim(pass, namespace, 'Close', act)
}

async function withClaim(
  { deps, broker, endpoint }: Pass,
  namespace: string,
  mode: 'Borrow' | 'Close',
  act: (proof: DispatchProof) => Promise<boolean>,
): Promise<boolean> {
  const proof = { dispatcher: dispatcherName(deps.installation, namespace), epoch: deps.epoch(), holder: deps.holder }
  const claim: DispatchClaim = { ...proof, by: deps.by, patienceMs, mode, cluster: deps.cluster }
  const [answer] = await broker.claimDispatch([claim])
  // What this cluster itself holds is about to be given back, or to fall silent; or it holds it through another address of this server.
  if (answer?.kind !== 'Held') return answer?.kind === 'HeldByOther' && answer.holder !== deps.holder
  try {
    return await act(proof)
  } finally {
    // Unless a user has created a TaskBroker there meanwhile, which holds the lease now.
    if (dispatchLeaseIn(deps, namespace, endpoint).kind === 'Unclaimed') await broker.releaseDispatch(proof)
  }
}

type WithOwner = (pass: Pass, proof: DispatchProof, owner: Owner) => Promise<boolean>

/** Does the same with each of these owners, many at a time, with the dispatch lease of their namespaces. Returns whether nothing is left to do. */
async function inNamespaces(pass: Pass, owners: readonly Owner[], act: WithOwner): Promise<boolean> {
  let isComplete = true
  for (const [namespace, own] of Map.groupBy(owners, ({ marker }) => marker.namespace)) {
    const isDone = await withLease(pass, namespace, async (proof) => {
      const left = [...own]
      const results: boolean[] = []
      const work = async () => {
        for (let next = left.pop(); next !== undefined && !pass.signal.aborted; next = left.pop())
          results.push(await act(pass, proof, next))
      }
      // When one of them fails, the others still use the lease and the connection, which are given back at the end.
      const ended = await Promise.allSettled(Array.from({ length: ownersAtOnce }, work))
      for (const each of ended) if (each.status === 'rejected') throw each.reason
      return left.length === 0 && !results.includes(false)
    })
    isComplete &&= isDone
  }
  return isComplete
}

function archiveOwner({ deps, broker }: Pass, proof: DispatchProof, { owner: run, marker }: Owner): Promise<boolean> {
  return archiveRun(deps, { broker, proof, run, marker })
}

async function removeOwner(pass: Pass, proof: DispatchProof, { owner, marker }: Owner): Promise<boolean> {
  const { deps, broker, signal, running } = pass
  const { kind, namespace, name } = marker
  if (kind === 'TaskExecution') deps.deletedRuns.add(`${namespace}/${name}`)
  const { isComplete, isRemoved, stillRunning } = await removeOrphan(deps, { broker, proof, owner, marker, signal })
  if (stillRunning.length > 0) {
    const known: Running = running.get(namespace) ?? new Map()
    for (const id of stillRunning) known.set(id, owner)
    running.set(namespace, known)
  }
  if (!isRemoved) noteRecord(pass, marker)
  return isComplete
}

/** Removes the ends of those that have ended meanwhile, unless their owner has come back: then that owner looks after them. */
async function removeLateEnds(pass: Pass): Promise<void> {
  const { deps, broker, running } = pass
  for (const [namespace, jobs] of running) {
    const queue = doneQueue(deps.installation, namespace)
    const { wanted: come } = await findEnds(broker, queue, ({ id }) => jobs.has(id))
    const refs = come.flatMap(({ id }) => ({ id, doneQueue: queue, orphanOf: jobs.get(id) ?? '' }))
    const isDone =
      refs.length === 0 || (await withLease(pass, namespace, async (proof) => (await broker.acknowledgeEnded(refs, proof)) === 'Done'))
    if (isDone) for (const { id } of refs) jobs.delete(id)
    if (jobs.size === 0) running.delete(namespace)
  }
}
