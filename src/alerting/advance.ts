import type { Measurement } from './facts.ts'
import { type AlertRecord, mostTransitions, type Transition, wholeSecond } from './record.ts'

export type Advanced = {
  readonly record: AlertRecord
  /** The alert started or stopped firing now. */
  readonly transition?: Transition
  /** When the answer changes by time alone (Unix ms). */
  readonly againAtMs?: number
}

/**
 * The next state of an alert: Inactive → Pending (for forSeconds) → Firing → Inactive. An unknown value changes nothing: a firing alert keeps
 * firing, a pending one waits, and no alert starts to fire. A pending alert becomes Inactive when its target is suspended on purpose.
 */
export function advance(record: AlertRecord, measurement: Measurement, forSeconds: number, nowMs: number): Advanced {
  const at = wholeSecond(nowMs)
  if (!measurement.known) {
    const isDropped = record.phase === 'Pending' && measurement.reason === 'TargetSuspended'
    return { record: isDropped ? { ...record, phase: 'Inactive', sinceMs: at } : record }
  }
  const again = measurement.changesAtMs === undefined ? {} : { againAtMs: measurement.changesAtMs }
  if (!measurement.holds) {
    if (record.phase === 'Inactive') return { record, ...again }
    const calm: AlertRecord = { ...record, phase: 'Inactive', sinceMs: at }
    return { ...(record.phase === 'Firing' ? withTransition(calm, 'Resolved', measurement, at) : { record: calm }), ...again }
  }
  if (record.phase === 'Firing') return { record, ...again }
  const pendingMs = record.phase === 'Pending' ? record.sinceMs : at
  const firesAtMs = pendingMs + forSeconds * 1000
  if (firesAtMs <= nowMs) return { ...withTransition({ ...record, phase: 'Firing', sinceMs: at }, 'Firing', measurement, at), ...again }
  return {
    record: { ...record, phase: 'Pending', sinceMs: pendingMs },
    againAtMs: Math.min(firesAtMs, measurement.changesAtMs ?? firesAtMs),
  }
}

function withTransition(
  record: AlertRecord,
  to: Transition['to'],
  { text, amount }: Extract<Measurement, { readonly known: true }>,
  atMs: number,
): { readonly record: AlertRecord; readonly transition: Transition } {
  const transition = { sequence: record.sequence + 1, to, atMs, text, amount }
  const transitions = [...record.transitions, transition].slice(-mostTransitions)
  return { record: { ...record, sequence: transition.sequence, transitions }, transition }
}
