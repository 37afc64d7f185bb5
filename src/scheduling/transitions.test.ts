import { expect, it } from 'vitest'
import {
  findChanges,
  emptyLedger,
  withCursor,
  withDispatched,
  withIntents,
  withMissed,
  withOutcome,
  withoutSlots,
  withStates,
} from './transitions.ts'
import type { Slot } from '../contract/index.ts'
import type { Ledger, OpenSlot, RunOutcome } from './ledger.ts'

const empty = emptyLedger({ everySeconds: 60 }, false, 0)
const by = { generation: 'a', epoch: 1, nowMs: 0, dueAt: (slot: Slot) => slot }
const run: RunOutcome = { slot: 60, succeeded: true, reason: 'Succeeded', finishedAtMs: 61_000 }
const inState = (ledger: Ledger, state: OpenSlot['state']): Ledger => withStates(ledger, (open) => ({ ...open, state }))

const intended = withIntents(empty, [60], by)
const placed = inState(intended, 'Placed')
const final = withCursor(withDispatched(placed, [60], 1, 60_000), 60)

it.each([
  ['an intent', empty, intended, []],
  ['a job that is placed', intended, placed, []],
  ['a job that is placed ahead by the write that decides its slot', empty, placed, []],
  [
    'a slot that is dispatched by the write that decides it',
    empty,
    withCursor(withDispatched(intended, [60], 1, 60_250), 60),
    [{ kind: 'Dispatched', slot: 60, dueAt: 60, atMs: 60_250 }],
  ],
  ['a slot whose time has come', placed, final, [{ kind: 'Dispatched', slot: 60, dueAt: 60, atMs: 60_000 }]],
  ['an end', final, withOutcome(final, run), [{ kind: 'RunEnded', run, dueAt: 60, failuresBefore: 0 }]],
  [
    'an end that makes the slot final',
    intended,
    withOutcome(withCursor(withDispatched(intended, [60], 1, 61_000), 60), run),
    [
      { kind: 'Dispatched', slot: 60, dueAt: 60, atMs: 61_000 },
      { kind: 'RunEnded', run, dueAt: 60, failuresBefore: 0 },
    ],
  ],
  ['a slot that is taken back', inState(placed, 'Revoking'), withoutSlots(placed, [60]), []],
  ['missed slots', empty, withMissed(empty, 'Overlap', [60, 120]), [{ kind: 'Missed', reason: 'Overlap', count: 2, lastSlot: 120 }]],
  ['a ledger that was put back', empty, { ...empty, regressedAtMs: 5 }, [{ kind: 'Regressed' }]],
] as const)('%s', (_, before, after, expected) => {
  expect(findChanges(before, after)).toEqual(expected)
})

it('several ends of one write, each with the failures before it', () => {
  const endOf = (slot: number, reason: RunOutcome['reason']): RunOutcome => ({ ...run, slot, succeeded: reason === 'Succeeded', reason })
  const ends = [endOf(60, 'TimedOut'), endOf(120, 'Replaced'), endOf(180, 'TimedOut'), endOf(240, 'Succeeded'), endOf(300, 'TimedOut')]
  const before = { ...final, consecutiveFailures: 3 }
  const failuresBefore = [3, 4, 4, 5, 0]
  expect(findChanges(before, ends.reduce(withOutcome, before), ends)).toEqual(
    ends.map((end, index) => ({ kind: 'RunEnded', run: end, dueAt: end.slot, failuresBefore: failuresBefore[index] })),
  )
})
