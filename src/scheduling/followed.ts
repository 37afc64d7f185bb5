/**
 * While a primitive owns the clock (a CronJob, a job scheduler of BullMQ), Taskmill does not dispatch: it records what the primitive did,
 * each due slot once, as dispatched or as missed. The ledger stays the one record, so that status, history, metrics, alerts and the change of
 * the engine are those of every schedule.
 *
 * Relies on: a primitive starts the runs of its slots in order, so that a run says that no earlier slot will get one; it starts only slots
 * after the one that it was given; once it is `Stopped` it starts nothing.
 */
import { type Slot, slotTime } from '../contract/index.ts'
import { decideDueSlots } from './due-slots.ts'
import { dueAt } from './jitter.ts'
import {
  type ActiveRun,
  dueOf,
  generationOf,
  hashOfGeneration,
  type Knowledge,
  type Ledger,
  type MissedReason,
  newestDecidedSlot,
  type RunOutcome,
  type SchedulePlan,
  type Step,
  waitingSlots,
} from './ledger.ts'
import { recentRuns } from './recent-runs.ts'
import { type Followed, type FollowedRun, placeOfRuns } from './primitive.ts'
import { isRetimed } from './retiming.ts'
import { timedBy, versionedFor } from './stored-ledger.ts'
import { parseTiming, type SlotSource } from './timing.ts'
import {
  countUndecided,
  maxWalkedSlots,
  withActive,
  withCursor,
  withDispatched,
  withIntents,
  withMissed,
  withStates,
} from './transitions.ts'
import { notBefore } from './write-window.ts'

/** A slot that no primitive has started by then may be shown as late. */
const lateAfterMs = 31_000

/**
 * Records a run that the primitive has started, and that the slots before it have none. Before ends are: a run may have ended when it is seen
 * first. One run per write, so that each gets its Event.
 */
export function recordFollowedRun(ledger: Ledger, plan: SchedulePlan, { followed }: Knowledge): Step | undefined {
  if (ledger.timing.engine === undefined || followed === undefined) return undefined
  const [run] = unrecordedRuns(ledger, followed)
  if (run === undefined) return undefined
  const { slot, generation, createdAtMs } = run
  const before = withUncreated(withCursor(ledger, followed.notOursUntil ?? ledger.cursor), plan, slot - 1, slot)
  const dispatchedAtMs = Math.max(createdAtMs, slot * 1000)
  const active: ActiveRun = { slot, generation, dispatchedAtMs }
  const next: Ledger = {
    ...before,
    active: withActive(before.active, [active]),
    dispatched: before.dispatched + 1,
    lastDispatched: { slot, atMs: dispatchedAtMs },
  }
  return { kind: 'Write', what: 'follow', ledger: withCursor(next, slot) }
}

/** What the primitive has started and the ledger does not know, oldest first. */
export function unrecordedRuns(ledger: Ledger, { runs, notOursUntil = -Infinity }: Followed): readonly FollowedRun[] {
  const known = new Set([...ledger.open, ...ledger.active].map(({ slot }) => slot))
  const isNew = ({ slot }: FollowedRun): boolean => slot > Math.max(ledger.cursor, notOursUntil) && !known.has(slot)
  return runs.filter(isNew).toSorted((a, b) => a.slot - b.slot)
}

/** With `Replace`, a primitive deletes the run before it starts the next one: that run has neither succeeded nor failed. */
export function outcomeOfFollowed(ledger: Ledger, plan: SchedulePlan, end: RunOutcome, nowMs: number): RunOutcome {
  const { engine } = ledger.timing
  if (engine === undefined || plan.concurrencyPolicy !== 'Replace' || end.reason !== 'JobRemoved') return end
  const next = slotsBy(ledger, plan).next(end.slot)
  if (next === undefined || next * 1000 > nowMs) return end
  return { ...end, reason: 'Replaced', message: `replaced when slot ${slotTime(next)} was due` }
}

/**
 * The step of a schedule whose clock a primitive owns. undefined: none owns it, or the one that does is stopped and everything that it did is
 * recorded, so that another timing can be adopted.
 */
export function followPrimitive(ledger: Ledger, plan: SchedulePlan, { followed }: Knowledge, nowMs: number): Step | undefined {
  const { engine } = ledger.timing
  if (engine === undefined) return undefined
  if (followed === undefined) return { kind: 'Wait' }
  const { state, settledUntil, surveyedUntil, notOursUntil = -Infinity, againAtMs } = followed
  const after = newestDecidedSlot(ledger)
  const survey: Step = { kind: 'Follow', act: 'Survey', engine, after }
  const slots = slotsBy(ledger, plan)
  if (hasUndecided(ledger, slots, notOursUntil)) return { kind: 'Write', what: 'adopt', ledger: withCursor(ledger, notOursUntil) }
  if (isRetimed(ledger, plan)) {
    if (state === 'Running') return { kind: 'Follow', act: 'Stop', engine, after }
    if (state === 'Stopping') return { kind: 'Wait', untilMs: againAtMs }
    // What belongs to somebody else has done nothing that this ledger has to know.
    return state === 'Withheld' || surveyedUntil >= settledUntil ? undefined : survey
  }
  if (!ledger.timing.suspended && state !== 'Withheld' && hasUndecided(ledger, slots, settledUntil)) {
    if (surveyedUntil < settledUntil) return survey
    return { kind: 'Write', what: 'follow', ledger: withCursor(withUncreated(ledger, plan, settledUntil, undefined), settledUntil) }
  }
  if (!followed.isInStep && state !== 'Withheld' && plan.isHeld !== true) return { kind: 'Follow', act: 'Start', engine, after }
  const next = ledger.timing.suspended ? undefined : slots.next(Math.max(ledger.cursor, Math.floor((nowMs - lateAfterMs) / 1000)))
  const moments = [againAtMs, next === undefined ? undefined : next * 1000 + lateAfterMs].filter((moment) => moment !== undefined)
  return { kind: 'Wait', untilMs: moments.length === 0 ? undefined : Math.min(...moments) }
}

/**
 * Only the engine changes: no slot is missed for that. What is due and undecided is decided by the new owner. If that is Taskmill, its runs
 * are intended where the former primitive would have started them: whichever comes first, there is one. A slot that has to wait for a run is
 * decided later, like every other.
 */
export function handOver(ledger: Ledger, plan: SchedulePlan, nowMs: number): Step {
  const now = Math.floor(nowMs / 1000)
  const { engine: former, ...place } = ledger.timing
  const timed = versionedFor({ ...ledger, ...timedBy(plan.timing, plan.suspended) }, plan)
  if (plan.timing.engine === undefined && former !== undefined) {
    const { concurrencyPolicy: policy } = plan
    const mustWait = policy === 'Queue' || (policy !== 'Allow' && timed.active.length > 0)
    const { fire, missed } = mustWait ? { fire: [], missed: [] } : decideDueSlots(timed, plan, nowMs)
    let next = timed
    for (const { reason, slots } of missed) next = withMissed(next, reason, slots)
    const generation = generationOf(hashOfGeneration(plan.generation), placeOfRuns({ ...place, engine: former }))
    const dueMoment = (slot: Slot): Slot => dueAt(plan, slot)
    next = withIntents(next, fire, { generation, epoch: plan.epoch, dueAt: dueMoment, nowMs })
    const passed = [...fire, ...missed.map(({ slots }) => slots.lastSlot)]
    const ledgerAfter = withCursor(next, Math.max(next.cursor, ...passed))
    return { kind: 'Write', what: 'hand over', ledger: ledgerAfter, ...notBefore(passed.map(dueMoment)) }
  }
  const started = timed.open.filter((open) => open.state === 'Placed' && dueOf(open) <= now)
  const dispatched = started.map(({ slot }) => slot)
  const revoked = withStates(withDispatched(timed, dispatched, plan.epoch, nowMs), (open) => {
    if (open.state === 'Waiting') return undefined
    return open.state === 'Placed' ? { ...open, state: 'Revoking', epoch: plan.epoch } : open
  })
  const next = withMissed(revoked, 'ScheduleChanged', waitingSlots(timed))
  return {
    kind: 'Write',
    what: 'hand over',
    ledger: withCursor(next, Math.max(next.cursor, ...dispatched)),
    ...notBefore(started.map(dueOf)),
  }
}

/** Removes primitives that exist although the ledger follows another clock. */
export function removeLeftovers({ timing, cursor }: Ledger, { present = [] }: Knowledge): Step | undefined {
  const left = present.find((engine) => engine !== timing.engine)
  return left === undefined ? undefined : { kind: 'Follow', act: 'Remove', engine: left, after: cursor }
}

/** The slots of the timing by which the ledger is decided. */
function slotsBy(ledger: Ledger, plan: SchedulePlan): SlotSource {
  if (!isRetimed(ledger, plan)) return plan.slots
  const parsed = parseTiming(ledger.timing)
  return parsed.ok ? parsed.slots : plan.slots
}

function hasUndecided({ open, cursor }: Ledger, slots: SlotSource, until: Slot): boolean {
  if (until <= cursor) return false
  const { count, isLowerBound } = countUndecided(slots, open, cursor, until)
  return count > 0 || isLowerBound === true
}

/** Counts the slots up to `until` that are not open as missed. `next`: the slot of the run that came instead. */
function withUncreated(ledger: Ledger, plan: SchedulePlan, until: Slot, next: Slot | undefined): Ledger {
  const slots = slotsBy(ledger, plan)
  const open = new Set(ledger.open.map(({ slot }) => slot))
  const newest = slots.between(ledger.cursor, until, maxWalkedSlots).filter((slot) => !open.has(slot))
  const reasons = Map.groupBy(newest, (slot) => (ledger.timing.suspended ? 'Suspended' : reasonWhy(ledger, plan, slot, next)))
  let counted = ledger
  for (const [reason, its] of reasons) counted = withMissed(counted, reason, its)
  const [oldest] = newest
  if (oldest === undefined || newest.length < maxWalkedSlots) return counted
  return withMissed(counted, 'NotCreated', countUndecided(slots, ledger.open, ledger.cursor, oldest - 1))
}

/** Why the primitive started nothing for the slot. */
function reasonWhy({ active, recent }: Ledger, { concurrencyPolicy }: SchedulePlan, slot: Slot, next: Slot | undefined): MissedReason {
  const ranThen =
    active.some((run) => run.slot < slot) || recentRuns(recent).some((run) => run.slot < slot && run.finishedAtMs > slot * 1000)
  if (concurrencyPolicy === 'Forbid' && ranThen) return 'Overlap'
  return next === undefined ? 'NotCreated' : 'Superseded'
}
