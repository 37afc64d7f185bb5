import { describe, expect, it } from 'vitest'
import { groupChangeOf, slotForGroup } from './group.ts'
import { nothingKnown, planOf, slot } from './fixtures.ts'
import type { Knowledge, Ledger, SchedulePlan } from './ledger.ts'
import { nextStep } from './next-step.ts'
import { emptyLedger } from './transitions.ts'
import { versionedFor } from './stored-ledger.ts'

const group = { name: 'warehouse', limit: 2 }
const grouped = (change: Partial<SchedulePlan> = {}): SchedulePlan => planOf({ concurrencyPolicy: 'Queue', group, ...change })
const full: Knowledge = { ...nothingKnown, isGroupFull: true }
const run = (index: number) => ({ slot: slot(index), generation: 'a', dispatchedAtMs: slot(index) * 1000 })

/** Before its second slot. */
function ledgerOf(plan: SchedulePlan, change: Partial<Ledger> = {}): Ledger {
  return { ...versionedFor(emptyLedger(plan.timing, false, slot(1)), plan), ...change }
}

describe('a slot of a schedule in a concurrency group', () => {
  it('starts when there is room', () => {
    const plan = grouped()
    expect(nextStep(ledgerOf(plan), plan, nothingKnown, slot(2) * 1000)).toMatchObject({
      kind: 'Write',
      what: 'dispatch',
      places: [slot(2)],
    })
  })

  it('waits when there is none, and is asked for again after 5 s', () => {
    const plan = grouped()
    const waits = nextStep(ledgerOf(plan), plan, full, slot(2) * 1000)
    expect(waits).toMatchObject({ kind: 'Write', what: 'final', ledger: { open: [{ slot: slot(2), state: 'Waiting' }], active: [] } })
    if (waits.kind !== 'Write') throw new Error('no write')
    expect(nextStep(waits.ledger, plan, full, slot(2) * 1000 + 10)).toEqual({ kind: 'Wait', untilMs: slot(2) * 1000 + 5_010 })
    expect(nextStep(waits.ledger, plan, nothingKnown, slot(2) * 1000 + 10)).toMatchObject({ kind: 'Write', places: [slot(2)] })
  })

  it('is missed behind queueLimit others, and after its starting deadline', () => {
    const plan = grouped({ queueLimit: 1, startingDeadlineSeconds: 90, missedRuns: 'All' })
    const open = [{ slot: slot(1), state: 'Waiting', generation: 'a', epoch: 1 }] as const
    expect(nextStep(ledgerOf(plan, { open }), plan, full, slot(2) * 1000)).toMatchObject({
      ledger: { open, missed: { QueueFull: { count: 1, lastSlot: slot(2) } } },
    })
    expect(nextStep(ledgerOf(plan, { open, cursor: slot(2) }), plan, full, slot(2.5) * 1000 + 1_000)).toMatchObject({
      ledger: { open: [], missed: { StartingDeadlineExceeded: { count: 1, lastSlot: slot(1) } } },
    })
  })

  it('is not in line while it waits for its own run, for a success, or for an end of the suspension', () => {
    const plan = grouped()
    const nowMs = slot(2) * 1000
    expect(slotForGroup(ledgerOf(plan), plan, nowMs)).toBe(slot(2))
    expect(slotForGroup(ledgerOf(plan, { active: [run(1)] }), plan, nowMs)).toBeUndefined()
    const lastRun = { slot: slot(1), succeeded: false, reason: 'Failed', finishedAtMs: nowMs } as const
    expect(slotForGroup(ledgerOf(plan, { lastRun }), grouped({ dependsOnPast: true }), nowMs)).toBeUndefined()
    expect(slotForGroup(ledgerOf(plan), grouped({ suspended: true }), nowMs)).toBeUndefined()
    expect(slotForGroup(ledgerOf(plan), grouped({ isHeld: true }), nowMs)).toBeUndefined()
    expect(slotForGroup(ledgerOf(plan), plan, nowMs - 1_000)).toBeUndefined()
  })
})

it.each<{ name: string; from: SchedulePlan; to: SchedulePlan; want: Partial<Ledger> }>([
  { name: 'joins', from: planOf({ concurrencyPolicy: 'Queue' }), to: grouped(), want: { v: 3, group: 'warehouse' } },
  { name: 'changes', from: grouped(), to: grouped({ group: { name: 'other', limit: 1 } }), want: { v: 3, group: 'other' } },
  { name: 'leaves', from: grouped(), to: planOf({ concurrencyPolicy: 'Queue' }), want: { v: 2 } },
])('a schedule that $name its group says so before it starts anything there', ({ from, to, want }) => {
  const step = nextStep(ledgerOf(from), to, nothingKnown, slot(2) * 1000)
  expect(step).toMatchObject({ kind: 'Write', what: 'adopt', ledger: want })
  if (step.kind === 'Write') expect(step.ledger.group).toBe(want.group)
})

it('another limit is no edit of the ledger', () => {
  const step = nextStep(ledgerOf(grouped()), grouped({ group: { ...group, limit: 1 } }), nothingKnown, slot(1) * 1000)
  expect(step.kind).toBe('Wait')
})

it('a run that takes the room of others is looked at, so that one which is gone gives it back', () => {
  const plan = grouped()
  const ledger = ledgerOf(plan, { active: [run(1)] })
  const nowMs = slot(1) * 1000 + 500
  expect(nextStep(ledger, plan, nothingKnown, nowMs).kind).toBe('Wait')
  const awaited: Knowledge = { ...nothingKnown, isGroupAwaited: true }
  expect(nextStep(ledger, plan, awaited, nowMs)).toEqual({ kind: 'Look', slots: [slot(1)] })
  const looked = new Map([[slot(1), { state: 'Absent' } as const]])
  expect(nextStep(ledger, plan, { ...awaited, looked }, nowMs)).toMatchObject({ kind: 'Write', what: 'free', ledger: { active: [] } })
})

describe('what a write says about the group', () => {
  const plan = grouped()
  const idle = ledgerOf(plan)
  const running = ledgerOf(plan, { active: [run(1)] })
  const alone = ledgerOf(planOf({ concurrencyPolicy: 'Queue' }), { active: [run(1)] })

  it.each<{ name: string; before: Ledger | undefined; after: Ledger | undefined; want: object | undefined }>([
    { name: 'a start needs room', before: idle, after: running, want: { name: 'warehouse', runs: 1, limit: 2 } },
    { name: 'an end gives it back', before: running, after: idle, want: { name: 'warehouse', runs: 0 } },
    { name: 'anything else keeps it', before: running, after: { ...running, cursor: slot(2) }, want: { name: 'warehouse', runs: 1 } },
    {
      name: 'a schedule that joins brings its runs, whatever the room',
      before: alone,
      after: running,
      want: { name: 'warehouse', runs: 1 },
    },
    { name: 'one that leaves takes them', before: running, after: alone, want: { name: undefined, runs: 0 } },
    { name: 'a deletion takes them', before: running, after: undefined, want: { name: undefined, runs: 0 } },
    { name: 'without a group nothing', before: alone, after: { ...alone, active: [] }, want: undefined },
    { name: 'the deletion of a ledger without a group nothing', before: alone, after: undefined, want: undefined },
  ])('$name', ({ before, after, want }) => {
    expect(groupChangeOf(before, after, plan)).toEqual(want)
  })
})
