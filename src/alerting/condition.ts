/** What must not go wrong: one member, with its threshold. Windows are whole minutes, because runs are counted by the minute. */
export type AlertCondition =
  | { readonly kind: 'TaskFailures'; readonly moreThan: number; readonly windowSeconds: number }
  | { readonly kind: 'FailureRate'; readonly abovePercent: number; readonly minimumRuns: number; readonly windowSeconds: number }
  | { readonly kind: 'QueueBacklog'; readonly above: number }
  | { readonly kind: 'QueueLatency'; readonly aboveSeconds: number }
  | { readonly kind: 'ScheduleMissed'; readonly moreThan: number; readonly windowSeconds: number }
  | { readonly kind: 'NoSuccess'; readonly windowSeconds: number }

/** Why a value cannot be known. Each is a reason of the condition Firing. */
export type UnknownReason =
  | 'TargetNotFound'
  | 'BrokerNotFound'
  | 'BrokerNotUsable'
  | 'BrokerUnreachable'
  | 'NotReadYet'
  | 'TooFewRuns'
  | 'CountsLost'
  | 'TargetSuspended'
  | 'ContradictoryWindow'

/** Jobs, and since when the oldest of them waits. */
export type Waiting = { readonly jobs: number; readonly oldestReadyAtMs?: number | undefined }

/** What is not worked on because somebody wants it so; in words: what, by what, and until when. */
export type Suspended = { readonly words: string }

/** What was found out for a condition; of another kind than it needs is a mistake of the caller. */
export type Facts =
  | { readonly kind: 'Unknown'; readonly reason: UnknownReason; readonly message: string }
  /** Runs that ended within the window, and slots that were missed. */
  | {
      readonly kind: 'Counts'
      readonly succeeded: number
      readonly failed: number
      readonly missed: number
      /** The broker has lost a part of what it had counted: there were at least so many. Until when that is so (Unix ms). */
      readonly lostUntilMs?: number | undefined
    }
  /** Jobs that could run now and do not; beside them those of queues that are suspended on purpose. */
  | (Waiting & { readonly kind: 'Backlog'; readonly suspended?: Waiting & Suspended })
  /**
   * The newest success that is told, or else since when one could be, and whether one was counted within the window (undefined: nobody
   * could count). What is told may be late, so that a success is believed at once and its absence only together with the count.
   */
  | {
      readonly kind: 'Successes'
      readonly createdAtMs: number
      /** When the schedule went on after its last suspension. */
      readonly resumedAtMs?: number | undefined
      readonly lastSuccessAtMs?: number | undefined
      readonly counted: number | undefined
      readonly lostUntilMs?: number | undefined
    }

/** `> 10% in 5m`: the threshold in words. */
export function limitOf(condition: AlertCondition): string {
  switch (condition.kind) {
    case 'TaskFailures':
    case 'ScheduleMissed':
      return `> ${condition.moreThan} in ${duration(condition.windowSeconds)}`
    case 'FailureRate':
      return `> ${condition.abovePercent}% in ${duration(condition.windowSeconds)}`
    case 'QueueBacklog':
      return `> ${condition.above}`
    case 'QueueLatency':
      return `longer than ${duration(condition.aboveSeconds)}`
    case 'NoSuccess':
      return `longer ago than ${duration(condition.windowSeconds)}`
  }
}

/** A value above its threshold: `23% (69/300) > 10% in 5m`, `last success 2026-11-29T01:00:00Z, longer ago than 1h`. */
export function crossedText(condition: AlertCondition, text: string): string {
  const isMoment = condition.kind === 'QueueLatency' || condition.kind === 'NoSuccess'
  return `${text}${isMoment ? ',' : ''} ${limitOf(condition)}`
}

/** `90s`, `5m`, `1h30m`, `7d`: exact, and as short as that allows. */
export function duration(seconds: number): string {
  if (seconds < 120 && seconds % 60 !== 0) return `${seconds}s`
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const
  const told = parts.filter(([count]) => count > 0)
  return told.length === 0 ? '0s' : told.map(([count, unit]) => `${count}${unit}`).join('')
}

/** `2026-11-29T02:51:10Z`. */
export function momentOf(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}
