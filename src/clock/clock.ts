/** The handle of a timer; only for `clearTimeout` of the same clock. */
export type TimerHandle = { readonly timer: unknown }

/** The only source of time. */
export type Clock = {
  /** Wall time in ms since 1970. May jump when the machine's clock is set: for timestamps, not for durations. */
  now(): number
  /** Milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  monotonicNow(): number
  /** Calls `fn` once, after about `ms` (clamped to 0..`maxDelayMs`). */
  setTimeout(fn: () => void, ms: number): TimerHandle
  /** Does nothing for a timer that has fired or was cleared. */
  clearTimeout(handle: TimerHandle): void
}

/** The longest delay that Node's timers support; a longer one would fire after 1 ms. */
export const maxDelayMs = 2 ** 31 - 1

/** Returns the delay that is used: within 0..`maxDelayMs`. */
export function clampDelayMs(ms: number): number {
  if (Number.isNaN(ms)) throw new RangeError('a delay must be a number')
  return Math.min(Math.max(ms, 0), maxDelayMs)
}

/** The machine's clock. Its timers keep the process alive until they fire or are cleared. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  setTimeout: (fn, ms) => ({ timer: setTimeout(fn, clampDelayMs(ms)) }),
  clearTimeout: ({ timer }) => clearTimeout(timer as NodeJS.Timeout),
}
