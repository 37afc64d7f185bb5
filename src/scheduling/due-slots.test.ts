import { assert, integer, property, uniqueArray } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideDueSlots, findNextWake, findSlotsAhead } from './due-slots.ts'
import type { Ledger, MissedRuns, OpenSlot, SchedulePlan } from './ledger.ts'
import { parseTiming, type Timing } from './timing.ts'
import { countUndecided, emptyLedger } from './transitions.ts'

type Row = {
  readonly name: string
  readonly everySeconds: number
  /** With 60, the slots 100, 200 and 300 are due at 117, 235 and 335. */
  readonly jitterSeconds?: number
  readonly now: number
  readonly plan?: Partial<SchedulePlan>
  readonly ledger?: Partial<Ledger>
  readonly fire: readonly number[]
  readonly missed?: Readonly<Record<string, number>>
}

const forbid = { concurrencyPolicy: 'Forbid' } as const
const running = { active: [{ slot: 50, generation: 'a', dispatchedAtMs: 50_000 }] }

/** The cursor stands at 0. */
const rows: readonly Row[] = [
  { name: 'nothing is due', everySeconds: 100, now: 99, fire: [] },
  { name: 'a slot in time', everySeconds: 100, now: 100, fire: [100] },
  { name: 'Latest: the newest, however late', everySeconds: 100, now: 390, fire: [300], missed: { Superseded: 2 } },
  { name: 'Latest: an interval shorter than a pass loses nothing', everySeconds: 1, now: 4, fire: [1, 2, 3, 4] },
  {
    name: 'Skip: a slot more than 30 s late is missed',
    everySeconds: 100,
    now: 331,
    plan: { missedRuns: 'Skip' },
    fire: [],
    missed: { Skipped: 3 },
  },
  { name: 'Skip: a slot 30 s late fires', everySeconds: 100, now: 330, plan: { missedRuns: 'Skip' }, fire: [300], missed: { Skipped: 2 } },
  { name: 'All: every late slot fires, in order', everySeconds: 100, now: 390, plan: { missedRuns: 'All' }, fire: [100, 200, 300] },
  {
    name: 'All: the newest up to the limit',
    everySeconds: 100,
    now: 390,
    plan: { missedRuns: 'All', missedRunsLimit: 2 },
    fire: [200, 300],
    missed: { TooManyMissed: 1 },
  },
  {
    name: 'the starting deadline applies before the catch-up policy',
    everySeconds: 100,
    now: 390,
    plan: { missedRuns: 'All', startingDeadlineSeconds: 200 },
    fire: [200, 300],
    missed: { StartingDeadlineExceeded: 1 },
  },
  {
    name: 'the deadline is met to the second',
    everySeconds: 100,
    now: 120,
    plan: { startingDeadlineSeconds: 20 },
    fire: [100],
  },
  {
    name: 'every slot is past the starting deadline',
    everySeconds: 100,
    now: 290,
    plan: { startingDeadlineSeconds: 20 },
    fire: [],
    missed: { StartingDeadlineExceeded: 2 },
  },
  {
    name: 'Forbid: the slot is missed while a run is active',
    everySeconds: 100,
    now: 100,
    plan: forbid,
    ledger: running,
    fire: [],
    missed: { Overlap: 1 },
  },
  {
    name: 'Forbid and Latest: each missed slot has the first reason that applies',
    everySeconds: 100,
    now: 390,
    plan: forbid,
    ledger: running,
    fire: [],
    missed: { Superseded: 2, Overlap: 1 },
  },
  {
    name: 'Forbid and All: the first slot fires, the others overlap',
    everySeconds: 100,
    now: 390,
    plan: { ...forbid, missedRuns: 'All' },
    fire: [100],
    missed: { Overlap: 2 },
  },
  { name: 'suspended: nothing is decided', everySeconds: 100, now: 390, plan: { suspended: true }, fire: [] },
  {
    name: 'an open slot is not decided again',
    everySeconds: 100,
    now: 390,
    plan: { missedRuns: 'All' },
    ledger: { open: [{ slot: 200, state: 'Final', generation: 'a', epoch: 1 }] },
    fire: [100, 300],
  },
  { name: 'a delayed run is not due before the end of its delay', everySeconds: 100, jitterSeconds: 60, now: 116, fire: [] },
  { name: 'a delayed run is due at the end of its delay', everySeconds: 100, jitterSeconds: 60, now: 117, fire: [100] },
  {
    name: 'of delayed runs those are late whose delays have ended',
    everySeconds: 100,
    jitterSeconds: 60,
    now: 334,
    plan: { missedRuns: 'All' },
    fire: [100, 200],
  },
  {
    name: 'Skip: a run fires up to 30 s after the end of its delay',
    everySeconds: 100,
    jitterSeconds: 60,
    now: 147,
    plan: { missedRuns: 'Skip' },
    fire: [100],
  },
  {
    name: 'Skip: a run is missed more than 30 s after the end of its delay',
    everySeconds: 100,
    jitterSeconds: 60,
    now: 148,
    plan: { missedRuns: 'Skip' },
    fire: [],
    missed: { Skipped: 1 },
  },
  {
    name: 'the starting deadline counts from the end of the delay',
    everySeconds: 100,
    jitterSeconds: 60,
    now: 137,
    plan: { startingDeadlineSeconds: 20 },
    fire: [100],
  },
  {
    name: 'a run is missed when the starting deadline after its delay has passed',
    everySeconds: 100,
    jitterSeconds: 60,
    now: 138,
    plan: { startingDeadlineSeconds: 20 },
    fire: [],
    missed: { StartingDeadlineExceeded: 1 },
  },
]

describe('due slots', () => {
  it.each(rows)('$name', ({ everySeconds, jitterSeconds, now, plan = {}, ledger = {}, fire, missed = {} }) => {
    const timing = { everySeconds, ...(jitterSeconds !== undefined && { jitterSeconds }) }
    const parsed = parseTiming(timing)
    if (!parsed.ok) throw new Error(parsed.message)
    const defaults = {
      suspended: false,
      concurrencyPolicy: 'Allow',
      missedRuns: 'Latest',
      missedRunsLimit: 10,
      generation: 'a',
      seed: 'acme/digest',
    } as const
    const whole: SchedulePlan = { ...defaults, epoch: 1, createdAtMs: 0, ...plan, timing, slots: parsed.slots }
    const found = decideDueSlots({ ...emptyLedger(timing, false, 0), ...ledger }, whole, now * 1000)
    expect(found.fire).toEqual(fire)
    expect(Object.fromEntries(found.missed.map(({ reason, slots }) => [reason, slots.count]))).toEqual(missed)
  })
})

describe('the number of missed slots after a long outage', () => {
  const weekSeconds = 7 * 86_400
  const everySecond = { everySeconds: 1 }
  const everyMinute = { schedules: ['* * * * *'], timeZone: 'UTC' }

  function missedIn(timing: Timing, change: Partial<SchedulePlan>, ledger: Partial<Ledger> = {}) {
    const parsed = parseTiming(timing)
    if (!parsed.ok) throw new Error(parsed.message)
    const plan: SchedulePlan = { ...planOf(60, change), timing, slots: parsed.slots }
    const { fire, missed } = decideDueSlots({ ...emptyLedger(timing, false, 0), ...ledger }, plan, weekSeconds * 1000)
    return { fire, missed: Object.fromEntries(missed.map(({ reason, slots }) => [reason, slots])) }
  }

  it.each<[string, Partial<SchedulePlan>, number, Record<string, MissedRuns>]>([
    ['Latest', {}, 6, { Superseded: { count: weekSeconds - 6, lastSlot: weekSeconds - 6 } }],
    [
      'Skip',
      { missedRuns: 'Skip' },
      6,
      { Skipped: { count: weekSeconds - 31, lastSlot: weekSeconds - 31 }, Superseded: { count: 25, lastSlot: weekSeconds - 6 } },
    ],
    ['All', { missedRuns: 'All' }, 10, { TooManyMissed: { count: weekSeconds - 10, lastSlot: weekSeconds - 10 } }],
    [
      'a starting deadline within the slots that are walked over',
      { startingDeadlineSeconds: 50 },
      6,
      {
        StartingDeadlineExceeded: { count: weekSeconds - 51, lastSlot: weekSeconds - 51 },
        Superseded: { count: 45, lastSlot: weekSeconds - 6 },
      },
    ],
    [
      'a starting deadline before them',
      { startingDeadlineSeconds: 3600 },
      6,
      {
        StartingDeadlineExceeded: { count: weekSeconds - 3601, lastSlot: weekSeconds - 3601 },
        Superseded: { count: 3595, lastSlot: weekSeconds - 6 },
      },
    ],
  ])('is exact for everySeconds: %s', (_, change, fired, missed) => {
    const found = missedIn(everySecond, change)
    expect(found.fire).toHaveLength(fired)
    expect(found.missed).toEqual(missed)
  })

  it('leaves out slots that are open', () => {
    const open: OpenSlot[] = [7, 8, weekSeconds - 20].map((slot) => ({ slot, state: 'Final', generation: 'a', epoch: 1 }))
    expect(missedIn(everySecond, {}, { open }).missed).toEqual({ Superseded: { count: weekSeconds - 9, lastSlot: weekSeconds - 6 } })
  })

  it('is a lower bound for cron expressions, and says so', () => {
    expect(missedIn(everyMinute, {}).missed).toEqual({ Superseded: { count: 100, lastSlot: weekSeconds - 60, isLowerBound: true } })
    expect(missedIn(everyMinute, { startingDeadlineSeconds: 600 }).missed).toEqual({
      StartingDeadlineExceeded: { count: 90, lastSlot: weekSeconds - 660, isLowerBound: true },
      Superseded: { count: 10, lastSlot: weekSeconds - 60 },
    })
  })

  it('is exact for cron expressions with at most 100 slots', () => {
    expect(missedIn(everyMinute, {}, { cursor: weekSeconds - 6000 }).missed).toEqual({
      Superseded: { count: 99, lastSlot: weekSeconds - 60 },
    })
  })

  it('agrees with counting one by one', () => {
    assert(
      property(
        integer({ min: 1, max: 50 }),
        integer({ min: 0, max: 3000 }),
        integer({ min: 0, max: 3000 }),
        uniqueArray(integer({ min: 0, max: 6000 }), { maxLength: 20 }),
        (everySeconds, after, length, opened) => {
          const { slots } = planOf(everySeconds)
          const open = opened.map(placed)
          const all = slots.between(after, after + length, Infinity).filter((slot) => !opened.includes(slot))
          expect(countUndecided(slots, open, after, after + length)).toEqual({ count: all.length, lastSlot: all.at(-1) ?? 0 })
        },
      ),
    )
  })
})

function planOf(everySeconds: number, change: Partial<SchedulePlan> = {}): SchedulePlan {
  const parsed = parseTiming({ everySeconds })
  if (!parsed.ok) throw new Error(parsed.message)
  const defaults = {
    suspended: false,
    concurrencyPolicy: 'Allow',
    missedRuns: 'Latest',
    missedRunsLimit: 10,
    generation: 'a',
    seed: 'acme/digest',
  } as const
  return { ...defaults, epoch: 1, createdAtMs: 0, ...change, timing: { everySeconds }, slots: parsed.slots }
}
const placed = (slot: number): OpenSlot => ({ slot, state: 'Placed', generation: 'a', epoch: 1 })
const ledgerOf = (change: Partial<Ledger> = {}): Ledger => ({ ...emptyLedger({ everySeconds: 1 }, false, 0), ...change })
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe('placing ahead', () => {
  it.each([
    ['the slots of the next 90 s', 40, {}, [], [40, 80]],
    ['at most 64', 1, {}, [], range(1, 64)],
    ['none that is further away', 91, {}, [], []],
    ['no more while half of them are waiting', 1, {}, range(1, 40), []],
    ['up to 64 when fewer are', 1, {}, range(1, 31), range(32, 64)],
    ['none where runs may not overlap', 40, { concurrencyPolicy: 'Forbid' }, [], []],
    ['none while suspended', 40, { suspended: true }, [], []],
  ] as const)('%s', (_, everySeconds, change, waiting, expected) => {
    expect(findSlotsAhead(ledgerOf({ open: waiting.map(placed) }), planOf(everySeconds, change), 0)).toEqual(expected)
  })
})

describe('waking up', () => {
  it.each([
    ['90 s before the next slot', 3600, {}, {}, 3_510_000],
    ['at the next slot where runs may not overlap', 3600, { concurrencyPolicy: 'Forbid' }, {}, 3_600_000],
    ['when a placed slot is due', 3600, {}, { open: [placed(50)] }, 50_000],
    ['never while suspended', 3600, { suspended: true }, {}, undefined],
    [
      'when a deadline may have passed',
      3600,
      { pendingDeadlineSeconds: 60 },
      { active: [{ slot: 0, generation: 'a', dispatchedAtMs: 0 }] },
      60_000,
    ],
  ] as const)('%s', (_, everySeconds, change, ledger, expected) => {
    expect(findNextWake(ledgerOf(ledger), planOf(everySeconds, change), new Map(), 0)).toBe(expected)
  })
})
