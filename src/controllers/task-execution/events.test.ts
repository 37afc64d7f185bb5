import { expect, it } from 'vitest'
import type { RunEntry } from '../../graph/index.ts'
import { entryEvents } from './events.ts'
import { begunAtMs, ended, executionOf, nodeOf, runOf, started } from './fixtures.ts'

function notesOf(...entries: readonly object[]): readonly string[] {
  const recorded = entries.map((entry) => Object.assign({ v: 1 }, entry) as RunEntry)
  return entryEvents(recorded, executionOf()).map(({ type, reason, note }) => `${type} ${reason}: ${note}`)
}
const finished = (outcome: string) => ({ kind: 'Finished', atMs: begunAtMs, outcome, reason: outcome, message: 'as it went' })

it('the Event of the start names the source of the run', () => {
  const begun = runOf([nodeOf('a')]).begun ?? {}
  expect(notesOf(begun)).toEqual(['Normal Started: a run of tdep/morning'])
})

it.each([
  ['Succeeded', 'Normal'],
  ['Skipped', 'Normal'],
  ['Cancelled', 'Normal'],
  ['Failed', 'Warning'],
  ['TimedOut', 'Warning'],
])('the end as %s is a %s Event with its words', (outcome, type) => {
  expect(notesOf(finished(outcome))).toEqual([`${type} ${outcome}: as it went`])
})

it('a failed node has an Event with its attempts, message and worker, as far as they are known', () => {
  const message = 'the mailbox is full'
  expect(notesOf(ended('send', 'Failed', 0, { attemptsMade: 2, attempts: 4, message, worker: 'email-7d9c' }))).toEqual([
    'Warning NodeFailed: send: AttemptsExhausted, 2/4 attempts: the mailbox is full on email-7d9c',
  ])
  expect(notesOf(ended('send', 'TimedOut', 0))).toEqual(['Warning NodeFailed: send: TimedOut'])
})

it('nodes that started, succeeded, were skipped, omitted or cancelled have no Event', () => {
  const quiet = (['Succeeded', 'Skipped', 'Omitted', 'Cancelled'] as const).map((outcome) => ended('a', outcome, 0))
  expect(notesOf(started('a'), ...quiet, { kind: 'Cancelling', atMs: begunAtMs })).toEqual([])
})

it('of many nodes that fail at once, five have their own Event and one Event counts the others', () => {
  const failures = Array.from({ length: 8 }, (_, index) => ended(`n${index}`, 'Failed', 0))
  const notes = notesOf(...failures, finished('Failed'))
  expect(notes.filter((note) => note.includes('NodeFailed: n'))).toHaveLength(5)
  expect(notes.slice(-2)).toEqual(['Warning NodeFailed: and 3 more nodes', 'Warning Failed: as it went'])
})
