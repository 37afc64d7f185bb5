import { expect, it } from 'vitest'
import type { TaskAlert, TaskSchedule } from '../api/index.ts'
import { alertConditionOf, contradictionOf, understandAlert } from './task-alert.ts'

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

it.each<[Partial<TaskSchedule['spec']>, number, string | undefined]>([
  [{ schedules: ['0 1 * * 0'] }, 86_400, 'TaskSchedule "backup" comes due every 7d at most, so 1d without a success are normal'],
  [{ schedules: ['0 1 * * 0'] }, 7 * 86_400, undefined],
  [{ everySeconds: 900 }, 600, 'every 15m at most'],
  [{ everySeconds: 900 }, 900, undefined],
  // Over the weekend it would fire; on other days it would not.
  [{ schedules: ['0 9 * * 1-5'] }, 86_400 * 2, undefined],
  [{ schedules: ['0 9 * * 1-5'] }, 3_600, 'every 1d at most'],
  // What is wrong with the schedule is said there.
  [{ schedules: ['nonsense'] }, 60, undefined],
])('%j with a window of %i s: %s', (spec, windowSeconds, words) => {
  const fault = contradictionOf(alertOf({ noSuccess: {}, windowSeconds }), scheduleOf(spec))
  if (words === undefined) expect(fault).toBeUndefined()
  else expect(fault).toMatchObject({ reason: 'ContradictoryWindow', field: 'spec.windowSeconds', message: expect.stringContaining(words) })
  expect(contradictionOf(alertOf({ taskFailures: { moreThan: 0 }, windowSeconds }), scheduleOf(spec))).toBeUndefined()
})
