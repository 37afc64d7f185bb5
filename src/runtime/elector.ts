import { deadline, sleep, type Clock } from '../clock/index.ts'
import { describeFailure, hasCode, taskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'

/** A lease as stored. Its times are for people who read it: the elector trusts only what it observes itself. */
export type LeaseRecord = {
  /** The identity of its holder; empty without one. */
  readonly holder: string
  /** How long after a renewal the others wait. */
  readonly durationMs: number
  readonly acquiredAtMs?: number | undefined
  readonly renewedAtMs?: number | undefined
  /** How often it changed hands. */
  readonly transitions: number
  /** The number of the term; every leader's is higher than those before. Without one there was no leader yet. */
  readonly epoch?: number | undefined
  /** What the port needs to recognise the version that an update is based on; handed back untouched. */
  readonly stored?: unknown
}

/** Where the lease is kept. All calls end when the signal aborts. */
export type LeasePort = {
  /** `undefined` when there is none. */
  read(signal: AbortSignal): Promise<LeaseRecord | undefined>
  /** TM_KUBE_ALREADY_EXISTS when another process was faster. */
  create(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRecord>
  /** Succeeds only if nothing changed since `record.stored` was read or written: else TM_KUBE_CONFLICT, or TM_KUBE_NOT_FOUND. */
  update(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRecord>
}

/**
 * Lets one of several processes lead.
 *
 * Guarantees, when clocks run at about the same speed: two processes are never `isTrusted` at the same time; a process that takes over waits
 * until the lease has not changed for its whole duration by its own clock; no wall clock matters. A lease that was released
 * or that carries the own identity (this pod before it was restarted) is taken at once.
 * Does not: stop what a frozen process had already sent when it wakes up. Writes that matter carry a fence of their own.
 */
export type Elector = {
  /**
   * Waits for the lease, then calls `lead` and renews until it resolves, also while it winds down after the abort of `signal`;
   * then releases the lease and resolves. The signal given to `lead` aborts with `signal`, or with TM_LEASE_LOST when the lease
   * could not be renewed in time; then `run` rejects with the same at once. When `lead` rejects, `run` does, and the lease is
   * left to expire, because the work may not have ended. May be called again when it has ended and so has the work: for the next term.
   */
  run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void>
  /** Whether this process may still believe that it is the only leader, at this moment. */
  isTrusted(): boolean
  /** How long ago the lease of this process ran out while it neither renewed it nor gave up; 0 while all is well. */
  overdueMs(): number
  /** The number of this process's term, written into the lease when it is taken; 0 before. Higher than that of every leader before. */
  epoch(): number
  /** A broker has seen that number before this term: from the next renewal on the epoch is higher, even if the lease had been lost and made anew. */
  outbid(epoch: number): void
}

export type ElectorDeps = {
  readonly lease: LeasePort
  /** Unique among the processes alive: the pod's name. */
  readonly identity: string
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  /** How long the others wait after the last renewal. Default 15 s. */
  readonly leaseDurationMs?: number
  /** Without a renewal for this long the leader gives up, well before the others may take over. Default 10 s. */
  readonly renewDeadlineMs?: number
  /** Between two attempts; followers add up to a fifth at random. Default 2 s. */
  readonly retryPeriodMs?: number
  readonly hooks?: ElectorHooks
}

/** For the metrics `leader_election_master_status`, `leader_election_slowpath_total` and `taskmill_leader_epoch`. */
export type ElectorHooks = {
  readonly onLeading?: (leading: boolean) => void
  readonly onSlowPath?: () => void
  readonly onEpoch?: (epoch: number) => void
}

/** What is subtracted from the lease's duration before trusting it: for clocks that run at different speeds. */
const trustMarginMs = 1_000

export function createElector(deps: ElectorDeps): Elector {
  const { lease, identity, clock, log, rng, hooks = {}, leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = deps
  if (!(retryPeriodMs < renewDeadlineMs && renewDeadlineMs < leaseDurationMs - trustMarginMs)) {
    throw taskmillError('TM_CONFIG_INVALID', 'the times of the election must satisfy retryPeriod < renewDeadline < leaseDuration - 1 s')
  }
  /** The record as this process last wrote it, while nothing says that it changed since. */
  let held: LeaseRecord | undefined
  /** When the last successful write was begun: the others count from a later moment. */
  let renewedMs = -Infinity
  let trusted = false
  let epoch = 0
  let lowestEpoch = 1
  let observed = { what: '', sinceMs: 0 }

  /** Whether another process may be leading, judged by how long this process has seen the record unchanged. */
  function isTaken(record: LeaseRecord): boolean {
    const what = JSON.stringify([record.holder, record.renewedAtMs, record.acquiredAtMs, record.transitions, record.durationMs])
    if (what !== observed.what) observed = { what, sinceMs: clock.monotonicNow() }
    if (record.holder === '' || record.holder === identity) return false
    return clock.monotonicNow() - observed.sinceMs < (record.durationMs || leaseDurationMs)
  }

  /** How long until this process has to give up. */
  function leftMs(): number {
    return renewedMs + renewDeadlineMs - clock.monotonicNow()
  }

  function tellEpoch(written: number): void {
    if (written === epoch) return
    epoch = written
    hooks.onEpoch?.(epoch)
    log.info({ identity, epoch }, 'the epoch is raised')
  }

  /** Takes or renews the lease: whether it is ours now. Throws TM_LEASE_LOST when this process leads and the record is not its own any more. */
  async function attempt(signal: AbortSignal): Promise<boolean> {
    const startedMs = clock.monotonicNow()
    let base = held
    if (!base) {
      base = await lease.read(signal)
      if (base && trusted && base.holder !== identity)
        throw lost(base.holder === '' ? 'it has no holder any more' : `"${base.holder}" holds it`)
      if (base && isTaken(base)) return false
    }
    const nowMs = clock.now()
    const own = base?.holder === identity
    const wanted: LeaseRecord = {
      holder: identity,
      durationMs: leaseDurationMs,
      acquiredAtMs: own ? base?.acquiredAtMs : nowMs,
      renewedAtMs: nowMs,
      transitions: base ? base.transitions + (own ? 0 : 1) : 0,
      // Counted up with each term, also of the same process; a renewal keeps it.
      epoch: Math.max(lowestEpoch, (base?.epoch ?? 0) + (trusted ? 0 : 1)),
      stored: base?.stored,
    }
    // Until the answer is here it is unknown what is stored.
    held = undefined
    held = base ? await lease.update(wanted, signal) : await lease.create(wanted, signal)
    renewedMs = startedMs
    tellEpoch(held.epoch ?? 0)
    // An answer that was read too late, after a freeze, is no reason to begin.
    return leftMs() > 0
  }

  /** An attempt that ends in time and survives that another process was faster, or that an earlier one had succeeded without an answer. */
  async function tryWithin(ms: number, signal?: AbortSignal): Promise<boolean> {
    using limit = deadline(clock, ms, { signal, reason: () => taskmillError('TM_KUBE_UNAVAILABLE', 'no answer about the lease in time') })
    try {
      return await attempt(limit.signal)
    } catch (error) {
      if (!hasCode(error, 'TM_KUBE_CONFLICT', 'TM_KUBE_NOT_FOUND', 'TM_KUBE_ALREADY_EXISTS')) throw error
      if (trusted) hooks.onSlowPath?.()
      return await attempt(limit.signal)
    }
  }

  async function acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        if (await tryWithin(renewDeadlineMs / 2, signal)) return true
      } catch (error) {
        if (signal.aborted) break
        log.warn({ reason: describeFailure(error) }, 'cannot ask for the lease, trying again')
      }
      await sleep(clock, retryPeriodMs * (1 + 0.2 * rng()), signal).catch(() => {})
    }
    return false
  }

  /** Renews until `end` aborts; throws TM_LEASE_LOST. */
  async function keep(end: AbortSignal): Promise<void> {
    let failure: unknown
    for (;;) {
      await sleep(clock, Math.min(retryPeriodMs, leftMs()), end).catch(() => {})
      if (end.aborted) return
      if (leftMs() <= 0) throw lost(`not renewed for ${renewDeadlineMs / 1000} s`, failure)
      try {
        // Not cut short by `end`: whether a renewal under way was stored decides what the release is based on.
        await tryWithin(Math.min(renewDeadlineMs / 2, leftMs()))
      } catch (error) {
        if (hasCode(error, 'TM_LEASE_LOST')) throw error
        failure = error
        log.warn({ reason: describeFailure(error) }, 'cannot renew the lease, trying again')
      }
    }
  }

  async function release(): Promise<void> {
    using limit = deadline(clock, renewDeadlineMs / 2, {
      reason: () => taskmillError('TM_KUBE_UNAVAILABLE', 'no answer about the lease in time'),
    })
    try {
      const base = held ?? (await lease.read(limit.signal))
      if (base?.holder === identity) await lease.update({ ...base, holder: '', durationMs: 1_000, renewedAtMs: clock.now() }, limit.signal)
      log.info({ identity }, 'released the lease')
    } catch (error) {
      log.warn({ reason: describeFailure(error) }, 'cannot release the lease, it will expire')
    }
  }

  async function run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void> {
    hooks.onLeading?.(false)
    // What was known of the lease may be long ago.
    held = undefined
    if (!(await acquire(signal))) return
    trusted = true
    hooks.onLeading?.(true)
    log.info({ identity }, 'leading')
    const leading = new AbortController()
    const ended = new AbortController()
    const onStop = () => leading.abort(signal.reason)
    signal.addEventListener('abort', onStop, { once: true })
    if (signal.aborted) onStop()

    const keeping = keep(ended.signal).catch((error: unknown) => {
      trusted = false
      leading.abort(error)
      throw error
    })
    const work = lead(leading.signal)
    // Whichever loses the race must not end the process by itself.
    work.catch(() => {})
    try {
      await Promise.race([work, keeping])
      ended.abort()
      // The work has ended: losing the lease now means nothing any more.
      await keeping.catch(() => {})
      trusted = false
      await release()
    } finally {
      trusted = false
      // Whatever becomes of the Lease, the next term of this process has a number of its own.
      lowestEpoch = Math.max(lowestEpoch, epoch + 1)
      ended.abort()
      keeping.catch(() => {})
      signal.removeEventListener('abort', onStop)
      hooks.onLeading?.(false)
    }
  }

  return {
    run,
    isTrusted: () => trusted && clock.monotonicNow() < renewedMs + leaseDurationMs - trustMarginMs,
    epoch: () => epoch,
    outbid: (seen) => void (lowestEpoch = Math.max(lowestEpoch, seen + 1)),
    overdueMs: () => (trusted ? Math.max(0, clock.monotonicNow() - renewedMs - leaseDurationMs) : 0),
  }
}

function lost(why: string, cause?: unknown): Error {
  return taskmillError('TM_LEASE_LOST', `the lease is lost: ${why}`, cause === undefined ? {} : { cause })
}
