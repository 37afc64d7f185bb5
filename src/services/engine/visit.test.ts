import { expect, test } from 'vitest'
import { type Acted, type Kind, type Memory, type Step, visitRecord } from './visit.ts'

const proof = { dispatcher: 'default/team', epoch: 1, holder: 'c/ns/lease' }
const { signal } = new AbortController()
type Record = { readonly revision: number }
type Action = 'write' | 'place' | 'acknowledge'
type TestActed = Acted<Record, string, { readonly kind: 'Postponed' }>
const changes = { write: 'Record', place: 'Effects', acknowledge: 'Ends' } as const

/** A record in a broker, and a kind that goes through these steps; `answers` say what an action comes to, in order. */
function world(steps: readonly Action[], answers: Partial<globalThis.Record<Action, (() => TestActed)[]>> = {}) {
  const seen: string[] = []
  const memory: Memory<Record> = { record: undefined }
  let stored = 1
  let wanted = true
  const left = [...steps]
  const kind: Kind<Record, { readonly record: Record }, Action, string, { readonly kind: 'Postponed' }> = {
    async observe(known) {
      if (!wanted) return 'Unwanted'
      if (known === undefined) seen.push('read')
      return { record: known ?? { revision: stored } }
    },
    step(): Step<Action> {
      const [action] = left
      return action === undefined ? { kind: 'Wait', untilMs: 7 } : { kind: 'Act', changes: changes[action], action }
    },
    async act(_, action) {
      seen.push(action)
      const answer = answers[action]?.shift()
      if (answer !== undefined) return answer()
      left.shift()
      return action === 'write' ? { outcome: 'Done', record: { revision: ++stored }, happened: ['written'] } : { outcome: 'Done' }
    },
  }
  return {
    kind,
    memory,
    seen,
    left,
    visit: (of = proof) => visitRecord(kind, memory, { proof: of, signal }),
    unwant: () => (wanted = false),
  }
}

test('a record at rest is read once, whatever the number of visits', async () => {
  const { visit, seen } = world([])
  for (let visits = 0; visits < 3; visits++) expect((await visit()).result).toEqual({ kind: 'Waiting', untilMs: 7 })
  expect(seen).toEqual(['read'])
})

test('another epoch reads the record again', async () => {
  const { visit, seen } = world([])
  await visit()
  await visit({ ...proof, epoch: 2 })
  expect(seen).toEqual(['read', 'read'])
})

test('ends are acknowledged only on a record that was read from the broker in the same visit', async () => {
  const { visit, seen, left } = world([])
  await visit()
  left.push('acknowledge')
  await visit()
  expect(seen).toEqual(['read', 'read', 'acknowledge'])
})

test('the answer to a write counts as a read: the record is not read again before the acknowledgement', async () => {
  const { visit, seen, left } = world([])
  await visit()
  left.push('write', 'place', 'acknowledge')
  expect(await visit()).toEqual({ result: { kind: 'Waiting', untilMs: 7 }, happened: ['written'] })
  expect(seen).toEqual(['read', 'write', 'place', 'acknowledge'])
})

test('a write whose answer tells no record, as a conflict, is followed by a read', async () => {
  const { visit, seen } = world(['write'], { write: [() => ({ outcome: 'Done' })] })
  await visit()
  expect(seen).toEqual(['read', 'write', 'read', 'write'])
})

test('a fence ends the visit, and the record is read again in the next one', async () => {
  const { visit, seen, memory } = world(['place'], { place: [() => ({ outcome: 'Fenced' })] })
  expect((await visit()).result).toEqual({ kind: 'Fenced' })
  expect(memory.record).toBeUndefined()
  expect((await visit()).result.kind).toBe('Waiting')
  expect(seen).toEqual(['read', 'place', 'read', 'place'])
})

test('an error is returned with what happened before it, and leaves everything in doubt', async () => {
  const fail = () => {
    throw new Error('gone')
  }
  const { visit, memory } = world(['write', 'place'], { place: [fail] })
  const { result, happened } = await visit()
  expect(result).toMatchObject({ kind: 'Failed', error: { message: 'gone' } })
  expect(happened).toEqual(['written'])
  expect(memory.record).toBeUndefined()
})

test('a write that fails leaves open what is stored', async () => {
  const { visit, seen } = world(['write'], {
    write: [
      () => {
        throw new Error('no answer')
      },
    ],
  })
  expect((await visit()).result.kind).toBe('Failed')
  expect((await visit()).result.kind).toBe('Waiting')
  expect(seen).toEqual(['read', 'write', 'read', 'write'])
})

test('an object that is no longer wanted costs nothing, and nothing is done for it', async () => {
  const { visit, seen, unwant } = world(['write'])
  unwant()
  expect((await visit()).result).toEqual({ kind: 'Unwanted' })
  expect(seen).toEqual([])
})

test('a reason of the kind stops the visit, with its own pace', async () => {
  const stopped = { stopped: { kind: 'Postponed' } as const, againAfterMs: 5_000 }
  const { visit } = world(['place'], { place: [() => ({ outcome: stopped })] })
  expect((await visit()).result).toEqual({ kind: 'Stopped', ...stopped })
})

test('after 100 steps other objects are served first', async () => {
  const { visit, left } = world(Array.from({ length: 150 }, () => 'place' as const))
  expect((await visit()).result).toEqual({ kind: 'Busy' })
  expect(left).toHaveLength(50)
  expect((await visit()).result.kind).toBe('Waiting')
})

test('an aborted signal ends the visit before the next step', async () => {
  const { kind, memory, seen } = world(['place'])
  const report = await visitRecord(kind, memory, { proof, signal: AbortSignal.abort(new Error('stop')) })
  expect(report).toMatchObject({ result: { kind: 'Failed', error: { message: 'stop' } }, happened: [] })
  expect(seen).toEqual([])
})
