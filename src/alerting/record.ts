/**
 * What is remembered of an alert. All of it is in the status, from which the next look continues, in this process or another one. Times are whole
 * seconds (in ms), as in a status.
 */
export type AlertRecord = {
  readonly phase: 'Inactive' | 'Pending' | 'Firing'
  /** Start of this phase. */
  readonly sinceMs: number
  /** Transitions so far; the number of the newest one. */
  readonly sequence: number
  /** The newest `mostTransitions`, oldest first. */
  readonly transitions: readonly Transition[]
  /** The last notification to each channel. */
  readonly notifications: readonly DecidedNotification[]
  /** When the target was seen to be suspended on purpose, or when the suspension was seen to end. Never both. */
  readonly suspendedAtMs?: number
  readonly resumedAtMs?: number
  /** Which times the watched schedule has, and when they were seen to change. */
  readonly timing?: { readonly hash: string; readonly changedAtMs?: number }
  /**
   * How long after its run was due a success came: the longest since `sinceMs`, for 35 days, and the longest of the period
   * before.
   */
  readonly longestRun?: { readonly seconds: number; readonly sinceMs: number; readonly formerSeconds?: number }
}

/** The alert started or stopped firing. Pending is no transition. */
export type Transition = {
  readonly sequence: number
  readonly to: 'Firing' | 'Resolved'
  readonly atMs: number
  /** The value that caused it. */
  readonly text: string
  readonly amount: string
}

/** A notification that was decided. It is recorded before it is sent, so that it is never decided twice. */
export type DecidedNotification = {
  readonly channel: string
  /** Of the transition. */
  readonly sequence: number
  readonly to: Transition['to']
  readonly atMs: number
  /** When the last notification that the alert fires was decided; the cooldown starts here. */
  readonly firedAtMs?: number
  readonly delivery: 'Pending' | 'Delivered' | 'GivenUp'
  /** The last answer of the receiver, and the number of attempts. */
  readonly message?: string
}

export const mostTransitions = 10

export function newRecord(nowMs: number): AlertRecord {
  return { phase: 'Inactive', sinceMs: wholeSecond(nowMs), sequence: 0, transitions: [], notifications: [] }
}

/** The newest transition; undefined if there was none. */
export function newest({ transitions }: AlertRecord): Transition | undefined {
  return transitions.at(-1)
}

export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

/** The record with the last suspension of the target. Nothing else remembers when it ended. */
export function withSuspension(record: AlertRecord, isSuspended: boolean, nowMs: number): AlertRecord {
  if (isSuspended === (record.suspendedAtMs !== undefined)) return record
  const { suspendedAtMs: _, resumedAtMs: __, ...rest } = record
  return { ...rest, [isSuspended ? 'suspendedAtMs' : 'resumedAtMs']: wholeSecond(nowMs) }
}

/** The record with the times of the watched schedule. Nothing else remembers when they changed. */
export function withTiming(record: AlertRecord, hash: string, nowMs: number): AlertRecord {
  const known = record.timing
  if (known?.hash === hash) return record
  return { ...record, timing: { hash, ...(known === undefined ? {} : { changedAtMs: wholeSecond(nowMs) }) } }
}

/** A run that is longer once a month is always among those of two periods. */
const periodMs = 35 * 86_400_000
/** A run that an outage delayed says little about the next one. */
const mostRunSeconds = 86_400

/** The record with the newest success, `seconds` after its run was due. The same success again changes nothing. */
export function withSuccess(record: AlertRecord, { seconds, atMs }: { readonly seconds: number; readonly atMs: number }): AlertRecord {
  const known = record.longestRun
  const own = Math.min(mostRunSeconds, Math.max(0, Math.ceil(seconds)))
  if (known === undefined) return { ...record, longestRun: { seconds: own, sinceMs: atMs } }
  if (atMs - known.sinceMs > periodMs) return { ...record, longestRun: { seconds: own, sinceMs: atMs, formerSeconds: known.seconds } }
  return own <= known.seconds ? record : { ...record, longestRun: { ...known, seconds: own } }
}

/** How long after its run was due a success came lately, at most; undefined: none was seen. */
export function longestRunSeconds({ longestRun }: AlertRecord): number | undefined {
  return longestRun === undefined ? undefined : Math.max(longestRun.seconds, longestRun.formerSeconds ?? 0)
}
