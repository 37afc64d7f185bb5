import { expect, test } from 'vitest'
import type { Broker, CleanAnswer, QueueAnswer, QueueReading } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { createBrokerClock } from '../brokers/index.ts'
import { type Memory, visitRecord } from '../engine/index.ts'
import { createSettingsKind, type SettingsRecord, type SettingsVisit, type SettingsWish } from './queue-settings.ts'

const proof = { dispatcher: 'default/team', epoch: 1, holder: 'c/ns/lease' }
const marker = { v: 1, cluster: 'c1', kind: 'TaskQueue', namespace: 'team', name: 'mail', deletionPolicy: 'Delete', queue: 'mail' } as const
const done: QueueAnswer = { outcome: 'Done', changes: [{ kind: 'Paused', isRepair: false }], paused: true, pausedByUs: true }
const applied: Extract<SettingsWish, { kind: 'Applied' }> = {
  kind: 'Applied',
  settings: { suspend: true },
  retention: undefined,
  uid: 'u1',
  createdAtMs: 0,
  reading: { paused: true } as QueueReading,
  isOwnerGone: async () => false,
}

/** A queue whose broker gives these answers in turn, the last one for ever. */
function world(answers: { readonly apply?: readonly QueueAnswer[]; readonly clean?: readonly Partial<CleanAnswer>[] } = {}) {
  const clock = fakeClock()
  const calls: string[] = []
  const next = <T>(all: readonly T[] | undefined, made: string, fallback: T): T => {
    const count = calls.filter((call) => call.startsWith(made.slice(0, 5))).length
    calls.push(made)
    return all?.[Math.min(count, all.length - 1)] ?? fallback
  }
  const broker = {
    applyQueue: async ({ gone }) => next(answers.apply, gone === undefined ? 'apply' : 'apply instead of it', done),
    cleanQueue: async () => ({
      outcome: 'Done',
      removed: 0,
      nextAtMs: clock.now() + 60_000,
      brokerTimeMs: clock.now(),
      ...next(answers.clean, 'clean', {}),
    }),
    releaseQueue: async () => next(undefined, 'release', done),
  } as Partial<Broker> as Broker
  const memory: Memory<SettingsRecord> = { record: undefined }
  const brokerClock = createBrokerClock(clock)
  return {
    calls,
    clock,
    memory,
    visit: (wish: SettingsWish = applied, more: Partial<SettingsVisit> = {}) => {
      const visit = { broker, brokerClock, proof, marker, queue: 'mail', owner: 'default/team/mail', wish, ...more }
      return visitRecord(createSettingsKind(visit), memory, { proof: visit.proof, signal: new AbortController().signal })
    },
  }
}

test('settings are applied once, and again when the spec, the object, the term or the queue itself is not as it was', async () => {
  const { visit, calls } = world()
  expect(await visit()).toEqual({ result: { kind: 'Waiting', untilMs: undefined }, happened: [{ kind: 'Changed', changes: done.changes }] })
  expect((await visit()).happened).toEqual([])
  expect(calls).toEqual(['apply'])
  for (const wish of [
    { ...applied, settings: { suspend: false } },
    { ...applied, uid: 'u2' },
    { ...applied, reading: { paused: false } as QueueReading },
  ]) {
    await visit(wish)
    await visit(wish)
  }
  await visit(applied, { proof: { ...proof, epoch: 2 } })
  expect(calls).toHaveLength(5)
})

test('a queue about which another TaskQueue decides is left alone, unless that one is gone', async () => {
  const conflict: QueueAnswer = { outcome: 'Conflict', owner: 'default/team/post' }
  const { visit, calls } = world({ apply: [conflict] })
  expect((await visit()).result).toEqual({
    kind: 'Stopped',
    stopped: { kind: 'Conflict', owner: 'default/team/post' },
    againAfterMs: 15_000,
  })
  expect(calls).toEqual(['apply'])
  const other = world({ apply: [conflict, done] })
  expect((await other.visit({ ...applied, isOwnerGone: async () => true })).result.kind).toBe('Waiting')
  expect(other.calls).toEqual(['apply', 'apply instead of it'])
})

test.each<[string, QueueAnswer, object]>([
  ['a fence', { outcome: 'Fenced' }, { kind: 'Fenced' }],
  ['a record of a later version', { outcome: 'Unreadable' }, { kind: 'Stopped', stopped: { kind: 'Unreadable' }, againAfterMs: 15_000 }],
])('after %s nothing counts as applied', async (_, answer, expected) => {
  const { visit, memory } = world({ apply: [answer] })
  expect((await visit()).result).toMatchObject(expected)
  expect(memory.record?.applied).toBeUndefined()
})

test('old jobs are removed a portion at a time, then when the next one is too old, and at most every 10 s', async () => {
  const { visit, calls, clock } = world({ clean: [{ nextAtMs: 0 }, {}, { nextAtMs: 1 }] })
  const wish = { ...applied, retention: { completedSeconds: 3600 } }
  const again = async () => {
    const { result } = await visit(wish)
    return result.kind === 'Waiting' ? (result.untilMs ?? 0) - clock.now() : result.kind
  }
  expect(await again()).toBe(50)
  await clock.advance(50)
  expect(await again()).toBe(60_000)
  expect(await again()).toBe(60_000)
  expect(calls).toEqual(['apply', 'clean', 'clean'])
})

test('an edited retention applies at once, also while the former one would wait for days', async () => {
  const nextAtMs = Date.UTC(2040)
  const { visit, calls } = world({ clean: [{ nextAtMs }] })
  await visit({ ...applied, retention: { completedSeconds: 7 * 86_400 } })
  await visit({ ...applied, retention: { completedSeconds: 7 * 86_400 } })
  expect(calls).toEqual(['apply', 'clean'])
  const shorter = { ...applied, retention: { completedSeconds: 3600 } }
  expect((await visit(shorter)).result).toEqual({ kind: 'Waiting', untilMs: nextAtMs })
  await visit({ ...applied, retention: { completedSeconds: 3600, failedSeconds: 60 } })
  expect(calls).toEqual(['apply', 'clean', 'clean', 'clean'])
})

test('a deletion takes back what was applied, unless the object is there again', async () => {
  const { visit, calls } = world()
  expect((await visit({ kind: 'Released' }, { isWanted: () => false })).result).toEqual({ kind: 'Unwanted' })
  expect(calls).toEqual([])
  expect((await visit({ kind: 'Released' })).result).toEqual({ kind: 'Deleted' })
  expect(calls).toEqual(['release'])
})
