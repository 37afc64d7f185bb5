import { expect, test } from 'vitest'
import { deadline, fakeClock, maxDelayMs, sleep, systemClock } from './index.ts'

test('timers fire in the order of their time, also those set on the way', async () => {
  const clock = fakeClock(1_000)
  const seen: string[] = []
  clock.setTimeout(() => seen.push(`c@${clock.now()}`), 30)
  clock.setTimeout(() => {
    seen.push(`a@${clock.now()}`)
    clock.setTimeout(() => seen.push(`b@${clock.now()}`), 10)
  }, 10)
  clock.clearTimeout(clock.setTimeout(() => seen.push('never'), 5))
  await clock.advance(29)
  expect(seen).toEqual(['a@1010', 'b@1020'])
  expect(clock.pending()).toEqual([1])
  await clock.advance(1)
  expect(seen).toEqual(['a@1010', 'b@1020', 'c@1030'])
})

test('a wall clock that is set moves neither timers nor the monotonic time', async () => {
  const clock = fakeClock(0)
  const wait = sleep(clock, 100)
  clock.jumpWall(-50_000)
  expect([clock.now(), clock.monotonicNow(), clock.pending()]).toEqual([-50_000, 0, [100]])
  await clock.advance(100)
  await wait
})

test('timerSet resolves when something begins to wait', async () => {
  const clock = fakeClock()
  const set = clock.timerSet(500, 600)
  void sleep(clock, 10)
  void sleep(clock, 550)
  await set
})

test('an aborted sleep rejects with the reason and leaves no timer', async () => {
  const clock = fakeClock()
  const stop = new AbortController()
  const wait = sleep(clock, 1_000, stop.signal)
  stop.abort('enough')
  await expect(wait).rejects.toBe('enough')
  await expect(sleep(clock, 1_000, stop.signal)).rejects.toBe('enough')
  expect(clock.pending()).toEqual([])
})

test('a delay of a month does not fire at once on the real clock', async () => {
  let fired = false
  const handle = systemClock.setTimeout(() => (fired = true), 40 * 86_400_000)
  await sleep(systemClock, 10)
  systemClock.clearTimeout(handle)
  expect(fired).toBe(false)
  const clock = fakeClock()
  clock.setTimeout(() => {}, Infinity)
  expect(clock.pending()).toEqual([maxDelayMs])
  expect(() => clock.setTimeout(() => {}, Number.NaN)).toThrow(RangeError)
})

test('a deadline ends by time, by its parent, or not at all once disposed', async () => {
  const clock = fakeClock()
  const parent = new AbortController()
  const late = deadline(clock, 100, { signal: parent.signal, reason: () => 'late' })
  late.rearm(300)
  await clock.advance(299)
  expect(late.signal.aborted).toBe(false)
  await clock.advance(1)
  expect(late.signal.reason).toBe('late')

  const cut = deadline(clock, 100, { signal: parent.signal, reason: () => 'late' })
  const done = deadline(clock, 100, { signal: parent.signal, reason: () => 'late' })
  done[Symbol.dispose]()
  parent.abort('parent')
  expect([cut.signal.reason, done.signal.aborted, clock.pending()]).toEqual(['parent', false, []])
  expect(deadline(clock, 100, { signal: parent.signal, reason: () => 'late' }).signal.reason).toBe('parent')
  expect(clock.pending()).toEqual([])
})
