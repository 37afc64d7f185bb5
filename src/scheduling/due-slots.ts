import type { Slot } from '../contract/index.ts'
import { deadlineOf, earliest, endPatienceMs } from './ending-runs.ts'
import { dueAt, dueUpTo } from './jitter.ts'
import {
  dueOf,
  isQueueGeneration,
  type Ledger,
  type MissedReason,
  type MissedRuns,
  type RunObservation,
  type SchedulePlan,
  unsettledRun,
  waitingSlots,
} from './ledger.ts'
import { slotAt, type Timing } from './timing.ts'
import { addMissed, countOlder, maxWalkedSlots, missedRunsOf } from './transitions.ts'

/** A slot that is found at most this late counts as on time: no catch-up policy applies. */
const onTimeMs = 5_000
/** `Skip` drops slots that are later than this. An election takes less, so a change of leader drops none. */
const skippedAfterMs = 30_000
const defaultQueueLimit = 10

type DueSlots = {
  /** Slots to dispatch now, in ascending order. */
  readonly fire: readonly Slot[]
  /** All slots that wait from now on, in ascending order. */
  readonly wait: readonly Slot[]
  readonly missed: readonly { readonly reason: MissedReason; readonly slots: MissedRuns }[]
}

/**
 * Decides each due slot after the cursor that is not open yet: it fires, or it is missed for a reason.
 * - `Latest` fires the slots of the last 5 s; if there are none, the newest one.
 * - `Skip` does the same, but never fires a slot that is more than 30 s late.
 * - `All` fires the newest `missedRunsLimit` slots, including those of the last 5 s.
 * While the concurrency group is full, no slot fires, and due ones wait.
 * While the schedule is suspended or held, no slot is decided. After a suspension, the change of timing decides them.
 */
export function decideDueSlots(ledger: Ledger, plan: SchedulePlan, nowMs: number, isGroupFull = false): DueSlots {
  const waiting = waitingSlots(ledger)
  if (plan.suspended || plan.isHeld === true) return { fire: [], wait: waiting, missed: [] }
  const { open, cursor } = ledger
  const handled = new Set(open.map(({ slot }) => slot))
  // After maxRuns no slot is due, so that none is missed either.
  const left = runsLeft(ledger, plan.timing)
  const newest = left === 0 ? [] : plan.slots.between(cursor, dueUpTo(plan, slotAt(nowMs)), maxWalkedSlots)
  const due = newest.filter((slot) => !handled.has(slot))
  const missed = new Map<MissedReason, MissedRuns>()
  const miss = (reason: MissedReason, slots: readonly Slot[] | MissedRuns): void => {
    const added = 'count' in slots ? slots : missedRunsOf(slots)
    if (added.count > 0) missed.set(reason, addMissed(missed.get(reason) ?? missedRunsOf([]), added))
  }
  const lateBy = (slot: Slot): number => nowMs - dueAt(plan, slot) * 1000

  // First the deadline: a slot that is too late is missed, whatever the other policies say.
  const deadlineMs = (plan.startingDeadlineSeconds ?? Infinity) * 1000
  miss(
    'StartingDeadlineExceeded',
    due.filter((slot) => lateBy(slot) > deadlineMs),
  )
  // Slots before the newest 100 are only counted: no policy fires them.
  const newestTooLate = deadlineMs === Infinity ? -Infinity : dueUpTo(plan, Math.ceil((nowMs - deadlineMs) / 1000) - 1)
  const olderUntil = newest.length < maxWalkedSlots ? cursor : (newest[0] ?? cursor) - 1
  miss('StartingDeadlineExceeded', countOlder(plan.slots, open, cursor, Math.min(olderUntil, newestTooLate)))
  miss(olderReason[plan.missedRuns], countOlder(plan.slots, open, Math.max(cursor, newestTooLate), olderUntil))
  const inTime = due.filter((slot) => lateBy(slot) <= deadlineMs)

  // Then the catch-up policy picks from what is left.
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

  fire = fire.slice(0, left)

  // Last the concurrency policy.
  const isFree = ledger.active.length === 0
  const patient = waiting.filter((slot) => lateBy(slot) <= deadlineMs)
  miss(
    'StartingDeadlineExceeded',
    waiting.filter((slot) => lateBy(slot) > deadlineMs),
  )
  let wait: readonly Slot[] = []
  switch (plan.concurrencyPolicy) {
    case 'Allow':
      break
    // At most one run at a time, the oldest of the chosen slots.
    case 'Forbid':
      miss('Overlap', fire.slice(isFree ? 1 : 0))
      fire = fire.slice(0, isFree ? 1 : 0)
      break
    // The newest, which ends the run before it.
    case 'Replace':
      miss('Superseded', fire.slice(0, -1))
      fire = fire.slice(-1)
      break
    // At most one, and the others wait behind it, the newest of them only while there is room.
    case 'Queue': {
      const line = [...patient, ...fire]
      const limit = plan.queueLimit ?? defaultQueueLimit
      const isPastSettled = plan.dependsOnPast !== true || unsettledRun(ledger) === undefined
      fire = line.slice(0, isFree && isPastSettled && !isGroupFull ? 1 : 0)
      wait = line.slice(fire.length, fire.length + limit)
      miss('QueueFull', line.slice(fire.length + limit))
    }
  }
  // An edit to another policy does not fire what waited.
  if (plan.concurrencyPolicy !== 'Queue') miss('ScheduleChanged', patient)
  return { fire, wait, missed: [...missed].map(([reason, slots]) => ({ reason, slots })) }
}

/** Why the catch-up policy drops the slots before those that it picks from. */
const olderReason = {
  Latest: 'Superseded',
  Skip: 'Skipped',
  All: 'TooManyMissed',
} as const satisfies Record<SchedulePlan['missedRuns'], MissedReason>

/** Returns how many slots may still be dispatched by `maxRuns`, besides those that are dispatched, under way or wait; Infinity: any number. */
export function runsLeft({ dispatched, open }: Ledger, { maxRuns = Infinity }: Timing): number {
  const underWay = open.filter(({ state, restarts }) => state !== 'Final' && restarts !== true).length
  return Math.max(0, maxRuns - dispatched - underWay)
}

/**
 * With `Allow`, the jobs of this much time ahead are in the queue as delayed jobs, so that they run even while no
 * operator does.
 */
const aheadSeconds = 90
/** When less than this is covered, the next jobs are added together instead of one by one. */
const refillSeconds = 45
const mostAhead = 64

/**
 * Only a queue keeps a job until its time. With another policy than `Allow`, a slot is decided when it is due, because
 * it depends on the run before it. That holds while no run is active, too: a broker that is restored from an older
 * state brings back the jobs that were placed ahead then, and with these policies none may run twice.
 */
export function canPlaceAhead({ concurrencyPolicy, generation }: Pick<SchedulePlan, 'concurrencyPolicy' | 'generation'>): boolean {
  return concurrencyPolicy === 'Allow' && isQueueGeneration(generation)
}

/** Returns the slots to place ahead now; none while enough are placed. */
export function findSlotsAhead(ledger: Ledger, plan: SchedulePlan, nowMs: number): readonly Slot[] {
  if (plan.suspended || plan.isHeld === true || !canPlaceAhead(plan)) return []
  const now = slotAt(nowMs)
  const waiting = ledger.open.filter((open) => dueOf(open) > now)
  const first = plan.slots.next(newestKnown(ledger, plan, now))
  const most = Math.min(mostAhead, waiting.length + runsLeft(ledger, plan.timing))
  if (first === undefined || waiting.length >= mostAhead / 2) return []
  if (dueAt(plan, first) > now + (waiting.length === 0 ? aheadSeconds : refillSeconds)) return []
  const slots: Slot[] = []
  for (
    let slot: Slot | undefined = first;
    slot !== undefined && dueAt(plan, slot) <= now + aheadSeconds && waiting.length + slots.length < most;
    slot = plan.slots.next(slot)
  )
    slots.push(slot)
  return slots
}

/** Up to where no slot is left for the future: it is due, decided, or has a job. */
function newestKnown({ cursor, open }: Ledger, plan: SchedulePlan, now: Slot): Slot {
  return Math.max(dueUpTo(plan, now), cursor, ...open.map(({ slot }) => slot))
}

/** Returns the next time (Unix ms) at which there may be something to do although nothing happens; undefined: never. */
export function findNextWake(
  ledger: Ledger,
  plan: SchedulePlan,
  looked: ReadonlyMap<Slot, RunObservation>,
  nowMs: number,
): number | undefined {
  const now = slotAt(nowMs)
  const waiting = ledger.open.filter((open) => dueOf(open) > now)
  const isIdle = plan.suspended || plan.isHeld === true || runsLeft(ledger, plan.timing) === 0
  const next = isIdle ? undefined : plan.slots.next(newestKnown(ledger, plan, now))
  const refill = (): number | undefined => {
    if (next === undefined) return undefined
    const due = dueAt(plan, next)
    if (!canPlaceAhead(plan)) return due * 1000
    return Math.max(now + 1, due - (waiting.length === 0 ? aheadSeconds : refillSeconds)) * 1000
  }
  // A slot that waits is missed after its starting deadline, also without any event.
  const [firstWaiting] = waitingSlots(ledger)
  const expiry =
    firstWaiting === undefined || plan.startingDeadlineSeconds === undefined || plan.isHeld === true
      ? undefined
      : (dueAt(plan, firstWaiting) + plan.startingDeadlineSeconds) * 1000 + 1
  const deadlines = ledger.active.map((run) => deadlineOf(run, plan, looked.get(run.slot), nowMs))
  // Those that had ended before they could be cancelled.
  const end = ledger.active.some(({ ending }) => ending !== undefined) ? nowMs + endPatienceMs : undefined
  // A placed slot must be marked as dispatched when it is due.
  const firstPlaced = waiting[0] === undefined ? undefined : dueOf(waiting[0]) * 1000
  return earliest(firstPlaced, waiting.length >= mostAhead / 2 ? undefined : refill(), expiry, end, ...deadlines)
}
