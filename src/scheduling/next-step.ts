/**
 * Decides the next step of one schedule: pure, from the stored ledger, what was learned since, and the time. The caller
 * carries out the step and asks again, until the answer is to wait. `nextStep` reads from top to bottom: what was
 * started is finished before anything new starts.
 */
import type { Slot } from '../contract/index.ts'
import { canPlaceAhead, decideDueSlots, findNextWake, findSlotsAhead, runsLeft } from './due-slots.ts'
import { earliest, endOverdueRuns, finishCancels, outcomeOfEnd } from './ending-runs.ts'
import { nextLookAtGroup } from './group.ts'
import { dueAt } from './jitter.ts'
import {
  dueOf,
  isMadeFrom,
  isQueueGeneration,
  jobsPlace,
  type Knowledge,
  type Ledger,
  type MissedRuns,
  newestDecidedSlot,
  type OpenSlot,
  queueOfGeneration,
  type SchedulePlan,
  slotsIn,
  type Step,
  waitingSlots,
} from './ledger.ts'
import { followPrimitive, handOver, outcomeOfFollowed, recordFollowedRun, removeLeftovers, unrecordedRuns } from './followed.ts'
import { observeOverlaps, replaceRuns, settlePast } from './overlaps.ts'
import { adoptRest, adoptTiming, editReason, isOfAnotherEngine, isRetimed } from './retiming.ts'
import { versionedFor } from './stored-ledger.ts'
import { slotAt } from './timing.ts'
import {
  addMissed,
  atMostMissed,
  countUndecided,
  emptyLedger,
  missedRunsOf,
  withCursor,
  withDispatched,
  withIntents,
  withMissed,
  withOutcome,
  withRestarts,
  withoutSlots,
  withStates,
  withWaiting,
} from './transitions.ts'
import { inTime, notBefore, window } from './write-window.ts'

export function nextStep(ledger: Ledger | undefined, plan: SchedulePlan, knowledge: Knowledge, nowMs: number): Step {
  if (plan.deletion !== undefined) return deleteStep(ledger, plan, knowledge)
  if (ledger === undefined) return createLedger(plan, nowMs)
  return (
    recordRegression(ledger, plan, nowMs) ??
    recordFollowedRun(ledger, plan, knowledge) ??
    recordEnds(ledger, plan, knowledge, nowMs) ??
    acknowledgeEnds(knowledge) ??
    finishCancels(ledger, knowledge, nowMs) ??
    finishIntents(ledger, plan, knowledge, nowMs) ??
    finishRemovals(ledger, plan, knowledge, nowMs) ??
    removeLeftovers(ledger, knowledge) ??
    followPrimitive(ledger, plan, knowledge, nowMs) ??
    (isOfAnotherEngine(ledger, plan) ? handOver(ledger, plan, nowMs) : undefined) ??
    adoptTiming(ledger, plan, nowMs) ??
    adoptRest(ledger, plan) ??
    revokeStale(ledger, plan, nowMs) ??
    restartUnstarted(ledger, plan, knowledge) ??
    endOverdueRuns(ledger, plan, knowledge, nowMs) ??
    observeOverlaps(ledger, plan, knowledge, nowMs) ??
    replaceRuns(ledger, plan, knowledge, nowMs) ??
    settlePast(ledger, plan) ??
    dispatchDue(ledger, plan, knowledge, nowMs) ?? { kind: 'Wait', untilMs: nextWake(ledger, plan, knowledge, nowMs) }
  )
}

function nextWake(ledger: Ledger, plan: SchedulePlan, { looked, isGroupFull }: Knowledge, nowMs: number): number | undefined {
  return earliest(findNextWake(ledger, plan, looked, nowMs), nextLookAtGroup(ledger, plan, isGroupFull, nowMs))
}

/**
 * Removes everything that has not started, then the ledger: also what a primitive has made last and no write has recorded. Running jobs
 * continue, without a wait for their end. Slots go through `Revoking`, so that a schedule of the same name that is created
 * meanwhile finds a valid ledger.
 */
function deleteStep(ledger: Ledger | undefined, { deletion, epoch }: SchedulePlan, { removed, followed, present = [] }: Knowledge): Step {
  if (deletion === 'Orphan') return { kind: 'Wait' }
  // What starts runs by itself goes first.
  const [engine] = present
  if (engine !== undefined) return { kind: 'Follow', act: 'Remove', engine, after: ledger?.cursor ?? 0 }
  if (ledger === undefined) return { kind: 'Delete' }
  /**
   * First every slot becomes Revoking, then its job is removed, and the ledger goes last: a crash in between loses no
   * job.
   */
  const unrecorded = followed === undefined ? [] : unrecordedRuns(ledger, followed)
  const known = [...ledger.open.filter(({ state }) => state !== 'Waiting'), ...ledger.active]
  const begun = [...known, ...unrecorded].map(({ slot }) => slot)
  const revoking = slotsIn(ledger, 'Revoking')
  if (begun.some((slot) => !revoking.includes(slot))) {
    const entries = new Map(ledger.open.map((open) => [open.slot, open]))
    const actives = new Set(ledger.active.map(({ slot }) => slot))
    const generations = new Map([...ledger.open, ...ledger.active, ...unrecorded].map(({ slot, generation }) => [slot, generation]))
    const open = unique(begun).map((slot): OpenSlot => {
      const entry = entries.get(slot)
      const isCounted =
        entry === undefined ? actives.has(slot) : entry.state === 'Final' || entry.restarts === true || entry.isCounted === true
      return { slot, state: 'Revoking', generation: generations.get(slot) ?? '', epoch, ...(isCounted && { isCounted }) }
    })
    return { kind: 'Write', what: 'revoke', ledger: { ...ledger, open: open.toSorted((a, b) => a.slot - b.slot) } }
  }
  const slots = revoking.filter((slot) => !removed.has(slot))
  return slots.length > 0 ? { kind: 'Remove', slots } : { kind: 'Delete' }
}

/**
 * Slots before the creation of the schedule were never due. If the ledger is gone although runs are known, it counts as
 * regressed.
 */
function createLedger(plan: SchedulePlan, nowMs: number): Step {
  if (plan.statusSlot !== undefined) {
    return {
      kind: 'Write',
      what: 'regressed',
      ledger: versionedFor(restartLedger(emptyLedger(plan.timing, plan.suspended, plan.statusSlot), plan, nowMs), plan),
    }
  }
  const cursor = Math.min(Math.floor(plan.createdAtMs / 1000), slotAt(nowMs))
  return { kind: 'Write', what: 'adopt', ledger: versionedFor(emptyLedger(plan.timing, plan.suspended, cursor), plan) }
}

/**
 * The status knows a newer dispatched slot than the ledger: the broker was restored from an older state. No slot of
 * that time fires again.
 */
function recordRegression(ledger: Ledger, plan: SchedulePlan, nowMs: number): Step | undefined {
  if (plan.statusSlot === undefined || plan.statusSlot <= newestDecidedSlot(ledger)) return undefined
  return { kind: 'Write', what: 'regressed', ledger: restartLedger(ledger, plan, nowMs) }
}

/**
 * Revokes open slots that can still be revoked. Slots that were due and are not known to be dispatched count as missed
 * (LedgerRegressed).
 */
function restartLedger(ledger: Ledger, plan: SchedulePlan, nowMs: number): Ledger {
  const { statusSlot = 0 } = plan
  const known = Math.max(ledger.cursor, statusSlot)
  const now = slotAt(nowMs)
  const dispatched = Math.max(ledger.dispatched, plan.statusDispatched ?? 0)
  const undecided: MissedRuns = hasUnreadCalendars(plan)
    ? { count: 0, lastSlot: now, isLowerBound: true }
    : countUndecided(plan.slots, ledger.open, known, now)
  const due = atMostMissed(undecided, runsLeft({ ...ledger, dispatched }, plan.timing))
  const lost = addMissed(due, missedRunsOf(waitingSlots(ledger).filter((slot) => slot > statusSlot)))
  const revoking = withStates(ledger, (open) => {
    if (open.state === 'Final') return open
    if (open.state === 'Waiting') return undefined
    const { restarts, ...rest } = open
    const isCounted = restarts === true || open.slot <= statusSlot
    return { ...rest, state: 'Revoking', epoch: plan.epoch, ...(isCounted && { isCounted }) }
  })
  const next = withMissed(withCursor(revoking, Math.max(known, now)), 'LedgerRegressed', lost)
  return { ...next, dispatched, lastDispatched: { slot: statusSlot, atMs: statusSlot * 1000 }, regressedAtMs: nowMs }
}

/** Then nothing says which of its slots were due. */
function hasUnreadCalendars({ timing, calendars }: SchedulePlan): boolean {
  return timing.calendars !== undefined && calendars === undefined
}

/**
 * An end makes its slot final, in whatever state the slot is: its job has run. One end per write, so that each gets its
 * Event.
 */
function recordEnds(ledger: Ledger, plan: SchedulePlan, { ended }: Knowledge, nowMs: number): Step | undefined {
  const { epoch } = plan
  for (const end of ended.toSorted((a, b) => a.slot - b.slot)) {
    const outcome = outcomeOfFollowed(ledger, plan, outcomeOfEnd(ledger, end), nowMs)
    const isOpen = ledger.open.some(({ slot, state }) => slot === outcome.slot && state !== 'Final')
    if (!isOpen && !ledger.active.some(({ slot }) => slot === outcome.slot)) continue
    // A slot can end before its dispatch was recorded: the process died in between.
    const next = isOpen ? withDispatched(ledger, [outcome.slot], epoch, nowMs) : ledger
    return { kind: 'Write', what: 'record', ledger: withCursor(withOutcome(next, outcome), next.cursor) }
  }
  return undefined
}

/** All remaining ends are recorded, or no longer matter: the run was ended by a deadline, or the end arrived twice. */
function acknowledgeEnds({ ended }: Knowledge): Step | undefined {
  return ended.length === 0 ? undefined : { kind: 'Acknowledge', slots: unique(ended.map(({ slot }) => slot)) }
}

/**
 * The process that wrote an intent may have died before or after the effect. So the effect is repeated; if it had
 * happened, that does nothing.
 */
function finishIntents(ledger: Ledger, plan: SchedulePlan, { placed, refused }: Knowledge, nowMs: number): Step | undefined {
  const { epoch } = plan
  const intended = slotsIn(ledger, 'Intended')
  // The template or the timing that the slot was intended by is gone. The effect is not made late from another one. A run that starts anew was
  // dispatched in time: only its template matters.
  const isStale = (open: OpenSlot): boolean =>
    open.state === 'Intended' &&
    !placed.has(open.slot) &&
    (!isMadeFrom(open.generation, plan.generation) || (open.restarts !== true && isRetimed(ledger, plan)))
  if (ledger.open.some(isStale)) {
    const next = withStates(ledger, (open) => (isStale(open) ? { ...open, state: 'Revoking', epoch } : open))
    return { kind: 'Write', what: 'revoke', ledger: next }
  }
  const missing = ledger.open.filter(({ slot, state }) => state === 'Intended' && !placed.has(slot) && !refused.has(slot))
  // The write itself places the jobs of queues. A run that a primitive may have started has a name of its own.
  const isPlacedByWrite = ({ generation }: OpenSlot): boolean => isQueueGeneration(generation) && isQueueGeneration(plan.generation)
  const effects = missing.filter((open) => !isPlacedByWrite(open)).map(({ slot }) => slot)
  if (effects.length > 0) return { kind: 'Place', slots: effects }
  const places = missing.map(({ slot }) => slot)
  const settled = intended.filter((slot) => placed.has(slot) || places.includes(slot))
  if (settled.length === 0) return undefined
  const next = withPlaced(ledger, settled, epoch, nowMs)
  const due = ledger.open.filter((open) => settled.includes(open.slot) && dueOf(open) <= slotAt(nowMs)).map(dueOf)
  return { kind: 'Write', what: 'placed', ledger: withCursor(next, next.cursor), ...notBefore(due), ...placing(places) }
}

/** The slots are dispatched if they are due; the jobs of the others wait for their time. */
function withPlaced(ledger: Ledger, slots: readonly Slot[], epoch: number, nowMs: number): Ledger {
  const due = ledger.open.filter((open) => slots.includes(open.slot) && dueOf(open) <= slotAt(nowMs)).map(({ slot }) => slot)
  return withStates(withDispatched(ledger, due, epoch, nowMs), (open) =>
    open.state === 'Intended' && slots.includes(open.slot) ? { ...open, state: 'Placed', epoch } : open,
  )
}

function finishRemovals(ledger: Ledger, plan: SchedulePlan, { removed }: Knowledge, nowMs: number): Step | undefined {
  const { epoch } = plan
  const revoking = slotsIn(ledger, 'Revoking')
  if (revoking.length === 0) return undefined
  const missing = revoking.filter((slot) => !removed.has(slot))
  if (missing.length > 0) return { kind: 'Remove', slots: missing }
  // A job that had already started cannot be revoked: its slot was dispatched.
  const started = revoking.filter((slot) => removed.get(slot) === 'Started')
  const again = ledger.open.flatMap(({ slot, state, restarts }) =>
    state === 'Revoking' && restarts === true && removed.get(slot) !== 'Started' ? [slot] : [],
  )
  const back = revoking.filter((slot) => removed.get(slot) !== 'Started' && !again.includes(slot))
  // Usually a revoked slot is above the cursor and is decided again. It is at or below the cursor only if the ledger
  // regressed, or an edit came between intent and effect or before the end of its delay; then it counts as missed, unless it is counted as
  // dispatched.
  const counted = new Set(ledger.open.flatMap(({ slot, isCounted }) => (isCounted === true ? [slot] : [])))
  const lost = back.filter((slot) => slot <= ledger.cursor && !counted.has(slot))
  const isEdited = (slot: Slot): boolean =>
    isRetimed(ledger, plan) ||
    slot * 1000 > (ledger.regressedAtMs ?? -Infinity) ||
    ledger.open.some((open) => open.slot === slot && open.generation !== plan.generation)
  const settled = withDispatched(ledger, started, epoch, nowMs)
  const missed = withMissed(
    withoutSlots(settled, back),
    'LedgerRegressed',
    lost.filter((slot) => !isEdited(slot)),
  )
  const restarted = withRestarts(missed, again, { generation: plan.generation, epoch, nowMs })
  const next = withMissed(restarted, editReason(ledger, plan), lost.filter(isEdited))
  return { kind: 'Write', what: 'taken back', ledger: withCursor(next, next.cursor) }
}

/**
 * Revokes jobs that were placed ahead from a template or policy that no longer applies. Due ones are left alone: they
 * may have started.
 */
function revokeStale(ledger: Ledger, plan: SchedulePlan, nowMs: number): Step | undefined {
  const isStale = ({ generation }: { generation: string }): boolean => generation !== plan.generation || !canPlaceAhead(plan)
  const stale = ledger.open.filter((open) => open.state === 'Placed' && dueOf(open) > slotAt(nowMs) && isStale(open))
  if (stale.length === 0) return undefined
  const next = withStates(ledger, (open) => (stale.includes(open) ? { ...open, state: 'Revoking', epoch: plan.epoch } : open))
  return { kind: 'Write', what: 'revoke', ledger: next, ...window([], stale.map(dueOf)) }
}

/**
 * Starts a run anew if it was made from another template and nothing of it has ever run: the edit may correct what kept it from starting, such as
 * an image or a queue that does not exist. A Kubernetes Job that cannot start is replaced under each policy. A job that waits in its queue is replaced
 * only where it would hold up the next slot; with `Allow` it keeps its place and its template.
 */
function restartUnstarted(ledger: Ledger, plan: SchedulePlan, { looked, removed }: Knowledge): Step | undefined {
  if (plan.suspended || plan.isHeld === true) return undefined
  const undecided = new Set(ledger.open.flatMap(({ slot, state }) => (state === 'Final' ? [] : [slot])))
  const stale = ledger.active.filter(
    ({ slot, generation, ending }) =>
      !isMadeFrom(generation, plan.generation) &&
      ending === undefined &&
      !undecided.has(slot) &&
      removed.get(slot) !== 'Started' &&
      (plan.concurrencyPolicy !== 'Allow' || queueOfGeneration(generation) === jobsPlace),
  )
  const unknown = stale.map(({ slot }) => slot).filter((slot) => !looked.has(slot))
  if (unknown.length > 0) return { kind: 'Look', slots: unknown }
  const revoked = stale.filter(({ slot }) => looked.get(slot)?.isUntouched === true)
  if (revoked.length === 0) return undefined
  const slots = new Set(revoked.map(({ slot }) => slot))
  const others = ledger.open.filter(({ slot }) => !slots.has(slot))
  const revoking = revoked.map(({ slot, generation }): OpenSlot => ({
    slot,
    state: 'Revoking',
    generation,
    epoch: plan.epoch,
    restarts: true,
  }))
  return { kind: 'Write', what: 'restart', ledger: { ...ledger, open: [...others, ...revoking].toSorted((a, b) => a.slot - b.slot) } }
}

/**
 * Dispatches the placed slots that are due, decides the other due slots, and places the jobs of the next 90 s. A job of a queue is placed by the
 * write that decides its slot: queue and ledger are at one broker. Everything else is intended first.
 */
function dispatchDue(ledger: Ledger, plan: SchedulePlan, { refused, isGroupFull }: Knowledge, nowMs: number): Step | undefined {
  const placed = ledger.open.filter((open) => open.state === 'Placed' && dueOf(open) <= slotAt(nowMs))
  const dispatched = placed.map(({ slot }) => slot)
  let next = withDispatched(ledger, dispatched, plan.epoch, nowMs)
  const due = decideDueSlots(next, plan, nowMs, isGroupFull)
  for (const { reason, slots } of due.missed) next = withMissed(next, reason, slots)
  const dueMoment = (slot: Slot): Slot => dueAt(plan, slot)
  const by = { generation: plan.generation, epoch: plan.epoch, dueAt: dueMoment, nowMs }
  next = withIntents(withWaiting(next, due.wait, by), due.fire, by)
  const ahead = findSlotsAhead(next, plan, nowMs)
  next = withIntents(next, ahead, by)
  const begun = [...due.fire, ...ahead]
  const places = isQueueGeneration(plan.generation) ? begun.filter((slot) => !refused.has(slot)) : []
  next = withPlaced(next, places, plan.epoch, nowMs)
  const before = new Set(waitingSlots(ledger))
  const decided = [...due.fire, ...due.wait.filter((slot) => !before.has(slot)), ...due.missed.map(({ slots }) => slots.lastSlot)]
  next = withCursor(next, Math.max(ledger.cursor, ...dispatched, ...decided))
  if (dispatched.length + decided.length + ahead.length === 0) return undefined
  return {
    kind: 'Write',
    what: places.length > 0 ? 'dispatch' : begun.length > 0 ? 'intend' : 'final',
    ledger: next,
    ...notBefore([...placed.map(dueOf), ...decided.map(dueMoment)]),
    ...inTime(due.fire.map(dueMoment), plan),
    ...placing(places),
  }
}

function placing(places: readonly Slot[]): { readonly places?: readonly Slot[] } {
  return places.length === 0 ? {} : { places }
}

function unique(slots: readonly Slot[]): readonly Slot[] {
  return [...new Set(slots)]
}
