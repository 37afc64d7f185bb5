import { deadline, type Clock } from '../clock/index.ts'
import { classifyRefusal, describeFailure, errorMessage, hasCode, taskmillError, type TaskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { Startable } from './manager.ts'
import { createWorkQueue, type BackoffOptions, type QueueHooks, type WorkItem } from './work-queue.ts'

/**
 * `requeueAfterMs`: reconcile the key again after that time at the latest, also when nothing happens; 0: after the keys that are due already.
 */
export type ReconcileResult = { readonly requeueAfterMs?: number | undefined }

export type ReconcileContext = {
  /** Aborts when the controller stops or the reconciliation takes too long; everything that waits takes it. */
  readonly signal: AbortSignal
  /** Carries controller, key and the id of this attempt. */
  readonly log: Logger
  /** Whether other keys are due and wait for a worker: what is less urgent than their work can wait for it, by a requeue after 0 ms. */
  readonly areOthersDue: () => boolean
  /**
   * What is left of this attempt may wait for a server for long, and due keys must not wait for that: the worker serves other keys meanwhile. The key
   * stays taken until the attempt has ended. When as many attempts have stepped aside as there are workers, the next one keeps its worker, and so
   * does one that is behind all others, as those of a start: thousands of them come in portions.
   */
  readonly stepAside: () => void
}

/**
 * Brings the world closer to what the object of that key says. Knows only the key: whether the object was created, changed or
 * deleted is for the world to tell. Running it once more than needed must do no harm.
 */
export type Reconcile = (key: string, context: ReconcileContext) => Promise<ReconcileResult | void>

/** Why a reconciliation failed; `panic`: it threw what only a mistake in the program throws. */
export type FailureKind = 'error' | 'terminal' | 'panic' | 'timeout'

/** What a controller tells about itself, for the metrics `controller_runtime_…` and `workqueue_…`. */
export type ControllerHooks = QueueHooks & {
  /** `controller_runtime_reconcile_total`, `…_reconcile_time_seconds` */
  readonly onReconcile?: (result: 'success' | 'error' | 'requeue_after', seconds: number) => void
  /** `…_reconcile_errors_total` for all, `…_terminal_reconcile_errors_total`, `…_reconcile_panics_total`, `…_reconcile_timeouts_total` by kind. */
  readonly onFailure?: (kind: FailureKind) => void
  /** The keys were all enqueued once more, in case an event was lost. */
  readonly onFallback?: (keys: number) => void
  /** `…_active_workers` */
  readonly onActive?: (workers: number) => void
}

export type ControllerDeps = {
  readonly name: string
  readonly reconcile: Reconcile
  readonly clock: Clock
  readonly log: Logger
  /** How many keys at the same time, besides those whose attempts have stepped aside. Default 1. */
  readonly concurrency?: number
  /** The signal of one reconciliation aborts after this. Default 60 s. */
  readonly reconcileTimeoutMs?: number
  /** 5 ms doubled up to 1000 s unless said otherwise. */
  readonly backoff?: BackoffOptions
  /** Every key there is: all are reconciled once an hour, behind everything else, so that a lost event costs an hour at most. */
  readonly keys?: () => Iterable<string>
  readonly rng?: () => number
  readonly hooks?: ControllerHooks
}

const fallbackMs = 3_600_000
const fallbackPriority = -100
/** After an answer that the namespace of the key is being deleted. */
const closingMs = 60_000

/**
 * A queue of keys and the workers that reconcile them.
 *
 * Guarantees: one key is never reconciled twice at the same time; a key enqueued while it is reconciled is reconciled again;
 * a failure is repeated after a pause that grows per key; whatever a reconciliation throws harms only its own attempt.
 * Caveats: one that ignores its signal keeps its key and its worker until it returns.
 */
export type Controller = Startable & {
  readonly name: string
  /** By default at once with priority 0; give what comes from a first list a negative one, so that people's edits overtake it. Works before `start` too. */
  enqueue(key: string, options?: { readonly afterMs?: number; readonly priority?: number }): void
  readonly stopped: Promise<void>
  /** For how long each key that is being reconciled has been. */
  workingSeconds(): readonly number[]
}

export function createController(deps: ControllerDeps): Controller {
  const { name, reconcile, clock, concurrency = 1, reconcileTimeoutMs = 60_000, hooks = {} } = deps
  const log = deps.log.child({ controller: name })
  const queue = createWorkQueue({
    clock,
    hooks,
    ...(deps.rng ? { rng: deps.rng } : {}),
    ...(deps.backoff ? { backoff: deps.backoff } : {}),
  })
  const stopped = Promise.withResolvers<void>()
  /** Those that workers wait for, and those that have stepped aside. */
  const attempting = new Set<Promise<void>>()
  let active = 0
  /** How many have stepped aside. */
  let aside = 0
  let attempts = 0

  async function attempt({ key, priority }: WorkItem, stop: AbortSignal, stepAside: () => void): Promise<void> {
    const startedMs = clock.monotonicNow()
    let timeout: TaskmillError | undefined
    const context = log.child({ key, reconcileId: ++attempts })
    const onTimeout = () => {
      context.warn({ timeoutMs: reconcileTimeoutMs }, 'reconciliation takes too long, aborting it')
      timeout = taskmillError('TM_RECONCILE_TIMEOUT', `the reconciliation takes longer than ${reconcileTimeoutMs / 1000} s`)
      return timeout
    }
    using limit = deadline(clock, reconcileTimeoutMs, { signal: stop, reason: onTimeout })
    try {
      const { requeueAfterMs } = (await reconcile(key, { signal: limit.signal, log: context, areOthersDue: queue.hasDue, stepAside })) ?? {}
      queue.forget(key)
      // What is due at a time of its own is as urgent as any other, however late this attempt was allowed to be.
      if (requeueAfterMs !== undefined) queue.add(key, { afterMs: requeueAfterMs, priority: requeueAfterMs > 0 ? 0 : priority })
      hooks.onReconcile?.(requeueAfterMs === undefined ? 'success' : 'requeue_after', (clock.monotonicNow() - startedMs) / 1000)
    } catch (error) {
      // Interrupted by the stop, whatever it threw because of that: nothing failed, and the next leader does it again.
      if (stop.aborted) return
      // What is in a namespace goes with it: nothing is wrong, nobody has to do anything, and asking again only delays the deletion.
      if (classifyRefusal(error).kind === 'NamespaceGone') {
        context.debug({ reason: errorMessage(error) }, 'the namespace is being deleted')
        queue.forget(key)
        queue.add(key, { afterMs: closingMs, priority })
        hooks.onReconcile?.('requeue_after', (clock.monotonicNow() - startedMs) / 1000)
        return
      }
      const kind = kindOf(error, timeout !== undefined && limit.signal.reason === timeout)
      if (kind === 'terminal') queue.forget(key)
      else queue.retry(key, priority)
      report(context, kind, error)
      hooks.onFailure?.(kind)
      hooks.onReconcile?.('error', (clock.monotonicNow() - startedMs) / 1000)
    }
  }

  async function work(stop: AbortSignal): Promise<void> {
    let isOver = false
    while (!isOver) isOver = await workOnce(stop)
  }

  /** On its own, so that a worker which waits for its next key holds nothing of the last one. Returns whether it is over. */
  async function workOnce(stop: AbortSignal): Promise<boolean> {
    const item = await queue.next(stop)
    if (item === undefined || stop.aborted) return true
    hooks.onActive?.(++active)
    const freed = Promise.withResolvers<void>()
    let isAside = false
    const stepAside = (): void => {
      if (isAside || item.priority < 0 || aside >= concurrency) return
      isAside = true
      aside += 1
      freed.resolve()
    }
    const ended = attempt(item, stop, stepAside).finally(() => {
      if (isAside) aside -= 1
      attempting.delete(ended)
      item.done()
    })
    attempting.add(ended)
    try {
      await Promise.race([ended, freed.promise])
    } finally {
      hooks.onActive?.(--active)
    }
    return false
  }

  /** Spread over a tenth of the time, so that many keys make no wave. */
  function fallBack(): void {
    const keys = [...(deps.keys?.() ?? [])]
    for (const [index, key] of keys.entries()) {
      queue.add(key, { afterMs: (fallbackMs / 10) * (index / keys.length), priority: fallbackPriority })
    }
    hooks.onFallback?.(keys.length)
  }

  function fallBackHourly(signal: AbortSignal): void {
    const again = () => {
      fallBack()
      timer = clock.setTimeout(again, fallbackMs)
    }
    let timer = clock.setTimeout(again, fallbackMs)
    signal.addEventListener('abort', () => clock.clearTimeout(timer), { once: true })
  }

  return {
    name,
    enqueue: (key, options) => queue.add(key, options),
    start(signal) {
      if (deps.keys !== undefined) fallBackHourly(signal)
      const workers = Promise.all(Array.from({ length: concurrency }, () => work(signal)))
      workers.then(() => Promise.all(attempting)).then(() => stopped.resolve(), stopped.reject)
    },
    stopped: stopped.promise,
    workingSeconds: queue.workingSeconds,
  }
}

/** What the language itself throws is a mistake of ours, never of the world around. */
function kindOf(error: unknown, timedOut: boolean): FailureKind {
  if (timedOut) return 'timeout'
  if (hasCode(error, 'TM_RECONCILE_TERMINAL')) return 'terminal'
  const isMistake =
    !(error instanceof Error) || error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
  return isMistake ? 'panic' : 'error'
}

function report(log: Logger, kind: FailureKind, error: unknown): void {
  if (kind === 'panic') log.error({ err: error }, 'reconciliation failed because of a mistake in the program')
  // Another writer was faster: everyday life, not worth a line unless one looks for it.
  else if (hasCode(error, 'TM_KUBE_CONFLICT')) log.debug({ reason: errorMessage(error) }, 'reconciliation met a conflict')
  else log.error({ reason: describeFailure(error), kind }, 'reconciliation failed')
}

/** The result that comes back at the earliest of several moments; undefined ones ask for none. */
export function soonest(delays: readonly (number | undefined)[]): { readonly requeueAfterMs?: number } {
  const known = delays.filter((delay) => delay !== undefined)
  return known.length === 0 ? {} : { requeueAfterMs: Math.min(...known) }
}
