/** What a run waits for, and where the jobs of its nodes are. */
import { expect, it, test } from 'vitest'
import type { TaskExecution, TaskQueue, WorkerPool } from '../../api/index.ts'
import { applyEntry, compileGraph, createRun, foldRun, notePostponed, type PlanNode, type RunPlan, viewNodes } from '../../graph/index.ts'
import type { ExecutionSituation, World } from './gather.ts'
import type { JobProgress } from '../../services/runs/index.ts'
import { activeNodes, waitingOf } from './status.ts'
import { jobWhereabouts, notLookedAt, placedNodes, whereaboutsOf } from './whereabouts.ts'

const atMs = Date.parse('2026-11-29T04:08:00Z')
const node = (name: string, more: Partial<PlanNode> = {}): PlanNode => ({
  name,
  dependsOn: [],
  required: true,
  task: { type: name, queue: `${name}_tasks`, retry: { maxRetries: 0, initialDelaySeconds: 10 } },
  ...more,
})

/** A run of nodes that have all begun. */
function runOf(nodes: readonly PlanNode[]) {
  const plan = { name: 'run', nodes, finally: [], onNodeFailure: 'Stop', parameters: {} } as const
  expect(compileGraph(plan).ok).toBe(true)
  const run = createRun()
  applyEntry(run, { v: 1, kind: 'Begun', atMs, token: 'abc', plan })
  for (const { name } of nodes) applyEntry(run, { v: 1, kind: 'Started', atMs, node: name })
  return run
}

const worldOf = (situation: ExecutionSituation, more: Partial<World> = {}): World => ({
  execution: { spec: { dependencyRef: { name: 'morning' } }, metadata: { name: 'run' } } as unknown as TaskExecution,
  status: undefined,
  situation,
  broker: 'default',
  dependency: 'morning',
  run: undefined,
  isContinued: false,
  whereabouts: new Map(),
  notLookedAt: new Set(),
  jobOf: () => undefined,
  executionOf: () => undefined,
  nowMs: atMs,
  ...more,
})

it('says of the nodes that have begun where they are and until when, and of many how many more', () => {
  const run = runOf([node('a', { timeoutSeconds: 120 }), node('b'), node('c'), node('d'), node('e')])
  const whereabouts = new Map([
    ['a', { words: 'queued in a_tasks (no pool)', detail: '' }],
    ['b', { words: 'running', detail: '' }],
  ])
  const text = 'a queued in a_tasks (no pool) until 04:10; b running; c; 2 more'
  expect(activeNodes(viewNodes(run), whereabouts)).toBe(text)
  const alike = new Map(['b', 'c'].map((name) => [name, { words: 'running', detail: '' }]))
  expect(activeNodes(viewNodes(run), alike)).toBe('a until 04:10; b, c running; 2 more')
  for (const kind of ['Driven', 'Pending'] as const) expect(waitingOf(worldOf({ kind }, { run, whereabouts }))).toBe(text)
})

test.each<[ExecutionSituation, string | undefined]>([
  [{ kind: 'NoSource', message: 'x' }, 'tdep/morning (not found)'],
  [{ kind: 'Paused' }, 'spec.desiredState (Paused)'],
  [{ kind: 'Scheduled', startMs: Date.UTC(2026, 11, 1) }, 'its start at 2026-12-01T00:00:00Z'],
  [{ kind: 'NoBroker' }, 'tmb/default (not found)'],
  [{ kind: 'NotUsable', message: 'x' }, 'tmb/default (not usable)'],
  [{ kind: 'Unreachable', message: 'x' }, 'tmb/default (unreachable)'],
  [{ kind: 'Unreadable', message: 'x' }, 'tmb/default (log unreadable)'],
  [{ kind: 'Pending' }, 'tmb/default (claiming the dispatch lease)'],
  [{ kind: 'Standby', heldBy: undefined }, 'tmb/default (standby)'],
  [{ kind: 'Standby', heldBy: 'b' }, 'tmb/default (another cluster dispatches)'],
  [{ kind: 'Hopeless', message: 'x' }, undefined],
  [{ kind: 'Driven' }, undefined],
])('a run that %j waits for %s', (situation, text) => {
  expect(waitingOf(worldOf(situation))).toBe(text)
})

it('finds a job by its id, and the pool and TaskQueue by the queue of the job', () => {
  const placed = placedNodes(runOf([node('a'), node('b'), node('c')]), 'default/ns/run/r', 'done')
  expect(placed[0]).toEqual({ node: 'a', id: 'tm/default/ns/run/r/abc/a', doneQueue: 'done', queue: 'a_tasks', startedAtMs: atMs })
  const found = new Map(placed.slice(0, 2).map(({ id }) => [id, { id, state: 'Waiting' as const }]))
  const condition = (type: string, status: string, reason: string) => ({ type, status, reason, message: '', lastTransitionTime: '' })
  const pool = {
    metadata: { name: 'pool' },
    spec: { queues: [{ name: 'a_tasks' }] },
    status: { conditions: [condition('Ready', 'True', 'ScaledToZero'), condition('ScalingActive', 'False', 'ScalingDisabled')] },
  } as unknown as WorkerPool
  const queue = { metadata: { name: 'b' }, spec: { queueName: 'b_tasks' }, status: { suspended: 'ByOthers' } } as unknown as TaskQueue
  const words = [...whereaboutsOf(placed, found, [pool], [queue], atMs)].map(([name, where]) => `${name} ${where.words}`)
  expect(words).toEqual(['a queued in a_tasks (pool pool: ScalingDisabled)', 'b queued in b_tasks (suspended)'])
  expect(placedNodes(runOf(Array.from({ length: 120 }, (_, index) => node(`n${index}`))), 'r', 'done')).toHaveLength(100)
})

it('tells a node that was not looked at yet from one that is nowhere to be found', () => {
  const placed = placedNodes(runOf([node('a'), node('b'), node('c')]), 'r', 'done')
  const found = new Map(
    [['a', 'Waiting'] as const, ['b', 'Absent'] as const].map(([name, state]) => [`tm/r/abc/${name}`, { id: '', state }]),
  )
  const jobs = [
    { ...progress, node: 'd' },
    { ...progress, node: 'e', isUnknown: true as const },
  ]
  expect(notLookedAt(placed, found, { jobs })).toEqual(new Set(['c', 'e']))
})

const template = { spec: { template: { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1' }] } } } }
const planOfJob: RunPlan = {
  name: 'x',
  nodes: [{ name: 'a', dependsOn: [], required: true, job: template }],
  finally: [],
  onNodeFailure: 'Stop',
  parameters: {},
}

const startedJob = () => {
  const run = createRun()
  foldRun(
    [
      JSON.stringify({ v: 1, kind: 'Begun', atMs: 0, token: 't', plan: planOfJob }),
      JSON.stringify({ v: 1, kind: 'Started', atMs: 0, node: 'a' }),
    ],
    run,
  )
  return run
}
const progress = { node: 'a', job: 'x-a-1', isUp: false, warnings: [] }

it.each<[string, JobProgress, string, string]>([
  ['that runs', { ...progress, isUp: true }, 'running', 'Job "x-a-1" is running'],
  ['that starts', progress, 'starting', 'Job "x-a-1" is starting'],
  [
    'in trouble, after a warning',
    { ...progress, reason: 'no pod', blocked: 'NoPod', words: 'it has no pod', warnings: ['would violate PodSecurity'] },
    'failing (no pod)',
    'Job "x-a-1": it has no pod. The API server warns: would violate PodSecurity',
  ],
])('a Job %s', (_, job, words, detail) => {
  const blocked = 'blocked' in job ? { blocked: 'NoPod' } : {}
  expect(jobWhereabouts(startedJob(), { jobs: [job] }).get('a')).toEqual({ words, detail, ...blocked })
})

it('one that the API server does not take', () => {
  const run = startedJob()
  notePostponed(run, 'a', { message: 'exceeded quota', isRefused: true }, 0)
  expect(jobWhereabouts(run, { jobs: [] }).get('a')).toEqual({
    words: 'not created (1 try)',
    blocked: 'CreationRefused',
    detail: 'the API server refuses its Job for now, and the operator retries: exceeded quota',
  })
})

it('one at which the API server has failed is not blocked', () => {
  const run = startedJob()
  notePostponed(run, 'a', { message: 'etcdserver: request timed out', isRefused: false }, 0)
  expect(jobWhereabouts(run, { jobs: [] }).get('a')).toEqual({
    words: 'not created (1 try)',
    detail: 'its Job is not created yet, and the operator retries: etcdserver: request timed out',
  })
})
