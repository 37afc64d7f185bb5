import type { Slot } from '../contract/index.ts'
import type { Ledger, MissedReason, RunOutcome } from './ledger.ts'

/** What a write to a ledger made true, for Events and metrics. */
export type Change =
  /** `atMs`: when its job could run; the slot's own moment for one that was placed ahead. */
  | { readonly kind: 'Dispatched'; readonly slot: Slot; readonly atMs: number }
  | { readonly kind: 'Missed'; readonly reason: MissedReason; readonly count: number; readonly lastSlot: Slot }
  | { readonly kind: 'RunEnded'; readonly run: RunOutcome }
  | { readonly kind: 'Regressed' }

export function changesBetween(before: Ledger | undefined, after: Ledger): readonly Change[] {
  const changes: Change[] = []
  if (after.regressedAtMs !== undefined && after.regressedAtMs !== before?.regressedAtMs) changes.push({ kind: 'Regressed' })
  const ended = after.lastRun === before?.lastRun ? undefined : after.lastRun
  for (const { slot, state } of before?.open ?? []) {
    const now = after.open.find((open) => open.slot === slot)
    const isSettled = state !== 'Final' && (now === undefined || now.state === 'Final')
    const isTakenBack = ended?.slot !== slot && !after.active.some((run) => run.slot === slot)
    if (!isSettled || isTakenBack) continue
    const atMs = state === 'Intended' ? Math.max(slot * 1000, after.lastDispatched?.atMs ?? 0) : slot * 1000
    changes.push({ kind: 'Dispatched', slot, atMs })
  }
  for (const [reason, { count, lastSlot }] of Object.entries(after.missed) as [MissedReason, { count: number; lastSlot: Slot }][]) {
    const added = count - (before?.missed[reason]?.count ?? 0)
    if (added > 0) changes.push({ kind: 'Missed', reason, count: added, lastSlot })
  }
  if (ended !== undefined) changes.push({ kind: 'RunEnded', run: ended })
  return changes
}
