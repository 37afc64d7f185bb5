/**
 * What is remembered of an alert: all of it stands in its status, so that whoever looks next, in this process or another one, goes on from
 * there. Times are whole seconds (in ms), as a status holds them.
 */
export type AlertRecord = {
  readonly phase: 'Inactive' | 'Pending' | 'Firing'
  /** Since when it is in this phase. */
  readonly sinceMs: number
  /** Transitions so far; the number of the newest one. */
  readonly sequence: number
  /** The newest, at most `mostTransitions`, oldest first. */
  readonly transitions: readonly Transition[]
  /** The last notification to each channel. */
  readonly told: readonly Told[]
  /** Since when the target is seen to be suspended on purpose; or when it was seen to go on after that. Never both. */
  readonly suspendedAtMs?: number
  readonly resumedAtMs?: number
}

/** What is news: it fires, or it does so no more. That it is pending is none. */
export type Transition = {
  readonly sequence: number
  readonly to: 'Firing' | 'Resolved'
  readonly atMs: number
  /** The value that made it so. */
  readonly text: string
  readonly amount: string
}

/** A notification that was decided. It is recorded before it is sent, so that it is never decided twice. */
export type Told = {
  readonly channel: string
  /** Of the transition. */
  readonly sequence: number
  readonly to: Transition['to']
  readonly atMs: number
  /** When it was last decided to tell the channel that the alert fires: what the cooldown counts from. */
  readonly firedAtMs?: number
  readonly delivery: 'Pending' | 'Delivered' | 'GivenUp'
  /** What the receiver said, or how long it has been trying. */
  readonly message?: string
}

export const mostTransitions = 10

export function newRecord(nowMs: number): AlertRecord {
  return { phase: 'Inactive', sinceMs: wholeSecond(nowMs), sequence: 0, transitions: [], told: [] }
}

/** The transition that the alert has come to; undefined while there was none. */
export function newest({ transitions }: AlertRecord): Transition | undefined {
  return transitions.at(-1)
}

export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

/** Remembers the last suspension of the target, since nothing else tells when it was over. */
export function withSuspension(record: AlertRecord, isSuspended: boolean, nowMs: number): AlertRecord {
  if (isSuspended === (record.suspendedAtMs !== undefined)) return record
  const { suspendedAtMs: _, resumedAtMs: __, ...rest } = record
  return { ...rest, [isSuspended ? 'suspendedAtMs' : 'resumedAtMs']: wholeSecond(nowMs) }
}
