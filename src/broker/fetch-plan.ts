/** How long a queue that was seen empty may go unseen while all slots are busy with others. */
const busyPeekMs = 25
/** How long without a look at all queues even if no marker came: markers can be lost with the worker that took them. */
const pollMs = 5_000
/** Fetches under way at once from a queue that has jobs, so that a distant broker does not fill free slots one by one. */
const fetchesAtOnce = 8

/** The result of a fetch: a job or not, how long the queue is rate limited, when its next delayed job is due (0: none is). */
export type FetchOutcome = { readonly gotJob: boolean; readonly limitedMs: number; readonly nextDueMs: number }

type QueueState = {
  readonly queue: string
  /** May have a job: something happened since it was asked. */
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
 * Decides which queue to ask next. It knows, of each queue, whether a fetch may find something. The queues that may have something are taken in
 * turns. Pure but for its own state: the time is an argument, in Unix ms of the worker's clock.
 */
export type FetchPlan = {
  /** Returns the next queue to fetch from; undefined when none may have a job. `endFetch` has to follow. */
  takeQueue(nowMs: number): string | undefined
  /** The fetch of a taken queue has ended, after `recordFetch` or `recordFailure`. */
  endFetch(queue: string): void
  /** A fetch that comes with the end of a job is about to be sent. */
  markAsked(queue: string): void
  /** Records what a fetch found. A marker or peek that came while it was under way outlives it: the fetch may have been answered before. */
  recordFetch(queue: string, outcome: FetchOutcome, nowMs: number): void
  /** Records that a fetch failed; the queue is not asked for that long. */
  recordFailure(queue: string, nowMs: number, pauseMs: number): void
  /** Records that a queue may have a job (again). */
  markReady(queue: string): void
  /** Records a marker: a job is there (0), or will be at that time. */
  recordMarker(queue: string, dueMs: number): void
  /** Records a look at a queue that took nothing. */
  recordPeek(queue: string, hasJob: boolean, nextDueMs: number): void
  /**
   * Says whether the slot of a job that ends may take the next job of the same queue, which saves a round trip: when each other queue that may
   * have something has a slot, and at most one slot fewer than this one. `running`: the jobs of each queue that run, this one included.
   */
  canKeepSlot(queue: string, nowMs: number, running: ReadonlyMap<string, number>): boolean
  /** Says whether it is time to look at all queues. `isBusy`: nobody waits for their markers. */
  isPeekDue(nowMs: number, isBusy: boolean): boolean
  /** Records that the look happened, or that markers of all queues were watched until now. */
  recordLook(nowMs: number, atMarkersOnly: boolean): void
  /** Returns the queues whose markers to wait for, the next one to ask first. */
  listWatchable(nowMs: number): string[]
  /** Returns for how long to wait for markers at most. */
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
  const markAsked = (of: QueueState) => Object.assign(of, { isReady: false, nextDueMs: Infinity })
  const inTurn = () => [...order.slice(turn), ...order.slice(0, turn)]

  return {
    queues,
    takeQueue(nowMs) {
      const next = inTurn().find((each) => each.fetches < (each.isHot ? fetchesAtOnce : 1) && mayHaveJob(each, nowMs))
      if (next === undefined) return undefined
      next.fetches++
      markAsked(next)
      turn = (order.indexOf(next) + 1) % order.length
      return next.queue
    },
    endFetch(queue) {
      state(queue).fetches--
    },
    markAsked: (queue) => markAsked(state(queue)),
    recordFetch(queue, { gotJob, limitedMs, nextDueMs }, nowMs) {
      const of = state(queue)
      of.isHot = gotJob
      if (limitedMs > 0) Object.assign(of, { isReady: true, notBeforeMs: nowMs + limitedMs })
      if (nextDueMs > 0) of.nextDueMs = Math.min(of.nextDueMs, Math.floor(nextDueMs))
    },
    recordFailure(queue, nowMs, pauseMs) {
      Object.assign(state(queue), { isReady: true, isHot: false, notBeforeMs: nowMs + pauseMs })
    },
    markReady(queue) {
      state(queue).isReady = true
    },
    recordMarker(queue, dueMs) {
      const of = state(queue)
      if (dueMs === 0) of.isReady = true
      else of.nextDueMs = Math.min(of.nextDueMs, dueMs)
    },
    recordPeek(queue, hasJob, nextDueMs) {
      const of = state(queue)
      if (hasJob) of.isReady = true
      if (nextDueMs > 0) of.nextDueMs = Math.min(of.nextDueMs, nextDueMs)
    },
    canKeepSlot(queue, nowMs, running) {
      const fairShare = Math.max(1, (running.get(queue) ?? 0) - 1)
      const isServed = (each: QueueState) => (running.get(each.queue) ?? 0) + each.fetches >= fairShare
      return nowMs >= state(queue).notBeforeMs && order.every((each) => each.queue === queue || !mayHaveJob(each, nowMs) || isServed(each))
    },
    isPeekDue: (nowMs, isBusy) => nowMs - peekedMs >= pollMs || (isBusy && order.length > 1 && nowMs - seenMs >= busyPeekMs),
    recordLook(nowMs, atMarkersOnly) {
      seenMs = nowMs
      if (!atMarkersOnly) peekedMs = nowMs
    },
    listWatchable: (nowMs) =>
      inTurn()
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
