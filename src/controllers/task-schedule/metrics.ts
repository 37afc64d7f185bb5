import { slotStartOf, type SlotStartName, type TaskScheduleStatus } from '../../api/index.ts'
import type { Metrics } from '../../observability/index.ts'
import type { Change, MissedReason, RunReason } from '../../scheduling/index.ts'
import type { World } from './gather.ts'

/** All outcomes of a run: series that stay at 0 exist too. */
const outcomes = {
  task: ['Succeeded', 'AttemptsExhausted', 'JobRemoved', 'PendingDeadlineExceeded', 'RunDeadlineExceeded', 'Replaced'],
  job: ['Succeeded', 'Failed', 'TimedOut', 'JobRemoved', 'Refused', 'PendingDeadlineExceeded', 'RunDeadlineExceeded', 'Replaced'],
  dependencyRef: [
    'Succeeded',
    'Skipped',
    'Failed',
    'TimedOut',
    'Cancelled',
    'ExecutionRemoved',
    'Refused',
    'PendingDeadlineExceeded',
    'RunDeadlineExceeded',
    'Replaced',
  ],
} as const satisfies Record<SlotStartName, readonly RunReason[]>
/** All reasons, and whether somebody wanted it so. */
const missedReasons: Readonly<Record<MissedReason, 'Planned' | 'Unplanned'>> = {
  LedgerRegressed: 'Unplanned',
  NotCreated: 'Unplanned',
  Overlap: 'Unplanned',
  QueueFull: 'Unplanned',
  ScheduleChanged: 'Planned',
  Skipped: 'Planned',
  StartingDeadlineExceeded: 'Unplanned',
  Superseded: 'Planned',
  Suspended: 'Planned',
  TooManyMissed: 'Unplanned',
}

/** Sets the gauges of a schedule, and makes the counters of its namespace exist. */
export function setScheduleMetrics(metrics: Metrics, key: string, { schedule, suspension }: World, status: TaskScheduleStatus): void {
  const ofNamespace = metrics.of('Namespace', schedule.metadata.namespace ?? '')
  for (const outcome of outcomes[slotStartOf(schedule.spec).kind]) ofNamespace.add('taskmill_schedule_runs_total', { outcome }, 0)
  for (const reason of Object.keys(missedReasons)) ofNamespace.add('taskmill_schedule_missed_total', { reason }, 0)
  ofNamespace.open('taskmill_schedule_dispatch_delay_seconds', {})
  ofNamespace.open('taskmill_schedule_start_delay_seconds', {})

  const series = metrics.of('TaskSchedule', key)
  series.add('taskmill_schedule_unplanned_misses_total', {}, 0)
  const [next] = suspension.isSuspended ? [] : (status.nextRuns ?? [])
  series.set('taskmill_schedule_next_run_timestamp_seconds', {}, seconds(next))
  // An alert on a schedule that never succeeded counts from its creation.
  const lastSuccess = seconds(status.lastSuccessTime ?? schedule.metadata.creationTimestamp)
  series.set('taskmill_schedule_last_success_timestamp_seconds', {}, lastSuccess)
  series.set('taskmill_schedule_consecutive_failures', {}, status.consecutiveFailures ?? 0)
  series.set('taskmill_schedule_active_runs', {}, status.activeRuns ?? 0)
  series.set('taskmill_schedule_suspended', {}, suspension.isSuspended ? 1 : 0)
}

/** Counts what a write to the ledger recorded. */
export function countChanges(metrics: Metrics, key: string, changes: readonly Change[]): void {
  const [namespace = ''] = key.split('/')
  const ofNamespace = metrics.of('Namespace', namespace)
  for (const change of changes) {
    if (change.kind === 'Dispatched') {
      ofNamespace.observe('taskmill_schedule_dispatch_delay_seconds', {}, Math.max(0, change.atMs / 1000 - change.dueAt))
    } else if (change.kind === 'Missed') {
      ofNamespace.add('taskmill_schedule_missed_total', { reason: change.reason }, change.count)
      if (missedReasons[change.reason] === 'Planned') continue
      metrics.of('TaskSchedule', key).add('taskmill_schedule_unplanned_misses_total', {}, change.count)
    } else if (change.kind === 'RunEnded') {
      const { reason, startedAtMs, attemptsMade = 1 } = change.run
      ofNamespace.add('taskmill_schedule_runs_total', { outcome: reason })
      // Of a run that was tried again, only the start of the last attempt is known.
      if (startedAtMs === undefined || attemptsMade > 1) continue
      ofNamespace.observe('taskmill_schedule_start_delay_seconds', {}, Math.max(0, startedAtMs / 1000 - change.dueAt))
    }
  }
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000
}
