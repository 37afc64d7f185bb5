import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createElector, createLiveness, type LeaseRecord } from './index.ts'

test('a loop that does not come round is reported', async () => {
  const clock = fakeClock(0)
  const loop = { stalled: false }
  const stop = new AbortController()
  const stalling = { ...clock, setTimeout: (fn: () => void, ms: number) => clock.setTimeout(() => loop.stalled || fn(), ms) }
  const liveness = createLiveness({ clock: stalling, elector: { overdueMs: () => 0 } })
  expect(liveness.problems()).toEqual([])
  liveness.start(stop.signal)
  await clock.advance(60_000)
  expect(liveness.problems()).toEqual([])
  loop.stalled = true
  await clock.advance(12_000)
  expect(liveness.problems()).toEqual(['the event loop has not come round for 12.0 s'])
  stop.abort()
  expect(clock.pending()).toHaveLength(0)
})

test('a leader whose renewal hangs for ever is reported as soon as its lease has run out', async () => {
  const clock = fakeClock(0)
  let hangs = false
  const answer = async (record: LeaseRecord): Promise<LeaseRecord> => (hangs ? new Promise(() => {}) : { ...record, stored: {} })
  const elector = createElector({
    lease: { read: async () => undefined, create: answer, update: answer },
    identity: 'a',
    clock,
    log: silentLogger,
    rng: () => 0,
  })
  const stop = new AbortController()
  const liveness = createLiveness({ clock, elector })
  void elector.run(stop.signal, (leading) => new Promise((resolve) => leading.addEventListener('abort', () => resolve())))
  await clock.advance(60_000)
  expect([elector.isTrusted(), liveness.problems()]).toEqual([true, []])
  hangs = true
  await clock.advance(14_900)
  expect([elector.isTrusted(), liveness.problems()]).toEqual([false, []])
  await clock.advance(2_500)
  expect(liveness.problems()).toEqual([expect.stringMatching(/^leading, and the lease ran out \d\.\d s ago/u)])
})
