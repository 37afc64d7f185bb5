import { totalmem } from 'node:os'
import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Clock } from '../clock/index.ts'
import type { Logger, Metrics } from '../observability/index.ts'

/** What ends the process when it is used up: the container's limit, and the heap's. */
export type MemoryUse = {
  readonly limit: 'container' | 'heap'
  readonly usedBytes: number
  readonly limitBytes: number
}

/**
 * Watches how much memory is left, and speaks up before the process dies of it.
 *
 * Guarantees: from 80 % of a limit on there is a warning in the log, and the handlers are called, once and then every minute until all limits
 * are below 70 % again. The metric is set at each look.
 * Does not: free anything. Whoever keeps what can be read again drops it when called.
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
  readonly read: () => readonly MemoryUse[]
  readonly metrics: Pick<Metrics, 'set'>
  readonly clock: Clock
  readonly log: Logger
}): MemoryWatch {
  const { read, metrics, clock, log } = deps
  const handlers = new Set<() => void>()
  let calledAtMs: number | undefined

  function look(): void {
    const uses = read()
    for (const { limit, usedBytes, limitBytes } of uses) metrics.set('taskmill_memory_used_ratio', { limit }, usedBytes / limitBytes)
    if (uses.every((use) => shareOf(use) < calmShare)) calledAtMs = undefined
    const short = uses.filter((use) => shareOf(use) >= shortShare)
    if (short.length === 0 || (calledAtMs !== undefined && clock.monotonicNow() - calledAtMs < repeatMs)) return
    calledAtMs = clock.monotonicNow()
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

const shareOf = ({ usedBytes, limitBytes }: MemoryUse): number => usedBytes / limitBytes
const inWords = ({ usedBytes, limitBytes }: MemoryUse): string => `${megabytes(usedBytes)} of ${megabytes(limitBytes)} MiB`
const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

/**
 * Reads the use of this process. The heap counts as it was after the last full garbage collection: before one, it grows up to its limit
 * without anything being wrong.
 */
export function createMemoryReader(): () => readonly MemoryUse[] {
  let liveHeapBytes = 0
  const isFull = (entry: PerformanceEntry): boolean =>
    (entry as PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail }).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR
  new PerformanceObserver((list) => {
    if (list.getEntries().some(isFull)) liveHeapBytes = getHeapStatistics().used_heap_size
  }).observe({ entryTypes: ['gc'] })
  return () => {
    const containerBytes = process.constrainedMemory()
    // Without a limit the kernel answers with more than the machine has, or with nothing.
    const isLimited = containerBytes > 0 && containerBytes < totalmem()
    return [
      ...(isLimited ? [{ limit: 'container', usedBytes: process.memoryUsage.rss(), limitBytes: containerBytes } as const] : []),
      { limit: 'heap', usedBytes: liveHeapBytes, limitBytes: getHeapStatistics().heap_size_limit },
    ]
  }
}
