/** The concurrency group of a schedule: which of its slots needs room there, and what a write says about it. */
import type { Slot } from '../contract/index.ts'
import { decideDueSlots } from './due-slots.ts'
import type { Ledger, SchedulePlan } from './ledger.ts'

/** The broker may have room although nothing announces it. */
const pollMs = 5_000

/** Returns the slot that starts now if its group has room; undefined: none does, whatever the room. */
export function slotForGroup(ledger: Ledger | undefined, plan: SchedulePlan, nowMs: number): Slot | undefined {
  // Until the group is adopted, no slot is decided.
  if (ledger === undefined || plan.group === undefined || ledger.group !== plan.group.name) return undefined
  return decideDueSlots(ledger, plan, nowMs).fire[0]
}

/** Returns when to ask again for room (Unix ms); undefined: no slot needs any. */
export function nextLookAtGroup(ledger: Ledger, plan: SchedulePlan, isGroupFull: boolean | undefined, nowMs: number): number | undefined {
  return isGroupFull === true && slotForGroup(ledger, plan, nowMs) !== undefined ? nowMs + pollMs : undefined
}

/** What the broker is to record of the group with a write. `limit`: the write starts runs, and there must be room for them. */
export type GroupChange = { readonly name: string | undefined; readonly runs: number; readonly limit?: number }

/** Returns what a write changes about the group; undefined: the schedule is in none, and was in none. An undefined ledger: none is stored. */
export function groupChangeOf(before: Ledger | undefined, after: Ledger | undefined, { group }: SchedulePlan): GroupChange | undefined {
  const name = after?.group
  if (after === undefined || name === undefined) return before?.group === undefined ? undefined : { name: undefined, runs: 0 }
  const known = new Set(before?.active.map(({ slot }) => slot))
  const isStart = after.active.some(({ slot }) => !known.has(slot))
  return { name, runs: after.active.length, ...(isStart && group !== undefined && { limit: group.limit }) }
}
