import { describe, expect, it } from 'vitest'
import {
  taskDependency,
  type TaskDependency,
  taskExecution,
  type TaskExecution,
  taskSchedule,
  type TaskSchedule,
  withDefaults,
} from '../api/index.ts'
import type { RunPlan } from '../graph/index.ts'
import { parseJson } from '../json/index.ts'
import { understandDependency, understandExecution, type UnderstoodRun } from './run.ts'

const head = { apiVersion: 'taskmill.dev/v1alpha1' } as const
const createdAt = '2026-11-29T01:02:03Z'

const executionOf = (spec: object): TaskExecution => {
  const metadata = { namespace: 'acme', name: 'x7k2p', creationTimestamp: createdAt }
  return withDefaults(taskExecution, { ...head, kind: 'TaskExecution', metadata, spec })
}
const scheduleOf = (payload?: object): TaskSchedule => {
  const task = { type: 'backup', queue: 'files', priority: 7, ...(payload === undefined ? {} : { payload }) }
  const metadata = { namespace: 'acme', name: 'nightly' }
  return withDefaults(taskSchedule, { ...head, kind: 'TaskSchedule', metadata, spec: { everySeconds: 60, suspend: true, task } } as never)
}
const graphOf = (spec: object): TaskDependency =>
  withDefaults(taskDependency, { ...head, kind: 'TaskDependency', metadata: { namespace: 'acme', name: 'morning' }, spec } as never)

const task = (payload?: object) => ({ type: 't', queue: 'q', ...(payload === undefined ? {} : { payload }) })

function planOf(understood: UnderstoodRun): RunPlan {
  if (!understood.ok) throw new Error(understood.faults.map(({ field, message }) => `${field}: ${message}`).join('; '))
  return understood.graph.plan
}
const faultsOf = (understood: UnderstoodRun) => (understood.ok ? [] : understood.faults.map(({ reason, field }) => `${reason} ${field}`))

describe('a run of a task', () => {
  it('is a graph of one node that has to succeed', () => {
    const { name, nodes, finally: last } = planOf(understandExecution(executionOf({ task: task({ a: 1 }) }), {}))
    expect([name, last]).toEqual(['x7k2p', []])
    expect(nodes).toMatchObject([{ name: 'task', dependsOn: [], required: true, task: { type: 't', queue: 'q', payload: { a: 1 } } }])
  })

  it('has the moment at which it is to start for a slot, unless it names one', () => {
    const slotOf = (more: object) => planOf(understandExecution(executionOf({ task: task(), ...more }), {})).slot
    expect(slotOf({})).toBe(createdAt)
    expect(slotOf({ slotTime: '2026-01-01T00:00:00Z' })).toBe('2026-01-01T00:00:00Z')
    expect(slotOf({ delaySeconds: 57 })).toBe('2026-11-29T01:03:00Z')
    expect(slotOf({ startTime: '2026-12-01T01:00:00+01:00' })).toBe('2026-12-01T00:00:00Z')
    expect(slotOf({ delaySeconds: 57, slotTime: '2026-01-01T00:00:00Z' })).toBe('2026-01-01T00:00:00Z')
  })

  it('has no time limit but its own', () => {
    const limitOf = (more: object) => planOf(understandExecution(executionOf({ task: task(), ...more }), {})).timeoutSeconds
    expect([limitOf({}), limitOf({ timeoutSeconds: 9 })]).toEqual([undefined, 9])
  })

  it('says what is wrong with its template at the fields that people wrote', () => {
    expect(faultsOf(understandExecution(executionOf({ task: task({ a: ['$(slott)'], b: '$(' }) }), {}))).toEqual([
      'InvalidExpression spec.task.payload.a[0]',
      'InvalidExpression spec.task.payload.b',
    ])
  })
})

describe("a run of a schedule's template", () => {
  const payloadOf = (template: object | undefined, above?: object) => {
    const run = executionOf({ scheduleRef: { name: 'nightly' }, ...(above === undefined ? {} : { payload: above }) })
    return planOf(understandExecution(run, { schedule: scheduleOf(template) })).nodes[0]?.task?.payload
  }

  it('is the template as it stands, but for the payload', () => {
    const { nodes } = planOf(understandExecution(executionOf({ scheduleRef: { name: 'nightly' } }), { schedule: scheduleOf({ a: 1 }) }))
    expect(nodes).toMatchObject([{ name: 'task', task: { type: 'backup', queue: 'files', priority: 7, payload: { a: 1 } } }])
  })

  it('merges objects field by field, and replaces everything else', () => {
    const template = { keep: { days: 30, hours: 5 }, list: [1, 2], text: 'a', gone: 1 }
    const above = { keep: { days: 1 }, list: [3], text: { b: 1 }, gone: null, more: true }
    expect(payloadOf(template, above)).toEqual({ keep: { days: 1, hours: 5 }, list: [3], text: { b: 1 }, gone: null, more: true })
  })

  it('refuses numbers that workers would read otherwise, wherever they come from', () => {
    const long = parseJson('{"id":1175930294816452671}') as object
    const of = (spec: object, template?: object) => faultsOf(understandExecution(executionOf(spec), { schedule: scheduleOf(template) }))
    expect(of({ task: task(long) })).toEqual(['InvalidNumber spec.task.payload.id'])
    expect(of({ scheduleRef: { name: 'nightly' }, payload: long }, { id: 1 })).toEqual(['InvalidNumber spec.task.payload.id'])
    expect(of({ scheduleRef: { name: 'nightly' }, payload: { other: 1 } }, long)).toEqual(['InvalidNumber spec.task.payload.id'])
    // What replaces a long number is another value.
    expect(of({ scheduleRef: { name: 'nightly' }, payload: { id: '1175930294816452671' } }, long)).toEqual([])
  })

  it('adds a payload to a template that has none, and has none where neither has', () => {
    expect(payloadOf(undefined, { a: 1 })).toEqual({ a: 1 })
    expect(payloadOf(undefined)).toBeUndefined()
  })

  it('does not change the schedule that it was made of', () => {
    const schedule = scheduleOf({ keep: { days: 30 } })
    understandExecution(executionOf({ scheduleRef: { name: 'nightly' }, payload: { keep: { days: 1 } } }), { schedule })
    expect(schedule).toEqual(scheduleOf({ keep: { days: 30 } }))
  })
})

describe('a run of a graph', () => {
  const graph = graphOf({
    parameters: { days: 7, where: { eu: 1 } },
    timeoutSeconds: 600,
    onNodeFailure: 'Continue',
    nodes: [
      { name: 'a', task: task() },
      {
        name: 'b',
        dependsOn: [{ name: 'a', condition: 'Failed' }],
        required: false,
        timeoutSeconds: 5,
        when: 'parameters.days > 1',
        task: task(),
      },
    ],
    finally: [{ name: 'c', task: task() }],
  })
  const run = (spec: object = {}) => planOf(understandExecution(executionOf({ dependencyRef: { name: 'morning' }, ...spec }), { graph }))

  it('has its nodes with all that is said of them', () => {
    const { nodes, finally: last, onNodeFailure } = run()
    expect(nodes).toMatchObject([
      { name: 'a', dependsOn: [], required: true },
      { name: 'b', dependsOn: [{ name: 'a', condition: 'Failed' }], required: false, timeoutSeconds: 5, when: 'parameters.days > 1' },
    ])
    expect(last).toMatchObject([{ name: 'c', dependsOn: [] }])
    expect(onNodeFailure).toBe('Continue')
  })

  it('takes each parameter of its own in place of that of the graph', () => {
    expect(run({ parameters: { where: { us: 2 }, who: 'all' } }).parameters).toEqual({ days: 7, where: { us: 2 }, who: 'all' })
  })

  it('takes its own time limit in place of that of the graph', () => {
    expect([run().timeoutSeconds, run({ timeoutSeconds: 9 }).timeoutSeconds]).toEqual([600, 9])
  })

  it('is called by the name of the run, and the graph on trial by its own', () => {
    expect([run().name, planOf(understandDependency(graph)).name]).toEqual(['x7k2p', 'morning'])
  })

  it('names every fault of the graph at once, where it is written', () => {
    const wrong = graphOf({
      nodes: [
        { name: 'a', dependsOn: [{ name: 'b' }], task: task() },
        { name: 'b', dependsOn: [{ name: 'a' }, { name: 'x' }], task: task({ p: '$(nodes.c.result)' }) },
      ],
      finally: [{ name: 'a', task: task() }],
    })
    expect(faultsOf(understandDependency(wrong)).toSorted()).toEqual([
      expect.stringMatching(/^Cycle spec\.nodes\[/u),
      'DuplicateNode spec.finally[0].name',
      'InvalidExpression spec.nodes[1].task.payload.p',
      'UnknownNode spec.nodes[1].dependsOn[1]',
    ])
  })
})
