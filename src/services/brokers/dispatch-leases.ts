import type { BrokerEndpoint, DispatchAnswer, DispatchClaim, DispatchProof } from '../../broker/index.ts'
import { sleep, type Clock } from '../../clock/index.ts'
import { dispatcherName } from '../../contract/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { fingerprintOf, type BrokerLease, type Brokers } from './brokers.ts'

/**
 * Who holds the dispatch lease of a namespace. `Pending`: the broker has not answered yet. `Active`: this process, with the proof that every
 * write to a record carries. `Standby`: another holder (`heldBy`), or the TaskBroker does not want it.
 */
export type DispatchState =
  | { readonly kind: 'Pending' }
  | { readonly kind: 'Active'; readonly proof: DispatchProof }
  | { readonly kind: 'Standby'; readonly heldBy?: string }

export type DispatchWish = { readonly endpoint: BrokerEndpoint; readonly namespace: string; readonly dispatch: 'Active' | 'Standby' }

/**
 * Claims the dispatch lease of each TaskBroker's namespace, and renews it every 5 s while this process leads.
 *
 * Guarantees: one round trip per broker, interval and 50 namespaces. A lease that is no longer wanted is released, and at an orderly stop all
 * are, so that the next holder does not wait. A state is the broker's last answer: only the broker, which checks the proof of each write,
 * knows whether the lease still holds. If a broker has seen an epoch that is not lower, the epoch is raised and the lease claimed again.
 */
export type DispatchLeases = {
  readonly name: string
  /** Claims until the signal aborts. Call it once. */
  start(signal: AbortSignal): void
  /** Resolves when all leases are released and all connections returned. */
  readonly stopped: Promise<void>
  /** Keys are `namespace/name` of the TaskBroker. The same wish again costs nothing. */
  want(key: string, wish: DispatchWish): void
  /** Call when the TaskBroker is gone. */
  forget(key: string): void
  state(key: string): DispatchState
  /** Announces keys whose state has changed, until the returned function is called. */
  onChange(handler: (key: string) => void): () => void
  /** Announces keys whose broker was away and is there again, perhaps with less than it had, until the returned function is called. */
  onReturn(handler: (key: string) => void): () => void
}

export type DispatchLeasesDeps = {
  readonly brokers: Pick<Brokers, 'acquire'>
  readonly clock: Clock
  readonly log: Logger
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
  /** Cluster and Lease; stays the same from term to term. */
  readonly holder: string
  /** This process. */
  readonly by: string
  readonly epoch: () => number
  /** Asks for an epoch above `seen`, which a broker has already accepted. */
  readonly outbid: (seen: number) => void
}

/** Between two claims of the same lease, and how long another holder has to be silent to lose its own. */
const renewMs = 5_000
const patienceMs = 30_000
/** The pause after a claim that failed, or whose epoch was too low: the next renewal of the Lease raises the epoch. */
const retryMs = 1_000
const claimsAtOnce = 50

type Entry = {
  readonly key: string
  readonly wish: DispatchWish
  readonly lease: BrokerLease
  readonly stopListening: () => void
  state: DispatchState
  /** The broker has refused this epoch: only a higher one is of use. */
  refusedEpoch?: number | undefined
}

export function createDispatchLeases(deps: DispatchLeasesDeps): DispatchLeases {
  const { brokers, clock, log, installation, cluster, holder, by, outbid } = deps
  const entries = new Map<string, Entry>()
  const changeHandlers = new Set<(key: string) => void>()
  const returnHandlers = new Set<(key: string) => void>()
  const stopped = Promise.withResolvers<void>()
  /** Aborted when there is a new wish: ends the pause. */
  let hurry = new AbortController()
  /** Releases under way; a claim of the same lease must not overtake them. */
  let releasing: Promise<unknown> = Promise.resolve()

  const proofOf = ({ namespace }: DispatchWish): DispatchProof => ({
    dispatcher: dispatcherName(installation, namespace),
    epoch: deps.epoch(),
    holder,
  })

  function announceChange(key: string): void {
    for (const handler of changeHandlers) handler(key)
  }

  function listen(handlers: Set<(key: string) => void>, handler: (key: string) => void): () => void {
    handlers.add(handler)
    return () => void handlers.delete(handler)
  }

  function enter(entry: Entry, state: DispatchState): void {
    const isNew = !isSame(entry.state, state)
    entry.state = state
    if (isNew) announceChange(entry.key)
  }

  /** Two TaskBrokers of one namespace may mean the same server: while one of them is Active, the lease is kept. */
  function isSharedLease({ wish }: Entry): boolean {
    return [...entries.values()].some((other) => other.wish.dispatch === 'Active' && isSamePlace(other.wish, wish))
  }

  /** Releases the lease, if this process holds it and no other TaskBroker wants it, and then returns the connection. */
  function leave(entry: Entry): void {
    const { state, lease, stopListening } = entry
    stopListening()
    const isKept = state.kind !== 'Active' || isSharedLease(entry)
    releasing = Promise.all([releasing, isKept ? undefined : release(lease, state.proof)])
      .then(() => lease.release())
      .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'closing a broker failed'))
  }

  async function release(lease: BrokerLease, proof: DispatchProof): Promise<void> {
    try {
      await lease.broker.releaseDispatch(proof)
    } catch (error) {
      log.debug({ dispatcher: proof.dispatcher, error: errorMessage(error) }, 'cannot release a dispatch lease, it will expire')
    }
  }

  /** Claims the leases at one broker. Returns whether to ask again soon. */
  async function claim(all: readonly Entry[]): Promise<boolean> {
    const wanted = all.filter(({ refusedEpoch = -1 }) => deps.epoch() > refusedEpoch)
    const [first] = wanted
    if (first === undefined) return all.length > 0
    const claims = wanted.map(({ wish, state }): DispatchClaim => {
      const proof = proofOf(wish)
      const isRenewal = state.kind === 'Active' && state.proof.epoch === proof.epoch
      return { ...proof, by, patienceMs, mode: isRenewal ? 'Renew' : undefined, cluster }
    })
    try {
      const answers = await first.lease.broker.claimDispatch(claims)
      return wanted.map((entry, index) => take(entry, claims[index], answers[index])).includes(false) || wanted.length < all.length
    } catch (error) {
      log.debug({ address: first.wish.endpoint.address, error: errorMessage(error) }, 'cannot claim a dispatch lease, retrying')
      return true
    }
  }

  /** Takes the broker's answer. Returns false if another claim is needed. */
  function take(entry: Entry, claimed: DispatchClaim | undefined, answer: DispatchAnswer | undefined): boolean {
    if (claimed === undefined || answer === undefined) return false
    const { dispatcher, epoch } = claimed
    const proof = { dispatcher, epoch, holder }
    if (entries.get(entry.key) !== entry) {
      // The wish has changed while the broker was asked.
      if (answer.kind === 'Held' && !isSharedLease(entry)) releasing = Promise.all([releasing, release(entry.lease, proof)])
      return true
    }
    switch (answer.kind) {
      case 'Held':
        enter(entry, { kind: 'Active', proof })
        return true
      case 'HeldByOther':
        enter(entry, { kind: 'Standby', heldBy: answer.holder })
        return true
      case 'Behind':
        log.warn({ dispatcher, epoch, seen: answer.epoch }, 'a broker has seen an epoch that is not lower, outbidding it')
        entry.refusedEpoch = answer.epoch
        enter(entry, { kind: 'Pending' })
        outbid(answer.epoch)
        return false
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await releasing
      hurry = new AbortController()
      const isIncomplete = (await Promise.all(batches([...entries.values()]).map(claim))).includes(true)
      await sleep(clock, isIncomplete ? retryMs : renewMs, AbortSignal.any([signal, hurry.signal])).catch(() => {})
    }
    // A process that lost the Lease must not send anything; the next leader takes the dispatch leases without waiting.
    const isOrderly = !hasCode(signal.reason, 'TM_LEASE_LOST')
    const last = [...entries.values()]
    entries.clear()
    for (const entry of last) leave(isOrderly ? entry : { ...entry, state: { kind: 'Pending' } })
    await releasing
  }

  return {
    name: 'dispatch leases',
    start: (signal) => void run(signal).then(stopped.resolve, stopped.reject),
    stopped: stopped.promise,
    want(key, wish) {
      const before = entries.get(key)
      if (before !== undefined && isSameWish(before.wish, wish)) return
      const lease = brokers.acquire(wish.endpoint)
      // New credentials do not change the lease: its proof stays valid.
      const isSameLease = before !== undefined && wish.dispatch === before.wish.dispatch && isSamePlace(before.wish, wish)
      const state: DispatchState = wish.dispatch === 'Standby' ? { kind: 'Standby' } : { kind: 'Pending' }
      const stopListening = lease.broker.onReturn(() => {
        for (const handler of returnHandlers) handler(key)
      })
      const kept = isSameLease ? { state: before.state, refusedEpoch: before.refusedEpoch } : { state }
      const entry: Entry = { key, wish, lease, stopListening, ...kept }
      entries.set(key, entry)
      if (before !== undefined) leave(isSameLease ? { ...before, state: { kind: 'Pending' } } : before)
      if (before === undefined || !isSame(before.state, entry.state)) announceChange(key)
      hurry.abort()
    },
    forget(key) {
      const entry = entries.get(key)
      if (entry === undefined) return
      entries.delete(key)
      leave(entry)
      announceChange(key)
    },
    state: (key) => entries.get(key)?.state ?? { kind: 'Pending' },
    onChange: (handler) => listen(changeHandlers, handler),
    onReturn: (handler) => listen(returnHandlers, handler),
  }
}

/** The leases to claim, by broker, in portions. */
function batches(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const byBroker = Map.groupBy(
    entries.filter(({ wish }) => wish.dispatch === 'Active'),
    ({ lease }) => lease.broker,
  )
  return [...byBroker.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / claimsAtOnce) }, (_, index) => all.slice(index * claimsAtOnce, (index + 1) * claimsAtOnce)),
  )
}

function isSameWish(a: DispatchWish, b: DispatchWish): boolean {
  return a.dispatch === b.dispatch && a.namespace === b.namespace && fingerprintOf(a.endpoint) === fingerprintOf(b.endpoint)
}

function isSamePlace(a: DispatchWish, b: DispatchWish): boolean {
  return a.namespace === b.namespace && a.endpoint.address === b.endpoint.address && a.endpoint.keyPrefix === b.endpoint.keyPrefix
}

function isSame(a: DispatchState, b: DispatchState): boolean {
  if (a.kind === 'Active' && b.kind === 'Active') return a.proof.epoch === b.proof.epoch
  if (a.kind === 'Standby' && b.kind === 'Standby') return a.heldBy === b.heldBy
  return a.kind === b.kind
}
