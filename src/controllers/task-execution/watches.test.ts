import { expect, it } from 'vitest'
import type { KubeObject } from '../../api/index.ts'
import { annotations, runName } from '../../contract/index.ts'
import type { Starter } from '../../services/jobs/index.ts'
import { type TaskExecutionSources, taskExecutionWatches } from './watches.ts'

type Handler = (key: string, current?: KubeObject, previous?: KubeObject) => void

function createSource() {
  const handlers: Handler[] = []
  return {
    announce: (...change: Parameters<Handler>) => handlers.forEach((handler) => handler(...change)),
    onChange: (handler: Handler) => void handlers.push(handler),
  }
}

const run = (name: string, startTime?: string) => ({
  metadata: { namespace: 'acme', name },
  status: startTime === undefined ? {} : { startTime },
})

const ended = (name: string, node: object) => ({ metadata: { namespace: 'acme', name }, status: { state: 'Succeeded', nodes: [node] } })

/** Runs of the schedule acme/nightly: one waits, one has started, and one has an end that the schedule has not recorded. */
const indexes: Readonly<Record<string, readonly object[]>> = {
  'bySchedule acme/nightly': [run('waits'), run('started', '2026-11-23T03:00:00Z')],
  'byDependency acme/graph': [run('waits'), run('started', '2026-11-23T03:00:00Z')],
  'byUnrecordedSlot acme/nightly': [run('ended', '2026-11-23T03:00:00Z')],
  'byBroker acme/default': [
    run('waits'),
    run('started', '2026-11-23T03:00:00Z'),
    ended('over', { state: 'Succeeded' }),
    ended('stopped', { state: 'TimedOut' }),
    ended('late', { state: 'TimedOut' }),
    ended('restored', { state: 'Succeeded' }),
    ended('tidy', { state: 'Succeeded', job: 'tidy-build' }),
    ended('untidy', { state: 'Succeeded', job: 'untidy-build' }),
  ],
  'byBroker acme/returned': [run('started', '2026-11-23T03:00:00Z'), { ...run('ended'), status: { state: 'Succeeded' } }],
}

function setup() {
  const names = ['schedules', 'dependencies', 'jobs', 'taskBrokers', 'executions'] as const
  const sources = {
    ...Object.fromEntries(names.map((name) => [name, createSource()])),
    directory: createSource(),
    ends: createSource(),
    returns: createSource(),
    files: createSource(),
  }
  const { executions = createSource(), ...caches } = sources as Record<string, ReturnType<typeof createSource>>
  const byIndex = (index: string, value: string) => indexes[`${index} ${value}`] ?? []
  const watches = taskExecutionWatches({
    caches: { ...caches, executions: { ...executions, byIndex, get: (key: string) => (key === 'acme/a' ? {} : undefined) } },
    directory: sources.directory,
    dispatchLeases: { ...createSource(), onReturn: sources.returns.onChange },
    tracking: {
      changesOf: (kind: string) => (kind === 'TaskExecution' ? sources.ends : createSource()),
      hasUnclaimed: (owner: string) => owner === runName('default', 'acme', 'late'),
      ended: (owner: string) => (owner === runName('default', 'acme', 'restored') ? [{}] : []),
    },
    jobs: {
      startedBy: ({ name }: Starter) => [
        { metadata: { name: `${name}-build`, annotations: name === 'tidy' ? { [annotations.recorded]: 'true' } : {} } },
      ],
    },
    installation: 'default',
    configMaps: { changesOf: (kind: string) => (kind === 'TaskExecution' ? sources.files : createSource()) },
    whereabouts: { changesOf: () => createSource() },
  } as unknown as TaskExecutionSources)
  const got: string[] = []
  for (const watch of watches) watch.subscribe((keys) => void got.push(...keys))
  const all: Readonly<Record<string, ReturnType<typeof createSource>>> = { ...caches, executions }
  return { got, sources: all }
}

const jobOf = (labels: Readonly<Record<string, string>>) =>
  ({ metadata: { namespace: 'acme', name: 'j', labels } }) as unknown as KubeObject
const object = { metadata: { namespace: 'acme', name: 'x' } } as unknown as KubeObject

const nodeRun = (starter: string, status: object = {}) =>
  ({
    metadata: { namespace: 'acme', name: 'n', labels: { 'taskmill.dev/started-by': 'TaskExecution', 'taskmill.dev/execution': starter } },
    status,
  }) as unknown as KubeObject
const blocked = { conditions: [{ type: 'Blocked', status: 'True', reason: 'QueuePaused' }] }

const open = ['acme/waits', 'acme/started', 'acme/late', 'acme/restored', 'acme/untidy']

it.each<{ name: string; source: string; change: Parameters<Handler>; want: readonly string[] }>([
  { name: 'a run itself', source: 'executions', change: ['acme/a', object], want: ['acme/a'] },
  { name: 'a schedule that changes: runs that wait for it', source: 'schedules', change: ['acme/nightly', object], want: ['acme/waits'] },
  {
    name: 'a schedule that is deleted: also runs whose ends it will not record any more',
    source: 'schedules',
    change: ['acme/nightly', undefined, object],
    want: ['acme/waits', 'acme/ended'],
  },
  { name: 'a graph: runs that wait for it', source: 'dependencies', change: ['acme/graph', object], want: ['acme/waits'] },
  {
    name: 'a TaskBroker that comes: its runs with something left to do',
    source: 'taskBrokers',
    change: ['acme/default', object],
    want: open,
  },
  { name: 'a TaskBroker that goes', source: 'taskBrokers', change: ['acme/default', undefined, object], want: open },
  { name: 'a status of a TaskBroker: no run', source: 'taskBrokers', change: ['acme/default', object, object], want: [] },
  { name: 'an endpoint: runs of that broker with something left to do', source: 'directory', change: ['acme/default'], want: open },
  {
    name: 'a broker that returns: its runs that have not ended',
    source: 'returns',
    change: ['acme/returned'],
    want: ['acme/started'],
  },
  {
    name: 'a run that is a node of another one, and that one: when it comes',
    source: 'executions',
    change: ['acme/n', nodeRun('a')],
    want: ['acme/n', 'acme/a'],
  },
  {
    name: 'when it ends',
    source: 'executions',
    change: ['acme/n', nodeRun('a', { state: 'Succeeded' }), nodeRun('a')],
    want: ['acme/n', 'acme/a'],
  },
  {
    name: 'when something blocks it',
    source: 'executions',
    change: ['acme/n', nodeRun('a', blocked), nodeRun('a')],
    want: ['acme/n', 'acme/a'],
  },
  { name: 'when it is deleted', source: 'executions', change: ['acme/n', undefined, nodeRun('a')], want: ['acme/n', 'acme/a'] },
  {
    name: 'not that one for its progress',
    source: 'executions',
    change: ['acme/n', nodeRun('a', { progress: '2/4' }), nodeRun('a')],
    want: ['acme/n'],
  },
  { name: 'nor when that is gone', source: 'executions', change: ['acme/n', undefined, nodeRun('gone')], want: ['acme/n'] },
  { name: 'ConfigMaps of calendars', source: 'files', change: ['acme/a'], want: ['acme/a'] },
  { name: 'ends of jobs', source: 'ends', change: ['acme/a'], want: ['acme/a'] },
  {
    name: 'a Job of a run, also when it is deleted',
    source: 'jobs',
    change: ['acme/j', undefined, jobOf({ 'taskmill.dev/started-by': 'TaskExecution', 'taskmill.dev/execution': 'a' })],
    want: ['acme/a'],
  },
  {
    name: 'a Job that is garbage-collected after its run: no run',
    source: 'jobs',
    change: ['acme/j', undefined, jobOf({ 'taskmill.dev/started-by': 'TaskExecution', 'taskmill.dev/execution': 'gone' })],
    want: [],
  },
  {
    name: 'a Job of a schedule: no run',
    source: 'jobs',
    change: ['acme/j', jobOf({ 'taskmill.dev/started-by': 'TaskSchedule', 'taskmill.dev/schedule': 'a' })],
    want: [],
  },
])('$name', ({ source, change, want }) => {
  const { got, sources } = setup()
  sources[source]?.announce(...change)
  expect(got).toEqual(want)
})
