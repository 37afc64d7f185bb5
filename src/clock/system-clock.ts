import { clampDelayMs, type Clock } from './clock.ts'

/** The machine's clock. Its timers keep the process alive until they fire or are cleared. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  setTimeout: (fn, ms) => ({ timer: setTimeout(fn, clampDelayMs(ms)) }),
  clearTimeout: ({ timer }) => clearTimeout(timer as NodeJS.Timeout),
}
