import type { Clock } from '../clock/index.ts'

/** What gauges may cost the API server, over all objects of the process: a bucket of one second's writes that fills again evenly. */
export type WriteBudget = {
  /** 0 when the write may go now, and counts it; else how long to wait before asking again. */
  take(): number
}

/** `perSecond`: writes per second in the long run, and the most at once. */
export function createWriteBudget({ clock, perSecond }: { readonly clock: Clock; readonly perSecond: number }): WriteBudget {
  let tokens = perSecond
  let filledMs = clock.monotonicNow()
  return {
    take() {
      const nowMs = clock.monotonicNow()
      tokens = Math.min(perSecond, tokens + ((nowMs - filledMs) * perSecond) / 1000)
      filledMs = nowMs
      if (tokens < 1) return Math.ceil(((1 - tokens) * 1000) / perSecond)
      tokens -= 1
      return 0
    },
  }
}
