import type { Clock, TimerHandle } from '../../clock/index.ts'

/**
 * A read that many callers request and that runs once for all of them.
 *
 * Guarantees: reads never overlap. A request during a read causes one more read after it, so each request is answered by a read that began
 * after the request. A failed read is repeated after `retryMs` at the latest. After `stop` no read begins.
 */
export type CoalescedRead = {
  /** Resolves when nothing is left to read: also when the read failed or was stopped. Never rejects. */
  request(): Promise<void>
  /** Requests a read in `afterMs`. Of several such requests the earliest counts; that read answers all of them. */
  requestAfter(afterMs: number): void
  /** Waits for the read under way. */
  stop(): Promise<void>
}

export type CoalescedReadDeps = {
  readonly read: () => Promise<void>
  readonly clock: Clock
  readonly retryMs: number
  /** A read failed and is going to be repeated. Must not throw. */
  readonly onFailure: (error: unknown) => void
}

type State = CoalescedReadDeps & {
  isRequested: boolean
  isStopped: boolean
  running: Promise<void> | undefined
  timer: { readonly handle: TimerHandle; readonly atMs: number } | undefined
}

export function createCoalescedRead(deps: CoalescedReadDeps): CoalescedRead {
  const state: State = { ...deps, isRequested: false, isStopped: false, running: undefined, timer: undefined }
  return {
    request: () => request(state),
    requestAfter: (afterMs) => requestAfter(state, afterMs),
    async stop() {
      state.isStopped = true
      clearTimer(state)
      await state.running
    },
  }
}

function request(state: State): Promise<void> {
  if (state.isStopped) return Promise.resolve()
  state.isRequested = true
  return (state.running ??= readWhileRequested(state))
}

async function readWhileRequested(state: State): Promise<void> {
  // Callers that follow each other without waiting share the first read too.
  await Promise.resolve()
  try {
    while (state.isRequested && !state.isStopped) {
      state.isRequested = false
      await state.read()
    }
  } catch (error) {
    if (state.isStopped) return
    requestAfter(state, state.retryMs)
    state.onFailure(error)
  } finally {
    // In the same step as the last look at `isRequested`: a later request starts a new loop. Behind a `.finally` of the promise,
    // a request in between would join a loop that has ended, and would never be read.
    state.running = undefined
  }
}

function requestAfter(state: State, afterMs: number): void {
  const atMs = state.clock.monotonicNow() + afterMs
  if (state.isStopped || (state.timer !== undefined && state.timer.atMs <= atMs)) return
  clearTimer(state)
  const handle = state.clock.setTimeout(() => {
    state.timer = undefined
    void request(state)
  }, afterMs)
  state.timer = { handle, atMs }
}

function clearTimer(state: State): void {
  if (state.timer !== undefined) state.clock.clearTimeout(state.timer.handle)
  state.timer = undefined
}
