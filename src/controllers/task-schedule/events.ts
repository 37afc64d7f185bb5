import { findCondition, scheduleEvent, type TaskSchedule, type TaskScheduleStatus, type WantedEvent } from '../../api/index.ts'
import type { Slot } from '../../contract/index.ts'
import type { Change, Ledger, MissedReason } from '../../scheduling/index.ts'
import type { CronJobMemory } from '../../services/primitives/index.ts'
import type { Blockages, Memory } from './gather.ts'
import { describeRegression, describeRun, shortTime } from './run-conditions.ts'

/** Reasons of Ready that become an Event when they come. */
const reportedReasons = [
  'BrokerNotFound',
  'BrokerNotUsable',
  'BrokerUnreachable',
  'InvalidSchedule',
  'InvalidTimeZone',
  'InvalidCalendar',
  'CalendarNotFound',
  'InvalidExpression',
  'InvalidNumber',
  'PayloadTooLarge',
  'DependencyNotFound',
  'TemplateInvalid',
  'StartPostponed',
  'NameTaken',
  'AdoptionDryRun',
  'Suspended',
  'Completed',
] as const

/** Events for the changes between two statuses. */
export function transitionEvents(before: TaskScheduleStatus | undefined, after: TaskScheduleStatus): readonly WantedEvent[] {
  return [
    ...overrideEvents(before, after),
    ...readyEvents(before, after),
    ...lateEvents(before, after),
    ...blockedEvents(before, after),
    ...driftEvents(before, after),
  ]
}

function overrideEvents(before: TaskScheduleStatus | undefined, after: TaskScheduleStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Overridden')
  const now = findCondition(after.conditions, 'Overridden')
  if (was?.message === now?.message) return []
  return [now === undefined ? scheduleEvent('OverrideEnded', `over: ${was?.message ?? ''}`) : scheduleEvent('OverrideStarted', now.message)]
}

function readyEvents(before: TaskScheduleStatus | undefined, after: TaskScheduleStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Ready')?.reason
  const ready = findCondition(after.conditions, 'Ready')
  if (ready === undefined || ready.reason === was) return []
  const reason = reportedReasons.find((each) => each === ready.reason)
  if (reason !== undefined) return [scheduleEvent(reason, ready.message)]
  return was === 'Suspended' && ready.status === 'True' ? [scheduleEvent('Resumed', ready.message)] : []
}

/** An Event when the schedule becomes late, and again only when it is late for another reason. */
function lateEvents(before: TaskScheduleStatus | undefined, after: TaskScheduleStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Late')
  const now = findCondition(after.conditions, 'Late')
  const isNew = now?.status === 'True' && (was?.status !== 'True' || was.reason !== now.reason)
  return isNew ? [scheduleEvent('RunLate', `${now.reason}: ${now.message}`)] : []
}

/** An Event when an edit of the primitive is found that stays, and when another one is. */
function driftEvents(before: TaskScheduleStatus | undefined, after: TaskScheduleStatus): readonly WantedEvent[] {
  const now = findCondition(after.conditions, 'Drifted')
  const isNew = now !== undefined && findCondition(before?.conditions, 'Drifted')?.message !== now.message
  return isNew ? [scheduleEvent('Drifted', now.message)] : []
}

/** An Event for each change that was made to its primitive because of somebody else. */
export function primitiveEvents(done: NonNullable<CronJobMemory['done']>): readonly WantedEvent[] {
  return done.map(({ kind, message }) => scheduleEvent(kind === 'Adopted' ? 'Adopted' : 'Repaired', message))
}

/** An Event when a run is blocked, and again only when something else blocks it. */
function blockedEvents(before: TaskScheduleStatus | undefined, after: TaskScheduleStatus): readonly WantedEvent[] {
  const now = findCondition(after.conditions, 'Blocked')
  const isNew = now !== undefined && findCondition(before?.conditions, 'Blocked')?.reason !== now.reason
  return isNew ? [scheduleEvent('RunBlocked', `${now.reason}: ${now.message}`)] : []
}

const reportEveryMs = 600_000

type RunEnd = Extract<Change, { readonly kind: 'RunEnded' }>

/** What to do about missed slots, by their reason; `name` is that of the schedule. */
const afterMisses: Readonly<Record<MissedReason, (name: string) => string>> = {
  Overlap: () =>
    'find out why the run takes longer than the interval, or let slots wait (concurrencyPolicy: Queue), end the run (Replace) or overlap (Allow)',
  QueueFull: () => 'find out why runs (with concurrencyGroup: those of the whole group) take longer than the interval, or raise queueLimit',
  Superseded: () => 'nothing, a newer slot runs instead, unless each slot has to run (missedRuns: All)',
  Skipped: () => 'nothing, unless late slots have to run (missedRuns: Latest or All)',
  TooManyMissed: (name) => `run those that matter by hand (taskmill run tsch/${name} --slot-time TIME), or raise missedRunsLimit`,
  StartingDeadlineExceeded: () => 'see what kept the dispatch (kubectl describe tmb), or raise startingDeadlineSeconds',
  Suspended: () => 'nothing, if that was meant: these slots are not made up for',
  ScheduleChanged: () => 'nothing: an edit fires nothing late',
  NotCreated: (name) =>
    `see what kept the CronJob controller, or the workers of the queue, from starting it (kubectl describe tsch ${name})`,
  LedgerRegressed: () => 'check the persistence of the broker',
}

/**
 * An Event for each failure, one for those of one write that have the same reason, and one for the first success after failures. For missed slots: one for the first of a reason, and then at most one in ten minutes, with their number since
 * the last: a schedule whose slots are all missed must not bury its other Events.
 */
export function changeEvents(
  changes: readonly Change[],
  { ledger, status }: { readonly ledger: Ledger; readonly status?: TaskScheduleStatus | undefined },
  memory: Pick<Memory, 'schedule' | 'unreported' | 'blockages'>,
  nowMs: number,
): readonly WantedEvent[] {
  const { schedule, blockages } = memory
  const events: WantedEvent[] = []
  const unsuccessful = Map.groupBy(
    changes.flatMap((change) => (change.kind === 'RunEnded' && !change.run.succeeded ? [change] : [])),
    ({ run }) => run.reason,
  )
  for (const change of changes) {
    if (change.kind === 'Regressed') {
      events.push(scheduleEvent('LedgerRegressed', describeRegression(ledger)))
    } else if (change.kind === 'RunEnded' && !change.run.succeeded) {
      const alike = unsuccessful.get(change.run.reason) ?? []
      if (change === alike[0]) events.push(endedEvent(alike, schedule))
    } else if (change.kind === 'RunEnded' && change.failuresBefore > 0) {
      const failures = `${change.failuresBefore} ${change.failuresBefore === 1 ? 'failure' : 'failures'}`
      events.push(scheduleEvent('RunRecovered', `${describeRun(change.run, schedule)}: succeeded after ${failures}`))
    } else if (change.kind === 'Missed') {
      const unreported = (memory.unreported ??= new Map())
      const entry = unreported.get(change.reason)
      unreported.set(change.reason, {
        count: (entry?.count ?? 0) + change.count,
        lastSlot: change.lastSlot,
        reportedAtMs: entry?.reportedAtMs,
      })
    }
  }
  for (const [reason, entry] of memory.unreported ?? []) {
    if (entry.count === 0 || (entry.reportedAtMs !== undefined && nowMs - entry.reportedAtMs < reportEveryMs)) continue
    const blockageOf = (slot: Slot) => describeBlockage(slot, blockages, status)
    events.push(missedEvent(schedule.metadata.name, reason, entry, { ledger, blockageOf }))
    memory.unreported?.set(reason, { ...entry, count: 0, reportedAtMs: nowMs })
  }
  return events
}

/** Of runs that one write ends for the same reason: of the newest, and how many more there are. */
function endedEvent(ends: readonly RunEnd[], schedule: TaskSchedule): WantedEvent {
  const newest = ends.map(({ run }) => run).reduce((a, b) => (a.slot > b.slot ? a : b))
  const words = describeRun(newest, schedule)
  const all = ends.length === 1 ? words : `${ends.length} runs, the newest: ${words}`
  return newest.reason === 'Replaced' ? scheduleEvent('RunReplaced', all) : scheduleEvent('RunFailed', `${newest.reason}: ${all}`)
}

function missedEvent(
  name: string,
  reason: MissedReason,
  { count, lastSlot }: { readonly count: number; readonly lastSlot: Slot },
  { ledger, blockageOf }: { readonly ledger: Ledger; readonly blockageOf: (slot: Slot) => string },
): WantedEvent {
  const slots = count === 1 ? `slot ${shortTime(lastSlot)}` : `${count} slots, the newest ${shortTime(lastSlot)}`
  const [active] = ledger.active
  const overlap =
    (reason === 'Overlap' || reason === 'QueueFull') && active !== undefined
      ? `, run ${shortTime(active.slot)} is active${blockageOf(active.slot)}`
      : ''
  return scheduleEvent('RunMissed', `${slots}: ${reason}${overlap}. Next: ${afterMisses[reason](name)}`)
}

function describeBlockage(slot: Slot, blockages: Blockages | undefined, status: TaskScheduleStatus | undefined): string {
  const { blocked, unknown }: Blockages = blockages ?? { blocked: [], unknown: 'All' }
  const isUnknown = unknown === 'All' || unknown.has(slot)
  const blockage = isUnknown ? recordedBlockage(slot, status) : blocked.find((each) => each.slot === slot)
  return blockage === undefined ? '' : ` and blocked (${blockage.reason}): ${blockage.message}`
}

/** What the status says of a run that this process has not looked at yet. */
function recordedBlockage(
  slot: Slot,
  status: TaskScheduleStatus | undefined,
): { readonly reason: string; readonly message: string } | undefined {
  const condition = findCondition(status?.conditions, 'Blocked')
  const [, run, message] =
    /^run of slot (\S+)(?: and \d+ more runs?)?: (.*?)(?:\. With (?:Forbid|Queue|Replace), .*)?$/u.exec(condition?.message ?? '') ?? []
  return condition === undefined || run !== shortTime(slot) || message === undefined ? undefined : { reason: condition.reason, message }
}
