import type { Clock } from '../../clock/index.ts'

/**
 * What gauges may cost the API server, over all objects of the process: a token bucket that holds one second's writes and fills evenly.
 *
 * Each writer that has to wait gets a time of its own, so that a thousand waiting writers do not ask ten times a second each.
 */
export type WriteBudget = {
  /**
   * Returns 0 and counts the write if `writer` may write now; otherwise how many milliseconds to wait before asking again. Asking before that
   * time costs nothing.
   */
  take(writer: string): number
}

/** `perSecond`: writes per second in the long run, and the most at once. */
export function createWriteBudget({ clock, perSecond }: { readonly clock: Clock; readonly perSecond: number }): WriteBudget {
  const intervalMs = 1000 / perSecond
  /** When each waiting writer is to come back; the earliest first. */
  const comeBackAtMs = new Map<string, number>()
  let tokens = perSecond
  let filledAtMs = clock.monotonicNow()
  let lastComeBackMs = 0
  return {
    take(writer) {
      const nowMs = clock.monotonicNow()
      tokens = Math.min(perSecond, tokens + (nowMs - filledAtMs) / intervalMs)
      filledAtMs = nowMs
      const dueMs = comeBackAtMs.get(writer)
      if (tokens >= 1) {
        comeBackAtMs.delete(writer)
        tokens -= 1
        return 0
      }
      if (dueMs !== undefined && dueMs > nowMs) return Math.ceil(dueMs - nowMs)
      // A writer that does not come back has nothing to write any more.
      for (const [other, otherDueMs] of comeBackAtMs) {
        if (otherDueMs > nowMs) break
        comeBackAtMs.delete(other)
      }
      lastComeBackMs = Math.max(nowMs + (1 - tokens) * intervalMs, lastComeBackMs + intervalMs)
      comeBackAtMs.set(writer, lastComeBackMs)
      return Math.ceil(lastComeBackMs - nowMs)
    },
  }
}
