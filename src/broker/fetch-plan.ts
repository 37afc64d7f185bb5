/** How long a queue that was seen empty may go unseen while all slots are busy with others. */
const busyPeekMs = 25
/** How long without a look at all queues even if no marker came: markers can be lost with the worker that took them. */
const pollMs = 5_000
/** Fetches under way at once from a queue that has jobs, so that a distant broker does not fill free slots one by one. */
const fetchesAtOnce = 8

/** What a fetch found: a job or not, until when the queue is rate limited, when its next delayed job is due (0: none is). */
export type FetchOutcome = { readonly gotJob: boolean; readonly limitedMs: number; readonly nextDueMs: number }

type QueueState = {
  readonly queue: string
  /** May have a job: there was news since it was asked. */
  isReady: boolean
  /** The last answer was a job: may have another one. */
  isHot: boolean
  /** Fetches under way. */
  fetches: number
  nextDueMs: number
  /** Rate limited, or failing: leave it alone until then. */
  notBeforeMs: number
}

/**
 * Which queue to ask next. Knows, of each queue, whether a fetch may find something; the queues that may have something are taken in turns.
 * Pure but for its own state: the time is an argument.
 */
export type FetchPlan = {
  /** The next queue to fetch from; undefined when none may have a job. To be followed by `done`. */
  take(nowMs: number): string | undefined
  /** The fetch of a taken queue has ended, after `found` or `failed`. */
  done(queue: string): void
  /** A fetch that comes with the completion of a job is about to be sent. */
  asking(queue: string): void
  /** What a fetch found. News that came while it was under way outlives it: the fetch may have been answered before them. */
  found(queue: string, outcome: FetchOutcome, nowMs: number): void
  /** A fetch failed; the queue is left alone for that long. */
  failed(queue: string, nowMs: number, pauseMs: number): void
  /** A queue may have a job (again). */
  ready(queue: string): void
  /** A marker says that a job is there (0), or will be at that time. */
  marker(queue: string, dueMs: number): void
  /** A look at a queue, without taking anything. */
  peeked(queue: string, hasJob: boolean, nextDueMs: number): void
  /** Whether a job that ends should be followed by the next one of the same queue: only when no other queue may have something. */
  keeps(queue: string, nowMs: number): boolean
  /** Whether to look at all queues before going on with the same. */
  isPeekDue(nowMs: number, isBusy: boolean): boolean
  /** The look happened, or markers of all queues were watched until now. */
  looked(nowMs: number, atMarkersOnly: boolean): void
  /** Queues whose markers to wait for, the one whose turn it is first. */
  watchable(nowMs: number): string[]
  /** For how long to wait for markers at most. */
  waitMs(nowMs: number): number
  readonly queues: readonly string[]
}

export function createFetchPlan(queues: readonly string[]): FetchPlan {
  const states = new Map<string, QueueState>(
    queues.map((queue) => [queue, { queue, isReady: true, isHot: false, fetches: 0, nextDueMs: Infinity, notBeforeMs: 0 }]),
  )
  const order = [...states.values()]
  let turn = 0
  let seenMs = -Infinity
  let peekedMs = -Infinity

  const state = (queue: string): QueueState => {
    const found = states.get(queue)
    if (found === undefined) throw new RangeError(`unknown queue ${queue}`)
    return found
  }
  const mayHaveJob = (of: QueueState, nowMs: number) => nowMs >= of.notBeforeMs && (of.isReady || of.isHot || nowMs >= of.nextDueMs)
  const asking = (of: QueueState) => Object.assign(of, { isReady: false, nextDueMs: Infinity })
  const rotated = () => [...order.slice(turn), ...order.slice(0, turn)]

  return {
    queues,
    take(nowMs) {
      const next = rotated().find((each) => each.fetches < (each.isHot ? fetchesAtOnce : 1) && mayHaveJob(each, nowMs))
      if (next === undefined) return undefined
      next.fetches++
      asking(next)
      turn = (order.indexOf(next) + 1) % order.length
      return next.queue
    },
    done(queue) {
      state(queue).fetches--
    },
    asking: (queue) => asking(state(queue)),
    found(queue, { gotJob, limitedMs, nextDueMs }, nowMs) {
      const of = state(queue)
      of.isHot = gotJob
      if (limitedMs > 0) Object.assign(of, { isReady: true, notBeforeMs: nowMs + limitedMs })
      if (nextDueMs > 0) of.nextDueMs = Math.min(of.nextDueMs, Math.floor(nextDueMs))
    },
    failed(queue, nowMs, pauseMs) {
      Object.assign(state(queue), { isReady: true, isHot: false, notBeforeMs: nowMs + pauseMs })
    },
    ready(queue) {
      state(queue).isReady = true
    },
    marker(queue, dueMs) {
      const of = state(queue)
      if (dueMs === 0) of.isReady = true
      else of.nextDueMs = Math.min(of.nextDueMs, dueMs)
    },
    peeked(queue, hasJob, nextDueMs) {
      const of = state(queue)
      if (hasJob) of.isReady = true
      if (nextDueMs > 0) of.nextDueMs = Math.min(of.nextDueMs, nextDueMs)
    },
    keeps: (queue, nowMs) => nowMs >= state(queue).notBeforeMs && order.every((each) => each.queue === queue || !mayHaveJob(each, nowMs)),
    isPeekDue: (nowMs, isBusy) => nowMs - peekedMs >= pollMs || (isBusy && order.length > 1 && nowMs - seenMs >= busyPeekMs),
    looked(nowMs, atMarkersOnly) {
      seenMs = nowMs
      if (!atMarkersOnly) peekedMs = nowMs
    },
    watchable: (nowMs) =>
      rotated()
        .filter(({ notBeforeMs }) => nowMs >= notBeforeMs)
        .map(({ queue }) => queue),
    waitMs(nowMs) {
      let untilMs = peekedMs + pollMs
      for (const { nextDueMs, notBeforeMs } of order) {
        untilMs = Math.min(untilMs, notBeforeMs > nowMs ? notBeforeMs : Math.max(nextDueMs, nowMs))
      }
      return Math.min(Math.max(untilMs - nowMs, 0), pollMs)
    },
  }
}
