import { deadline, type Clock, type Deadline } from '../clock/index.ts'
import { errorMessage, hasCode, taskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { Elector } from './elector.ts'

/** A part of the process that runs from `start` until the signal aborts. An informer and a controller are such parts. */
export type Startable = {
  /** For logs. */
  readonly name?: string
  /** Begins; returns at once. */
  start(signal: AbortSignal): void
  /** Resolves when it is ready to be relied on. Without it, it is ready at once. */
  readonly synced?: Promise<void>
  /** Resolves when it has ended after the abort; a rejection brings the whole process down. Without it, it ends with the abort. */
  readonly stopped?: Promise<void>
}

/** `following`: the caches are warm, another process leads; ready to take over. */
export type ManagerPhase = 'starting' | 'following' | 'leading' | 'stopping'

/**
 * Runs the parts of the process in order: the warm ones (caches, connections) everywhere, the leading ones (controllers) only
 * while this process holds the lease.
 *
 * Guarantees: nothing leads before all warm parts are synced; the stop goes the other way, one part after the other, each
 * only asked to when those started after it have ended; the lease is released after all that acts has ended, or else left to expire. When the lease is lost,
 * all leading parts are aborted at once; when they have ended, the process follows again and may lead another term, with new leading parts.
 */
export type Manager = {
  /** Resolves after a stop by the signal. Rejects with TM_CACHE_SYNC_TIMEOUT, TM_SHUTDOWN_TIMEOUT, or what a part failed with. Once. */
  run(signal: AbortSignal): Promise<void>
  phase(): ManagerPhase
}

export type ManagerDeps = {
  readonly elector: Pick<Elector, 'run'>
  readonly warm: readonly Startable[]
  /** Makes the leading parts of one term; they are used once. The signal aborts when the term ends. What it rejects with ends the process, unless the term is over. */
  readonly leading: (term: AbortSignal) => readonly Startable[] | Promise<readonly Startable[]>
  readonly clock: Clock
  readonly log: Logger
  /** Default 2 min. */
  readonly syncTimeoutMs?: number
  /** For all parts together; below the pod's terminationGracePeriodSeconds. Default 30 s. */
  readonly gracefulTimeoutMs?: number
}

type Part = { readonly name: string; readonly startable: Startable; readonly stop: AbortController }

export function createManager(deps: ManagerDeps): Manager {
  const { elector, clock, log, syncTimeoutMs = 120_000, gracefulTimeoutMs = 30_000 } = deps
  /** Aborts by the caller's signal or because a part failed. */
  const stop = new AbortController()
  const running = new Set<Part>()
  const warm = new Set<Part>()
  let phase: ManagerPhase = 'starting'
  let failure: { readonly error: unknown } | undefined
  let grace: Deadline | undefined

  function start(startable: Startable, index: number): Part {
    const part: Part = { name: startable.name ?? `part ${index + 1}`, startable, stop: new AbortController() }
    running.add(part)
    startable.start(part.stop.signal)
    startable.stopped?.catch((error: unknown) => {
      if (hasCode(part.stop.signal.reason, 'TM_LEASE_LOST')) {
        log.warn({ part: part.name, reason: errorMessage(error) }, 'a part ended with an error after the lease was lost')
        return
      }
      log.error({ part: part.name, err: error }, 'a part of the process failed')
      failure ??= { error }
      stop.abort(error)
    })
    return part
  }

  /** Waits until the parts can be relied on: false when the signal ended the wait. */
  async function synced(parts: readonly Part[], signal: AbortSignal): Promise<boolean> {
    const missing = new Set(parts)
    const late = () =>
      taskmillError(
        'TM_CACHE_SYNC_TIMEOUT',
        `not ready within ${syncTimeoutMs / 1000} s: ${[...missing].map((part) => part.name).join(', ')}`,
      )
    using limit = deadline(clock, syncTimeoutMs, { signal, reason: late })
    const ready = Promise.all(parts.map((part) => Promise.resolve(part.startable.synced).then(() => missing.delete(part))))
    try {
      await unlessAborted(ready, limit.signal)
      return true
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  /** One after the other, the last started first; when the grace is over, all at once. */
  async function stopAll(parts: readonly Part[]): Promise<void> {
    phase = 'stopping'
    grace ??= deadline(clock, gracefulTimeoutMs, { reason: () => undefined })
    const late: string[] = []
    for (const part of parts.toReversed()) {
      part.stop.abort(stop.signal.reason)
      running.delete(part)
      // What it failed with is already known.
      const ended = Promise.resolve(part.startable.stopped).then(
        () => true,
        () => true,
      )
      if (!(await unlessAborted(ended, grace.signal).catch(() => false))) late.push(part.name)
    }
    if (late.length > 0) throw taskmillError('TM_SHUTDOWN_TIMEOUT', `not ended within ${gracefulTimeoutMs / 1000} s: ${late.join(', ')}`)
  }

  /** All at once, without waiting. */
  function abort(parts: readonly Part[], reason: unknown): void {
    phase = 'stopping'
    for (const part of parts.toReversed()) {
      part.stop.abort(reason)
      running.delete(part)
    }
  }

  async function lead(leading: AbortSignal): Promise<void> {
    phase = 'leading'
    const parts: Part[] = []
    // At once, not when the loop below gets to it: another process may lead very soon.
    leading.addEventListener('abort', () => hasCode(leading.reason, 'TM_LEASE_LOST') && abort(parts, leading.reason), { once: true })
    try {
      for (const [index, startable] of (await deps.leading(leading)).entries()) {
        if (leading.aborted) break
        const part = start(startable, index)
        parts.push(part)
        if (!(await synced([part], leading))) break
      }
      if (!leading.aborted) await new Promise((resolve) => leading.addEventListener('abort', resolve, { once: true }))
    } catch (error) {
      if (!hasCode(leading.reason, 'TM_LEASE_LOST')) failure ??= { error }
    }
    await stopAll(parts)
  }

  /** Until the stop. */
  async function leadTermAfterTerm(): Promise<void> {
    const term = { winding: Promise.resolve() }
    for (;;) {
      phase = 'following'
      try {
        return await elector.run(stop.signal, (leading) => (term.winding = lead(leading)))
      } catch (error) {
        if (!hasCode(error, 'TM_LEASE_LOST')) throw error
        abort(
          [...running].filter((part) => !warm.has(part)),
          error,
        )
        log.warn({ reason: errorMessage(error) }, 'not leading any more')
        await term.winding
        log.info({}, 'all that acted has ended, following again')
        if (!stop.signal.aborted) endGrace()
      }
    }
  }

  function endGrace(): void {
    grace?.[Symbol.dispose]()
    grace = undefined
  }

  async function run(signal: AbortSignal): Promise<void> {
    const onStop = () => stop.abort(signal.reason)
    signal.addEventListener('abort', onStop, { once: true })
    if (signal.aborted) onStop()
    try {
      for (const part of deps.warm.map(start)) warm.add(part)
      if (await synced([...warm], stop.signal)) await leadTermAfterTerm()
      await stopAll([...warm])
    } catch (error) {
      abort([...running], error)
      throw failure?.error ?? error
    } finally {
      phase = 'stopping'
      signal.removeEventListener('abort', onStop)
      endGrace()
    }
    if (failure) throw failure.error
  }

  return { run, phase: () => phase }
}

/** The promise, or a rejection with the signal's reason as soon as that aborts. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
