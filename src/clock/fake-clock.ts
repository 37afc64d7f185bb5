import { clampDelayMs, type Clock, type TimerHandle } from './clock.ts'

/** A clock that stands still until a test advances it. */
export type FakeClock = Clock & {
  /**
   * Moves time forward by `ms`. Fires the timers on the way in order of their time, and lets promises settle before and
   * after each.
   */
  advance(ms: number): Promise<void>
  /**
   * Moves only the wall clock, as an administrator or NTP would: no timer fires, and `monotonicNow` does not change.
   */
  jumpWall(ms: number): void
  /** Returns the remaining delays of all pending timers, shortest first. */
  pending(): number[]
  /**
   * Resolves when a timer is pending that has at least `minMs` and at most `maxMs` left. Tests use it to await that
   * something has started to wait.
   */
  timerSet(minMs?: number, maxMs?: number): Promise<void>
}

type Timer = { readonly fn: () => void; readonly dueMs: number; readonly order: number }

/** Lets everything run that is ready: chains of promises of any length, and callbacks behind them. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A `FakeClock` whose wall time starts at `startMs` (default: 2026-01-01T00:00:00Z). */
export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  const timers = new Map<TimerHandle, Timer>()
  const watchers = new Set<() => void>()
  let elapsedMs = 0
  let wallOffsetMs = startMs
  let order = 0

  function fireNextUntil(untilMs: number): boolean {
    let head: [TimerHandle, Timer] | undefined
    for (const entry of timers) {
      const timer = entry[1]
      if (timer.dueMs > untilMs) continue
      if (!head || timer.dueMs < head[1].dueMs || (timer.dueMs === head[1].dueMs && timer.order < head[1].order)) head = entry
    }
    if (!head) return false
    timers.delete(head[0])
    elapsedMs = Math.max(elapsedMs, head[1].dueMs)
    head[1].fn()
    return true
  }

  return {
    now: () => wallOffsetMs + elapsedMs,
    monotonicNow: () => elapsedMs,
    setTimeout(fn, ms) {
      const handle: TimerHandle = { timer: order }
      timers.set(handle, { fn, dueMs: elapsedMs + clampDelayMs(ms), order: order++ })
      for (const look of watchers) look()
      return handle
    },
    clearTimeout: (handle) => void timers.delete(handle),
    async advance(ms) {
      const untilMs = elapsedMs + ms
      await settle()
      while (fireNextUntil(untilMs)) await settle()
      elapsedMs = untilMs
    },
    jumpWall: (ms) => void (wallOffsetMs += ms),
    pending: () => [...timers.values()].map((timer) => timer.dueMs - elapsedMs).toSorted((a, b) => a - b),
    timerSet: (minMs = 0, maxMs = Infinity) =>
      new Promise((resolve) => {
        const look = () => {
          for (const { dueMs } of timers.values()) {
            if (dueMs - elapsedMs < minMs || dueMs - elapsedMs > maxMs) continue
            watchers.delete(look)
            return resolve()
          }
        }
        watchers.add(look)
        look()
      }),
  }
}
