import type { Slot } from '../contract/index.ts'
import { isQueueGeneration, type SchedulePlan, type Knowledge, type RunObservation } from './plan.ts'
import type { Ledger, MissedReason, MissedRuns, ActiveRun, RunOutcome } from './ledger.ts'
import { maxCountedSlots } from './transitions.ts'

/** A slot that is found this late is on time: nothing is made up for. */
const onTimeMs = 5_000
/** `Skip` skips what is later than this: an election takes less. */
const skippedAfterMs = 30_000

type DueSlots = {
  /** To be dispatched now, in order. */
  readonly fire: readonly Slot[]
  readonly missed: readonly { readonly reason: MissedReason; readonly slots: MissedRuns }[]
}

/**
 * Decides on every slot between the cursor and now that is not open already: it fires, or is missed for a reason. Slots of the last 5 s fire. Of older ones
 * fires, where none of the last 5 s does, the newest (`Latest`), the newest if it is at most 30 s old (`Skip`), or the newest
 * `missedRunsLimit` (`All`, which includes those of the last 5 s). While suspended nothing is decided: that is done at the resume, by the change of timing. Nor while held.
 */
export function decideDueSlots(ledger: Ledger, plan: SchedulePlan, nowMs: number): DueSlots {
  if (plan.suspended || plan.isHeld === true) return { fire: [], missed: [] }
  const handled = new Set(ledger.open.map(({ slot }) => slot))
  const due = plan.slots.between(ledger.cursor, Math.floor(nowMs / 1000), maxCountedSlots).filter((slot) => !handled.has(slot))
  const missed = new Map<MissedReason, Slot[]>()
  const miss = (reason: MissedReason, slots: readonly Slot[]): void => {
    if (slots.length > 0) missed.set(reason, [...(missed.get(reason) ?? []), ...slots])
  }
  const lateBy = (slot: Slot): number => nowMs - slot * 1000

  const deadlineMs = (plan.startingDeadlineSeconds ?? Infinity) * 1000
  miss(
    'StartingDeadlineExceeded',
    due.filter((slot) => lateBy(slot) > deadlineMs),
  )
  const inTime = due.filter((slot) => lateBy(slot) <= deadlineMs)

  let fire: readonly Slot[]
  if (plan.missedRuns === 'All') {
    fire = inTime.slice(-plan.missedRunsLimit)
    miss('TooManyMissed', inTime.slice(0, -plan.missedRunsLimit))
  } else {
    const skipped = plan.missedRuns === 'Skip' ? inTime.filter((slot) => lateBy(slot) > skippedAfterMs) : []
    miss('Skipped', skipped)
    const rest = inTime.slice(skipped.length)
    const punctual = rest.filter((slot) => lateBy(slot) <= onTimeMs)
    fire = punctual.length > 0 ? punctual : rest.slice(-1)
    miss('Superseded', rest.slice(0, rest.length - fire.length))
  }

  if (plan.concurrencyPolicy === 'Forbid') {
    const free = ledger.active.length === 0 ? 1 : 0
    miss('Overlap', fire.slice(free))
    fire = fire.slice(0, free)
  }
  return { fire, missed: [...missed].map(([reason, slots]) => ({ reason, slots: { count: slots.length, lastSlot: Math.max(...slots) } })) }
}

/** With `Allow`, the jobs of this time ahead lie in the queue as delayed jobs, so that they run also while no operator does. */
const aheadSeconds = 90
/** They are added when the time that is covered falls below this, not one by one. */
const refillSeconds = 45
const mostAhead = 64

/** Only a queue keeps a job until its time; what is one at a time is decided at that time too. */
export function canPlaceAhead({ concurrencyPolicy, generation }: Pick<SchedulePlan, 'concurrencyPolicy' | 'generation'>): boolean {
  return concurrencyPolicy === 'Allow' && isQueueGeneration(generation)
}

/** The slots to place ahead now; none while enough are. */
export function findSlotsAhead(ledger: Ledger, plan: SchedulePlan, nowMs: number): readonly Slot[] {
  if (plan.suspended || plan.isHeld === true || !canPlaceAhead(plan)) return []
  const now = Math.floor(nowMs / 1000)
  const waiting = ledger.open.filter(({ slot }) => slot > now)
  const first = plan.slots.next(Math.max(now, ledger.cursor, ...waiting.map(({ slot }) => slot)))
  if (first === undefined || waiting.length >= mostAhead / 2) return []
  if (first > now + (waiting.length === 0 ? aheadSeconds : refillSeconds)) return []
  const slots: Slot[] = []
  for (
    let slot: Slot | undefined = first;
    slot !== undefined && slot <= now + aheadSeconds && waiting.length + slots.length < mostAhead;
    slot = plan.slots.next(slot)
  )
    slots.push(slot)
  return slots
}

/**
 * Runs beyond `pendingDeadlineSeconds` (from the dispatch to the first start) or `runDeadlineSeconds` (from the first start). Whether a
 * run has started is looked up only when a deadline may have passed.
 */
export function findOverdueRuns(
  ledger: Ledger,
  plan: SchedulePlan,
  { looked, removed }: Knowledge,
  nowMs: number,
): { readonly look: readonly Slot[]; readonly remove: readonly Slot[]; readonly outcomes: readonly RunOutcome[] } {
  const found = { look: [] as Slot[], remove: [] as Slot[], outcomes: [] as RunOutcome[] }
  for (const run of ledger.active) {
    const { slot } = run
    const deadlineMs = deadlineOf(run, plan, looked.get(slot), nowMs)
    if (deadlineMs === undefined || deadlineMs > nowMs) continue
    const seen = looked.get(slot)
    if (seen === undefined) found.look.push(slot)
    else if (seen.state === 'Active') found.outcomes.push(failed(run, 'RunDeadlineExceeded', plan.runDeadlineSeconds, seen, nowMs))
    else if (seen.state === 'Waiting' && seen.startedAtMs === undefined) {
      const answer = removed.get(slot)
      if (answer === undefined) found.remove.push(slot)
      else if (answer !== 'Started') found.outcomes.push(failed(run, 'PendingDeadlineExceeded', plan.pendingDeadlineSeconds, seen, nowMs))
    } else if (seen.state === 'Waiting') found.outcomes.push(failed(run, 'RunDeadlineExceeded', plan.runDeadlineSeconds, seen, nowMs))
    else if (seen.state === 'Absent') {
      found.outcomes.push({
        slot,
        succeeded: false,
        reason: 'JobRemoved',
        message: 'the job is gone, and its end was never recorded',
        finishedAtMs: nowMs,
      })
    }
  }
  return found
}

/** When a run's deadline passes, or might: until it was looked at, it may have started with its dispatch. */
function deadlineOf(run: ActiveRun, plan: SchedulePlan, seen: RunObservation | undefined, nowMs: number): number | undefined {
  const { pendingDeadlineSeconds, runDeadlineSeconds } = plan
  const pending = pendingDeadlineSeconds === undefined ? undefined : run.dispatchedAtMs + pendingDeadlineSeconds * 1000
  const from = (startMs: number): number | undefined => (runDeadlineSeconds === undefined ? undefined : startMs + runDeadlineSeconds * 1000)
  if (seen === undefined) return earliest(pending, from(run.dispatchedAtMs))
  // Its end is on the way.
  if (seen.state === 'Ended') return undefined
  if (seen.state === 'Absent') return nowMs
  if (seen.startedAtMs !== undefined) return from(seen.startedAtMs)
  return seen.state === 'Active' ? from(nowMs) : earliest(pending, from(nowMs))
}

function failed(
  run: ActiveRun,
  reason: 'PendingDeadlineExceeded' | 'RunDeadlineExceeded',
  seconds: number | undefined,
  { startedAtMs }: RunObservation,
  nowMs: number,
): RunOutcome {
  const message = reason === 'PendingDeadlineExceeded' ? `not started within ${seconds} s` : `not ended within ${seconds} s`
  return { slot: run.slot, succeeded: false, reason, message, ...(startedAtMs === undefined ? {} : { startedAtMs }), finishedAtMs: nowMs }
}

/** When there may be something to do without anything happening; undefined: never. */
export function findNextWake(
  ledger: Ledger,
  plan: SchedulePlan,
  looked: ReadonlyMap<Slot, RunObservation>,
  nowMs: number,
): number | undefined {
  const now = Math.floor(nowMs / 1000)
  const waiting = ledger.open.filter(({ slot }) => slot > now).map(({ slot }) => slot)
  const next = plan.suspended || plan.isHeld === true ? undefined : plan.slots.next(Math.max(now, ledger.cursor, ...waiting))
  const refill = (): number | undefined => {
    if (next === undefined) return undefined
    if (!canPlaceAhead(plan)) return next * 1000
    return Math.max(now + 1, next - (waiting.length === 0 ? aheadSeconds : refillSeconds)) * 1000
  }
  const deadlines = ledger.active.map((run) => deadlineOf(run, plan, looked.get(run.slot), nowMs))
  const firstPlaced = waiting[0] === undefined ? undefined : waiting[0] * 1000
  return earliest(firstPlaced, waiting.length >= mostAhead / 2 ? undefined : refill(), ...deadlines)
}

function earliest(...moments: readonly (number | undefined)[]): number | undefined {
  const known = moments.filter((moment) => moment !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
