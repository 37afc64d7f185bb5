import type { TaskSchedule } from '../../api/index.ts'
import type { Metrics } from '../../observability/index.ts'
import type { Change, Ledger } from '../../scheduling/index.ts'

export type ScheduleMetrics = {
  /** `next` in Unix seconds. */
  report(schedule: TaskSchedule, next: number | undefined, ledger: Ledger | undefined): void
  count(schedule: TaskSchedule, changes: readonly Change[]): void
  forget(key: string): void
}

/** The metrics of schedules; the series of one that is gone are removed. */
export function createScheduleMetrics(metrics: Metrics): ScheduleMetrics {
  const labelsOf = ({ metadata }: TaskSchedule) => ({ namespace: metadata.namespace ?? '', schedule: metadata.name })
  return {
    report(schedule, next, ledger) {
      metrics.scheduleTimes(labelsOf(schedule), { next, last: ledger?.lastDispatched?.slot })
    },
    count(schedule, changes) {
      const labels = labelsOf(schedule)
      for (const change of changes) {
        if (change.kind === 'Dispatched') metrics.slotDispatched(labels, Math.max(0, change.atMs / 1000 - change.slot))
        else if (change.kind === 'Missed') metrics.slotsMissed(labels, change.reason, change.count)
        else if (change.kind === 'RunEnded') metrics.runEnded(labels, change.run.reason)
      }
    },
    forget(key) {
      const [namespace = '', schedule = ''] = key.split('/')
      metrics.forgetSchedule({ namespace, schedule })
    },
  }
}
