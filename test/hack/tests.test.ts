import { expect, it } from 'vitest'
import { measureIdleShare } from '../../hack/tests/idle-share.ts'
import { slowest, suiteOf, timesBySuite } from '../../hack/tests/report.ts'
import { allTestFiles, namedTestFiles, slowFiles, testFilesOf } from '../../hack/tests/selection.ts'

it('finds the tests of a change by what they import, start and read', () => {
  const byScript = testFilesOf(['src/broker/read-counts.lua'])
  // By import, and by the operator that it starts.
  expect(byScript).toContain('test/integration/run-log.test.ts')
  expect(byScript).toContain('test/fault/election.test.ts')
  expect(byScript).not.toContain('src/clock/clock.test.ts')
  expect(testFilesOf(['charts/taskmill/values.yaml'])).toContain('test/chart/render.test.ts')
  expect(testFilesOf(['test/support/plain-worker.mjs'])).toContain('test/fault/schedule-kill-points.test.ts')
  expect(testFilesOf(['src/clock/fake-clock.ts'])).toContain('src/clock/clock.test.ts')
})

it('takes every test when what all of them stand on has changed, and none for a page that none reads', () => {
  expect(testFilesOf(['package-lock.json'])).toEqual(allTestFiles())
  expect(testFilesOf(['LICENSE'])).toEqual([])
})

it('knows the slow ones by their names', () => {
  expect(allTestFiles()).toEqual(expect.arrayContaining([...slowFiles]))
})

it('finds tests by parts of their paths and by patterns, and refuses what finds none', () => {
  expect(namedTestFiles(['test/hack/tests', 'src/clock'])).toEqual(['src/clock/clock.test.ts', 'test/hack/tests.test.ts'])
  expect(namedTestFiles(['test/hack/te*.test.ts'])).toEqual(['test/hack/tests.test.ts'])
  expect(() => namedTestFiles(['no-such-test'])).toThrow('no test file matches "no-such-test"')
})

it('tells the slowest tests, the time of each suite, and the share of idle time', () => {
  const outcome = {
    ...{ passed: 2, failed: 0, failures: [] },
    tests: [
      { file: 'test/fault/a.test.ts', name: 'quick', ms: 20 },
      { file: 'test/fault/a.test.ts', name: 'slow', ms: 61_500 },
    ],
    files: [
      { file: 'test/fault/a.test.ts', startMs: 1_000, endMs: 63_000 },
      { file: 'test/fault/b.test.ts', startMs: 2_000, endMs: 4_000 },
    ],
  }
  expect(slowest([outcome], 1)).toEqual(['   61.5 s  test/fault/a.test.ts: slow'])
  expect(timesBySuite([outcome])).toEqual(['   62.0 s  fault (2 files, 64.0 s one by one)'])
  expect(['src/a.test.ts', 'test/e2e/b.test.ts'].map(suiteOf)).toEqual(['unit', 'e2e'])

  const readings = ['cpu  10 0 10 100 20 0 0 0 0 0\n', 'cpu  50 0 10 130 30 0 0 0 0 0\n']
  const share = measureIdleShare(() => readings.shift() ?? '')
  expect(share()).toBe(0.5)
})
