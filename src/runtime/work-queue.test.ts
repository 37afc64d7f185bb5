import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { createWorkQueue, type WorkItem } from './index.ts'

const never = new AbortController().signal

const setup = () => {
  const clock = fakeClock()
  const queue = createWorkQueue({ clock })
  const taken: WorkItem[] = []
  /** Takes for as long as keys come, without ever calling them done. */
  const takeAll = async () => {
    for (let item = await queue.next(never); item; item = await queue.next(never)) taken.push(item)
  }
  return { clock, queue, taken, takeAll, keys: () => taken.map((item) => item.key) }
}

test('a key that waits is there once; the earliest time and the highest priority hold', async () => {
  const { clock, queue, keys, takeAll } = setup()
  queue.add('late', { afterMs: 1_000 })
  queue.add('late', { afterMs: 5_000, priority: 7 })
  queue.add('soon', { afterMs: 5_000 })
  queue.add('soon', { afterMs: 10 })
  queue.add('other', { afterMs: 1_000, priority: 3 })
  void takeAll()
  await clock.advance(10)
  expect(keys()).toEqual(['soon'])
  await clock.advance(990)
  expect(keys()).toEqual(['soon', 'late', 'other'])
  await clock.advance(100_000)
  expect(keys()).toEqual(['soon', 'late', 'other'])
  expect(clock.pending()).toEqual([])
})

test('among due keys the highest priority goes first, then the one that was due first', async () => {
  const { clock, queue, keys, takeAll } = setup()
  for (const key of ['a', 'b']) queue.add(key, { priority: -100 })
  await clock.advance(5)
  for (const key of ['c', 'd']) queue.add(key)
  queue.add('b', { priority: 1 })
  queue.add('e', { afterMs: 1_000, priority: 2 })
  queue.add('e')
  void takeAll()
  await clock.advance(0)
  expect(keys()).toEqual(['e', 'b', 'c', 'd', 'a'])
})

test('a key added while it is worked on comes again, after it is done and not before', async () => {
  const { clock, queue, taken, keys, takeAll } = setup()
  void takeAll()
  queue.add('a')
  await clock.advance(0)
  queue.add('a', { afterMs: 100 })
  queue.add('a')
  queue.add('a', { afterMs: 50 })
  await clock.advance(1_000)
  expect(keys()).toEqual(['a'])
  taken[0]?.done()
  taken[0]?.done()
  await clock.advance(0)
  expect(keys()).toEqual(['a', 'a'])
  taken[1]?.done()
  await clock.advance(1_000)
  expect(keys()).toEqual(['a', 'a'])
})

test('retries wait 5, 10, 20 ms …; forget starts over', async () => {
  const { clock, queue, taken, takeAll } = setup()
  void takeAll()
  const waits: number[] = []
  for (let failures = 0; failures < 4; failures++) {
    if (failures === 3) queue.forget('a')
    queue.retry('a')
    taken.at(-1)?.done()
    await clock.advance(0)
    waits.push(...clock.pending())
    await clock.advance(1_000)
  }
  expect(waits).toEqual([5, 10, 20, 5])
  expect(taken).toHaveLength(4)
})

test('the signal ends a wait for a key, and no timer stays', async () => {
  const { clock, queue } = setup()
  const stop = new AbortController()
  queue.add('a', { afterMs: 1_000 })
  const waiting = queue.next(stop.signal)
  expect(clock.pending()).toEqual([1_000])
  stop.abort()
  expect(await waiting).toBeUndefined()
  expect(await queue.next(stop.signal)).toBeUndefined()
  await clock.advance(1_000)
  expect(clock.pending()).toEqual([])
  expect((await queue.next(never))?.key).toBe('a')
})

test('far away is later, not at once', async () => {
  const { clock, queue, keys, takeAll } = setup()
  void takeAll()
  queue.add('a', { afterMs: 60 * 86_400_000 })
  await clock.advance(59 * 86_400_000)
  expect(keys()).toEqual([])
  await clock.advance(86_400_000)
  expect(keys()).toEqual(['a'])
  expect(() => queue.add('b', { afterMs: Number.NaN })).toThrow(RangeError)
})

test('the numbers of its hooks add up', async () => {
  const clock = fakeClock()
  const told: Record<string, number> = { adds: 0, depth: 0, waited: 0, worked: 0, retries: 0 }
  const queue = createWorkQueue({
    clock,
    hooks: {
      onAdd: () => (told['adds'] = (told['adds'] ?? 0) + 1),
      onDepth: (depth) => (told['depth'] = depth),
      onTaken: (seconds) => (told['waited'] = seconds),
      onDone: (seconds) => (told['worked'] = seconds),
      onRetry: () => (told['retries'] = (told['retries'] ?? 0) + 1),
    },
  })
  queue.add('a')
  queue.add('b')
  expect(told).toMatchObject({ adds: 2, depth: 2 })
  await clock.advance(3_000)
  const item = await queue.next(never)
  expect(told).toMatchObject({ depth: 1, waited: 3 })
  await clock.advance(2_000)
  queue.retry('a')
  item?.done()
  expect(told).toMatchObject({ adds: 3, depth: 1, worked: 2, retries: 1 })
})

test('tells for how long the taken keys have been taken', async () => {
  const clock = fakeClock()
  const queue = createWorkQueue({ clock })
  queue.add('a')
  const item = await queue.next(new AbortController().signal)
  await clock.advance(1_500)
  expect(queue.workingSeconds()).toEqual([1.5])
  item?.done()
  expect(queue.workingSeconds()).toEqual([])
})
