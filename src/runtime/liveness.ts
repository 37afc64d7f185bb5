import type { Clock } from '../clock/index.ts'
import type { Elector } from './elector.ts'

/** Whether the process is worth keeping alive. */
export type Liveness = {
  /** Begins to watch, until the signal aborts. */
  start(signal: AbortSignal): void
  /** What is wrong, as sentences; empty while all is well. */
  problems(): readonly string[]
}

const turnMs = 1_000
/** Timers that are this late mean a loop that does nothing but one thing. */
const stalledAfterMs = 10_000

/**
 * Watches the event loop (its timers have to come) and the lease: a leader whose renewal neither succeeds nor gives up, beyond the
 * end of the lease, would keep the work from everybody, and only a restart helps.
 */
export function createLiveness({ clock, elector }: { readonly clock: Clock; readonly elector: Pick<Elector, 'overdueMs'> }): Liveness {
  let turnedMs: number | undefined
  return {
    start(signal) {
      const turn = () => {
        if (signal.aborted) return
        turnedMs = clock.monotonicNow()
        timer = clock.setTimeout(turn, turnMs)
      }
      let timer = clock.setTimeout(turn, 0)
      signal.addEventListener('abort', () => clock.clearTimeout(timer), { once: true })
    },
    problems() {
      const stalledMs = turnedMs === undefined ? 0 : clock.monotonicNow() - turnedMs
      const overdueMs = elector.overdueMs()
      return [
        ...(stalledMs > stalledAfterMs ? [`the event loop has not come round for ${seconds(stalledMs)} s`] : []),
        ...(overdueMs > 0 ? [`leading, and the lease ran out ${seconds(overdueMs)} s ago without being renewed or given up`] : []),
      ]
    },
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}
