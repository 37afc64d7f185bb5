import type { Clock, TimerHandle } from './clock.ts'

/**
 * Resolves after `ms` on that clock. Rejects with `signal.reason` as soon as the signal aborts, or at once if it has
 * aborted before.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      clock.clearTimeout(handle)
      reject(signal?.reason)
    }
    const handle = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/**
 * A signal with a time limit. Dispose it when the limited work has ended; until then it holds a timer and a listener.
 */
export type Deadline = Disposable & {
  /** Aborts when the parent does (with its reason), or when the time has passed. */
  readonly signal: AbortSignal
  /** Restarts the time limit with another length. */
  rearm(ms: number): void
}

/**
 * Returns a signal that aborts after `ms`, or when the parent `signal` aborts. `reason` creates the abort reason when
 * the time has passed. Unlike `AbortSignal.any` and `AbortSignal.timeout`, it uses the clock and leaves nothing behind
 * on a parent that lives as long as the process.
 */
export function deadline(
  clock: Clock,
  ms: number,
  options: { readonly signal?: AbortSignal | undefined; readonly reason: () => unknown },
): Deadline {
  const { signal: parent, reason } = options
  const controller = new AbortController()
  let timer: TimerHandle | undefined
  const disarm = () => {
    if (timer) clock.clearTimeout(timer)
    timer = undefined
  }
  const onParentAbort = () => {
    disarm()
    controller.abort(parent?.reason)
  }
  const rearm = (afterMs: number) => {
    disarm()
    if (!controller.signal.aborted) timer = clock.setTimeout(() => controller.abort(reason()), afterMs)
  }
  if (parent?.aborted) controller.abort(parent.reason)
  else parent?.addEventListener('abort', onParentAbort, { once: true })
  rearm(ms)
  return {
    signal: controller.signal,
    rearm,
    [Symbol.dispose]() {
      disarm()
      parent?.removeEventListener('abort', onParentAbort)
    },
  }
}
