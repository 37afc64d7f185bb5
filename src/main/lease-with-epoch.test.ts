import { expect, test } from 'vitest'
import type { Lease } from '../api/index.ts'
import type { LeaseStore, StoredLease } from '../kube/index.ts'
import { leaseWithEpoch } from './lease-with-epoch.ts'

/** What the API server would hold; the port hands the object through. */
const store = (annotations?: Record<string, string>) => {
  const state: { lease: Lease } = { lease: { metadata: { name: 'l', ...(annotations ? { annotations } : {}) } } as unknown as Lease }
  const record = (over: Partial<StoredLease>): StoredLease => ({ holder: 'a', durationMs: 1, transitions: 0, ...over, stored: state.lease })
  const port: LeaseStore = {
    read: async () => record({}),
    create: async () => record({}),
    async update(written) {
      state.lease = written.stored as Lease
      return record(written)
    },
  }
  return { state, lease: leaseWithEpoch(port) }
}
const signal = new AbortController().signal

test('the epoch is read from the annotation and written beside those of others', async () => {
  const { state, lease } = store({ 'taskmill.dev/epoch': '7', other: 'x' })
  const read = await lease.read(signal)
  expect(read?.epoch).toBe(7)
  expect((await lease.update({ ...read!, epoch: 8 }, signal)).epoch).toBe(8)
  expect(state.lease.metadata.annotations).toEqual({ 'taskmill.dev/epoch': '8', other: 'x' })
})

test('a new Lease gets it before anybody else could take it', async () => {
  const { state, lease } = store()
  expect((await lease.create({ holder: 'a', durationMs: 1, transitions: 0, epoch: 1 }, signal)).epoch).toBe(1)
  expect(state.lease.metadata.annotations).toEqual({ 'taskmill.dev/epoch': '1' })
})

test.each(['', '-1', 'seven', '1e3', '9999999999999999'])('an annotation that is no number (%s) counts as none', async (value) => {
  expect((await store({ 'taskmill.dev/epoch': value }).lease.read(signal))?.epoch).toBe(0)
})
