import { stripVTControlCharacters } from 'node:util'
import { expect, it } from 'vitest'
import { emptyState } from '../../hack/demo/state.ts'
import { problems, renderSummary } from '../../hack/demo/summary.ts'
import { renderFrame, renderLine, sparkline } from '../../hack/demo/view.ts'

const state = {
  ...emptyState(0),
  replicas: [
    { atMs: 0, replicas: 0 },
    { atMs: 10_000, replicas: 6 },
    { atMs: 40_000, replicas: 0 },
  ],
  tally: { added: 2050, done: 2050, missing: 0, twice: 0 },
  firstAddedAtMs: 9_950,
  firstScaleAtMs: 10_020,
  firstReadyAtMs: 12_150,
}

it('draws the replicas over time, each value until the next', () => {
  expect(sparkline(state.replicas, 0, 50_000, 10)).toBe('  ██████  ')
  expect(sparkline([], 0, 1000, 4)).toBe('    ')
})

it('draws frames of equal height, within the width', () => {
  const empty = renderFrame(emptyState(0), 0, 100)
  const full = renderFrame({ ...state, pods: [{ name: 'a', phase: 'Running', ready: true }] }, 60_000, 100)
  expect(full).toHaveLength(empty.length)
  expect(Math.max(...full.map((line) => stripVTControlCharacters(line).length))).toBeLessThanOrEqual(100)
  expect(renderLine(state, 60_000)).toContain('01:00  replicas 0')
})

it('sums up what the handlers counted, and says what is wrong', () => {
  const text = renderSummary(state, '/tmp/kubeconfig').join('\n')
  expect(text).toMatch(/lost +0\n.*run twice +0\n.*0 -> 6 \(0 s\) -> 0 \(30 s\)\n.*replicas written +70 ms\n.*pod ready +2\.2 s/u)
  expect(problems(state)).toEqual([])
  expect(problems({ ...state, replicas: [{ atMs: 0, replicas: 3 }], tally: { added: 3, done: 1, missing: 2, twice: 1 } })).toEqual([
    'not done: 2 of 3 jobs',
    'run more than once: 1 of 3 jobs',
    'the pool did not go back to zero',
  ])
})
