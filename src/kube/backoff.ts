import type { Clock } from '../clock/index.ts'

/** Growing pauses between attempts against the API server. */
export type Backoff = {
  /** The pause before the next attempt. Doubles with each call, and starts over after a long time without one. */
  nextMs(): number
}

const firstMs = 800
const capMs = 30_000
const healthyAfterMs = 120_000

/** 800 ms, doubled up to 30 s; each between half and all of that at random, so that many clients do not return together. */
export function createBackoff(clock: Clock, rng: () => number): Backoff {
  let attempts = 0
  let lastMs = -Infinity
  return {
    nextMs() {
      const nowMs = clock.monotonicNow()
      if (nowMs - lastMs > healthyAfterMs) attempts = 0
      const fullMs = Math.min(firstMs * 2 ** attempts, capMs)
      attempts = Math.min(attempts + 1, 16)
      const pauseMs = fullMs * (0.5 + rng() / 2)
      lastMs = nowMs + pauseMs
      return pauseMs
    },
  }
}
