import { describe, expect, it } from 'vitest'
import { deadlineOf, findOverdueRuns } from './ending-runs.ts'
import type { Knowledge, RunObservation, SchedulePlan } from './ledger.ts'
import { parseTiming } from './timing.ts'
import { emptyLedger } from './transitions.ts'

const timing = { everySeconds: 3600 }
const parsed = parseTiming(timing)
if (!parsed.ok) throw new Error(parsed.message)
const empty = emptyLedger(timing, false, 0)
const plan: SchedulePlan = {
  timing,
  slots: parsed.slots,
  seed: 'acme/nightly',
  suspended: false,
  concurrencyPolicy: 'Forbid',
  missedRuns: 'Latest',
  missedRunsLimit: 10,
  generation: 'a',
  epoch: 1,
  createdAtMs: 0,
}

describe('deadlines', () => {
  const run = { slot: 100, generation: 'a', dispatchedAtMs: 100_000 }
  const byDefault = { pendingDeadlineSeconds: 60, isPendingDefault: true }
  const both = { pendingDeadlineSeconds: 60, runDeadlineSeconds: 600 }

  function at(seconds: number, change: Partial<SchedulePlan>, looked?: RunObservation, removed?: 'Removed' | 'Started' | 'Absent') {
    const knowledge: Knowledge = {
      placed: new Set(),
      refused: new Set(),
      cancelled: new Map(),
      ended: [],
      looked: new Map(looked === undefined ? [] : [[100, looked]]),
      removed: new Map(removed === undefined ? [] : [[100, removed]]),
    }
    const { look, remove, cancel, outcomes } = findOverdueRuns(
      { ...empty, active: [run] },
      { ...plan, ...change },
      knowledge,
      seconds * 1000,
    )
    if (look.length > 0) return 'look'
    if (remove.length > 0) return 'remove'
    return cancel.length > 0 ? 'cancel' : outcomes[0]?.reason
  }

  it.each([
    ['without any there is nothing to do', 10_000, {}, undefined, undefined, undefined],
    ['before the first one could have passed: nothing', 159, both, undefined, undefined, undefined],
    ['then one looks', 160, both, undefined, undefined, 'look'],
    ['not started: the job is taken out', 160, both, { state: 'Waiting' }, undefined, 'remove'],
    ['… and the run has failed', 160, both, { state: 'Waiting' }, 'Removed', 'PendingDeadlineExceeded'],
    ['… unless it started just now', 160, both, { state: 'Waiting' }, 'Started', undefined],
    ['started in time: nothing', 160, both, { state: 'Active', startedAtMs: 120_000 }, undefined, undefined],
    ['not ended: failed', 720, both, { state: 'Active', startedAtMs: 120_000 }, undefined, 'RunDeadlineExceeded'],
    ['not ended, between two attempts: failed', 720, both, { state: 'Waiting', startedAtMs: 120_000 }, undefined, 'RunDeadlineExceeded'],
    ['its end is on the way: nothing', 720, both, { state: 'Ended' }, undefined, undefined],
    ['gone without an end: failed', 720, both, { state: 'Absent' }, undefined, 'JobRemoved'],
    [
      'not ended, and to be cancelled',
      720,
      { ...both, onDeadline: 'Cancel' },
      { state: 'Active', startedAtMs: 120_000 },
      undefined,
      'cancel',
    ],
    ['not started, whatever onDeadline says: removed', 160, { ...both, onDeadline: 'Cancel' }, { state: 'Waiting' }, undefined, 'remove'],
    ['by default, a stuck run is removed', 160, byDefault, { state: 'Waiting', isStuck: true }, undefined, 'remove'],
    ['… but not one that has begun', 160, byDefault, { state: 'Waiting', isStuck: false }, undefined, undefined],
    ['waiting does not count as running', 720, { runDeadlineSeconds: 600 }, { state: 'Waiting' }, undefined, undefined],
  ] as const)('%s', (_, seconds, change, looked, removed, expected) => {
    expect(at(seconds, change, looked, removed)).toBe(expected)
  })
})

it('says what kept a run from starting', () => {
  const run = { slot: 0, generation: 'a/.job', dispatchedAtMs: 0 }
  const seen: RunObservation = { state: 'Waiting', trouble: 'job/x: its pod cannot pull the image' }
  const knowledge: Knowledge = {
    placed: new Set(),
    refused: new Set(),
    cancelled: new Map(),
    ended: [],
    looked: new Map([[0, seen]]),
    removed: new Map([[0, 'Removed']]),
  }
  const { outcomes } = findOverdueRuns({ ...empty, active: [run] }, { ...plan, pendingDeadlineSeconds: 60 }, knowledge, 60_000)
  expect(outcomes[0]?.message).toBe('not started within 60 s: job/x: its pod cannot pull the image')
})

it('looks again after a minute at a run that the default deadline spares', () => {
  const run = { slot: 0, generation: 'a/.job', dispatchedAtMs: 0 }
  const byDefault = { ...plan, pendingDeadlineSeconds: 60, isPendingDefault: true }
  expect(deadlineOf(run, byDefault, undefined, 0)).toBe(60_000)
  expect(deadlineOf(run, byDefault, { state: 'Waiting', isStuck: false }, 600_000)).toBe(660_000)
})
