import type { Clock, TimerHandle } from '../clock/index.ts'
import { createHeap } from './heap.ts'

/** How long a key waits after its n-th failure in a row (n starts at 0). */
export type BackoffOptions = {
  /** After the first failure. Default 5 ms. */
  readonly firstMs?: number
  /** Never longer than this. Default 1000 s. */
  readonly capMs?: number
  /** Share of the pause that is random: with 0.2 a pause of 10 s is between 8 s and 10 s. Default 0. */
  readonly jitter?: number
}

/** What the queue tells about itself, for the metrics `workqueue_…`. */
export type QueueHooks = {
  /** `workqueue_depth`: keys that are due and not taken. */
  readonly onDepth?: (depth: number) => void
  /** `workqueue_adds_total` */
  readonly onAdd?: () => void
  /** `workqueue_queue_duration_seconds`: from being due to being taken. */
  readonly onTaken?: (waitedSeconds: number) => void
  /** `workqueue_work_duration_seconds` */
  readonly onDone?: (workedSeconds: number) => void
  /** `workqueue_retries_total` */
  readonly onRetry?: () => void
}

/** A key that was taken. Until `done` no other worker gets it. */
export type WorkItem = { readonly key: string; readonly priority: number; done(): void }

/**
 * The keys that wait for work, each at most once.
 *
 * Guarantees: a key is handed out to one taker at a time; a key that is added is handed out again after that, also when it is
 * added while it is being worked on; of several wishes for a key the earliest time and the highest priority hold. Among due keys
 * the highest priority goes first, then the one that has been due for longest.
 */
export type WorkQueue = {
  add(key: string, options?: { readonly afterMs?: number; readonly priority?: number }): void
  /** Adds after a pause that doubles with each call until `forget`. */
  retry(key: string, priority?: number): void
  /** The next failure of the key is its first. */
  forget(key: string): void
  /** Waits for a due key; `undefined` as soon as the signal aborts. */
  next(signal: AbortSignal): Promise<WorkItem | undefined>
  /** Whether keys are due and nobody has taken them. */
  hasDue(): boolean
  /** For how long each key that is taken has been. */
  workingSeconds(): readonly number[]
}

export type WorkQueueDeps = {
  readonly clock: Clock
  readonly rng?: () => number
  readonly backoff?: BackoffOptions
  readonly hooks?: QueueHooks
}

/** A wish; immutable, so that a better one replaces it and the old one in a heap is recognised as stale. */
type Wish = { readonly key: string; readonly dueMs: number; readonly priority: number; readonly order: number }

export function createWorkQueue(deps: WorkQueueDeps): WorkQueue {
  const { clock, rng = () => 0, backoff = {}, hooks = {} } = deps
  /** The wish that holds for each key: exactly one of held, waiting, ready. */
  const wishes = new Map<string, Wish>()
  /** Since when each taken key is. */
  const running = new Map<string, number>()
  const failures = new Map<string, number>()
  const waiting = createHeap<Wish>((a, b) => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order))
  const ready = createHeap<Wish>(
    (a, b) => a.priority > b.priority || (a.priority === b.priority && (a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order))),
  )
  const takers = new Set<(item: WorkItem | undefined) => void>()
  /** How many keys are in `ready`, without stale wishes. */
  const due = new Set<string>()
  let timer: TimerHandle | undefined
  let order = 0

  const isStale = (wish: Wish): boolean => wishes.get(wish.key) !== wish

  function place(wish: Wish): void {
    wishes.set(wish.key, wish)
    // Held: `done` places it.
    if (running.has(wish.key)) return
    const heap = due.has(wish.key) ? ready : waiting
    heap.push(wish)
    // A key that is replaced again and again must not leave a trail that grows until its first time comes.
    if (heap.size > 2 * wishes.size + 64) heap.keep((item) => !isStale(item))
  }

  /** Moves what has become due, serves the takers, and sets the one timer to the next due key. */
  function pump(): void {
    const nowMs = clock.monotonicNow()
    for (let head = waiting.peek(); head && (isStale(head) || head.dueMs <= nowMs); head = waiting.peek()) {
      waiting.pop()
      if (isStale(head)) continue
      due.add(head.key)
      ready.push(head)
    }
    for (const taker of takers) {
      const item = take(nowMs)
      if (!item) break
      takers.delete(taker)
      taker(item)
    }
    hooks.onDepth?.(due.size)
    // Keys of objects that are gone.
    if (wishes.size === 0) for (const heap of [waiting, ready]) if (heap.size > 0) heap.keep(() => false)
    if (timer) clock.clearTimeout(timer)
    const next = waiting.peek()
    timer = next && takers.size > 0 ? clock.setTimeout(pump, Math.ceil(next.dueMs - nowMs)) : undefined
  }

  function take(nowMs: number): WorkItem | undefined {
    for (let wish = ready.pop(); wish; wish = ready.pop()) {
      if (isStale(wish)) continue
      const { key, priority } = wish
      wishes.delete(key)
      due.delete(key)
      running.set(key, nowMs)
      hooks.onTaken?.(Math.max(0, nowMs - wish.dueMs) / 1000)
      return { key, priority, done: () => finish(key, nowMs) }
    }
    return undefined
  }

  function finish(key: string, startedMs: number): void {
    if (!running.delete(key)) return
    hooks.onDone?.((clock.monotonicNow() - startedMs) / 1000)
    const wish = wishes.get(key)
    if (wish) place(wish)
    pump()
  }

  function add(key: string, { afterMs = 0, priority = 0 }: { readonly afterMs?: number; readonly priority?: number } = {}): void {
    if (Number.isNaN(afterMs)) throw new RangeError('afterMs must be a number')
    const dueMs = clock.monotonicNow() + Math.max(0, afterMs)
    const known = wishes.get(key)
    hooks.onAdd?.()
    if (known && known.dueMs <= dueMs && known.priority >= priority) return
    place({
      key,
      dueMs: Math.min(dueMs, known?.dueMs ?? Infinity),
      priority: Math.max(priority, known?.priority ?? -Infinity),
      order: known?.order ?? order++,
    })
    pump()
  }

  return {
    add,
    retry(key, priority = 0) {
      const failed = failures.get(key) ?? 0
      failures.set(key, failed + 1)
      hooks.onRetry?.()
      add(key, { afterMs: backoffMs(failed, backoff, rng()), priority })
    },
    forget: (key) => void failures.delete(key),
    hasDue: () => due.size > 0,
    workingSeconds: () => [...running.values()].map((sinceMs) => (clock.monotonicNow() - sinceMs) / 1000),
    next: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve(undefined)
        const onAbort = () => taker(undefined)
        const taker = (item: WorkItem | undefined) => {
          signal.removeEventListener('abort', onAbort)
          takers.delete(taker)
          resolve(item)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        takers.add(taker)
        pump()
      }),
  }
}

/** `firstMs`, doubled with each failure up to `capMs`; `random` is within 0..1 and only matters with jitter. */
export function backoffMs(failures: number, { firstMs = 5, capMs = 1_000_000, jitter = 0 }: BackoffOptions, random: number): number {
  const fullMs = Math.min(firstMs * 2 ** Math.min(failures, 60), capMs)
  return fullMs * (1 - jitter * random)
}
