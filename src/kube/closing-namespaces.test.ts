import { beforeEach, expect, test } from 'vitest'
import { type KubeObject, taskSchedules, workerPools } from '../api/index.ts'
import { fakeClock, type FakeClock } from '../clock/index.ts'
import { type TaskmillError, taskmillError } from '../errors/index.ts'
import { type ClosingNamespaces, createClosingNamespaces } from './closing-namespaces.ts'
import type { KubeClient } from './index.ts'

let clock: FakeClock
/** What the API server answers to writes; undefined: it stores them. */
let answer: TaskmillError | undefined
/** Dry runs of Events, by namespace. */
let asked: (string | undefined)[]
let closing: ClosingNamespaces

const terminating = taskmillError('TM_KUBE_FORBIDDEN', 'unable to create new content in namespace shop because it is being terminated')
const unknownNamespace = taskmillError('TM_KUBE_NOT_FOUND', 'namespaces "shop" not found')
const noObject = taskmillError('TM_KUBE_NOT_FOUND', 'taskschedules.taskmill.dev "a" not found')

beforeEach(() => {
  clock = fakeClock()
  answer = undefined
  asked = []
  const write = async (_: unknown, object: KubeObject, { dryRun = false } = {}) => {
    if (dryRun) asked.push(object.metadata.namespace)
    if (answer !== undefined) throw answer
    return object
  }
  const writes = { create: write, update: write, patch: write, apply: write, applyStatus: write }
  closing = createClosingNamespaces({ client: { ...writes, patchScale: write } as unknown as KubeClient, clock })
})

const object = { metadata: { namespace: 'shop', name: 'a' } }
const options = { fieldManager: 't' }

test.each<[string, () => Promise<unknown>]>([
  ['a creation', () => closing.client.create(taskSchedules, object as never, options)],
  ['an apply', () => closing.client.apply(taskSchedules, object, options)],
  ['a status', () => closing.client.applyStatus(taskSchedules, object, options)],
  ['a patch', () => closing.client.patch(taskSchedules, object, options)],
])('%s that is refused because the namespace goes marks it for a minute, and is still refused', async (_, write) => {
  for (answer of [terminating, unknownNamespace]) {
    await expect(write()).rejects.toBe(answer)
    expect([closing.isClosing({ namespace: 'shop' }), closing.isClosing({ namespace: 'other' })]).toEqual([true, false])
    await clock.advance(59_999)
    expect(closing.isClosing({ namespace: 'shop' })).toBe(true)
    await clock.advance(1)
    expect(closing.isClosing({ namespace: 'shop' })).toBe(false)
  }
})

test('another refusal marks nothing', async () => {
  for (answer of [noObject, taskmillError('TM_KUBE_FORBIDDEN', 'exceeded quota: q'), taskmillError('TM_KUBE_UNAVAILABLE', 'no answer')]) {
    await expect(closing.client.apply(workerPools, object, options)).rejects.toBe(answer)
    expect(closing.isClosing({ namespace: 'shop' })).toBe(false)
  }
})

test('an object that was created since shows that the namespace is a new one of the same name', async () => {
  answer = terminating
  await expect(closing.client.create(taskSchedules, object as never, options)).rejects.toBe(answer)
  const at = (ms: number) => ({ namespace: 'shop', creationTimestamp: new Date(ms).toISOString() })
  expect(closing.isClosing(at(clock.now() - 1_000))).toBe(true)
  expect(closing.isClosing(at(clock.now() + 1_000))).toBe(false)
  expect(closing.isClosing({ namespace: 'shop' })).toBe(false)
})

test('an object of the second in which the namespace closed may be of a new one: it does not wait, and those before it do', async () => {
  const sinceMs = Math.floor(clock.now() / 1000) * 1000 + 1_000
  await clock.advance(sinceMs + 700 - clock.now())
  answer = terminating
  await expect(closing.client.create(taskSchedules, object as never, options)).rejects.toBe(answer)
  const at = (ms: number) => ({ namespace: 'shop', creationTimestamp: new Date(ms).toISOString().replace(/\.\d+/u, '') })
  expect(closing.isClosing(at(sinceMs))).toBe(false)
  expect(closing.isClosing(at(sinceMs - 1_000))).toBe(true)
  // It was of the former one: its write is refused, and marks the namespace for longer.
  await clock.advance(1_000)
  await expect(closing.client.applyStatus(taskSchedules, object, options)).rejects.toBe(answer)
  expect(closing.isClosing(at(sinceMs))).toBe(true)
})

test('many objects that are gone ask about their namespace once in 10 s, and storing nothing', async () => {
  for (let index = 0; index < 1_000; index++) closing.noteGone({ namespace: 'shop' })
  closing.noteGone({ namespace: 'other' })
  await clock.advance(9_999)
  closing.noteGone({ namespace: 'shop' })
  expect([asked, closing.isClosing({ namespace: 'shop' })]).toEqual([['shop', 'other'], false])
  await clock.advance(1)
  answer = terminating
  closing.noteGone({ namespace: 'shop' })
  await clock.advance(0)
  expect([asked.length, closing.isClosing({ namespace: 'shop' })]).toEqual([3, true])
  await clock.advance(30_000)
  closing.noteGone({ namespace: 'shop' })
  expect(asked).toHaveLength(3)
})
