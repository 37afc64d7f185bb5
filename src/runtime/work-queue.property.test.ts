import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { createWorkQueue, type WorkItem } from './index.ts'

const key = fc.constantFrom('a', 'b', 'c', 'd')
const anyStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ add: key, afterMs: fc.constantFrom(0, 0, 1, 7, 50, 3_000), priority: fc.integer({ min: -1, max: 1 }) }),
  },
  { weight: 1, arbitrary: fc.record({ retry: key }) },
  { weight: 2, arbitrary: fc.record({ finish: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ advanceMs: fc.constantFrom(0, 1, 10, 100) }) },
  { weight: 1, arbitrary: fc.record({ cancelTaker: fc.nat(2) }) },
)

/**
 * Random interleavings of adding, retrying, taking, finishing, cancelling and time. Each wish is remembered with its time; it is
 * granted by the first taking of its key after the wish was made.
 */
test('no key is worked on twice at a time, none before its time, and no wish is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
      const clock = fakeClock(0)
      const queue = createWorkQueue({ clock })
      const running: WorkItem[] = []
      const wishes = new Map<string, number>()
      const stops: AbortController[] = []
      let ending = false

      const worker = async (index: number): Promise<void> => {
        for (;;) {
          if (ending) return
          const stop = new AbortController()
          stops[index] = stop
          const item = await queue.next(stop.signal)
          if (!item) continue
          expect(running.map((other) => other.key)).not.toContain(item.key)
          // There was a reason to hand it out, and its time had come.
          expect(wishes.get(item.key)).toBeLessThanOrEqual(clock.monotonicNow())
          wishes.delete(item.key)
          running.push(item)
          await new Promise<void>((resolve) => finishers.set(item, resolve))
          running.splice(running.indexOf(item), 1)
          item.done()
        }
      }
      const finishers = new Map<WorkItem, () => void>()
      const finish = (item: WorkItem | undefined) => item && finishers.get(item)?.()
      const wish = (name: string, afterMs: number) =>
        wishes.set(name, Math.min(wishes.get(name) ?? Infinity, clock.monotonicNow() + afterMs))

      const done = Promise.all(Array.from({ length: workers }, (_, index) => worker(index)))
      for (const step of steps) {
        if ('add' in step) {
          wish(step.add, step.afterMs)
          queue.add(step.add, step)
        } else if ('retry' in step) {
          // 5 ms at the first failure, later only longer.
          wish(step.retry, 5)
          queue.retry(step.retry)
        } else if ('finish' in step) finish(running[step.finish])
        else if ('advanceMs' in step) await clock.advance(step.advanceMs)
        else stops[step.cancelTaker]?.abort()
        await clock.advance(0)
      }
      // All work ends at once from here on: every wish is granted once its time has come.
      for (let round = 0; round < 20; round++) {
        for (const item of running) finish(item)
        await clock.advance(1_000)
      }
      expect([...wishes.keys()]).toEqual([])
      expect(running).toEqual([])
      expect(clock.pending()).toEqual([])
      ending = true
      for (const stop of stops) stop.abort()
      await done
    }),
    { numRuns: 150 },
  )
})
