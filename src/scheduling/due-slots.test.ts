import { describe, expect, it } from 'vitest'
import { dueSlots } from './due-slots.ts'
import type { Ledger } from './ledger.ts'
import type { SchedulePlan } from './step.ts'
import { parseTiming } from './timing.ts'
import { emptyLedger } from './transitions.ts'

type Row = {
  readonly name: string
  readonly everySeconds: number
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
    name: 'Skip: none that is later than 30 s',
    everySeconds: 100,
    now: 331,
    plan: { missedRuns: 'Skip' },
    fire: [],
    missed: { Skipped: 3 },
  },
  { name: 'Skip: one that is 30 s late', everySeconds: 100, now: 330, plan: { missedRuns: 'Skip' }, fire: [300], missed: { Skipped: 2 } },
  { name: 'All: in order', everySeconds: 100, now: 390, plan: { missedRuns: 'All' }, fire: [100, 200, 300] },
  {
    name: 'All: the newest up to the limit',
    everySeconds: 100,
    now: 390,
    plan: { missedRuns: 'All', missedRunsLimit: 2 },
    fire: [200, 300],
    missed: { TooManyMissed: 1 },
  },
  {
    name: 'the deadline comes before the policy',
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
    name: 'the deadline passed for all',
    everySeconds: 100,
    now: 290,
    plan: { startingDeadlineSeconds: 20 },
    fire: [],
    missed: { StartingDeadlineExceeded: 2 },
  },
  { name: 'Forbid and a run is active', everySeconds: 100, now: 100, plan: forbid, ledger: running, fire: [], missed: { Overlap: 1 } },
  {
    name: 'Forbid, Latest and a run is active: each has the reason that came first',
    everySeconds: 100,
    now: 390,
    plan: forbid,
    ledger: running,
    fire: [],
    missed: { Superseded: 2, Overlap: 1 },
  },
  {
    name: 'Forbid and All: the first runs, the others would overlap with it',
    everySeconds: 100,
    now: 390,
    plan: { ...forbid, missedRuns: 'All' },
    fire: [100],
    missed: { Overlap: 2 },
  },
  { name: 'suspended: nothing is decided', everySeconds: 100, now: 390, plan: { suspended: true }, fire: [] },
  {
    name: 'what is open is decided already',
    everySeconds: 100,
    now: 390,
    plan: { missedRuns: 'All' },
    ledger: { open: [{ slot: 200, state: 'Final', generation: 'a', epoch: 1 }] },
    fire: [100, 300],
  },
]

describe('slots whose time has come', () => {
  it.each(rows)('$name', ({ everySeconds, now, plan = {}, ledger = {}, fire, missed = {} }) => {
    const timing = { everySeconds }
    const parsed = parseTiming(timing)
    if (!parsed.ok) throw new Error(parsed.message)
    const defaults = { suspended: false, concurrencyPolicy: 'Allow', missedRuns: 'Latest', missedRunsLimit: 10, generation: 'a' } as const
    const whole: SchedulePlan = { ...defaults, epoch: 1, createdAtMs: 0, ...plan, timing, slots: parsed.slots }
    const found = dueSlots({ ...emptyLedger(timing, false, 0), ...ledger }, whole, now * 1000)
    expect(found.fire).toEqual(fire)
    expect(Object.fromEntries(found.missed.map(({ reason, slots }) => [reason, slots.count]))).toEqual(missed)
  })
})
