import { expect, it } from 'vitest'
import type { Job, KubeObject, TaskExecution, TaskSchedule } from '../../api/index.ts'
import { ledgerName, slotJobId } from '../../contract/index.ts'
import { slotObjectName } from '../../plans/index.ts'
import { type TaskScheduleSources, taskScheduleWatches } from './watches.ts'

type Handler = (key: string, current?: KubeObject, previous?: KubeObject) => void

function createSource() {
  const handlers: Handler[] = []
  return {
    announce: (...change: Parameters<Handler>) => handlers.forEach((handler) => handler(...change)),
    onChange: (handler: Handler) => void handlers.push(handler),
  }
}

function setup(hasSchedule = true) {
  const [schedules, dependencies, executions, jobs, taskBrokers, groups] = Array.from({ length: 6 }, createSource)
  const byIndex = (index: string, value: string) =>
    index === 'byGroup' ? ['a', 'b'].map((name) => ({ metadata: { namespace: 'acme', name: `${name} of ${value}` } })) : []
  const watches = taskScheduleWatches({
    caches: {
      cronJobs: createSource(),
      schedules: { ...schedules, byIndex, get: () => (hasSchedule ? {} : undefined) },
      dependencies,
      executions,
      jobs,
      taskBrokers,
    },
    directory: createSource(),
    dispatchLeases: createSource(),
    tracking: { changesOf: () => createSource() },
    configMaps: { changesOf: () => createSource() },
    whereabouts: { changesOf: () => createSource() },
    groups,
    jobSchedulers: { changes: createSource() },
  } as unknown as TaskScheduleSources)
  const got: string[] = []
  for (const watch of watches) watch.subscribe((keys) => void got.push(...keys))
  return { got, schedules, executions, jobs, groups }
}

const id = slotJobId(ledgerName('default', 'acme', 'nightly'), Date.UTC(2026, 10, 29) / 1000)

function runOf(state: string, metadata: object = {}): TaskExecution {
  const annotations = { 'taskmill.dev/job-id': id }
  const labels = { 'taskmill.dev/schedule': 'nightly' }
  return {
    metadata: { namespace: 'acme', name: slotObjectName('nightly', id), labels, annotations, ...metadata },
    spec: {},
    status: { state },
  } as unknown as TaskExecution
}

/** A run by hand of the template of the schedule. */
function byHand(state: string): TaskExecution {
  return {
    metadata: { namespace: 'acme', name: 'by-hand' },
    spec: { scheduleRef: { name: 'nightly' } },
    status: { state },
  } as unknown as TaskExecution
}

const recorded = { annotations: { 'taskmill.dev/job-id': id, 'taskmill.dev/recorded': 'true' } }

it.each<{ name: string; change: readonly [TaskExecution | undefined, TaskExecution?]; want: readonly string[] }>([
  { name: 'a run of a slot that has not ended', change: [runOf('Running')], want: [] },
  { name: 'a run of a slot that has ended', change: [runOf('Failed')], want: ['acme/nightly'] },
  { name: 'a run of a slot whose end is recorded', change: [runOf('Failed', recorded)], want: [] },
  {
    name: 'a recorded run that is being deleted',
    change: [runOf('Failed', { ...recorded, deletionTimestamp: '2026-11-29T00:00:00Z' })],
    want: ['acme/nightly'],
  },
  { name: 'a run of a slot that is gone', change: [undefined, runOf('Running')], want: ['acme/nightly'] },
  { name: 'a run by hand that has succeeded', change: [byHand('Succeeded')], want: ['acme/nightly'] },
  { name: 'a run by hand that has failed', change: [byHand('Failed')], want: [] },
  { name: 'a run that no slot started', change: [runOf('Failed', { annotations: {} })], want: [] },
])('$name', ({ change: [current, previous], want }) => {
  const { got, executions } = setup()
  executions?.announce('acme/run', current, previous)
  expect(got).toEqual(want)
})

function jobOf(startedBy: string, isEnded: boolean, annotations: object = {}): Job {
  const labels = { 'taskmill.dev/started-by': startedBy, 'taskmill.dev/schedule': 'nightly', 'taskmill.dev/execution': 'nightly' }
  const conditions = isEnded ? [{ type: 'Complete', status: 'True' }] : []
  return { metadata: { namespace: 'acme', name: 'j', labels, annotations }, status: { conditions } } as unknown as Job
}

it.each<{ name: string; change: readonly [Job | undefined, Job?]; want: readonly string[] }>([
  { name: 'a Job of the schedule that has not ended', change: [jobOf('TaskSchedule', false)], want: [] },
  { name: 'a Job of the schedule that has ended', change: [jobOf('TaskSchedule', true)], want: ['acme/nightly'] },
  { name: 'a Job whose end is acknowledged', change: [jobOf('TaskSchedule', true, { 'taskmill.dev/recorded': 'true' })], want: [] },
  { name: 'a Job of the schedule that is gone', change: [undefined, jobOf('TaskSchedule', false)], want: ['acme/nightly'] },
  { name: 'a Job of a run', change: [jobOf('TaskExecution', true)], want: [] },
])('$name', ({ change: [current, previous], want }) => {
  const { got, jobs } = setup()
  jobs?.announce('acme/j', current, previous)
  expect(got).toEqual(want)
})

const grouped = (concurrencyGroup: object | undefined, more: object = {}): TaskSchedule =>
  ({
    metadata: { namespace: 'acme', name: 'nightly' },
    spec: { brokerRef: { name: 'default' }, concurrencyPolicy: 'Queue', concurrencyGroup, ...more },
  }) as unknown as TaskSchedule
const warehouse = { name: 'warehouse', limit: 3 }
const all = (group: string) => [`acme/a of acme/default/${group}`, `acme/b of acme/default/${group}`]

it.each<{ name: string; change: readonly [TaskSchedule | undefined, TaskSchedule?]; want: readonly string[] }>([
  { name: 'a schedule that joins a concurrency group', change: [grouped(warehouse), grouped(undefined)], want: all('warehouse') },
  { name: 'a schedule that comes into a concurrency group', change: [grouped(warehouse)], want: all('warehouse') },
  { name: 'a schedule that leaves its concurrency group', change: [grouped(undefined), grouped(warehouse)], want: all('warehouse') },
  { name: 'a schedule of a concurrency group that is gone', change: [undefined, grouped(warehouse)], want: all('warehouse') },
  {
    name: 'a schedule that goes to another concurrency group',
    change: [grouped({ name: 'other', limit: 3 }), grouped(warehouse)],
    want: [...all('other'), ...all('warehouse')],
  },
  {
    name: 'another limit of a concurrency group',
    change: [grouped({ ...warehouse, limit: 2 }), grouped(warehouse)],
    want: all('warehouse'),
  },
  {
    name: 'another field of a schedule in a concurrency group',
    change: [grouped(warehouse, { suspend: true }), grouped(warehouse)],
    want: [],
  },
])('$name', ({ change: [current, previous], want }) => {
  const { got, schedules } = setup()
  schedules?.announce('acme/nightly', current, previous)
  expect(got).toEqual(['acme/nightly', ...want])
})

it('room in a concurrency group', () => {
  const { got, groups } = setup()
  groups?.announce('acme/nightly')
  expect(got).toEqual(['acme/nightly'])
})

it('what goes after a schedule that is gone tells it nothing', () => {
  const { got, executions, jobs } = setup(false)
  executions?.announce('acme/run', undefined, runOf('Running'))
  jobs?.announce('acme/j', undefined, jobOf('TaskSchedule', false))
  expect(got).toEqual([])
})
