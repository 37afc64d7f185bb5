import { expect, it } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import type { Logger } from '../observability/index.ts'
import { createMetrics } from '../observability/index.ts'
import { createMemoryWatch, type MemoryUse, processMemory } from './memory.ts'

const mib = 2 ** 20

function setup() {
  const clock = fakeClock(0)
  const metrics = createMetrics({ now: clock.now })
  const warnings: [unknown, string][] = []
  const log = { warn: (fields: unknown, message: string) => warnings.push([fields, message]) } as unknown as Logger
  let [usedMib, garbageMib, heapMib, collections] = [0, 0, 100, 0]
  const read = (): readonly MemoryUse[] => [
    { limit: 'container', usedBytes: (usedMib + garbageMib) * mib, limitBytes: 512 * mib },
    { limit: 'heap', usedBytes: heapMib * mib, limitBytes: 358 * mib },
  ]
  let foundMib: number | undefined
  const collect = () => {
    collections += 1
    garbageMib = 0
    heapMib = foundMib ?? heapMib
  }
  const watch = createMemoryWatch({ memory: { read, collect }, metrics, clock, log })
  const stop = new AbortController()
  let calls = 0
  watch.onShort(() => (calls += 1))
  watch.start(stop.signal)
  return {
    clock,
    warnings,
    stop,
    watch,
    calls: () => calls,
    collections: () => collections,
    /** What the next collections find in the heap. */
    findInHeap: (usedByHeapMib: number) => void (foundMib = usedByHeapMib),
    async pass(containerMib: number, { seconds = 5, garbage = 0, heap = 100 } = {}) {
      ;[usedMib, garbageMib, heapMib] = [containerMib - garbage, garbage, heap]
      await clock.advance(seconds * 1_000)
    },
    ratios: async () => (await metrics.render()).split('\n').filter((line) => line.startsWith('taskmill_memory_used_ratio')),
  }
}

it('at 80 % of a limit it warns with what to do, and asks for memory', async () => {
  const { pass, calls, warnings, ratios } = setup()
  await pass(400)
  expect([calls(), warnings]).toEqual([0, []])
  await pass(420)
  expect(calls()).toBe(1)
  const fields = { container: '420 of 512 MiB', next: 'raise operator.resources.limits.memory of the chart' }
  expect(warnings).toEqual([[fields, 'memory is running short, dropping what can be read again']])
  expect(await ratios()).toEqual([
    `taskmill_memory_used_ratio{limit="container"} ${420 / 512}`,
    `taskmill_memory_used_ratio{limit="heap"} ${100 / 358}`,
  ])
})

it('garbage that nobody has collected is no shortage: it is collected', async () => {
  const { pass, calls, collections, warnings, ratios } = setup()
  await pass(380, { garbage: 300 })
  expect(collections()).toBe(0)
  await pass(480, { garbage: 100 })
  expect([collections(), calls(), warnings]).toEqual([1, 0, []])
  expect(await ratios()).toContain(`taskmill_memory_used_ratio{limit="container"} ${380 / 512}`)
  // It takes time, so once a minute is enough while not much is left.
  await pass(480, { garbage: 100, seconds: 50 })
  expect(collections()).toBe(1)
  await pass(480, { garbage: 100, seconds: 10 })
  expect([collections(), calls()]).toEqual([2, 0])
  await pass(480, { garbage: 50, seconds: 60 })
  expect([collections(), calls()]).toEqual([3, 1])
})

it('a heap that is full of what is needed is not collected once more', async () => {
  const { pass, calls, collections, warnings } = setup()
  await pass(380, { heap: 300 })
  expect([collections(), calls()]).toEqual([0, 1])
  expect(warnings).toMatchObject([[{ heap: '300 of 358 MiB' }, 'memory is running short, dropping what can be read again']])
})

it('a heap that gets short within a minute of a collection gives way at once, and then every minute', async () => {
  const { pass, calls, collections, warnings } = setup()
  await pass(480, { garbage: 100 })
  expect([collections(), calls()]).toEqual([1, 0])
  await pass(380, { heap: 300 })
  expect([collections(), calls()]).toEqual([1, 1])
  expect(warnings).toMatchObject([[{ heap: '300 of 358 MiB' }, 'memory is running short, dropping what can be read again']])
  await pass(380, { heap: 300, seconds: 50 })
  expect(calls()).toBe(1)
  await pass(380, { heap: 300, seconds: 10 })
  expect(calls()).toBe(2)
})

it('a container that gets short within a minute after the heap gave way is collected at once', async () => {
  const { pass, calls, collections, warnings } = setup()
  await pass(380, { heap: 300 })
  expect([collections(), calls()]).toEqual([0, 1])
  await pass(480, { garbage: 100, heap: 300 })
  expect([collections(), calls()]).toEqual([1, 1])
  await pass(380)
  await pass(300)
  await pass(430)
  expect([collections(), calls()]).toEqual([2, 2])
  expect(warnings.map(([fields]) => fields)).toMatchObject([{ heap: '300 of 358 MiB' }, { container: '430 of 512 MiB' }])
})

it('a heap that a collection finds short is named with the container', async () => {
  const { pass, calls, warnings, findInHeap } = setup()
  findInHeap(300)
  await pass(430)
  expect(calls()).toBe(1)
  expect(warnings.map(([fields]) => fields)).toMatchObject([{ container: '430 of 512 MiB', heap: '300 of 358 MiB' }])
})

it('repeats itself every minute while memory is short, and begins anew after it was below 70 %', async () => {
  const { pass, calls } = setup()
  await pass(420, { seconds: 55 })
  expect(calls()).toBe(1)
  await pass(420, { seconds: 50 })
  expect(calls()).toBe(2)
  await pass(380)
  await pass(420)
  expect(calls()).toBe(2)
  await pass(300)
  await pass(420)
  expect(calls()).toBe(3)
})

it('stops with the signal', async () => {
  const { clock, pass, stop, calls } = setup()
  stop.abort()
  await pass(500, { seconds: 60 })
  expect([calls(), clock.pending()]).toEqual([0, []])
})

it('reads the limits of this process, and what a collection leaves in its heap', () => {
  const memory = processMemory()
  const used = (): number => memory.read().find(({ limit }) => limit === 'heap')?.usedBytes ?? 0
  const kept = Array.from({ length: 100_000 }, (_, index) => ({ index }))
  memory.collect()
  const withThem = used()
  kept.length = 0
  memory.collect()
  expect(memory.read().find(({ limit }) => limit === 'heap')?.limitBytes).toBeGreaterThan(100 * mib)
  expect(withThem - used()).toBeGreaterThan(2 * mib)
})
