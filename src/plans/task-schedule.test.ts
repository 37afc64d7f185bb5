import { describe, expect, it } from 'vitest'
import { taskSchedule, type TaskSchedule, withDefaults } from '../api/index.ts'
import { parseJson } from '../json/index.ts'
import { summarizeFaults } from './fault.ts'
import { understandSchedule } from './task-schedule.ts'

type Spec = Partial<Parameters<typeof withDefaults<typeof taskSchedule>>[1]['spec']>

function scheduleOf(spec: Spec = {}): TaskSchedule {
  const task = { type: 'backup', queue: 'files', payload: { at: '$(slot)' } }
  return withDefaults(taskSchedule, {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { name: 'bkup', namespace: 'acme' },
    spec: { task, ...(spec.everySeconds === undefined ? { schedules: ['0 1 * * 0'] } : {}), ...spec },
  })
}

function faultsOf(spec: Spec): readonly (readonly [string, string])[] {
  const understood = understandSchedule(scheduleOf(spec))
  return understood.ok ? [] : understood.faults.map(({ reason, field }) => [reason, field])
}

const withPayload = (payload: Readonly<Record<string, unknown>>): Spec => ({ task: { type: 'backup', queue: 'files', payload } })

it('makes the job of a slot', () => {
  const slot = Date.UTC(2026, 10, 29) / 1000
  const retry = { maxRetries: 2, initialDelaySeconds: 60 }
  const schedule = scheduleOf({ task: { type: 'backup', queue: 'files', priority: 100, payload: { at: '$(slot)' }, retry } })
  const understood = understandSchedule(schedule)
  expect(understood.ok && understood.start.kind === 'Task' && understood.start.jobOf('default/acme/bkup', 'done', slot)).toEqual({
    id: 'tm/default/acme/bkup/20261129T000000Z',
    doneQueue: 'done',
    done: { v: 1, ledger: 'default/acme/bkup', slot },
    queue: 'files',
    name: 'backup',
    data: { at: '2026-11-29T00:00:00Z' },
    attempts: 3,
    backoffMs: 60_000,
    bullPriority: 1,
  })
})

it('schedules that are due at the same times share what was compiled of them', () => {
  const slotsOf = (spec: Spec) => {
    const understood = understandSchedule(scheduleOf(spec))
    return understood.ok ? understood.plan.slots : undefined
  }
  const nightly = slotsOf({ schedules: ['0 3 * * *'], timeZone: 'Europe/Berlin' })
  expect(nightly).toBeDefined()
  expect(slotsOf({ schedules: ['0 3 * * *'], timeZone: 'Europe/Berlin', suspend: true })).toBe(nightly)
  expect(slotsOf({ schedules: ['0 3 * * *'], timeZone: 'Europe/Berlin', jitterSeconds: 60 })).toBe(nightly)
  expect(slotsOf({ schedules: ['0 3 * * *'], timeZone: 'Europe/Paris' })).not.toBe(nightly)
  expect(slotsOf({ schedules: ['0 4 * * *'], timeZone: 'Europe/Berlin' })).not.toBe(nightly)
})

it.each<[Spec, object]>([
  [
    { everySeconds: 60, jitterSeconds: 30 },
    { everySeconds: 60, jitterSeconds: 30 },
  ],
  // No delay is the same timing as none that is written: adding it is no edit.
  [{ everySeconds: 60, jitterSeconds: 0 }, { everySeconds: 60 }],
])('the timing of %j is %j', (spec, timing) => {
  const understood = understandSchedule(scheduleOf(spec))
  expect(understood.ok && understood.plan).toMatchObject({ timing, seed: 'acme/bkup' })
  expect(understood.ok && understood.plan.timing).toEqual(timing)
})

describe('a faulty schedule is refused with the field of the fault', () => {
  it.each<[string, Spec, readonly (readonly [string, string])[]]>([
    ['nothing', {}, []],
    ['an interval', { everySeconds: 60 }, []],
    ['a delay', { everySeconds: 60, jitterSeconds: 59 }, []],
    ['a delay as long as the interval', { schedules: ['*/15 * * * *'], jitterSeconds: 900 }, [['InvalidSchedule', 'spec.jitterSeconds']]],
    ['each expression', { schedules: ['0 1 * * 0', 'x', '0 0 30 2 *'] }, [2, 1].map((at) => ['InvalidSchedule', `spec.schedules[${at}]`])],
    ['the time zone', { timeZone: 'Mars/Base' }, [['InvalidTimeZone', 'spec.timeZone']]],
    [
      'each part of a calendar',
      {
        calendars: {
          exclude: [{ name: 'a', dates: ['02-30', '12-25'] }],
          include: [{ name: 'b', windows: [{ from: '06:00', to: '06:00' }] }],
        },
      },
      ['exclude[0].dates[0]', 'include[0].windows[0]'].map((at) => ['InvalidCalendar', `spec.calendars.${at}`]),
    ],
    [
      'calendars that leave nothing',
      { calendars: { include: [{ name: 'a', weekdays: ['MON'] }] } },
      [['InvalidCalendar', 'spec.calendars']],
    ],
    ['calendars that leave only the past', { calendars: { include: [{ name: 'a', dates: ['2020-01-01/2020-12-31'] }] } }, []],
    [
      'the time zone of calendars, once',
      { everySeconds: 60, timeZone: 'Mars/Base', calendars: { exclude: [{ name: 'a', weekdays: ['SUN'] }] } },
      [['InvalidTimeZone', 'spec.timeZone']],
    ],
    ['each text', withPayload({ a: '$(x)', b: ['$('] }), ['a', 'b[0]'].map((at) => ['InvalidExpression', `spec.task.payload.${at}`])],
    [
      'long numbers',
      withPayload(parseJson('{"a":[1175930294816452671],"b":1}') as object as never),
      [['InvalidNumber', 'spec.task.payload.a[0]']],
    ],
    ['what fails for every slot', withPayload({ a: '$(int(slot))' }), [['InvalidExpression', 'spec.task.payload']]],
    ['the size', withPayload({ a: 'x'.repeat(262_144) }), [['PayloadTooLarge', 'spec.task.payload']]],
    [
      'all of it at once',
      { timeZone: 'Mars/Base', ...withPayload({ a: '$(x)' }) },
      [
        ['InvalidTimeZone', 'spec.timeZone'],
        ['InvalidExpression', 'spec.task.payload.a'],
      ],
    ],
  ])('%s', (_, spec, want) => {
    expect(new Set(faultsOf(spec))).toEqual(new Set(want))
  })
})

it('says the first fault of many in a condition, and how many more there are', () => {
  const fault = (field: string) => ({ reason: `Bad${field}`, field, message: 'is wrong' })
  expect(summarizeFaults([fault('a')])).toEqual({ reason: 'Bada', message: 'a: is wrong' })
  expect(summarizeFaults([fault('a'), fault('b'), fault('c'), fault('d'), fault('e')])).toEqual({
    reason: 'Bada',
    message: 'a: is wrong. b: is wrong. c: is wrong. 2 more; taskmill lint lists them all',
  })
})

const jobOf = (args: readonly string[]) => ({
  spec: { template: { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1', args }] } } },
})
const without = { task: undefined } as unknown as Spec

it('makes the Job of a slot, and the parameters of a graph', () => {
  const slot = Date.UTC(2026, 10, 29) / 1000
  const job = understandSchedule(scheduleOf({ ...without, job: jobOf(['--at=$(slot)']) }))
  expect(job.ok && job.start.kind === 'Job' && job.start.templateOf(slot)).toMatchObject(jobOf(['--at=2026-11-29T00:00:00Z']))
  expect(job.ok && job.plan.generation).toMatch(/^[0-9a-f]{16}\/\.job$/u)
  const graph = understandSchedule(scheduleOf({ ...without, dependencyRef: { name: 'g' }, parameters: { at: '$(slot)', n: 1 } }))
  expect(graph.ok && graph.start.kind === 'Graph' && graph.start.executionOf('default/acme/bkup', slot).spec).toMatchObject({
    dependencyRef: { name: 'g' },
    parameters: { at: '2026-11-29T00:00:00Z', n: 1 },
  })
  expect(graph.ok && graph.plan.generation).toMatch(/^[0-9a-f]{16}\/\.execution$/u)
})

it('names what is wrong with the Job and the parameters', () => {
  expect(faultsOf({ ...without, job: jobOf(['$(HOME)']) })).toEqual([
    ['InvalidExpression', 'spec.job.spec.template.spec.containers[0].args[0]'],
  ])
  expect(faultsOf({ ...without, dependencyRef: { name: 'g' }, parameters: { a: ['$(nodes.a)'], b: 'x'.repeat(300_000) } })).toEqual([
    ['InvalidExpression', 'spec.parameters.a[0]'],
  ])
  expect(faultsOf({ ...without, dependencyRef: { name: 'g' }, parameters: { b: 'x'.repeat(300_000) } })).toEqual([
    ['PayloadTooLarge', 'spec.parameters'],
  ])
})

describe('deadlines of runs', () => {
  const job = { spec: { template: { spec: { restartPolicy: 'Never' as const, containers: [] } } } }
  const deadlinesOf = (spec: Spec) => {
    const understood = understandSchedule(scheduleOf({ task: undefined, ...spec } as Spec))
    if (!understood.ok) throw new Error(summarizeFaults(understood.faults).message)
    const { pendingDeadlineSeconds, isPendingDefault, runDeadlineSeconds, onDeadline } = understood.plan
    return { pendingDeadlineSeconds, isPendingDefault, runDeadlineSeconds, onDeadline }
  }

  it.each<[string, Spec, Partial<ReturnType<typeof deadlinesOf>>]>([
    [
      'a Kubernetes Job that would hold up the next slots has 15 min to start',
      { job, concurrencyPolicy: 'Forbid' },
      { pendingDeadlineSeconds: 900, isPendingDefault: true },
    ],
    ['the user may say more or less', { job, concurrencyPolicy: 'Forbid', pendingDeadlineSeconds: 5 }, { pendingDeadlineSeconds: 5 }],
    ['with Allow it holds up nothing', { job }, {}],
    ['a job in a queue waits for a worker', { task: { type: 'backup', queue: 'files' }, concurrencyPolicy: 'Forbid' }, {}],
    [
      'what becomes of a run that does not end',
      { job, runDeadlineSeconds: 5, onDeadline: 'Cancel' },
      { runDeadlineSeconds: 5, onDeadline: 'Cancel' },
    ],
  ])('%s', (_, spec, wanted) => {
    expect(deadlinesOf(spec)).toEqual({ ...wanted })
  })
})
