import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from './work-queue.ts'

test.each([
  [0, 5],
  [1, 10],
  [10, 5_120],
  [17, 655_360],
  [18, 1_000_000],
  [10_000, 1_000_000],
])('after %i failures a key waits %i ms', (failures, ms) => {
  expect(backoffMs(failures, {}, 0.7)).toBe(ms)
})

test('jitter only shortens, by its share at most', () => {
  fc.assert(
    fc.property(
      fc.nat(200),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, jitter, random) => {
        const full = backoffMs(failures, {}, 0)
        const ms = backoffMs(failures, { jitter }, random)
        expect(ms).toBeLessThanOrEqual(full)
        expect(ms).toBeGreaterThanOrEqual(full * (1 - jitter) - 1e-6)
      },
    ),
  )
})
