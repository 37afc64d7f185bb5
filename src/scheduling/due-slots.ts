import type { Slot } from '../contract/index.ts'
import type { Ledger, MissedReason, MissedRuns } from './ledger.ts'
import { mostCounted } from './transitions.ts'
import type { SchedulePlan } from './step.ts'

/** A slot that is found this late is on time: nothing is made up for. */
const onTimeMs = 5_000
/** `Skip` skips what is later than this: an election takes less. */
const skippedAfterMs = 30_000

export type DueSlots = {
  /** To be dispatched now, in order. */
  readonly fire: readonly Slot[]
  readonly missed: readonly { readonly reason: MissedReason; readonly slots: MissedRuns }[]
}

/**
 * Decides on every slot between the cursor and now that is not open already: it fires, or is missed for a reason. Slots of the last 5 s fire. Of older ones
 * fires, where none of the last 5 s does, the newest (`Latest`), the newest if it is at most 30 s old (`Skip`), or the newest
 * `missedRunsLimit` (`All`, which includes those of the last 5 s). While suspended nothing is decided: that is done at the resume, by the change of timing. Nor while held.
 */
export function dueSlots(ledger: Ledger, plan: SchedulePlan, nowMs: number): DueSlots {
  if (plan.suspended || plan.isHeld === true) return { fire: [], missed: [] }
  const handled = new Set(ledger.open.map(({ slot }) => slot))
  const due = plan.slots.between(ledger.cursor, Math.floor(nowMs / 1000), mostCounted).filter((slot) => !handled.has(slot))
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
