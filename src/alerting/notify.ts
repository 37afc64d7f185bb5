import { type AlertRecord, newest, type Told, wholeSecond } from './record.ts'

export const severities = ['Info', 'Warning', 'Critical'] as const
export type Severity = (typeof severities)[number]

/** What an alert has to know of a channel that it names; undefined: there is none of that name. */
export type ChannelRules = { readonly minimumSeverity: Severity; readonly sendResolved: boolean } | undefined

export type NotifyRules = {
  readonly severity: Severity
  readonly cooldownSeconds: number
  /** In the order of the spec. */
  readonly channels: ReadonlyMap<string, ChannelRules>
  /** By people, and until when (Unix ms). Acknowledged: somebody is at it, no more calls. Silenced: nothing at all. */
  readonly quiet?: { readonly kind: 'Acknowledged' | 'Silenced'; readonly untilMs: number } | undefined
}

/** Why a channel is not told what is the case. */
export type HeldBack = {
  readonly channel: string
  readonly reason: 'Silenced' | 'Acknowledged' | 'CoolingDown' | 'ChannelNotFound' | 'BelowMinimumSeverity'
  readonly untilMs?: number
}

export type Notified = {
  /** With what was decided now, to be written before it is sent. */
  readonly record: AlertRecord
  readonly heldBack: readonly HeldBack[]
  readonly againAtMs?: number
}

/**
 * Who is to be told of the newest transition, in the name of all that it supersedes. Each channel hears of a transition once at most, of a
 * firing not before its cooldown is over, and that it is resolved only after it was to be told that it fires.
 */
export function decideNotifications(record: AlertRecord, rules: NotifyRules, nowMs: number): Notified {
  const told: Told[] = []
  const heldBack: HeldBack[] = []
  for (const [channel, facts] of rules.channels) {
    const before = record.told.find((each) => each.channel === channel)
    const next = decide(record, channel, before, facts, rules, nowMs)
    if (next !== undefined && 'reason' in next) heldBack.push(next)
    if (next !== undefined && !('reason' in next)) told.push(next)
    else if (before !== undefined) told.push(before)
  }
  const ends = heldBack.flatMap(({ untilMs }) => (untilMs === undefined ? [] : [untilMs]))
  return { record: { ...record, told }, heldBack, ...(ends.length === 0 ? {} : { againAtMs: Math.min(...ends) }) }
}

function decide(
  record: AlertRecord,
  channel: string,
  before: Told | undefined,
  facts: ChannelRules,
  { severity, cooldownSeconds, quiet }: NotifyRules,
  nowMs: number,
): Told | HeldBack | undefined {
  const news = newest(record)
  if (news === undefined || (before !== undefined && before.sequence >= news.sequence)) return undefined
  const atMs = wholeSecond(nowMs)
  const fired = before?.firedAtMs === undefined ? {} : { firedAtMs: before.firedAtMs }
  if (news.to === 'Resolved') {
    if (before?.to !== 'Firing' || facts?.sendResolved === false) return undefined
    if (facts === undefined) return { channel, reason: 'ChannelNotFound' }
    if (quiet?.kind === 'Silenced') return { channel, reason: 'Silenced', untilMs: quiet.untilMs }
    return { channel, sequence: news.sequence, to: 'Resolved', atMs, ...fired, delivery: 'Pending' }
  }
  if (facts === undefined) return { channel, reason: 'ChannelNotFound' }
  if (severities.indexOf(severity) < severities.indexOf(facts.minimumSeverity)) return { channel, reason: 'BelowMinimumSeverity' }
  if (quiet !== undefined) return { channel, reason: quiet.kind, untilMs: quiet.untilMs }
  const warmMs = before?.firedAtMs === undefined ? nowMs : before.firedAtMs + cooldownSeconds * 1000
  if (warmMs > nowMs) return { channel, reason: 'CoolingDown', untilMs: warmMs }
  return { channel, sequence: news.sequence, to: 'Firing', atMs, firedAtMs: atMs, delivery: 'Pending' }
}

/** What became of a notification. One about another transition than the last that was decided is of no interest any more. */
export function withDelivery(
  record: AlertRecord,
  channel: string,
  sequence: number,
  outcome: { readonly delivery: Told['delivery']; readonly message?: string },
): AlertRecord {
  const told = record.told.map((each) => {
    if (each.channel !== channel || each.sequence !== sequence) return each
    const { message: _, ...rest } = each
    return { ...rest, ...outcome }
  })
  return { ...record, told }
}
