import { expect, it } from 'vitest'
import type { TaskAlert, TaskSchedule } from '../api/index.ts'
import { alertConditionOf, understandAlert, unreachableIn } from './task-alert.ts'

function alertOf(spec: Partial<TaskAlert['spec']>): TaskAlert {
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskAlert',
    metadata: { namespace: 'acme', name: 'failing' },
    spec: { target: { kind: 'WorkerPool', name: 'email' }, forSeconds: 0, severity: 'Critical', cooldownSeconds: 300, ...spec },
  }
}

function scheduleOf(spec: Partial<TaskSchedule['spec']>): TaskSchedule {
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { namespace: 'acme', name: 'backup' },
    spec: { timeZone: 'UTC', ...spec } as TaskSchedule['spec'],
  }
}

const facts = {
  target: { kind: 'WorkerPool', name: 'email' },
  alert: { name: 'failing', namespace: 'acme', severity: 'Critical' },
  value: 23.4,
  limit: '> 10% in 5m',
}

it.each([
  ['$(target.name) fails $(value)% of its runs', 'email fails 23.4% of its runs'],
  ['$(target.kind)/$(alert.namespace)/$(alert.name) ($(alert.severity)) $(limit)', 'WorkerPool/acme/failing (Critical) > 10% in 5m'],
  ["$(value > 20.0 ? 'badly' : 'a little')", 'badly'],
  ['$(value)', '23.4'],
  ['plain', 'plain'],
])('the message %s reads %s', (message, text) => {
  const understood = understandAlert(alertOf({ message }))
  expect(understood.ok && understood.messageOf?.(facts)).toBe(text)
})

it.each([
  ['$(target.nam)', 'No such key: nam'],
  ['$(pool)', 'known names: target, alert, value, limit'],
  ['$(value', 'not closed'],
  ['$(value + "a")', 'no such overload'],
])('the message %s is refused: %s', (message, words) => {
  const understood = understandAlert(alertOf({ message }))
  expect(understood).toMatchObject({ ok: false, faults: [{ reason: 'InvalidMessage', field: 'spec.message' }] })
  expect(JSON.stringify(understood)).toContain(JSON.stringify(words).slice(1, -1))
})

it('a message that grows without end is cut', () => {
  const understood = understandAlert(alertOf({ message: 'x'.repeat(1000) + '$(limit)'.repeat(2) }))
  expect(understood.ok && understood.messageOf?.({ ...facts, limit: 'y'.repeat(5000) }).length).toBe(2048)
})

it.each<[Partial<TaskAlert['spec']>, object]>([
  [
    { taskFailures: { moreThan: 3 }, windowSeconds: 60 },
    { kind: 'taskFailures', moreThan: 3, windowSeconds: 60 },
  ],
  [
    { failureRate: { abovePercent: 10, minimumRuns: 20 }, windowSeconds: 60 },
    { kind: 'failureRate', abovePercent: 10, minimumRuns: 20, windowSeconds: 60 },
  ],
  [{ queueBacklog: { above: 9 } }, { kind: 'queueBacklog', above: 9 }],
  [{ queueLatency: { aboveSeconds: 9 } }, { kind: 'queueLatency', aboveSeconds: 9 }],
  [
    { scheduleMissed: { moreThan: 0 }, windowSeconds: 60 },
    { kind: 'scheduleMissed', moreThan: 0, windowSeconds: 60 },
  ],
  [
    { noSuccess: {}, windowSeconds: 60 },
    { kind: 'noSuccess', windowSeconds: 60 },
  ],
])('%j is the condition %j', (spec, condition) => {
  expect(alertConditionOf(alertOf(spec))).toEqual(condition)
})

const rate = (minimumRuns: number, windowSeconds: number) => ({ failureRate: { abovePercent: 10, minimumRuns }, windowSeconds })
const failures = (moreThan: number, windowSeconds: number) => ({ taskFailures: { moreThan }, windowSeconds })
const missed = (moreThan: number, windowSeconds: number) => ({ scheduleMissed: { moreThan }, windowSeconds })
const day = 86_400

it.each<[Partial<TaskAlert['spec']>, Partial<TaskSchedule['spec']>, string | undefined]>([
  [
    rate(20, 300),
    { everySeconds: 300 },
    'spec.failureRate.minimumRuns: 20 runs within 5m are out of reach, and the alert never fires: TaskSchedule "backup" starts at most 2 runs ' +
      'in that time. Next: lower it, or set a longer windowSeconds',
  ],
  [rate(20, 300), { schedules: ['*/5 * * * *'] }, 'TaskSchedule "backup" starts at most 2 runs in that time'],
  [rate(20, 300), { schedules: ['* * * * *'] }, 'starts at most 6 runs'],
  [rate(20, 300), { schedules: ['*/10 * * * * *'] }, undefined],
  [rate(20, 3_600), { everySeconds: 300 }, undefined],
  // Runs may end closer together than they start.
  [rate(5, 300), { everySeconds: 300 }, undefined],
  [rate(20, day), { schedules: ['0 9-17 * * MON-FRI'] }, undefined],
  [rate(20, day), { schedules: ['0 9-12 * * MON-FRI'] }, 'starts at most 5 runs'],
  // All at once after an outage.
  [rate(20, day), { schedules: ['0 9-12 * * MON-FRI'], missedRuns: 'All', missedRunsLimit: 12 }, undefined],
  [rate(40, day), { schedules: ['*/5 1 1 * *'] }, 'starts at most 12 runs'],
  [failures(3, day), { schedules: ['0 1 * * 0'] }, 'spec.taskFailures.moreThan: 4 runs within 1d are out of reach'],
  [failures(2, day), { schedules: ['0 1 * * 0'] }, undefined],
  [failures(0, 60), { schedules: ['0 1 1 1 *'] }, undefined],
  [missed(250, 3_600), { schedules: ['* * * * *'] }, 'spec.scheduleMissed.moreThan: 251 missed slots within 1h are out of reach'],
  // After an outage up to 100 are counted at once, those of an interval all.
  [missed(99, 3_600), { schedules: ['@hourly'] }, undefined],
  [missed(250, 3_600), { everySeconds: 60 }, undefined],
  // Whenever it is due.
  [rate(20, 300), { everySeconds: 10, startTime: '2040-01-01T00:00:00Z', endTime: '2040-01-02T00:00:00Z' }, undefined],
  [rate(20, 300), { everySeconds: 10, endTime: '2020-01-02T00:00:00Z' }, undefined],
  [rate(20, 3_600), { everySeconds: 10, endTime: '2020-01-02T00:00:00Z', maxRuns: 4 }, 'starts at most 4 runs'],
  [failures(1, 300), { at: ['2020-01-01T00:00:00Z', '2020-01-01T00:01:00Z'] }, undefined],
  [rate(5, 300), { at: ['2020-01-01T00:00:00Z', '2021-01-01T00:01:00Z'] }, 'starts at most 1 run in'],
  [{ noSuccess: {}, windowSeconds: 60 }, { schedules: ['0 1 * * 0'] }, undefined],
  // What is wrong with the schedule is said there.
  [rate(20, 300), { schedules: ['nonsense'] }, undefined],
])('%j with a schedule of %j: %s', (spec, schedule, words) => {
  const own = { missedRuns: 'Latest', missedRunsLimit: 10, ...schedule } as const
  const fault = unreachableIn(alertOf(spec), [{ schedule: scheduleOf(own), runs: 1 }])
  if (words === undefined) return expect(fault).toBeUndefined()
  expect(fault?.reason).toBe('UnreachableThreshold')
  return expect(`${fault?.field}: ${fault?.message}`).toContain(words)
})

it('the runs of several schedules add up', () => {
  const hourly = { schedule: scheduleOf({ everySeconds: 3_600 }), runs: 1 }
  expect(unreachableIn(alertOf(rate(20, 3_600)), [hourly, hourly])?.message).toContain(
    'TaskSchedules "backup", "backup" start at most 4 runs',
  )
  expect(unreachableIn(alertOf(rate(20, 3_600)), [hourly, { ...hourly, runs: 5 }])).toBeUndefined()
  expect(unreachableIn(alertOf(rate(20, 3_600)), [])).toBeUndefined()
})
