import { expect, it } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import type { Logger } from '../observability/index.ts'
import { createMetrics } from '../observability/index.ts'
import { createMemoryReader, createMemoryWatch, type MemoryUse } from './memory.ts'

const mib = 2 ** 20

function setup() {
  const clock = fakeClock(0)
  const metrics = createMetrics({ now: clock.now })
  const warnings: unknown[] = []
  const log = { warn: (fields: unknown, message: string) => warnings.push([fields, message]) } as unknown as Logger
  let uses: readonly MemoryUse[] = []
  const watch = createMemoryWatch({ read: () => uses, metrics, clock, log })
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
    async pass(containerMib: number, seconds = 5) {
      uses = [
        { limit: 'container', usedBytes: containerMib * mib, limitBytes: 512 * mib },
        { limit: 'heap', usedBytes: 100 * mib, limitBytes: 358 * mib },
      ]
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

it('repeats itself every minute while memory is short, and begins anew after it was below 70 %', async () => {
  const { pass, calls } = setup()
  await pass(420, 55)
  expect(calls()).toBe(1)
  await pass(420, 50)
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
  await pass(500, 60)
  expect([calls(), clock.pending()]).toEqual([0, []])
})

it('reads the limits of this process', () => {
  const heap = createMemoryReader()().find(({ limit }) => limit === 'heap')
  expect(heap?.limitBytes).toBeGreaterThan(100 * mib)
  expect(heap?.usedBytes).toBeLessThan(heap?.limitBytes ?? 0)
})
