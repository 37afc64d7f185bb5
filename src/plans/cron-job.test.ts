import { describe, expect, it, test } from 'vitest'
import type { TaskSchedule } from '../api/index.ts'
import { cronJobName } from './cron-job.ts'
import { understandSchedule } from './task-schedule.ts'

const job = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } } } }

function scheduleOf(spec: object, name = 'report'): TaskSchedule {
  const defaults = { brokerRef: { name: 'default' }, timeZone: 'UTC', suspend: false, concurrencyPolicy: 'Allow', missedRuns: 'Latest' }
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { namespace: 'team', name, creationTimestamp: '2026-11-01T00:00:00Z' },
    spec: { ...defaults, missedRunsLimit: 10, deletionPolicy: 'Delete', engine: 'CronJob', schedules: ['0 4 * * *'], job, ...spec },
  } as unknown as TaskSchedule
}

function planOf(spec: object) {
  const understood = understandSchedule(scheduleOf(spec))
  if (!understood.ok) throw new Error(JSON.stringify(understood.faults))
  return understood
}

function faultsOf(spec: object): readonly string[] {
  const understood = understandSchedule(scheduleOf(spec))
  return understood.ok ? [] : understood.faults.map(({ field, message }) => `${field}: ${message}`)
}

describe('what is asked of a CronJob', () => {
  test.each([
    ['5 4 * * *', '5 4 * * *'],
    ['@daily', '@daily'],
    ['0 4 * * 7', '0 4 * * 0'],
    ['0 4 * * 5-7', '0 4 * * 5,6,0'],
    ['0 4 * * FRI-7', '0 4 * * 5,6,0'],
    ['0 4 * * 1-7/3', '0 4 * * 1,4,0'],
    ['0 4 * * 0-7', '0 4 * * 0,1,2,3,4,5,6'],
    ['0 4 * * 1,7', '0 4 * * 1,0'],
    ['0 4 * * 7/2', '0 4 * * 0/2'],
    ['0 4 * * MON-SUN', '0 4 * * 1,2,3,4,5,6,0'],
    ['0 4 * * 5-sun,2', '0 4 * * 5,6,0,2'],
    ['0 4 * * SUN-TUE', '0 4 * * SUN-TUE'],
    ['0 4 * * SUN', '0 4 * * SUN'],
    ['7 7 7 7 */2', '7 7 7 7 */2'],
  ])('%s is written as %s', (expression, written) => {
    expect(planOf({ schedules: [expression] }).cronJob?.schedule).toBe(written)
  })

  it('has a value for each H', () => {
    expect(planOf({ schedules: ['H 4 * * *'] }).cronJob?.schedule).toMatch(/^\d+ 4 \* \* \*$/u)
  })

  it.each([
    [{}, undefined],
    [{ startingDeadlineSeconds: 100 }, 100],
    [{ missedRuns: 'Skip' }, 30],
    [{ missedRuns: 'Skip', startingDeadlineSeconds: 20 }, 20],
    [{ missedRuns: 'Skip', startingDeadlineSeconds: 100 }, 30],
  ])('%j: a late slot runs within %s s', (spec, seconds) => {
    expect(planOf(spec).cronJob?.startingDeadlineSeconds).toBe(seconds)
  })

  it('owns the clock by the timing, so that a change of the engine is one of the timing', () => {
    expect(planOf({}).plan.timing).toEqual({ schedules: ['0 4 * * *'], timeZone: 'UTC', engine: 'CronJob' })
    expect(planOf({ engine: 'Taskmill' }).plan.timing).toEqual({ schedules: ['0 4 * * *'], timeZone: 'UTC' })
    expect(planOf({ engine: 'Taskmill' }).cronJob).toBeUndefined()
    expect(planOf({}).plan.generation.replace('/.cronjob', '/.job')).toBe(planOf({ engine: 'Taskmill' }).plan.generation)
  })
})

test.each([
  ['report', 'report'],
  ['x'.repeat(52), 'x'.repeat(52)],
  ['x'.repeat(53), /^x{43}-[0-9a-f]{8}$/u],
  [`${'x'.repeat(42)}-${'y'.repeat(20)}`, /^x{42}-[0-9a-f]{8}$/u],
])('the CronJob of %s has a name of 52 characters at most', (name, expected) => {
  const own = cronJobName({ name })
  expect(own).toMatch(expected)
  expect(own.length).toBeLessThanOrEqual(52)
})

describe('clocks', () => {
  it.each([
    [
      '30 2 * * *',
      'Gap',
      /^spec\.schedules\[0\]: on 2027-03-28, clocks in Europe\/Berlin skip a time of "30 2 \* \* \*": a CronJob starts nothing/u,
    ],
    ['30 2 * 10 *', 'Overlap', /^spec\.schedules\[0\]: on 2027-10-31, clocks in Europe\/Berlin show a time of "30 2 \* 10 \*" twice/u],
  ])('%s falls into a change of clocks (%s), where a CronJob does something else', (expression, _, words) => {
    const [fault] = faultsOf({ schedules: [expression], timeZone: 'Europe/Berlin' })
    expect(fault).toMatch(words)
    expect(fault).toContain('Write dst: {gap: Skip, overlap: Both}')
    expect(faultsOf({ schedules: [expression], timeZone: 'Europe/Berlin', dst: { gap: 'Skip', overlap: 'Both' } })).toEqual([])
    expect(faultsOf({ schedules: [expression], timeZone: 'Europe/Berlin', engine: 'Taskmill' })).toEqual([])
  })

  it.each([
    ['0 4 * * *', 'Europe/Berlin'],
    ['*/15 * * * *', 'Europe/Berlin'],
    ['30 2 * * *', 'UTC'],
    ['30 2 24 12 *', 'Europe/Berlin'],
  ])('%s in %s meets none', (expression, timeZone) => {
    expect(faultsOf({ schedules: [expression], timeZone })).toEqual([])
  })
})

it('refuses a template that differs by slot', () => {
  const args = {
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', args: ['--at=$(slot)', '$$(HOME)'] }] } } },
  }
  expect(faultsOf({ job: args })).toEqual([
    expect.stringMatching(/^spec\.job\.spec\.template\.spec\.containers\[0\]\.args\[0\]: uses slot, but a CronJob has one template/u),
  ])
  expect(faultsOf({ job: args, engine: 'Taskmill' })).toEqual([])
})
