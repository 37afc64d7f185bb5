import { expect, it } from 'vitest'
import type { TaskScheduleStatus } from '../../api/index.ts'
import { createConditionMetrics, createMetrics, metricGroups, mostSeries } from '../../observability/index.ts'
import type { Change } from '../../scheduling/index.ts'
import type { World } from './gather.ts'
import { countChanges, setScheduleMetrics } from './metrics.ts'

const key = 'acme/backup'
const worldOf = ({ isSuspended = false, start = { task: {} } }: { readonly isSuspended?: boolean; readonly start?: object } = {}) =>
  ({
    schedule: { metadata: { namespace: 'acme', name: 'backup', creationTimestamp: '2026-01-01T00:00:00Z' }, spec: start },
    suspension: { isSuspended },
  }) as unknown as World
const statusOf = (status: object) => status as unknown as TaskScheduleStatus

function setup() {
  const metrics = createMetrics({ now: () => 0 })
  const lines = async (label: string) =>
    (await metrics.render()).split('\n').filter((line) => line.startsWith('taskmill_') && line.includes(label))
  return { metrics, lines, ofSchedule: () => lines('"backup"') }
}

it('a schedule at rest has its next slot, its last success and its misses', async () => {
  const { metrics, ofSchedule } = setup()
  setScheduleMetrics(metrics, key, worldOf(), statusOf({ nextRuns: ['2026-01-02T00:00:00Z'], consecutiveFailures: 0, activeRuns: 0 }))
  const labels = '{namespace="acme",schedule="backup"}'
  expect(await ofSchedule()).toEqual([
    `taskmill_schedule_next_run_timestamp_seconds${labels} ${Date.UTC(2026, 0, 2) / 1000}`,
    `taskmill_schedule_last_success_timestamp_seconds${labels} ${Date.UTC(2026, 0, 1) / 1000}`,
    `taskmill_schedule_unplanned_misses_total${labels} 0`,
  ])
})

it('never has more series than docs/metrics.md says, whatever happens to it', async () => {
  const { metrics, ofSchedule, lines } = setup()
  const conditions = ['Ready', 'Stalled', 'Late', 'LedgerRegressed', 'Overridden', 'Reconciling', 'Alerting', 'LastRunSucceeded']
  const status = statusOf({ nextRuns: ['2026-01-02T00:00:00Z'], consecutiveFailures: 3, activeRuns: 2 })
  createConditionMetrics(metrics, 'TaskSchedule')(
    key,
    conditions.map((type) => ({ type, status: 'True' })),
  )
  for (const start of [{ task: {} }, { job: {} }, { dependencyRef: {} }]) {
    for (const isSuspended of [false, true]) {
      setScheduleMetrics(metrics, key, worldOf({ isSuspended, start }), status)
      expect((await ofSchedule()).length).toBe(mostSeries(metricGroups).get('TaskSchedule'))
    }
  }
  const ofNamespace = await lines('{namespace="acme",')
  expect(ofNamespace.filter((line) => line.startsWith('taskmill_schedule_runs_total'))).toHaveLength(12)
  expect(ofNamespace.filter((line) => line.startsWith('taskmill_schedule_missed_total'))).toHaveLength(10)
})

it('counts misses for the namespace by reason, and for the schedule those that nobody asked for', async () => {
  const { metrics, lines } = setup()
  setScheduleMetrics(metrics, key, worldOf(), statusOf({}))
  const missed = (reason: string, count: number) => ({ kind: 'Missed', reason, count }) as unknown as Change
  countChanges(metrics, key, [missed('Overlap', 2), missed('Suspended', 5), missed('TooManyMissed', 1)])
  const counted = (await lines('missed')).concat(await lines('misses')).filter((line) => !line.endsWith(' 0'))
  expect(counted).toEqual([
    'taskmill_schedule_missed_total{namespace="acme",reason="Overlap"} 2',
    'taskmill_schedule_missed_total{namespace="acme",reason="Suspended"} 5',
    'taskmill_schedule_missed_total{namespace="acme",reason="TooManyMissed"} 1',
    'taskmill_schedule_unplanned_misses_total{namespace="acme",schedule="backup"} 3',
  ])
})

it('observes how long a run waited for its start, unless it was tried again', async () => {
  const { metrics, lines } = setup()
  const run = { slot: 100, succeeded: true, reason: 'Succeeded', startedAtMs: 107_500, finishedAtMs: 110_000 } as const
  const ended = (more: object, dueAt = 100): Change => ({ kind: 'RunEnded', run: { ...run, ...more }, dueAt, failuresBefore: 0 })
  const { startedAtMs: _, ...unstarted } = run
  countChanges(metrics, key, [
    ended({ attemptsMade: 1 }),
    ended({ attemptsMade: 2 }),
    // It was delayed by jitterSeconds.
    ended({ attemptsMade: 1 }, 107),
    { kind: 'RunEnded', run: unstarted, dueAt: 100, failuresBefore: 0 },
  ])
  expect(await lines('start_delay_seconds_sum')).toEqual(['taskmill_schedule_start_delay_seconds_sum{namespace="acme"} 8'])
  expect(await lines('start_delay_seconds_count')).toEqual(['taskmill_schedule_start_delay_seconds_count{namespace="acme"} 2'])
})

it('observes the delay of a slot for its namespace', async () => {
  const { metrics, lines } = setup()
  countChanges(metrics, key, [{ kind: 'Dispatched', slot: 90, dueAt: 100, atMs: 100_500 }])
  expect(await lines('dispatch_delay_seconds_sum')).toEqual(['taskmill_schedule_dispatch_delay_seconds_sum{namespace="acme"} 0.5'])
})
