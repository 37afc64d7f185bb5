/** From when, and until when, the broker carries out a write, by its own clock: what the operator's clock says may be wrong, and a write may arrive late. */
import type { Slot } from '../contract/index.ts'
import type { SchedulePlan } from './ledger.ts'

/** The broker refuses a dispatch or an intent that arrives after the starting deadline of the oldest of these due moments. */
export function inTime(
  due: readonly Slot[],
  { startingDeadlineSeconds }: Pick<SchedulePlan, 'startingDeadlineSeconds'>,
): { readonly beforeMs?: number } {
  if (due.length === 0 || startingDeadlineSeconds === undefined) return {}
  return { beforeMs: (Math.min(...due) + startingDeadlineSeconds) * 1000 + 1 }
}

/**
 * The broker refuses the write while its own clock says that the newest of these due moments has not come: the operator's
 * clock may be ahead.
 */
export function notBefore(due: readonly Slot[]): { readonly notBeforeMs?: number } {
  return due.length === 0 ? {} : { notBeforeMs: Math.max(...due) * 1000 }
}

/** Like `notBefore`; the broker also refuses the write once the first of the future moments has come: its job may have started. */
export function window(past: readonly Slot[], future: readonly Slot[]): { readonly notBeforeMs?: number; readonly beforeMs?: number } {
  return { ...notBefore(past), ...(future.length === 0 ? {} : { beforeMs: Math.min(...future) * 1000 }) }
}
