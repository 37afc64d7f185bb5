import { expect, it } from 'vitest'
import type { TaskExecution } from '../../api/index.ts'
import { applyEntry, createRun, nextRunStep, notePlaced, noteRemoved, type Run, type RunEntry } from '../../graph/index.ts'
import { fakeClock } from '../../clock/index.ts'
import type { ExecutionRef, Executions } from '../executions/index.ts'
import { createNodeRuns, starterOfRun } from './node-runs.ts'

const slot = '2026-11-01T01:00:00Z'
const plan = {
  name: 'again',
  nodes: [{ name: 'one', dependsOn: [], required: true, slot, run: { dependency: 'morning', parameters: { day: slot } } }],
  finally: [],
  onNodeFailure: 'Stop' as const,
  parameters: {},
}
type Entry = Exclude<RunEntry, { readonly kind: 'Begun' | 'Archived' }>
const started: Entry = { v: 1, kind: 'Started', atMs: 1, node: 'one' }
const stopping: Entry = { v: 1, kind: 'Stopping', atMs: 2, node: 'one', why: 'Cancelled' }
const over: Entry = { v: 1, kind: 'Ended', atMs: 3, node: 'one', outcome: 'Cancelled', reason: 'RunCancelled' }

function runOf(...entries: readonly Entry[]): Run {
  const run = createRun()
  applyEntry(run, { v: 1, kind: 'Begun', atMs: 0, token: 't', plan })
  for (const entry of entries) applyEntry(run, entry)
  return run
}

/** `shown`: what the cache shows of the object; `stored`: what the API server has. */
function world({
  shown,
  stored,
  answer = 'Cancelled',
}: { readonly shown?: object; readonly stored?: object; readonly answer?: 'Cancelled' | 'Ended' | 'Absent' } = {}) {
  const created: Parameters<Executions['create']>[1][] = []
  const cancelled: string[] = []
  let asked = 0
  const clock = fakeClock()
  const objectOf = (ref: Pick<ExecutionRef, 'name'>, more: object) =>
    ({
      metadata: {
        namespace: 'acme',
        name: ref.name,
        uid: 'u1',
        labels: { 'taskmill.dev/started-by': 'TaskExecution', 'taskmill.dev/execution': 'again', 'taskmill.dev/node': 'one' },
        annotations: { 'taskmill.dev/job-id': 'tm/default/acme/run/again/t/one' },
      },
      spec: { desiredState: 'Running' },
      status: {},
      ...more,
    }) as unknown as TaskExecution
  const executions: Executions = {
    async read(ref) {
      asked++
      return stored === undefined ? undefined : objectOf(ref, stored)
    },
    async create(_, execution) {
      created.push(execution)
      return { kind: 'There' }
    },
    takeBack: async () => 'Absent',
    async cancel({ name }) {
      cancelled.push(name)
      return answer
    },
  }
  const cached = shown === undefined ? undefined : objectOf({ name: 'again-one-x' }, shown)
  const runs = createNodeRuns({
    executions,
    cache: { get: () => cached, byIndex: () => (cached === undefined ? [] : [cached]) },
    run: 'default/acme/run/again',
    namespace: 'acme',
    execution: 'again',
    owner: { apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskExecution', name: 'again', uid: 'u0', controller: true },
    clock,
    reachPoint: () => undefined,
  })
  const placed = (run = runOf(started)) => {
    notePlaced(run, ['one'])
    return run
  }
  return { runs, clock, created, cancelled, placed, asked: () => asked }
}

const call = { signal: new AbortController().signal }
const finished = (state: string, more: object = {}) => ({
  status: { state, startTime: '2026-11-29T01:00:00Z', finishTime: '2026-11-29T01:05:00Z', ...more },
})

it('is a TaskExecution of the graph with the slot of the node, owned by the run, and kept until that goes', async () => {
  const { runs, created } = world()
  const run = runOf(started)
  await runs.place(run, [{ name: 'one', run: { dependency: 'morning', parameters: { day: slot } } }], call)
  expect(created).toEqual([
    {
      metadata: {
        name: runs.nameOf(run, 'one'),
        namespace: 'acme',
        labels: { 'taskmill.dev/started-by': 'TaskExecution', 'taskmill.dev/execution': 'again', 'taskmill.dev/node': 'one' },
        annotations: { 'taskmill.dev/job-id': 'tm/default/acme/run/again/t/one' },
        ownerReferences: [{ apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskExecution', name: 'again', uid: 'u0', controller: true }],
      },
      spec: { dependencyRef: { name: 'morning' }, parameters: { day: slot }, slotTime: slot, desiredState: 'Running' },
    },
  ])
  expect(runs.nameOf(run, 'one')).toMatch(/^again-one-[0-9a-f]{8}$/u)
  expect(starterOfRun(created[0] as unknown as TaskExecution)).toBe('again')
})

it.each<[string, Parameters<typeof world>[0], object[]]>([
  ['runs', { shown: { status: { state: 'Running' } } }, []],
  [
    'has succeeded',
    { shown: finished('Succeeded') },
    [
      {
        node: 'one',
        outcome: 'Succeeded',
        reason: 'Succeeded',
        startedAtMs: Date.UTC(2026, 10, 29, 1),
        finishedAtMs: Date.UTC(2026, 10, 29, 1, 5),
      },
    ],
  ],
  ['had nothing to do', { shown: finished('Skipped') }, [{ outcome: 'Succeeded', reason: 'Skipped' }]],
  [
    'has failed',
    { shown: finished('Failed', { failureMessage: 'send: no' }) },
    [{ outcome: 'Failed', reason: 'Failed', message: 'tex/again-one-x: send: no' }],
  ],
  ['was cancelled by hand', { shown: finished('Cancelled') }, [{ outcome: 'Failed', reason: 'Cancelled', message: 'tex/again-one-x' }]],
  ['is not in the cache yet', { stored: { status: {} } }, []],
  ['has ended, and is not in the cache yet', { stored: finished('Succeeded') }, [{ outcome: 'Succeeded' }]],
  ['is gone', {}, [{ outcome: 'Failed', reason: 'ExecutionRemoved' }]],
])('the node of one that %s ends so', async (_, facts, ends) => {
  const { runs, placed } = world(facts)
  expect((await runs.look(placed(), call)).ends).toMatchObject(ends)
})

it('one that is gone while its node is being stopped is no failure, and nothing is asked of a node that was not created yet', async () => {
  const { runs, asked } = world()
  const run = runOf(started)
  expect([(await runs.look(run, call)).ends, asked()]).toEqual([[], 0])
  notePlaced(run, ['one'])
  applyEntry(run, stopping)
  expect([(await runs.look(run, call)).ends, asked()]).toEqual([[], 1])
})

it('the node of one that had ended when it was to be stopped, and is gone before its end was seen, counts as stopped', async () => {
  const { runs, placed } = world()
  const run = applyEntry(placed(), stopping)
  applyEntry(run, { v: 1, kind: 'Cancelling', atMs: 2 })
  noteRemoved(run, 'one', 'Ended')
  const knowledge = { desired: 'Cancelled', begin: undefined, ended: [] } as unknown as Parameters<typeof nextRunStep>[1]
  expect(nextRunStep(run, knowledge, 5)).toMatchObject({ kind: 'Wait' })
  expect((await runs.look(run, call)).ends).toEqual([])
  expect(nextRunStep(run, knowledge, 5)).toMatchObject({
    kind: 'Append',
    entries: [{ kind: 'Ended', node: 'one', reason: 'RunCancelled' }, { kind: 'Finished' }],
  })
})

it.each([
  ['was cancelled by a process that died since', { stored: finished('Cancelled'), answer: 'Ended' }, 'Removed', []],
  ['has ended by itself before', { stored: finished('Failed'), answer: 'Ended' }, 'Ended', [{ reason: 'Failed' }]],
  ['is cancelled now', { stored: finished('Cancelled'), answer: 'Cancelled' }, 'Removed', []],
] as const)('the node of one that %s is stopped, and has no other end', async (_, facts, removal, ends) => {
  const { runs, placed } = world(facts)
  const run = applyEntry(placed(), stopping)
  expect(await runs.remove(run, 'one', call)).toBe(removal)
  expect((await runs.look(run, call)).ends).toMatchObject(ends)
})

it('what was just created is waited for in the cache, and the API server is asked only when that takes long', async () => {
  const { runs, clock, placed, asked } = world()
  const run = runOf(started)
  await runs.place(run, [{ name: 'one', run: { dependency: 'morning' } }], call)
  placed(run)
  expect([await runs.look(run, call), asked()]).toEqual([{ ends: [], againAfterMs: 10_000 }, 0])
  await clock.advance(4_000)
  expect((await runs.look(run, call)).againAfterMs).toBe(6_000)
  await clock.advance(6_000)
  expect([(await runs.look(run, call)).ends, asked()]).toMatchObject([[{ reason: 'ExecutionRemoved' }], 1])
})

it('one that came late is cancelled, once', async () => {
  const { runs, cancelled } = world({ shown: {} })
  const run = runOf(started, stopping, over)
  expect(runs.hasUntidy()).toBe(true)
  await runs.tidy(run, runs.findUntidy(run), call)
  expect([cancelled.length, runs.findUntidy(run), runs.hasUntidy()]).toEqual([1, [], false])
})

it.each([
  ['has ended', finished('Succeeded')],
  ['is being deleted', { metadata: { name: 'x', deletionTimestamp: '2026-11-29T01:00:00Z' } }],
  ['is cancelled already', { spec: { desiredState: 'Cancelled' } }],
])('one that %s is left alone', (_, shown) => {
  expect(world({ shown }).runs.hasUntidy()).toBe(false)
})

it('says how those that run are getting on, and which need somebody', () => {
  const wordsOf = (shown: object) => {
    const { runs, placed } = world({ shown })
    return runs.whereabouts(placed()).get('one')
  }
  expect(wordsOf({})?.words).toBe('starting')
  const missing = [{ type: 'Succeeded', status: 'Unknown', reason: 'SourceNotFound', message: 'TaskDependency "morning" does not exist' }]
  expect(wordsOf({ status: { conditions: missing } })?.detail).toMatch(/ is starting: TaskDependency "morning" does not exist$/u)
  expect(wordsOf({ status: { startTime: '2026-11-29T01:00:00Z' } })?.words).toBe('running')
  const conditions = [{ type: 'Blocked', status: 'True', reason: 'QueuePaused', message: 'send: queued in mail' }]
  expect(wordsOf({ status: { startTime: '2026-11-29T01:00:00Z', conditions } })).toMatchObject({
    words: 'blocked (QueuePaused)',
    blocked: 'QueuePaused',
    detail: expect.stringMatching(/^tex\/again-one-[0-9a-f]{8}: send: queued in mail$/u) as unknown,
  })
})
