import { type AlertRecord, type DecidedNotification, newest, wholeSecond } from './record.ts'

export const severities = ['Info', 'Warning', 'Critical'] as const
export type Severity = (typeof severities)[number]

/** What an alert has to know of a channel; undefined: the channel does not exist. */
export type ChannelRules = { readonly minimumSeverity: Severity; readonly sendResolved: boolean } | undefined

export type NotifyRules = {
  readonly severity: Severity
  readonly cooldownSeconds: number
  /** In the order of the spec. */
  readonly channels: ReadonlyMap<string, ChannelRules>
  /**
   * An active override, and until when (Unix ms). Acknowledged: channels are notified only when the alert is resolved. Silenced: channels are not
   * notified.
   */
  readonly quiet?: { readonly kind: 'Acknowledged' | 'Silenced'; readonly untilMs: number } | undefined
}

/** Why a channel is not notified of the newest transition. */
export type HeldBack = {
  readonly channel: string
  readonly reason: 'Silenced' | 'Acknowledged' | 'CoolingDown' | 'ChannelNotFound' | 'BelowMinimumSeverity'
  readonly untilMs?: number
}

export type Notified = {
  /** With the notifications that were decided now; it is stored before they are sent. */
  readonly record: AlertRecord
  readonly heldBack: readonly HeldBack[]
  readonly againAtMs?: number
}

/**
 * Decides which channels are notified of the newest transition, which replaces older ones. A channel is notified of a transition at most once, of
 * firing not before its cooldown is over, and that the alert is resolved only if a notification that it fires was decided before.
 */
export function decideNotifications(record: AlertRecord, rules: NotifyRules, nowMs: number): Notified {
  const notifications: DecidedNotification[] = []
  const heldBack: HeldBack[] = []
  for (const [channel, facts] of rules.channels) {
    const before = record.notifications.find((each) => each.channel === channel)
    const next = decide(record, channel, before, facts, rules, nowMs)
    if (next !== undefined && 'reason' in next) heldBack.push(next)
    if (next !== undefined && !('reason' in next)) notifications.push(next)
    else if (before !== undefined) notifications.push(before)
  }
  const ends = heldBack.flatMap(({ untilMs }) => (untilMs === undefined ? [] : [untilMs]))
  return { record: { ...record, notifications }, heldBack, ...(ends.length === 0 ? {} : { againAtMs: Math.min(...ends) }) }
}

function decide(
  record: AlertRecord,
  channel: string,
  before: DecidedNotification | undefined,
  facts: ChannelRules,
  { severity, cooldownSeconds, quiet }: NotifyRules,
  nowMs: number,
): DecidedNotification | HeldBack | undefined {
  const latest = newest(record)
  if (latest === undefined || (before !== undefined && before.sequence >= latest.sequence)) return undefined
  const atMs = wholeSecond(nowMs)
  const fired = before?.firedAtMs === undefined ? {} : { firedAtMs: before.firedAtMs }
  if (latest.to === 'Resolved') {
    if (before?.to !== 'Firing' || facts?.sendResolved === false) return undefined
    if (facts === undefined) return { channel, reason: 'ChannelNotFound' }
    if (quiet?.kind === 'Silenced') return { channel, reason: 'Silenced', untilMs: quiet.untilMs }
    return { channel, sequence: latest.sequence, to: 'Resolved', atMs, ...fired, delivery: 'Pending' }
  }
  if (facts === undefined) return { channel, reason: 'ChannelNotFound' }
  if (severities.indexOf(severity) < severities.indexOf(facts.minimumSeverity)) return { channel, reason: 'BelowMinimumSeverity' }
  if (quiet !== undefined) return { channel, reason: quiet.kind, untilMs: quiet.untilMs }
  const warmMs = before?.firedAtMs === undefined ? nowMs : before.firedAtMs + cooldownSeconds * 1000
  if (warmMs > nowMs) return { channel, reason: 'CoolingDown', untilMs: warmMs }
  return { channel, sequence: latest.sequence, to: 'Firing', atMs, firedAtMs: atMs, delivery: 'Pending' }
}

/** The record with the outcome of a notification. An outcome of an older notification changes nothing. */
export function withDelivery(
  record: AlertRecord,
  channel: string,
  sequence: number,
  outcome: { readonly delivery: DecidedNotification['delivery']; readonly message?: string },
): AlertRecord {
  const notifications = record.notifications.map((each) => {
    if (each.channel !== channel || each.sequence !== sequence) return each
    const { message: _, ...rest } = each
    return { ...rest, ...outcome }
  })
  return { ...record, notifications }
}
