/** Lets so many in at a time; the others wait, in the order in which they came. */
export type Gate = {
  /** Resolves with how to leave, which is to be called once. Rejects with the signal's reason if it aborts first. */
  enter(signal: AbortSignal): Promise<() => void>
}

export function createGate(atOnce: number): Gate {
  const waiting = new Set<() => void>()
  let inside = 0
  const leave = (): void => {
    inside -= 1
    const [next] = waiting
    next?.()
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
        if (inside < atOnce) return admit()
        waiting.add(admit)
        signal.addEventListener('abort', onAbort, { once: true })
      }),
  }
}
