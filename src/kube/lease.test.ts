import { expect, test } from 'vitest'
import { taskmillError } from '../errors/index.ts'
import { createLease, type KubeClient } from './index.ts'
import { epochMsOf, microTime } from './notation.ts'

const place = { namespace: 'ops', name: 'taskmill-operator' }
const never = new AbortController().signal

/** Answers each call with what was written, as the server would. */
const clientWith = (stored?: object) => {
  const written: unknown[] = []
  const echo = async (_: unknown, object: unknown) => (written.push(object), object as never)
  const client: Pick<KubeClient, 'get' | 'create' | 'update'> = {
    get: async () => (stored ? (stored as never) : Promise.reject(taskmillError('TM_KUBE_NOT_FOUND', 'not found'))),
    create: echo,
    update: echo,
  }
  return { lease: createLease(client, place), written }
}

test('times have six digits', () => {
  expect(microTime(Date.UTC(2026, 0, 2, 3, 4, 5, 67))).toBe('2026-01-02T03:04:05.067000Z')
  expect(microTime(0.9)).toBe('1970-01-01T00:00:00.000000Z')
  expect(epochMsOf('2026-01-02T03:04:05.067123Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 67))
  expect([epochMsOf(undefined), epochMsOf('soon')]).toEqual([undefined, undefined])
})

test('a missing Lease is undefined; an empty one has no holder', async () => {
  expect(await clientWith().lease.read(never)).toBeUndefined()
  expect(await clientWith({ metadata: place }).lease.read(never)).toMatchObject({ holder: '', durationMs: 0, transitions: 0 })
})

test('a new Lease is created with all fields', async () => {
  const { lease, written } = clientWith()
  await lease.create({ holder: 'a', durationMs: 15_000, acquiredAtMs: 0, renewedAtMs: 1_500, transitions: 0 }, never)
  expect(written).toEqual([
    {
      metadata: place,
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        acquireTime: '1970-01-01T00:00:00.000000Z',
        renewTime: '1970-01-01T00:00:01.500000Z',
      },
    },
  ])
})

test('an update keeps the fields of others and the resourceVersion', async () => {
  const stored = {
    metadata: { ...place, resourceVersion: '7', annotations: { 'taskmill.dev/epoch': '3' } },
    spec: { holderIdentity: 'b', leaseDurationSeconds: 15, strategy: 'OldestEmulationVersion' },
  }
  const { lease, written } = clientWith(stored)
  const record = await lease.read(never)
  await lease.update({ holder: '', durationMs: 100, renewedAtMs: 0, transitions: 4, stored: record?.stored }, never)
  expect(written).toEqual([
    {
      metadata: stored.metadata,
      spec: {
        holderIdentity: '',
        leaseDurationSeconds: 1,
        leaseTransitions: 4,
        strategy: 'OldestEmulationVersion',
        renewTime: '1970-01-01T00:00:00.000000Z',
      },
    },
  ])
})
