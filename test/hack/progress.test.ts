import { describe, expect, test } from 'vitest'
import { createProgress, expectedFraction, formatElapsed, renderBar, renderStep } from '../../hack/cluster/progress.ts'

describe('expectedFraction', () => {
  test.each([
    [0, 0],
    [5_000, 0.45],
    [10_000, 0.9],
  ])('after %i ms of 10 s it is %f', (elapsedMs, fraction) => {
    expect(expectedFraction(elapsedMs, 10_000)).toBeCloseTo(fraction)
  })

  test('a step that takes longer than expected keeps moving and never claims to be done', () => {
    const fractions = [10_000, 20_000, 60_000].map((elapsedMs) => expectedFraction(elapsedMs, 10_000))
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(new Set(fractions).size).toBe(fractions.length)
    expect(expectedFraction(10_000_000, 10_000)).toBeLessThan(1)
  })
})

test.each([
  [1_234, '1.2 s'],
  [42_900, '42 s'],
  [125_000, '2 min 05 s'],
])('%i ms reads %s', (ms, text) => {
  expect(formatElapsed(ms)).toBe(text)
})

test('a bar has its width whatever the fraction', () => {
  expect(renderBar(0.5, 8)).toBe('[████····]')
  expect(renderBar(-1, 4)).toBe('[····]')
  expect(renderBar(7, 4)).toBe('[████]')
})

test('a line is never wider than the terminal, since it is redrawn in place', () => {
  const step = { label: 'building', note: 'x'.repeat(300), elapsedMs: 1000, fraction: 0.5 }
  for (const columns of [10, 40, 200]) expect(renderStep(step, columns).length).toBeLessThanOrEqual(columns)
})

test('without a terminal a step is two plain lines', async () => {
  const said: string[] = []
  let nowMs = 0
  const progress = createProgress({ write: (text) => said.push(text) }, () => nowMs)
  const result = await progress.step('building', { expectedSeconds: 90 }, async () => {
    nowMs = 61_000
    return 42
  })
  expect(result).toBe(42)
  expect(said).toEqual(['  > building (takes about 1 min 30 s)\n', '  ✓ building (1 min 01 s)\n'])
})

test('a step that fails says so and passes the error on', async () => {
  const said: string[] = []
  const progress = createProgress({ write: (text) => said.push(text) }, () => 0)
  await expect(progress.step('loading', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(said.at(-1)).toBe('  ✗ loading (0.0 s)\n')
})
