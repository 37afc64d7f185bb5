import { describe, expect, it } from 'vitest'
import { taskSchedule, type TaskSchedule, withDefaults } from '../api/index.ts'
import { summarizeFaults } from './fault.ts'
import { understandSchedule } from './task-schedule.ts'

type Spec = Partial<Parameters<typeof withDefaults<typeof taskSchedule>>[1]['spec']>

function scheduleOf(spec: Spec = {}): TaskSchedule {
  return withDefaults(taskSchedule, {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { name: 'bkup', namespace: 'acme', creationTimestamp: '2026-11-30T00:00:00Z' },
    spec: {
      engine: 'BullMQ',
      task: { type: 'backup', queue: 'files' },
      ...(spec.everySeconds === undefined ? { schedules: ['0 1 * * 0'] } : {}),
      ...spec,
    },
  })
}

function planOf(spec: Spec) {
  const understood = understandSchedule(scheduleOf(spec))
  if (!understood.ok) throw new Error(summarizeFaults(understood.faults).message)
  return understood
}

const faultsOf = (spec: Spec): string => {
  const understood = understandSchedule(scheduleOf(spec))
  return understood.ok ? '' : summarizeFaults(understood.faults).message
}

describe('what is asked of a job scheduler', () => {
  it('is the task as a template, by the expression as BullMQ reads it', () => {
    const retry = { maxRetries: 2, initialDelaySeconds: 60 }
    const task = { type: 'backup', queue: 'files', priority: 100, payload: { cost: '5 $$(each)' }, retry }
    expect(
      planOf({ schedules: ['*/20 1 * * MON-SUN'], timeZone: 'Asia/Kolkata', endTime: '2030-01-01T00:00:00Z', task }).jobScheduler?.(
        'ledger',
      ),
    ).toEqual({
      timing: { pattern: '0,20,40 1 * * *', timeZone: 'Asia/Kolkata' },
      endMs: Date.UTC(2030, 0),
      name: 'backup',
      data: { cost: '5 $(each)' },
      attempts: 3,
      backoffMs: 60_000,
      bullPriority: 1,
      owner: 'ledger',
    })
  })

  it('is the interval in milliseconds', () => {
    expect(planOf({ everySeconds: 900, offsetSeconds: 60 }).jobScheduler?.('ledger').timing).toEqual({ everyMs: 900_000, offsetMs: 60_000 })
  })

  it('is a change of the timing if its queue is another', () => {
    expect(planOf({}).plan.timing).toMatchObject({ engine: 'BullMQ', schedulerQueue: 'files' })
    expect(planOf({ engine: 'Taskmill' }).plan.timing).not.toHaveProperty('schedulerQueue')
    expect(planOf({ engine: 'Taskmill' }).jobScheduler).toBeUndefined()
  })
})

it.each<[Spec, RegExp]>([
  [
    { schedules: ['30 2 * * *'], timeZone: 'Europe/Berlin' },
    /^spec\.schedules\[0\]: "30 2 \* \* \*": on 2027-03-28 clocks in Europe\/Berlin skip 02:00 to 03:00, and BullMQ would run at 2027-03-28T01:30:00Z and not at 2027-03-28T01:00:00Z\. Write another time, or timeZone: UTC, or set engine: Taskmill$/u,
  ],
  [{ schedules: ['0 12 * * *'], timeZone: 'Africa/Cairo' }, /BullMQ leaves out slots around such a change/u],
  [
    { schedules: ['0 0 15W * *'] },
    /^spec\.schedules\[0\]: "0 0 15W \* \*" names days \(W, .*\. Write other days, or set engine: Taskmill$/u,
  ],
  [
    { task: { type: 'backup', queue: 'files', payload: { at: { day: '$(slot)' } } } },
    /^spec\.task\.payload: uses slot, but a job scheduler has one payload for all slots\. Set engine: Taskmill, or /u,
  ],
])('%j is refused', (spec, message) => {
  expect(faultsOf(spec)).toMatch(message)
})

it.each<Spec>([
  { schedules: ['0 3 * * *'], timeZone: 'Europe/Berlin' },
  { schedules: ['30 2 * * *'] },
  { schedules: ['15 2 1-20 * *'], timeZone: 'Europe/Berlin' },
  { schedules: ['*/10 * * * *'], timeZone: 'America/New_York' },
])('%j never falls into a change of clocks that matters', (spec) => {
  expect(faultsOf(spec)).toBe('')
})
