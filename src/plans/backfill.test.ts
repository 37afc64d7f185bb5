import { expect, it } from 'vitest'
import { taskExecution, type TaskExecution, taskSchedule, type TaskSchedule, withDefaults } from '../api/index.ts'
import { understandExecution } from './run.ts'

const head = { apiVersion: 'taskmill.dev/v1alpha1' } as const
const day = { from: '2026-11-01T00:00:00Z', to: '2026-11-05T23:59:59Z' }
const task = { type: 'backup', queue: 'files', payload: { day: '$(slot)' } }

const scheduleOf = (spec: object): TaskSchedule =>
  withDefaults(taskSchedule, { ...head, kind: 'TaskSchedule', metadata: { namespace: 'acme', name: 'nightly' }, spec })
const nightly = scheduleOf({ schedules: ['0 1 * * *'], task })

function backfillOf(range: object, schedule = nightly) {
  const metadata = { namespace: 'acme', name: 'x7k2p', creationTimestamp: '2026-11-29T00:00:00Z' }
  const spec = { scheduleRef: { name: 'nightly' }, range: { ...day, ...range } }
  const execution = withDefaults(taskExecution, { ...head, kind: 'TaskExecution', metadata, spec }) as TaskExecution
  return understandExecution(execution, { schedule })
}
const nodesOf = (...of: Parameters<typeof backfillOf>) => {
  const understood = backfillOf(...of)
  if (!understood.ok) throw new Error(understood.faults.map(({ message }) => message).join('; '))
  return understood.graph.plan.nodes
}
const faultOf = (...of: Parameters<typeof backfillOf>) => {
  const understood = backfillOf(...of)
  return understood.ok ? undefined : understood.faults.map(({ field, message }) => `${field}: ${message}`).join('; ')
}

it('is a node for each slot of the range, both ends included, each with its own slot', () => {
  const nodes = nodesOf({ from: '2026-11-01T01:00:00Z', to: '2026-11-03T01:00:00Z' })
  expect(nodes.map(({ name, slot }) => [name, slot])).toEqual([
    ['slot-20261101t010000z', '2026-11-01T01:00:00Z'],
    ['slot-20261102t010000z', '2026-11-02T01:00:00Z'],
    ['slot-20261103t010000z', '2026-11-03T01:00:00Z'],
  ])
  expect(nodes[0]).toMatchObject({ task, required: true, dependsOn: [] })
})

it('runs in as many chains as slots may run at once, the oldest or the newest first', () => {
  const edges = (range: object) =>
    nodesOf(range).map(({ slot = '', dependsOn }) => [
      slot.slice(8, 10),
      dependsOn.map(({ name, condition }) => `${name.slice(11, 13)} ${condition}`),
    ])
  expect(edges({ parallelism: 2 })).toEqual([
    ['01', []],
    ['02', []],
    ['03', ['01 Completed']],
    ['04', ['02 Completed']],
    ['05', ['03 Completed']],
  ])
  expect(edges({ order: 'NewestFirst' }).map(([slot, needs]) => `${String(slot)}:${String(needs)}`)).toEqual([
    '05:',
    '04:05 Completed',
    '03:04 Completed',
    '02:03 Completed',
    '01:02 Completed',
  ])
})

it('follows the time zone and the calendars of the schedule', () => {
  const weekdays = scheduleOf({
    schedules: ['0 1 * * *'],
    timeZone: 'Europe/Berlin',
    calendars: { exclude: [{ weekdays: ['SAT', 'SUN'] }] },
    task,
  })
  expect(nodesOf({}, weekdays).map(({ slot }) => slot)).toEqual(['02', '03', '04', '05'].map((of) => `2026-11-${of}T00:00:00Z`))
})

it.each<[string, Parameters<typeof backfillOf>, string]>([
  [
    'more slots than its bound',
    [{ maxRuns: 4 }],
    'spec.range: it has 5 slots, but at most 4 (maxRuns) may run. Next: shorten the range, or raise maxRuns (at most 500)',
  ],
  [
    'far more slots than are counted',
    [{}, scheduleOf({ everySeconds: 1, task })],
    'spec.range: it has more than 10000 slots, but at most 100 (maxRuns) may run. Next: shorten the range; one TaskExecution runs at most 500',
  ],
  [
    'more slots than any bound',
    [{ maxRuns: 500, from: '2026-11-01T00:00:00Z', to: '2026-11-01T08:20:00Z' }, scheduleOf({ everySeconds: 60, task })],
    'spec.range: it has 501 slots, but at most 500 (maxRuns) may run. Next: shorten the range; one TaskExecution runs at most 500',
  ],
  [
    'no slot',
    [{ from: '2026-11-01T02:00:00Z', to: '2026-11-01T03:00:00Z' }],
    'spec.range: tsch/nightly has no slot from 2026-11-01T02:00:00Z to 2026-11-01T03:00:00Z. Next: see taskmill next tsch/nightly --after 2026-11-01T02:00:00Z',
  ],
  ['its ends exchanged', [{ from: day.to, to: day.from }], `spec.range.to: ${day.from} is before from (${day.to}). Next: exchange them`],
  [
    'slots to come',
    [{ to: '2026-11-30T00:00:00Z' }],
    'spec.range.to: 2026-11-30T00:00:00Z is after the creation of this TaskExecution (2026-11-29T00:00:00Z), and slots to come are those of the schedule. Next: write a time in the past',
  ],
  [
    'a schedule that cannot be understood',
    [{}, scheduleOf({ schedules: ['61 * * * *'], task })],
    'spec.range: the spec of tsch/nightly cannot be understood. Next: kubectl describe tsch nightly',
  ],
  [
    'a schedule that starts graphs',
    [{}, scheduleOf({ schedules: ['0 1 * * *'], dependencyRef: { name: 'morning' } })],
    'spec.range: tsch/nightly starts graphs, which cannot run over a range. Next: create a TaskExecution with slotTime for each slot',
  ],
  [
    'a schedule whose calendars are in ConfigMaps',
    [{}, scheduleOf({ schedules: ['0 1 * * *'], calendars: { exclude: [{ configMapRef: { name: 'holidays', key: 'dates' } }] }, task })],
    'spec.range: the calendars of tsch/nightly name ConfigMaps, which a backfill does not read. Next: create a TaskExecution with slotTime',
  ],
  [
    'a template that is too large so often',
    [
      { maxRuns: 500, from: '2026-10-01T00:00:00Z' },
      scheduleOf({ schedules: ['0 1 * * *'], task: { ...task, payload: { text: 'x'.repeat(100_000) } } }),
    ],
    'spec.range: 36 runs of this template take ',
  ],
])('refuses %s, with what to do', (_, of, message) => {
  expect(faultOf(...of)?.startsWith(message)).toBe(true)
})

it('tells a fault of the template once', () => {
  const faulty = scheduleOf({ schedules: ['0 1 * * *'], task: { ...task, payload: { day: '$(slott)' } } })
  expect(faultOf({}, faulty)?.match(/spec\.task\.payload\.day: /gu)).toHaveLength(1)
})
