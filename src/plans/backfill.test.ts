import { expect, it } from 'vitest'
import {
  taskDependency,
  type TaskDependency,
  taskExecution,
  type TaskExecution,
  taskSchedule,
  type TaskSchedule,
  withDefaults,
} from '../api/index.ts'
import type { ConfigMapReading } from './calendars.ts'
import { slotsToBackfill } from './next-slots.ts'
import { type RunSource, understandExecution } from './run.ts'

const head = { apiVersion: 'taskmill.dev/v1alpha1' } as const
const day = { from: '2026-11-01T00:00:00Z', to: '2026-11-05T23:59:59Z' }
const task = { type: 'backup', queue: 'files', payload: { day: '$(slot)' } }

const scheduleOf = (spec: object): TaskSchedule =>
  withDefaults(taskSchedule, { ...head, kind: 'TaskSchedule', metadata: { namespace: 'acme', name: 'nightly' }, spec })
const nightly = scheduleOf({ schedules: ['0 1 * * *'], task })

function backfillOf(range: object, schedule = nightly, source: Omit<RunSource, 'schedule'> = {}) {
  const metadata = { namespace: 'acme', name: 'x7k2p', creationTimestamp: '2026-11-29T00:00:00Z' }
  const spec = { scheduleRef: { name: 'nightly' }, range: { ...day, ...range } }
  const execution = withDefaults(taskExecution, { ...head, kind: 'TaskExecution', metadata, spec }) as TaskExecution
  return understandExecution(execution, { ...source, schedule })
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

const graphOf = (nodes: readonly object[] = [{ name: 'a', task }]) =>
  withDefaults(taskDependency, {
    ...head,
    kind: 'TaskDependency',
    metadata: { namespace: 'acme', name: 'morning' },
    spec: { nodes },
  } as never) as TaskDependency
const ofGraph = scheduleOf({ schedules: ['0 1 * * *'], dependencyRef: { name: 'morning' }, parameters: { day: '$(slot)', keep: 7 } })

it('runs the graph of the schedule for each slot, with the parameters of that slot', () => {
  const nodes = nodesOf({ to: '2026-11-02T23:00:00Z' }, ofGraph, { graph: graphOf() })
  expect(nodes).toEqual([
    {
      name: 'slot-20261101t010000z',
      dependsOn: [],
      required: true,
      slot: '2026-11-01T01:00:00Z',
      run: { dependency: 'morning', parameters: { day: '2026-11-01T01:00:00Z', keep: 7 } },
    },
    {
      name: 'slot-20261102t010000z',
      dependsOn: [{ name: 'slot-20261101t010000z', condition: 'Completed' }],
      required: true,
      slot: '2026-11-02T01:00:00Z',
      run: { dependency: 'morning', parameters: { day: '2026-11-02T01:00:00Z', keep: 7 } },
    },
  ])
})

it('leaves the parameters of the graph alone where the schedule has none', () => {
  const plain = scheduleOf({ schedules: ['0 1 * * *'], dependencyRef: { name: 'morning' } })
  expect(nodesOf({ to: '2026-11-01T23:00:00Z' }, plain, { graph: graphOf() })[0]?.run).toEqual({ dependency: 'morning' })
})

const withHolidays = scheduleOf({
  schedules: ['0 1 * * *'],
  calendars: { exclude: [{ configMapRef: { name: 'holidays', key: 'dates' } }] },
  task,
})
const filesOf = (data: Readonly<Record<string, string>>): ReadonlyMap<string, ConfigMapReading> =>
  new Map([['holidays', { kind: 'Data', data }]])

it('leaves out what the ConfigMaps of its calendars exclude, in the run and in the list of the command alike', () => {
  const files = filesOf({ dates: '2026-11-02\n2026-11-04/2026-11-05' })
  const left = ['2026-11-01T01:00:00Z', '2026-11-03T01:00:00Z']
  expect(nodesOf({}, withHolidays, { files }).map(({ slot }) => slot)).toEqual(left)
  const range = { ...day, order: 'OldestFirst', parallelism: 1, maxRuns: 100 } as const
  const listed = slotsToBackfill(withHolidays, range, '2026-11-29T00:00:00Z', files)
  expect('slots' in listed && listed.slots.map(({ local }) => local.slice(0, 14))).toEqual(['Sun 2026-11-01', 'Tue 2026-11-03'])
})

/** Works for the example with which parameters are tried, and not for the third of November. */
const late = { ratio: '$(1 / (int(slot.substring(8, 10)) - 3))' }

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
  [
    'a time before the first of all slots, which would be searched for seconds',
    [{ from: '0001-01-01T00:00:00Z' }],
    'spec.range.from: 0001-01-01T00:00:00Z is before 1970, when slots begin. Next: write a later time',
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
    'calendars that leave nothing of the range',
    [{ from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' }, withHolidays, { files: filesOf({ dates: '2026-11-01' }) }],
    'spec.range: tsch/nightly has no slot from 2026-11-01T00:00:00Z to 2026-11-02T00:00:00Z',
  ],
  [
    'a calendar that cannot be read, with the field of the schedule and the line',
    [{}, withHolidays, { files: filesOf({ dates: '2026-13-01' }) }],
    'spec.range: the calendars of tsch/nightly cannot be used: spec.calendars.exclude[0]: ConfigMap "holidays", key "dates", line 1: "2026-13-01"',
  ],
  [
    'a graph that cannot run',
    [{}, ofGraph, { graph: graphOf([{ name: 'a', dependsOn: [{ name: 'b' }], task }]) }],
    'spec.nodes[0].dependsOn[0]: a depends on b, but there is no such node',
  ],
  [
    'parameters that cannot be made for one of its slots',
    [{}, scheduleOf({ schedules: ['0 1 * * *'], dependencyRef: { name: 'morning' }, parameters: late }), { graph: graphOf() }],
    'spec.parameters: ',
  ],
  [
    'parameters that are too large so often',
    [
      { maxRuns: 500, from: '2026-10-01T00:00:00Z' },
      scheduleOf({ schedules: ['0 1 * * *'], dependencyRef: { name: 'morning' }, parameters: { text: 'x'.repeat(100_000) } }),
      { graph: graphOf() },
    ],
    'spec.range: 36 runs of this template take ',
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
