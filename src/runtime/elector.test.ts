import { expect, test } from 'vitest'
import { fakeClock, sleep, type Clock, type FakeClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createElector, type ElectorDeps, type LeasePort, type LeaseRecord } from './index.ts'

/** A lease kept in memory, with compare-and-swap; `broken` makes every call fail, `silent` makes it never answer. */
const memoryLease = (first?: LeaseRecord) => {
  let version = 0
  let stored = first && { ...first, stored: version }
  const state = {
    broken: false,
    silent: false,
    get: () => stored,
    set: (record: LeaseRecord | undefined) => (stored = record && { ...record, stored: ++version }),
  }
  const reach = async (signal: AbortSignal) => {
    if (state.broken) throw taskmillError('TM_KUBE_UNAVAILABLE', 'down')
    if (state.silent) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const port: LeasePort = {
    async read(signal) {
      await reach(signal)
      return stored
    },
    async create(record, signal) {
      await reach(signal)
      if (stored) throw taskmillError('TM_KUBE_ALREADY_EXISTS', 'exists')
      return (stored = { ...record, stored: ++version })
    },
    async update(record, signal) {
      await reach(signal)
      if (!stored) throw taskmillError('TM_KUBE_NOT_FOUND', 'gone')
      if (stored.stored !== record.stored) throw taskmillError('TM_KUBE_CONFLICT', 'changed')
      return (stored = { ...record, stored: ++version })
    },
  }
  return { state, port }
}

/** An elector whose work runs until its signal aborts, and then takes `windDownMs`. */
const candidate = (clock: Clock, lease: LeasePort, identity: string, windDownMs = 0, more: Partial<ElectorDeps> = {}) => {
  const stop = new AbortController()
  const log: string[] = []
  const elector = createElector({ lease, identity, clock, log: silentLogger, rng: () => 0.5, ...more })
  const run = elector.run(stop.signal, async (leading) => {
    log.push('leading')
    await new Promise((resolve) => leading.addEventListener('abort', resolve))
    log.push('told to end')
    await new Promise<void>((resolve) => clock.setTimeout(resolve, windDownMs))
    log.push('ended')
  })
  run.then(
    () => log.push('resolved'),
    (error) => log.push(error.code ?? 'failed'),
  )
  return { elector, stop, log, run }
}

const foreign = (over: Partial<LeaseRecord> = {}): LeaseRecord => ({
  holder: 'other',
  durationMs: 15_000,
  acquiredAtMs: 1,
  renewedAtMs: 1,
  transitions: 3,
  ...over,
})

test('without a lease one is created; it is renewed every 2 s and keeps its time of acquisition', async () => {
  const clock = fakeClock(1_000_000)
  const { state, port } = memoryLease()
  const a = candidate(clock, port, 'a')
  await clock.advance(0)
  expect(state.get()).toMatchObject({ holder: 'a', durationMs: 15_000, acquiredAtMs: 1_000_000, renewedAtMs: 1_000_000, transitions: 0 })
  await clock.advance(3_600_000)
  expect(state.get()).toMatchObject({ holder: 'a', acquiredAtMs: 1_000_000, renewedAtMs: 1_000_000 + 3_600_000, transitions: 0 })
  expect([a.log, a.elector.isTrusted()]).toEqual([['leading'], true])
})

test.each([
  ['long ago by its own times', 1],
  ['in the future by its own times', 9e14],
])('a lease that was renewed %s is taken only after its duration has been seen to pass', async (_, renewedAtMs) => {
  const clock = fakeClock()
  const { state, port } = memoryLease(foreign({ renewedAtMs, durationMs: 20_000 }))
  const a = candidate(clock, port, 'a')
  await clock.advance(19_900)
  expect(a.log).toEqual([])
  await clock.advance(2_400)
  expect([a.log, state.get()?.holder, state.get()?.transitions]).toEqual([['leading'], 'a', 4])
})

test('a holder that renews keeps the lease', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease(foreign())
  const a = candidate(clock, port, 'a')
  for (let n = 0; n < 20; n++) {
    await clock.advance(10_000)
    state.set(foreign({ renewedAtMs: n }))
  }
  expect(a.log).toEqual([])
})

test.each([
  ['was released', foreign({ holder: '', durationMs: 1_000 }), 4],
  ['carries the own identity', foreign({ holder: 'a' }), 3],
])('a lease that %s is taken at once', async (_, record, transitions) => {
  const clock = fakeClock()
  const { state, port } = memoryLease(record)
  const a = candidate(clock, port, 'a')
  await clock.advance(0)
  expect([a.log, state.get()?.transitions]).toEqual([['leading'], transitions])
})

test('a stop winds down first, renewing all the while, and releases last; the next one leads within a retry', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  const a = candidate(clock, port, 'a', 25_000)
  await clock.advance(0)
  const b = candidate(clock, port, 'b')
  await clock.advance(1_000)
  a.stop.abort()
  await clock.advance(24_999)
  expect([a.log, state.get()?.holder, b.log]).toEqual([['leading', 'told to end'], 'a', []])
  await clock.advance(1)
  expect([a.log.at(-1), state.get()?.holder, a.elector.isTrusted()]).toEqual(['resolved', '', false])
  await clock.advance(2_400)
  expect([b.log, state.get()?.transitions]).toEqual([['leading'], 1])
})

test.each(['broken', 'silent'] as const)(
  'with the API server %s, the leader gives up before anybody could take over, and says so at once',
  async (how) => {
    const clock = fakeClock()
    const { state, port } = memoryLease()
    const a = candidate(clock, port, 'a', 60_000)
    await clock.advance(7_000)
    state[how] = true
    // Last renewed at 6 s: given up 10 s later, without waiting for the work.
    await clock.advance(8_999)
    expect([a.log, a.elector.isTrusted()]).toEqual([['leading'], true])
    await clock.advance(1)
    expect([a.log, a.elector.isTrusted()]).toEqual([['leading', 'told to end', 'TM_LEASE_LOST'], false])
    expect(state.get()?.holder).toBe('a')
  },
)

test('an outage shorter than the renew deadline is survived', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  const a = candidate(clock, port, 'a')
  for (let n = 0; n < 10; n++) {
    await clock.advance(5_000)
    state.broken = true
    await clock.advance(5_500)
    state.broken = false
  }
  expect([a.log, a.elector.isTrusted()]).toEqual([['leading'], true])
})

test('a leader that finds another holder gives up at once', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  const a = candidate(clock, port, 'a', 60_000)
  await clock.advance(1_000)
  state.set(foreign())
  await clock.advance(1_000)
  expect([a.log.at(-1), state.get()?.holder]).toEqual(['TM_LEASE_LOST', 'other'])
})

test('a lease that a user annotated or deleted is kept', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  let slow = 0
  const a = candidate(clock, port, 'a', 0, { hooks: { onSlowPath: () => slow++ } })
  await clock.advance(1_000)
  state.set(state.get())
  await clock.advance(3_000)
  state.set(undefined)
  await clock.advance(3_000)
  expect([a.log, state.get()?.holder, slow]).toEqual([['leading'], 'a', 2])
})

test('a renewal that was stored without an answer does not cost the lease', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  let swallow = false
  const update: LeasePort['update'] = async (record, signal) => {
    const result = await port.update(record, signal)
    if (!swallow) return result
    swallow = false
    throw taskmillError('TM_KUBE_UNAVAILABLE', 'connection reset')
  }
  const a = candidate(clock, { ...port, update }, 'a')
  await clock.advance(1_000)
  swallow = true
  await clock.advance(60_000)
  expect([a.log, state.get()?.holder, state.get()?.transitions]).toEqual([['leading'], 'a', 0])
})

test('a stop in the middle of a renewal releases all the same', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  const slow: LeasePort['update'] = async (record, signal) => {
    await sleep(clock, 1_000, signal)
    return port.update(record, signal)
  }
  const a = candidate(clock, { ...port, update: slow }, 'a')
  await clock.advance(2_500)
  a.stop.abort()
  await clock.advance(3_000)
  expect([a.log.at(-1), state.get()?.holder]).toEqual(['resolved', ''])
})

test('trust is counted from the beginning of the last renewal, and ends a second before the lease does', async () => {
  const clock = fakeClock()
  const { port } = memoryLease()
  const slow: LeasePort['update'] = async (record, signal) => {
    const stored = await port.update(record, signal)
    await sleep(clock, 1_500, signal)
    return stored
  }
  let frozenMs = 0
  const late: FakeClock = { ...clock, monotonicNow: () => clock.monotonicNow() + frozenMs }
  const a = candidate(late, { ...port, update: slow }, 'a', 60_000)
  // Begun at 2.0 s, answered at 3.5 s.
  await clock.advance(3_500)
  frozenMs = 12_499
  expect(a.elector.isTrusted()).toBe(true)
  frozenMs = 12_500
  expect(a.elector.isTrusted()).toBe(false)
  a.stop.abort()
  await clock.advance(60_000)
})

test('a lease whose answer is read too late, after a freeze, does not begin anything', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  let frozenMs = 0
  const late: FakeClock = { ...clock, monotonicNow: () => clock.monotonicNow() + frozenMs }
  const create: LeasePort['create'] = async (record, signal) => {
    const stored = await port.create(record, signal)
    frozenMs = 12_000
    state.set(foreign())
    return stored
  }
  const a = candidate(late, { ...port, create }, 'a')
  await clock.advance(10_000)
  expect([a.log, a.elector.isTrusted(), state.get()?.holder]).toEqual([[], false, 'other'])
})

test('a frozen process does not trust itself when it wakes up, and gives up', async () => {
  const clock = fakeClock()
  const { port } = memoryLease()
  // A process that stands still sees time jump before any of its timers.
  let frozenMs = 0
  const late: FakeClock = { ...clock, monotonicNow: () => clock.monotonicNow() + frozenMs }
  const a = candidate(late, port, 'a', 60_000)
  await clock.advance(1_000)
  frozenMs = 20_000
  expect(a.elector.isTrusted()).toBe(false)
  await clock.advance(1_000)
  expect(a.log.at(-1)).toBe('TM_LEASE_LOST')
})

test('a wall clock that is set changes nothing', async () => {
  const clock = fakeClock()
  const { port } = memoryLease()
  const a = candidate(clock, port, 'a')
  const b = candidate(clock, port, 'b')
  for (const jumpMs of [86_400_000, -200_000_000, 60_000]) {
    clock.jumpWall(jumpMs)
    await clock.advance(30_000)
    expect([a.log, b.log, a.elector.isTrusted()]).toEqual([['leading'], [], true])
  }
})

test('work that fails ends the leadership, and the lease is left to expire', async () => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  const elector = createElector({ lease: port, identity: 'a', clock, log: silentLogger, rng: () => 0 })
  await expect(elector.run(new AbortController().signal, async () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  await clock.advance(60_000)
  expect([state.get()?.holder, elector.isTrusted(), clock.pending()]).toEqual(['a', false, []])
})

test('a stop while waiting for the lease ends the wait', async () => {
  const clock = fakeClock()
  const { port } = memoryLease(foreign())
  const a = candidate(clock, port, 'a')
  await clock.advance(3_000)
  a.stop.abort()
  await a.run
  expect([a.log, clock.pending()]).toEqual([['resolved'], []])
})

test('times that cannot keep two leaders apart are refused', () => {
  expect(() => candidate(fakeClock(), memoryLease().port, 'a', 0, { renewDeadlineMs: 14_500 })).toThrow('renewDeadline')
})

test('every term has a higher epoch: of another process, of the same one, and above an epoch that a broker has seen', async () => {
  const clock = fakeClock(0)
  const { state, port } = memoryLease()
  const told: number[] = []
  const a = candidate(clock, port, 'a', 0, { hooks: { onEpoch: (epoch) => told.push(epoch) } })
  await clock.advance(60_000)
  expect([state.get()?.epoch, a.elector.epoch()]).toEqual([1, 1])
  a.stop.abort()
  await clock.advance(0)
  const b = candidate(clock, port, 'b')
  await clock.advance(60_000)
  expect(b.elector.epoch()).toBe(2)
  b.stop.abort()
  await clock.advance(0)
  const again = candidate(clock, port, 'b')
  await clock.advance(60_000)
  expect([again.elector.epoch(), state.get()?.epoch]).toEqual([3, 3])
  again.elector.outbid(40)
  await clock.advance(2_500)
  expect([again.elector.epoch(), state.get()?.epoch, told]).toEqual([41, 41, [1]])
  again.elector.outbid(7)
  await clock.advance(60_000)
  expect(again.elector.epoch()).toBe(41)
})

test.each([
  ['is as it was', (lease: LeaseRecord | undefined) => lease],
  ['was deleted', () => undefined],
])('after a loss the same elector leads another term with a higher epoch, when the lease %s', async (_, become) => {
  const clock = fakeClock()
  const { state, port } = memoryLease()
  const elector = createElector({ lease: port, identity: 'a', clock, log: silentLogger, rng: () => 0.5 })
  const epochs: number[] = []
  const lead = async (leading: AbortSignal) => {
    epochs.push(elector.epoch())
    await new Promise((resolve) => leading.addEventListener('abort', resolve))
  }
  const stop = new AbortController()
  const first = elector.run(stop.signal, lead).catch((error: { code: string }) => error.code)
  await clock.advance(5_000)
  state.broken = true
  await clock.advance(20_000)
  expect([await first, elector.isTrusted()]).toEqual(['TM_LEASE_LOST', false])
  const second = elector.run(stop.signal, lead)
  await clock.advance(5_000)
  expect([epochs.length, elector.isTrusted()]).toEqual([1, false])
  state.broken = false
  state.set(become(state.get()))
  await clock.advance(3_000)
  expect([epochs, state.get()?.epoch, elector.isTrusted()]).toEqual([[1, 2], 2, true])
  await clock.advance(60_000)
  expect(elector.epoch()).toBe(2)
  stop.abort()
  await clock.advance(0)
  await second
  expect([state.get()?.holder, clock.pending()]).toEqual(['', []])
})
