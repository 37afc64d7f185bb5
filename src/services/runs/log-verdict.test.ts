import { expect, it } from 'vitest'
import type { TaskExecutionStatus } from '../../api/index.ts'
import { applyEntry, createRun, type Run, type RunEntry } from '../../graph/index.ts'
import { judgeLog } from './log-verdict.ts'

const task = { type: 'work', queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 0 } }
const plan = {
  name: 'x7k2p',
  nodes: [
    { name: 'a', dependsOn: [], required: true, task },
    { name: 'b', dependsOn: [{ name: 'a', condition: 'Succeeded' as const }], required: true, task },
  ],
  finally: [],
  onNodeFailure: 'Stop' as const,
  parameters: {},
}
const begun: RunEntry = { v: 1, kind: 'Begun', atMs: 0, token: 'former', plan }
const started = (node: string): RunEntry => ({ v: 1, kind: 'Started', atMs: 1, node })
const ended = (node: string): RunEntry => ({ v: 1, kind: 'Ended', atMs: 2, node, outcome: 'Succeeded', reason: 'Succeeded' })
const finished: RunEntry = { v: 1, kind: 'Finished', atMs: 3, outcome: 'Succeeded', reason: 'Succeeded', message: '' }

const archived: RunEntry = { v: 1, kind: 'Archived', atMs: 3, token: 'former', outcome: 'Succeeded', reason: 'Succeeded', message: '' }

function runOf(...entries: readonly RunEntry[]): Run {
  const run = createRun()
  for (const entry of entries) applyEntry(run, entry)
  return run
}
const statusOf = (state: string, nodes: Readonly<Record<string, string>>) =>
  ({
    observedGeneration: 1,
    startTime: '2026-11-29T00:00:00Z',
    state,
    nodes: Object.entries(nodes).map(([name, each]) => ({ name, state: each })),
  }) as unknown as TaskExecutionStatus

it.each([
  ['none is there, and none is known of', runOf(), 'own', false, undefined, 'Continued'],
  ['its own, of which it was not told yet', runOf(begun), 'former', true, undefined, 'Continued'],
  ['of an object that nobody saw go', runOf(begun, started('a')), 'own', false, undefined, 'Continued'],
  ['of an object that was seen to go', runOf(begun, started('a')), 'own', true, undefined, 'Former'],
  [
    'of one that was seen to go, and told of since',
    runOf(begun, started('a')),
    'own',
    true,
    statusOf('Running', { a: 'Running' }),
    'Continued',
  ],
  ['gone, and told of', runOf(), 'own', false, statusOf('Running', {}), 'Behind'],
  [
    'ahead of what was told',
    runOf(begun, started('a'), ended('a'), started('b')),
    'own',
    false,
    statusOf('Running', { a: 'Running', b: 'Pending' }),
    'Continued',
  ],
  [
    'without an end that was told',
    runOf(begun, started('a')),
    'own',
    false,
    statusOf('Running', { a: 'Succeeded', b: 'Running' }),
    'Behind',
  ],
  [
    'without a start that was told',
    runOf(begun, started('a'), ended('a')),
    'own',
    false,
    statusOf('Running', { a: 'Succeeded', b: 'Stopping' }),
    'Behind',
  ],
  ['of another graph than was told of', runOf(begun), 'own', false, statusOf('Running', { z: 'Pending' }), 'Behind'],
  ['without the end of the run, which was told', runOf(begun, started('a')), 'own', false, statusOf('Failed', {}), 'Behind'],
  [
    'that has finished, as was told',
    runOf(begun, started('a'), ended('a'), started('b'), ended('b'), finished),
    'own',
    false,
    statusOf('Succeeded', { a: 'Succeeded', b: 'Succeeded' }),
    'Continued',
  ],
  ['archived, as was told', runOf(archived), 'former', false, statusOf('Succeeded', { a: 'Succeeded' }), 'Continued'],
  ['archived, of which the status knows less', runOf(archived), 'former', false, statusOf('Running', { a: 'Running' }), 'Continued'],
  ['archived, of an object that nobody saw go', runOf(archived), 'own', false, undefined, 'Continued'],
  ['archived, of an object that was seen to go', runOf(archived), 'own', true, undefined, 'Former'],
] as const)('a log %s', (_, run, token, isOfDeleted, status, verdict) => {
  const deletedIn = isOfDeleted ? 'c1' : undefined
  expect(judgeLog(run, 'c1', { token, status, deletedIn })).toBe(verdict)
})

it('of an object that was seen to go, and that another cluster wrote last, is continued', () => {
  expect(judgeLog(runOf(begun), 'c2', { token: 'own', status: undefined, deletedIn: 'c1' })).toBe('Continued')
})
