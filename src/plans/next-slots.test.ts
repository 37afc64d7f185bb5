import { expect, it } from 'vitest'
import { taskSchedule, type TaskSchedule, withDefaults } from '../api/index.ts'
import { nextSlots, slotTable } from './next-slots.ts'

const scheduleOf = (spec: object): TaskSchedule =>
  withDefaults(taskSchedule, {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { namespace: 'acme', name: 'nightly' },
    spec: { task: { type: 'x', queue: 'q' }, ...spec },
  })
const after = Date.parse('2026-03-28T00:00:00Z') / 1000
const tableOf = (spec: object, count: number) => {
  const next = nextSlots(scheduleOf(spec), after, count, new Map())
  return next && [next.timing, ...slotTable(next)]
}

it('shows slots with local time and what clock changes do to them', () => {
  expect(tableOf({ schedules: ['30 2 * * *', 'H 4 * * SUN'], timeZone: 'Europe/Berlin' }, 3)).toEqual([
    '30 2 * * *; 32 4 * * SUN in Europe/Berlin',
    'SLOT                  LOCAL TIME',
    '2026-03-28T01:30:00Z  Sat 2026-03-28 02:30',
    '2026-03-29T01:00:00Z  Sun 2026-03-29 03:00  clocks skip 02:00 to 03:00: 02:30 runs at the end of the gap',
    '2026-03-29T02:32:00Z  Sun 2026-03-29 04:32',
  ])
})

it('shows those of an interval, and follows calendars', () => {
  expect(tableOf({ everySeconds: 3600, offsetSeconds: 60 }, 1)).toEqual([
    'every 3600s + 60s',
    'SLOT                  LOCAL TIME',
    '2026-03-28T00:01:00Z  Sat 2026-03-28 00:01',
  ])
  const weekdays = { schedules: ['0 8 * * *'], calendars: { exclude: [{ weekdays: ['SAT', 'SUN'] }] } }
  expect(tableOf(weekdays, 1)?.at(-1)).toBe('2026-03-30T08:00:00Z  Mon 2026-03-30 08:00')
})

it('shows when each run is due if runs are delayed, from the first one that is still to come', () => {
  const table = tableOf({ everySeconds: 3600, jitterSeconds: 1800 }, 2)
  expect(table).toEqual([
    'every 3600s, jitter 1800s',
    'SLOT                  LOCAL TIME            RUN DUE',
    '2026-03-28T00:00:00Z  Sat 2026-03-28 00:00  2026-03-28T00:14:46Z',
    '2026-03-28T01:00:00Z  Sat 2026-03-28 01:00  2026-03-28T01:09:11Z',
  ])
})

it('shows nothing of a spec that cannot be understood', () => {
  expect(tableOf({ schedules: ['61 * * * *'] }, 1)).toBeUndefined()
})

it('says that there are no more', () => {
  const all = { timing: '', slots: [{ slot: after, local: 'Sat 2026-03-28 00:00' }], isAll: true }
  expect(slotTable(all).at(-1)).toBe('there is no slot after these')
  expect(slotTable({ ...all, slots: [] })).toEqual(['there is no slot'])
})

it('shows no more than maxRuns admits, and single times that are to come', () => {
  const last = 'there is no slot after these'
  const two = ['2026-03-28T00:15:00Z  Sat 2026-03-28 00:15', '2026-03-28T00:30:00Z  Sat 2026-03-28 00:30']
  expect(tableOf({ everySeconds: 900, maxRuns: 2 }, 5)?.slice(2)).toEqual([...two, last])
  expect(tableOf({ everySeconds: 900, maxRuns: 3 }, 2)?.slice(2)).toEqual(two)
  const schedule = { ...scheduleOf({ everySeconds: 900, maxRuns: 7 }), status: { observedGeneration: 1, dispatchedRuns: 5 } }
  expect(nextSlots(schedule, after, 5, new Map())).toMatchObject({ slots: [{}, {}], isAll: true })
  expect(nextSlots({ ...schedule, status: { ...schedule.status, dispatchedRuns: 9 } }, after, 5, new Map())).toMatchObject({
    slots: [],
    isAll: true,
  })
  expect(tableOf({ at: ['2026-03-01T00:00:00Z', '2026-03-28T00:15:00Z'] }, 5)).toEqual([
    '2 single times',
    'SLOT                  LOCAL TIME',
    ...two.slice(0, 1),
    last,
  ])
})
