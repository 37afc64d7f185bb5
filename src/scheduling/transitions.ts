/**
 * The changes of a ledger, one function each; `nextStep` combines them. They return a new ledger and never change the
 * given one.
 */
import type { Slot } from '../contract/index.ts'
import {
  type ActiveRun,
  dueOf,
  type Ending,
  type Ledger,
  type MissedReason,
  type MissedRuns,
  type OpenSlot,
  type RunOutcome,
} from './ledger.ts'
import { withRecentRun } from './recent-runs.ts'
import { timedBy } from './stored-ledger.ts'
import type { SlotSource, Timing } from './timing.ts'

export function emptyLedger(timing: Timing, suspended: boolean, cursor: Slot): Ledger {
  return { ...timedBy(timing, suspended), cursor, open: [], active: [], dispatched: 0, consecutiveFailures: 0, missed: {} }
}

const maxActiveRuns = 1_000
/** One decision walks over so many slots. */
export const maxWalkedSlots = 100

export function missedRunsOf(slots: readonly Slot[]): MissedRuns {
  return { count: slots.length, lastSlot: slots.at(-1) ?? 0 }
}

export function addMissed(a: MissedRuns, b: MissedRuns): MissedRuns {
  const sum = { count: a.count + b.count, lastSlot: Math.max(a.lastSlot, b.lastSlot) }
  return a.isLowerBound === true || b.isLowerBound === true ? { ...sum, isLowerBound: true } : sum
}

/**
 * Counts the slots after `after`, up to and including `until`, that are not open: all of them if the timing has a formula
 * for their number, else the newest 100.
 */
export function countUndecided(slots: SlotSource, open: readonly OpenSlot[], after: Slot, until: Slot): MissedRuns {
  const newest = slots.between(after, until, maxWalkedSlots)
  const isOpen = new Set(open.map(({ slot }) => slot))
  const counted = missedRunsOf(newest.filter((slot) => !isOpen.has(slot)))
  const [oldest] = newest
  return oldest === undefined || newest.length < maxWalkedSlots ? counted : addMissed(counted, countOlder(slots, open, after, oldest - 1))
}

/** Counts the slots of a range that no decision walks over. Without a formula: the newest, and that there may be more. */
export function countOlder(slots: SlotSource, open: readonly OpenSlot[], after: Slot, until: Slot): MissedRuns {
  if (until <= after) return missedRunsOf([])
  const isOpen = new Set(open.map(({ slot }) => slot).filter((slot) => slot > after && slot <= until))
  const lastSlot = slots.between(after, until, isOpen.size + 1).findLast((slot) => !isOpen.has(slot))
  if (lastSlot === undefined) return missedRunsOf([])
  if (slots.count === undefined) return { count: 1, lastSlot, isLowerBound: true }
  const opened = [...isOpen].filter((slot) => slots.count?.(slot - 1, slot) === 1)
  return { count: slots.count(after, until) - opened.length, lastSlot }
}

/** Leaves of these slots at most so many: then their number is exact. */
export function atMostMissed(slots: MissedRuns, most: number): MissedRuns {
  return slots.count < most ? slots : { count: most, lastSlot: slots.lastSlot }
}

/** Counts slots as missed, also if their number is not known. The slots themselves are not stored, so the ledger does not grow with an outage. */
export function withMissed(ledger: Ledger, reason: MissedReason, slots: readonly Slot[] | MissedRuns): Ledger {
  const added = 'count' in slots ? slots : missedRunsOf(slots)
  if (added.count === 0 && added.isLowerBound !== true) return ledger
  return { ...ledger, missed: { ...ledger.missed, [reason]: addMissed(ledger.missed[reason] ?? missedRunsOf([]), added) } }
}

/** What a decision writes into the slots that it decides: the present template, the writer, and when their runs are due. */
type Decided = { readonly generation: string; readonly epoch: number; readonly dueAt: (slot: Slot) => Slot }

/** The time is written only if it is not that of the slot. */
function timed(slot: Slot, dueAt: (slot: Slot) => Slot): Pick<OpenSlot, 'slot' | 'dueAt'> {
  const due = dueAt(slot)
  return due === slot ? { slot } : { slot, dueAt: due }
}

/** Records that the slots are about to be dispatched. From here on they count as active, so that `Forbid` sees them. */
export function withIntents(ledger: Ledger, slots: readonly Slot[], by: Decided & { readonly nowMs: number }): Ledger {
  const { generation, epoch, nowMs, dueAt } = by
  const begun = slots.map((slot) => timed(slot, dueAt))
  const intents = begun.map((each): OpenSlot => ({ ...each, state: 'Intended', generation, epoch }))
  const runs = begun.map((each): ActiveRun => ({ ...each, dispatchedAtMs: Math.max(nowMs, dueOf(each) * 1000), generation }))
  return {
    ...ledger,
    open: inOrder([...ledger.open, ...intents]),
    active: withActive(ledger.active, runs),
  }
}

/** The newest 1,000: runs that never end must not let the ledger grow for ever. */
export function withActive(active: readonly ActiveRun[], runs: readonly ActiveRun[]): readonly ActiveRun[] {
  return inOrder([...active, ...runs]).slice(-maxActiveRuns)
}

/** Lets exactly these slots wait, which are due and have no run yet. */
export function withWaiting(ledger: Ledger, slots: readonly Slot[], { generation, epoch, dueAt }: Decided): Ledger {
  const others = ledger.open.filter(({ state }) => state !== 'Waiting')
  if (slots.length === 0 && others.length === ledger.open.length) return ledger
  const before = new Map(ledger.open.map((open) => [open.slot, open]))
  const waiting = slots.map((slot): OpenSlot => before.get(slot) ?? { ...timed(slot, dueAt), state: 'Waiting', generation, epoch })
  return { ...ledger, open: inOrder([...others, ...waiting]) }
}

export function withoutWaiting(ledger: Ledger): Ledger {
  return withStates(ledger, (open) => (open.state === 'Waiting' ? undefined : open))
}

/** Replaces each open slot by `change(slot)`; undefined removes it. */
export function withStates(ledger: Ledger, change: (open: OpenSlot) => OpenSlot | undefined): Ledger {
  return { ...ledger, open: ledger.open.flatMap((open) => change(open) ?? []) }
}

/**
 * Records that the slots are dispatched for good. The caller moves the cursor, because only it knows that no earlier
 * slot is undecided.
 */
export function withDispatched(ledger: Ledger, slots: readonly Slot[], epoch: number, nowMs: number): Ledger {
  if (slots.length === 0) return ledger
  const settled = withStates(ledger, (open) => {
    if (!slots.includes(open.slot)) return open
    const { restarts: _, isCounted: __, ...rest } = open
    return { ...rest, state: 'Final', epoch }
  })
  const counted = slots.filter((slot) => !ledger.open.some((open) => open.slot === slot && isCountedAlready(open)))
  const last = counted.at(-1)
  if (last === undefined) return settled
  const known = ledger.lastDispatched
  return {
    ...settled,
    dispatched: ledger.dispatched + counted.length,
    ...(known === undefined || last >= known.slot ? { lastDispatched: dispatchOf(ledger, last, nowMs) } : {}),
  }
}

/** A job that was placed ahead could start when it was due, however late that is recorded. */
function dispatchOf({ open }: Ledger, slot: Slot, nowMs: number): NonNullable<Ledger['lastDispatched']> {
  const { state, dueAt } = open.find((each) => each.slot === slot) ?? {}
  const atMs = state === 'Intended' ? nowMs : Math.min(nowMs, (dueAt ?? slot) * 1000)
  return { slot, ...(dueAt !== undefined && { dueAt }), atMs }
}

/** Moves the cursor, never backwards, and drops the final slots that it has passed. */
export function withCursor(ledger: Ledger, cursor: Slot): Ledger {
  const next = Math.max(ledger.cursor, cursor)
  return { ...withStates(ledger, (open) => (open.state === 'Final' && open.slot <= next ? undefined : open)), cursor: next }
}

/** Removes revoked slots, as if they had never been intended. */
export function withoutSlots(ledger: Ledger, slots: readonly Slot[]): Ledger {
  return {
    ...withStates(ledger, (open) => (slots.includes(open.slot) ? undefined : open)),
    active: ledger.active.filter((run) => !slots.includes(run.slot)),
  }
}

/** Intends runs that were taken back anew, from the present template. They wait for a start from now on. */
export function withRestarts(ledger: Ledger, slots: readonly Slot[], by: { generation: string; epoch: number; nowMs: number }): Ledger {
  const { generation, epoch, nowMs } = by
  return {
    ...withStates(ledger, (open) => (slots.includes(open.slot) ? { ...open, state: 'Intended', generation, epoch } : open)),
    active: ledger.active.map((run) => (slots.includes(run.slot) ? { ...withoutStart(run), generation, dispatchedAtMs: nowMs } : run)),
  }
}

/** A run that starts anew was counted when it was dispatched first. */
function isCountedAlready({ restarts, isCounted }: OpenSlot): boolean {
  return restarts === true || isCounted === true
}

function withoutStart({ slot, dueAt }: ActiveRun): Pick<ActiveRun, 'slot' | 'dueAt'> {
  return { slot, ...(dueAt !== undefined && { dueAt }) }
}

/** Marks runs that are about to be cancelled. */
export function withEndings(
  ledger: Ledger,
  endings: readonly { readonly slot: Slot; readonly ending: Ending; readonly startedAtMs?: number | undefined }[],
): Ledger {
  const bySlot = new Map(endings.map((each) => [each.slot, each]))
  const active = ledger.active.map((run): ActiveRun => {
    const marked = bySlot.get(run.slot)
    if (marked === undefined) return run
    return { ...run, ...(marked.startedAtMs !== undefined && { startedAtMs: marked.startedAtMs }), ending: marked.ending }
  })
  return { ...ledger, active }
}

/**
 * Records the end of a run. The last run is the one whose end arrived last, whatever the order of dispatch. A run that was
 * replaced has neither succeeded nor failed.
 */
export function withOutcome(before: Ledger, outcome: RunOutcome): Ledger {
  const { result: _, ...lastRun } = outcome
  const ledger: Ledger = {
    ...before,
    active: before.active.filter((run) => run.slot !== outcome.slot),
    lastRun,
    recent: withRecentRun(before.recent, outcome),
  }
  if (outcome.reason === 'Replaced') return ledger
  return {
    ...ledger,
    ...(outcome.succeeded ? { lastSuccess: outcome } : { lastFailure: outcome }),
    consecutiveFailures: outcome.succeeded ? 0 : ledger.consecutiveFailures + 1,
  }
}

function inOrder<T extends { readonly slot: Slot }>(entries: readonly T[]): readonly T[] {
  return entries.toSorted((a, b) => a.slot - b.slot)
}

/** What a write to a ledger changed, for Events and metrics. */
export type Change =
  /** `atMs`: when the job could start; if it was placed ahead, when it was due. */
  | { readonly kind: 'Dispatched'; readonly slot: Slot; readonly dueAt: Slot; readonly atMs: number }
  | { readonly kind: 'Missed'; readonly reason: MissedReason; readonly count: number; readonly lastSlot: Slot }
  /** `dueAt`: when the run was due. `failuresBefore`: how many runs had failed since the last one that succeeded. */
  | { readonly kind: 'RunEnded'; readonly run: RunOutcome; readonly dueAt: Slot; readonly failuresBefore: number }
  | { readonly kind: 'Regressed' }

/** Slots that were undecided before the write, and are dispatched by it. */
function dispatchedAtOnce(before: Ledger | undefined, after: Ledger): readonly Change[] {
  if (after.active.length === 0) return []
  const known = new Set(
    [...(before?.open ?? []), ...(before?.active ?? []), ...after.open.filter(({ state }) => state !== 'Final')].map(({ slot }) => slot),
  )
  return after.active
    .filter(({ slot }) => !known.has(slot))
    .map((run) => ({
      kind: 'Dispatched',
      slot: run.slot,
      dueAt: dueOf(run),
      atMs: Math.max(dueOf(run) * 1000, after.lastDispatched?.atMs ?? 0),
    }))
}

/**
 * Compares a ledger before and after a write, so that every step gets its Events from one place. A slot that was
 * revoked is not reported as dispatched. `ends`: the runs that the write ends, if it is not the last one alone.
 */
export function findChanges(before: Ledger | undefined, after: Ledger, ends = endOf(before, after)): readonly Change[] {
  const changes: Change[] = []
  if (after.regressedAtMs !== undefined && after.regressedAtMs !== before?.regressedAtMs) changes.push({ kind: 'Regressed' })
  const ended = new Set(ends.map(({ slot }) => slot))
  for (const open of before?.open ?? []) {
    const { slot, state } = open
    if (isCountedAlready(open)) continue
    const now = after.open.find((each) => each.slot === slot)
    const isSettled = state !== 'Final' && (now === undefined || now.state === 'Final')
    const isTakenBack = !ended.has(slot) && !after.active.some((run) => run.slot === slot)
    if (!isSettled || isTakenBack) continue
    const dueAt = dueOf(open)
    const atMs = state === 'Intended' || state === 'Waiting' ? Math.max(dueAt * 1000, after.lastDispatched?.atMs ?? 0) : dueAt * 1000
    changes.push({ kind: 'Dispatched', slot, dueAt, atMs })
  }
  changes.push(...dispatchedAtOnce(before, after))
  for (const [reason, { count, lastSlot }] of Object.entries(after.missed) as [MissedReason, { count: number; lastSlot: Slot }][]) {
    const added = count - (before?.missed[reason]?.count ?? 0)
    if (added > 0) changes.push({ kind: 'Missed', reason, count: added, lastSlot })
  }
  let failuresBefore = before?.consecutiveFailures ?? 0
  const runs = new Map(before?.active.map((run) => [run.slot, run]))
  for (const run of ends) {
    changes.push({ kind: 'RunEnded', run, dueAt: dueOf(runs.get(run.slot) ?? run), failuresBefore })
    if (run.reason !== 'Replaced') failuresBefore = run.succeeded ? 0 : failuresBefore + 1
  }
  return changes
}

function endOf(before: Ledger | undefined, after: Ledger): readonly RunOutcome[] {
  return after.lastRun === undefined || after.lastRun === before?.lastRun ? [] : [after.lastRun]
}
