import type { Clock, TimerHandle } from '../clock/index.ts'

/**
 * Lets so many in at a time; the others wait, in the order in which they came.
 *
 * A server that refuses for lack of capacity narrows it: each refusal halves how many are inside at a time, down to one; if that one is refused
 * too, nobody enters for as long as the server asks, at most a second. Each answer widens it by one. So what a busy server still takes goes on,
 * one writer that is refused again and again delays the others little, and a server that refuses everything is asked once a second.
 */
export type Gate = {
  /** Resolves with how to leave, which is to be called once. Rejects with the signal's reason if it aborts first. */
  enter(signal: AbortSignal): Promise<() => void>
  /** The server refused one that was inside, for lack of capacity, and asks to wait so long. */
  refused(waitMs: number): void
  /** The server answered one that was inside. */
  answered(): void
  /** Whether fewer enter at a time than could, because the server refused some. */
  isNarrow(): boolean
  /** Ends the pause. */
  close(): void
}

/** Other writers than the one that was refused may be welcome. */
const longestPauseMs = 1_000

export function createGate({ clock, atOnce }: { readonly clock: Clock; readonly atOnce: number }): Gate {
  const waiting = new Set<() => void>()
  let inside = 0
  let width = atOnce
  let pause: TimerHandle | undefined

  const hasRoom = (): boolean => pause === undefined && inside < width
  const admitWaiting = (): void => {
    for (const admit of waiting) {
      if (!hasRoom()) return
      admit()
    }
  }
  const endPause = (): void => {
    if (pause !== undefined) clock.clearTimeout(pause)
    pause = undefined
  }
  const leave = (): void => {
    inside -= 1
    admitWaiting()
  }
  return {
    enter: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const stopWaiting = (): void => {
          waiting.delete(admit)
          signal.removeEventListener('abort', onAbort)
        }
        const onAbort = (): void => {
          stopWaiting()
          reject(signal.reason)
        }
        const admit = (): void => {
          stopWaiting()
          inside += 1
          resolve(leave)
        }
        if (hasRoom()) return admit()
        waiting.add(admit)
        signal.addEventListener('abort', onAbort, { once: true })
      }),
    refused(waitMs) {
      if (width > 1) return void (width = Math.floor(width / 2))
      endPause()
      pause = clock.setTimeout(
        () => {
          pause = undefined
          admitWaiting()
        },
        Math.min(waitMs, longestPauseMs),
      )
    },
    answered() {
      endPause()
      width = Math.min(atOnce, width + 1)
      admitWaiting()
    },
    isNarrow: () => width < atOnce,
    close: endPause,
  }
}
