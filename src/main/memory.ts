import { totalmem } from 'node:os'
import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '../clock/index.ts'
import type { Logger, Metrics } from '../observability/index.ts'

/** What ends the process when it is used up: the container's limit, and the heap's. */
export type MemoryUse = {
  readonly limit: 'container' | 'heap'
  readonly usedBytes: number
  readonly limitBytes: number
}

/**
 * Watches how much memory is left, and acts and speaks up before the process dies of it.
 *
 * The container counts as the kernel counts, which ends the process by it: with garbage that nobody has collected yet. So at 80 % of its limit the
 * garbage is collected first. If the use is still as high without it, there is a warning in the log, and the handlers are called. The heap is read
 * as a collection left it: at 80 % it warns and calls the handlers at once. Each limit acts once and then every minute, until it is below 70 %
 * again, whatever was done for the other one meanwhile. The metric is set at each look, after a collection to what it left.
 * Whoever keeps what can be read or computed again drops it when called; nothing that a decision needs is lost by that.
 */
export type MemoryWatch = {
  /** Until the signal aborts. */
  start(signal: AbortSignal): void
  /** Returns a function that removes the handler. */
  onShort(handler: () => void): () => void
}

const shortShare = 0.8
const calmShare = 0.7
const lookMs = 5_000
const repeatMs = 60_000

export function createMemoryWatch(deps: {
  readonly memory: ProcessMemory
  readonly metrics: Pick<Metrics, 'set'>
  readonly clock: Clock
  readonly log: Logger
}): MemoryWatch {
  const { memory, metrics, clock, log } = deps
  const handlers = new Set<() => void>()
  /** When the container's garbage was collected last, and when the heap gave way last, since that limit was calm. */
  const actedAtMs = new Map<MemoryUse['limit'], number>()

  function look(): void {
    const isCollected = collectIfShort()
    const uses = memory.read()
    // Without a collection it is unknown whether the container is full of garbage.
    const short = uses.filter((use) => (use.limit === 'container' ? isCollected && isShort(use) : mayAct(use)))
    if (short.length > 0) giveWay(short)
    for (const use of uses) {
      if (shareOf(use) < calmShare) actedAtMs.delete(use.limit)
      metrics.set('taskmill_memory_used_ratio', { limit: use.limit }, shareOf(use))
    }
  }

  function collectIfShort(): boolean {
    if (!memory.read().some((use) => use.limit === 'container' && mayAct(use))) return false
    memory.collect()
    actedAtMs.set('container', clock.monotonicNow())
    return true
  }

  function mayAct(use: MemoryUse): boolean {
    const beforeMs = actedAtMs.get(use.limit)
    return isShort(use) && (beforeMs === undefined || clock.monotonicNow() - beforeMs >= repeatMs)
  }

  function giveWay(short: readonly MemoryUse[]): void {
    for (const { limit } of short) actedAtMs.set(limit, clock.monotonicNow())
    log.warn(
      { ...Object.fromEntries(short.map((use) => [use.limit, inWords(use)])), next: 'raise operator.resources.limits.memory of the chart' },
      'memory is running short, dropping what can be read again',
    )
    for (const handler of handlers) handler()
  }

  return {
    start(signal) {
      const again = (): void => {
        if (signal.aborted) return
        look()
        timer = clock.setTimeout(again, lookMs)
      }
      let timer = clock.setTimeout(again, 0)
      signal.addEventListener('abort', () => clock.clearTimeout(timer), { once: true })
    },
    onShort(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
}

const isShort = (use: MemoryUse): boolean => shareOf(use) >= shortShare
const shareOf = ({ usedBytes, limitBytes }: MemoryUse): number => usedBytes / limitBytes
const inWords = ({ usedBytes, limitBytes }: MemoryUse): string => `${megabytes(usedBytes)} of ${megabytes(limitBytes)} MiB`
const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

/** The memory of this process. */
export type ProcessMemory = {
  /**
   * The heap counts as it was after the last full garbage collection: before one, it grows up to its limit without anything being wrong. The
   * container counts as the kernel counts, with all garbage.
   */
  read(): readonly MemoryUse[]
  /** Collects all garbage in one go, and gives its memory back. Takes some tenths of a second with a large heap. */
  collect(): void
}

/**
 * The memory of this process, by what the kernel and V8 say. V8's own mode for saving memory would collect after every tenth of the heap: with 9,000
 * schedules a start took 31 s of processor time instead of 15 with it, for 13 MB less at most.
 */
export function processMemory(): ProcessMemory {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as NodeJS.GCFunction
  let liveHeapBytes = 0
  const noteLiveHeap = (): void => void (liveHeapBytes = getHeapStatistics().used_heap_size)
  const isFull = (entry: PerformanceEntry): boolean =>
    (entry as PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail }).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR
  new PerformanceObserver((list) => {
    if (list.getEntries().some(isFull)) noteLiveHeap()
  }).observe({ entryTypes: ['gc'] })
  return {
    read() {
      const containerBytes = process.constrainedMemory()
      // Without a limit the kernel answers with more than the machine has, or with nothing.
      const isLimited = containerBytes > 0 && containerBytes < totalmem()
      return [
        ...(isLimited ? [{ limit: 'container', usedBytes: process.memoryUsage.rss(), limitBytes: containerBytes } as const] : []),
        { limit: 'heap', usedBytes: liveHeapBytes, limitBytes: getHeapStatistics().heap_size_limit },
      ]
    },
    collect() {
      collectGarbage({ type: 'major', execution: 'sync', flavor: 'last-resort' })
      noteLiveHeap()
    },
  }
}
