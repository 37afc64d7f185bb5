import { expect, test } from 'vitest'
import type { TaskExecutionStatus } from '../../api/index.ts'
import { decide, hasPlace, isPlaceToBeNoted } from './decide.ts'
import { executionOf } from './fixtures.ts'
import type { Gathered } from './gather.ts'

const task = { type: 'work', queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 0 } }
const missing = { ok: false, message: 'TaskDependency "x" does not exist' } as const

function gathered(more: Partial<Gathered> = {}): Gathered {
  const execution = executionOf({ task })
  const source = { ok: true, broker: 'default', schedule: undefined } as const
  return { execution, status: undefined, source, broker: 'default', dependency: undefined, token: 't', deletedIn: undefined, ...more }
}
const begun = { observedGeneration: 1, startTime: '2026-11-29T00:00:00Z', broker: 'default' } as TaskExecutionStatus

test('a run that has not begun begins with its own token', () => {
  expect(decide(gathered())).toMatchObject({ begin: { token: 't' }, obstacle: undefined, owner: { token: 't' } })
})

test.each([
  [{ startTime: '2026-12-01T00:00:00Z' }, Date.UTC(2026, 11, 1)],
  [{ delaySeconds: 600 }, Date.UTC(2026, 10, 29, 4, 10)],
])('a run with %j begins at that time, and says until then that it waits for it', (when, atMs) => {
  const { metadata, ...rest } = executionOf({ task, ...when })
  const execution = { ...rest, metadata: { ...metadata, creationTimestamp: '2026-11-29T04:00:00Z' } }
  expect(decide(gathered({ execution }))).toMatchObject({ begin: { notBeforeMs: atMs }, obstacle: { kind: 'Scheduled', startMs: atMs } })
})

test('a run that is paused before it begins waits for that, and not for its time', () => {
  const execution = executionOf({ task, startTime: '2026-12-01T00:00:00Z', desiredState: 'Paused' })
  expect(decide(gathered({ execution }))).toMatchObject({ desired: 'Paused', obstacle: { kind: 'Paused' } })
})

test.each<[string, Partial<Gathered>, object | undefined]>([
  ['has begun', { status: begun }, undefined],
  ['has begun, and its source is gone', { status: begun, source: missing }, { kind: 'NoSource', message: missing.message }],
  ['refers to nothing that is there', { source: missing }, { kind: 'NoSource', message: missing.message }],
])('a run that %s begins with nothing', (_, facts, obstacle) => {
  expect(decide(gathered(facts))).toMatchObject({ begin: undefined })
  expect(decide(gathered(facts)).obstacle).toEqual(obstacle)
})

test('a run without its source has a place for its log only when its status names a broker', () => {
  expect([{}, { source: missing }, { source: missing, status: begun }].map((facts) => hasPlace(gathered(facts)))).toEqual([
    true,
    false,
    true,
  ])
})

test('the broker of a graph is noted in the status before the run begins; a task names it in its own spec', () => {
  const ofGraph = executionOf({ task: undefined, dependencyRef: { name: 'x' } })
  expect([{ execution: ofGraph }, { execution: ofGraph, status: begun }, {}].map((facts) => isPlaceToBeNoted(gathered(facts)))).toEqual([
    true,
    false,
    false,
  ])
})
