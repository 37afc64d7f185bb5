/** What is done about the runs before a slot that is due: whether they still exist, whether it replaces them, and what a run by hand makes up for. */
import { slotTime } from '../contract/index.ts'
import { decideDueSlots } from './due-slots.ts'
import { endPatienceMs } from './ending-runs.ts'
import { dueAt } from './jitter.ts'
import { dueOf, type Ending, type Knowledge, type Ledger, type SchedulePlan, type Step, unsettledRun, waitingSlots } from './ledger.ts'
import { slotAt } from './timing.ts'
import { withDispatched, withEndings } from './transitions.ts'
import { inTime, notBefore } from './write-window.ts'

/**
 * Before a slot is missed because of an active run (Overlap), waits for it or replaces it, check whether that run still exists. If it does not, the
 * next step ends it, and the slot can fire. The same for a run that takes the room of slots of other schedules.
 */
export function observeOverlaps(
  ledger: Ledger,
  plan: SchedulePlan,
  { looked, isGroupAwaited }: Knowledge,
  nowMs: number,
): Step | undefined {
  const unknown = ledger.active.map(({ slot }) => slot).filter((slot) => !looked.has(slot))
  if (plan.concurrencyPolicy === 'Allow' || unknown.length === 0) return undefined
  if (isGroupAwaited === true) return { kind: 'Look', slots: unknown }
  const { fire, wait, missed } = decideDueSlots(ledger, plan, nowMs)
  const before = new Set(waitingSlots(ledger))
  const overlaps =
    missed.some(({ reason }) => reason === 'Overlap' || reason === 'QueueFull') ||
    wait.some((slot) => !before.has(slot)) ||
    (plan.concurrencyPolicy === 'Replace' && fire.length > 0)
  return overlaps ? { kind: 'Look', slots: unknown } : undefined
}

/**
 * Under `Replace`, cancels the runs that are active when a slot is due, unless the present template makes nothing of that slot. The slot is
 * dispatched once they have their outcomes.
 */
export function replaceRuns(ledger: Ledger, plan: SchedulePlan, { looked, refused }: Knowledge, nowMs: number): Step | undefined {
  if (plan.concurrencyPolicy !== 'Replace') return undefined
  const undecided = new Set(ledger.open.flatMap(({ slot, state }) => (state === 'Final' ? [] : [slot])))
  const running = ledger.active.filter(({ slot }) => !undecided.has(slot))
  const [next] = decideDueSlots(ledger, plan, nowMs).fire
  // What was placed ahead, before the policy was edited to this one, is a run like others once its slot is due.
  const placed = ledger.open.filter((open) => open.state === 'Placed' && dueOf(open) <= slotAt(nowMs))
  if (next !== undefined && placed.length > 0) {
    const slots = placed.map(({ slot }) => slot)
    return { kind: 'Write', what: 'final', ledger: withDispatched(ledger, slots, plan.epoch, nowMs), ...notBefore(placed.map(dueOf)) }
  }
  if (next === undefined || running.length === 0 || refused.has(next)) return undefined
  const unmarked = running.filter(({ ending }) => ending === undefined).map(({ slot }) => slot)
  // Those that ended before they could be cancelled.
  if (unmarked.length === 0) return { kind: 'Wait', untilMs: nowMs + endPatienceMs }
  const ending: Ending = { reason: 'Replaced', message: `replaced by the run of slot ${slotTime(next)}` }
  return {
    kind: 'Write',
    what: 'cancel',
    ledger: withEndings(
      ledger,
      unmarked.map((slot) => ({ slot, ending, startedAtMs: looked.get(slot)?.startedAtMs })),
    ),
    makes: [next],
    ...notBefore([dueAt(plan, next)]),
    ...inTime([dueAt(plan, next)], plan),
  }
}

/** Records that a run by hand has made up for the failed run before the next slot: later, its object may be gone. */
export function settlePast(ledger: Ledger, { dependsOnPast, succeededByHandAtMs }: SchedulePlan): Step | undefined {
  if (dependsOnPast !== true || succeededByHandAtMs === undefined || unsettledRun(ledger) === undefined) return undefined
  const settled = { ...ledger, settledAtMs: succeededByHandAtMs }
  return unsettledRun(settled) === undefined ? { kind: 'Write', what: 'settle', ledger: settled } : undefined
}
