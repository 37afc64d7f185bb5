import { expect, it } from 'vitest'
import { taskSchedule, type TaskSchedule, withDefaults } from '../api/index.ts'
import { ledgerName, slotJobId } from '../contract/index.ts'
import { executionOfSlot, isRecorded, slotObjectName, parseSlotRun } from './slot-run.ts'

const slot = Date.UTC(2026, 10, 29) / 1000
const ledger = ledgerName('default', 'acme', 'mornings')

function scheduleOf(spec: object = {}): TaskSchedule {
  return withDefaults(taskSchedule, {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { name: 'mornings', namespace: 'acme', uid: 'u' },
    spec: { everySeconds: 60, dependencyRef: { name: 'summary' }, ...spec },
  })
}

it('the run of a slot knows its schedule, its slot and its graph', () => {
  const execution = executionOfSlot(scheduleOf(), ledger, slot, { day: 1 })
  expect(execution).toEqual({
    metadata: {
      name: expect.stringMatching(/^mornings-[0-9a-f]{10}$/u),
      namespace: 'acme',
      labels: { 'taskmill.dev/started-by': 'TaskSchedule', 'taskmill.dev/schedule': 'mornings' },
      annotations: { 'taskmill.dev/job-id': 'tm/default/acme/mornings/20261129T000000Z' },
      ownerReferences: [{ apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskSchedule', name: 'mornings', uid: 'u', controller: true }],
    },
    spec: {
      dependencyRef: { name: 'summary' },
      parameters: { day: 1 },
      slotTime: '2026-11-29T00:00:00Z',
      desiredState: 'Running',
      ttlSecondsAfterFinished: 86_400,
    },
  })
  expect(parseSlotRun(execution)).toEqual({ schedule: 'mornings', ledger, slot })
  expect(isRecorded(execution)).toBe(false)
})

it('has no owner when the schedule orphans its runs', () => {
  expect(executionOfSlot(scheduleOf({ deletionPolicy: 'Orphan' }), ledger, slot, undefined).metadata).not.toHaveProperty('ownerReferences')
})

it('has the same name each time, another one for each slot and schedule, and one that labels can carry', () => {
  const nameOf = (schedule: string, at: number) => slotObjectName(schedule, slotJobId(ledgerName('default', 'acme', schedule), at))
  expect(nameOf('a', slot)).toBe(nameOf('a', slot))
  expect(new Set([nameOf('a', slot), nameOf('a', slot + 1), nameOf('b', slot)]).size).toBe(3)
  expect(nameOf('a'.repeat(63), slot).length).toBeLessThanOrEqual(63)
})

it.each([
  ['another name', { name: 'mornings-0000000000' }],
  ['another namespace', { namespace: 'other' }],
  ['the label of another schedule', { labels: { 'taskmill.dev/schedule': 'evenings' } }],
  ['an id that is none', { annotations: { 'taskmill.dev/job-id': 'tm/default/acme/mornings/today' } }],
  ['no id', { annotations: {} }],
])('one with %s is none', (_, change) => {
  const { metadata } = executionOfSlot(scheduleOf(), ledger, slot, undefined)
  expect(parseSlotRun({ metadata: { ...metadata, ...change } })).toBeUndefined()
})
