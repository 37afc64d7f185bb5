import type { Clock } from '../../clock/index.ts'

/** What gauges may cost the API server, over all objects of the process: a bucket of one second's writes that fills again evenly. */
export type WriteBudget = {
  /**
   * 0 when the write of `who` may go now, and counts it; else how long to wait before asking again. Each who has to wait gets a turn of its own, so
   * that a thousand of them do not ask ten times a second each; asking before that turn costs nothing.
   */
  take(who: string): number
}

/** `perSecond`: writes per second in the long run, and the most at once. */
export function createWriteBudget({ clock, perSecond }: { readonly clock: Clock; readonly perSecond: number }): WriteBudget {
  const eachMs = 1000 / perSecond
  /** When each who was sent away is to come back: the earliest first. */
  const turns = new Map<string, number>()
  let tokens = perSecond
  let filledMs = clock.monotonicNow()
  let lastTurnMs = 0
  return {
    take(who) {
      const nowMs = clock.monotonicNow()
      tokens = Math.min(perSecond, tokens + (nowMs - filledMs) / eachMs)
      filledMs = nowMs
      const turnMs = turns.get(who)
      if (tokens >= 1) {
        turns.delete(who)
        tokens -= 1
        return 0
      }
      if (turnMs !== undefined && turnMs > nowMs) return Math.ceil(turnMs - nowMs)
      // Who does not come back has nothing to write any more.
      for (const [other, atMs] of turns) {
        if (atMs > nowMs) break
        turns.delete(other)
      }
      lastTurnMs = Math.max(nowMs + (1 - tokens) * eachMs, lastTurnMs + eachMs)
      turns.set(who, lastTurnMs)
      return Math.ceil(lastTurnMs - nowMs)
    },
  }
}
