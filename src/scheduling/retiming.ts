/**
 * What an edit of the timing does: the new timing is adopted from now on, and what the old one left undecided is missed. No slot of the past fires.
 */
import type { Slot } from '../contract/index.ts'
import { withCalendars } from './calendars.ts'
import { runsLeft } from './due-slots.ts'
import { dueAt } from './jitter.ts'
import {
  dueOf,
  type KnownCalendars,
  type Ledger,
  type MissedReason,
  type MissedRuns,
  mostStatusNext,
  type SchedulePlan,
  type Step,
  waitingSlots,
} from './ledger.ts'
import { timedBy, versionedFor } from './stored-ledger.ts'
import { parseTiming, slotAt, type SlotSource, type Timing } from './timing.ts'
import {
  atMostMissed,
  countUndecided,
  missedRunsOf,
  withCursor,
  withDispatched,
  withMissed,
  withoutWaiting,
  withStates,
} from './transitions.ts'
import { window } from './write-window.ts'

/**
 * Adopts another timing from now on. What the old timing left undecided is missed, because an edit never fires a slot. One slot up to now can
 * remain, whose run is delayed: if it is still to come by both timings.
 */
export function adoptTiming(ledger: Ledger, plan: SchedulePlan, nowMs: number): Step | undefined {
  if (!isRetimed(ledger, plan)) return undefined
  const now = slotAt(nowMs)
  const old = parseTiming(ledger.timing)
  const oldSlots = old.ok ? leftBy(old.slots, ledger, plan) : undefined
  const delayed = oldSlots === undefined ? undefined : findDelayed(oldSlots, ledger, plan, now)
  const cursor = delayed === undefined ? now : delayed - 1
  const undecided =
    oldSlots === undefined
      ? countTold(ledger, plan, now, old.ok ? old.slots : undefined)
      : countUndecided(oldSlots, ledger.open, ledger.cursor, cursor)
  const due = atMostMissed(undecided, runsLeft(ledger, ledger.timing))
  const waiting = waitingSlots(ledger)
  const placed = ledger.open.filter(({ state }) => state === 'Placed')
  const future = placed.filter((open) => dueOf(open) > now)
  const started = placed.filter((open) => dueOf(open) <= now)
  const revoked = withStates(withoutWaiting(ledger), (open) =>
    future.includes(open) ? { ...open, state: 'Revoking', epoch: plan.epoch } : open,
  )
  const dispatched = started.map(({ slot }) => slot)
  const settled = withDispatched(revoked, dispatched, plan.epoch, nowMs)
  const reason = editReason(ledger, plan)
  const missed = withMissed(withMissed(settled, reason, due), reason, waiting)
  const next = { ...withCursor(missed, cursor), ...timedBy(timingFor(ledger, plan), plan.suspended) }
  return {
    kind: 'Write',
    what: 'retime',
    ledger: versionedFor(next, plan),
    ...window([...started.map(dueOf), now], future.map(dueOf)),
  }
}

/** The slot up to now whose run is still to come by the former timing, and by the new one. No later slot is due by either. */
function findDelayed(oldSlots: SlotSource, { timing, cursor }: Ledger, plan: SchedulePlan, now: Slot): Slot | undefined {
  const [newest] = oldSlots.between(cursor, now, 1)
  if (newest === undefined || dueAt({ timing, slots: oldSlots, seed: plan.seed }, newest) <= now) return undefined
  return plan.slots.next(newest - 1) === newest && dueAt(plan, newest) > now ? newest : undefined
}

/**
 * Records the files of the calendars once they can be read, the concurrency group, and who can read the ledger under this policy. What fell due since the timing was
 * adopted was not decided, and the catch-up policy decides it now.
 */
export function adoptRest(ledger: Ledger, plan: SchedulePlan): Step | undefined {
  const files = plan.timing.calendars?.files
  const isRead = files !== undefined && files !== ledger.timing.calendars?.files
  const next = versionedFor(isRead ? { ...ledger, ...timedBy(plan.timing, plan.suspended) } : ledger, plan)
  return isRead || next.v !== ledger.v || next.group !== ledger.group ? { kind: 'Write', what: 'adopt', ledger: next } : undefined
}

/**
 * The slots of the former timing, without those that its calendars left out; undefined if that is not known, because the calendars are others now
 * and this process did not know those before: their dates are not stored.
 */
function leftBy(
  slots: SlotSource,
  { timing }: Ledger,
  { timing: now, calendars, formerCalendars: former }: SchedulePlan,
): SlotSource | undefined {
  if (timing.calendars === undefined) return slots
  if (calendars !== undefined && isSame(timing.calendars, now.calendars)) return withCalendars(slots, calendars)
  return former !== undefined && isSame(timing.calendars, former.version) ? withCalendars(slots, former.cover) : undefined
}

/** Counts the undecided runs that the status had named as next, by when they were due. If all of these have passed, there may have been more. */
function countTold(
  { timing, open, cursor, lastDispatched }: Ledger,
  { statusNext = [] }: SchedulePlan,
  now: Slot,
  uncut: SlotSource | undefined,
): MissedRuns {
  const passed = statusNext.filter((due) => due <= now)
  const isOpen = new Set(open.map(dueOf))
  // The run of a slot is due before the next slot, also if calendars leave that one out.
  const latestDelay = Math.min(cursor + (timing.jitterSeconds ?? 0), (uncut?.next(cursor) ?? Infinity) - 1)
  const decided = Math.max(latestDelay, lastDispatched?.dueAt ?? cursor)
  const counted = missedRunsOf(passed.filter((due) => due > decided && !isOpen.has(due)))
  return passed.length === mostStatusNext && counted.count > 0 ? { ...counted, isLowerBound: true } : counted
}

/** Returns the calendars by which the slots of the ledger are decided, if they are those of the plan. */
export function calendarsInUse({ timing }: Ledger, plan: Pick<SchedulePlan, 'timing' | 'calendars'>): KnownCalendars | undefined {
  const { calendars: cover, timing: now } = plan
  if (now.calendars === undefined || cover === undefined || !isSame(timing.calendars, now.calendars)) return undefined
  return { version: now.calendars, cover }
}

/** Whether the spec has another timing than the one by which slots were decided so far. */
export function isRetimed(ledger: Ledger, plan: SchedulePlan): boolean {
  const { calendars } = ledger.timing
  // Files that no slot was decided by yet are not others than those before.
  const known = calendars?.files === undefined ? withoutFiles(timingFor(ledger, plan)) : timingFor(ledger, plan)
  return !isSame({ ...known, suspended: plan.suspended }, ledger.timing)
}

/** Whether the engine is all that differs, so that every slot stays due; a suspended schedule has none. */
export function isOfAnotherEngine(ledger: Ledger, plan: SchedulePlan): boolean {
  const { engine, schedulerQueue: _, ...now } = { ...plan.timing, suspended: plan.suspended }
  const { engine: former, schedulerQueue: __, ...before } = ledger.timing
  return engine !== former && !plan.suspended && isSame(now, before)
}

/** The timing of the plan. While the files of its calendars cannot be read, nothing says that they are others than before. */
function timingFor({ timing }: Ledger, plan: SchedulePlan): Timing {
  const [before, now] = [timing.calendars, plan.timing.calendars]
  if (now === undefined || now.files !== undefined || before?.files === undefined || before.rules !== now.rules) return plan.timing
  return { ...plan.timing, calendars: before }
}

function withoutFiles(timing: Timing): Timing {
  return timing.calendars === undefined ? timing : { ...timing, calendars: { rules: timing.calendars.rules } }
}

/** Why a slot that an edit left undecided is missed. */
export function editReason({ timing }: Ledger, { suspended }: SchedulePlan): MissedReason {
  return timing.suspended || suspended ? 'Suspended' : 'ScheduleChanged'
}

/** Whether two values of JSON have the same fields and entries; an undefined field is none. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b || typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const [one, other] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>]
  return Object.keys({ ...one, ...other }).every((field) => isSame(one[field], other[field]))
}
