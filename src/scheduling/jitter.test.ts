import { assert, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Slot } from '../contract/index.ts'
import { dueAt, type DueSource, dueUpTo, findJitterFault } from './jitter.ts'
import { parseTiming, type SlotSource, type Timing } from './timing.ts'

const start = Date.UTC(2026, 2, 1) / 1000

function slotsOf(timing: Timing): SlotSource {
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.slots
}

function dueBy(timing: Timing, seed = 'acme/digest'): DueSource {
  return { timing, slots: slotsOf(timing), seed }
}

function walk({ slots }: DueSource, after: Slot, count: number): readonly Slot[] {
  const found: Slot[] = []
  for (let slot = slots.next(after); slot !== undefined && found.length < count; slot = slots.next(slot)) found.push(slot)
  return found
}

const anyTiming = constantFrom<Timing>(
  { everySeconds: 900 },
  { schedules: ['0,1,30 * * * *', '30 2 * * *'], timeZone: 'Europe/Berlin' },
  { at: [start + 1, start + 2, start + 86_400] },
)
const anyMoment = integer({ min: start - 5_000, max: start + 250 * 86_400 })
const anyDelayed = record({ timing: anyTiming, moment: anyMoment, jitterSeconds: integer({ min: 0, max: 4_000 }) })

describe('the delay of a run', () => {
  it('is between 0 and jitterSeconds, and ends before the next slot', () => {
    assert(
      property(anyDelayed, ({ timing, moment, jitterSeconds }) => {
        const source = dueBy({ ...timing, jitterSeconds })
        for (const slot of walk(source, moment, 20)) {
          const due = dueAt(source, slot)
          expect(due).toBeGreaterThanOrEqual(slot)
          expect(due).toBeLessThanOrEqual(slot + jitterSeconds)
          expect(due).toBeLessThan(source.slots.next(slot) ?? Infinity)
        }
      }),
    )
  })

  it('differs from slot to slot and from schedule to schedule, and reaches the whole time', () => {
    const timing = { everySeconds: 3_600, jitterSeconds: 59 }
    const delays = (seed: string) => walk(dueBy(timing), start, 2_000).map((slot) => dueAt(dueBy(timing, seed), slot) - slot)
    expect(new Set(delays('acme/digest')).size).toBe(60)
    expect(delays('acme/digest')).not.toEqual(delays('acme/report'))
    expect(delays('acme/digest')).toEqual(delays('acme/digest'))
  })

  // Another version must not choose other delays: jobs that are placed ahead would be due twice.
  it('is the same in each version', () => {
    const source = dueBy({ everySeconds: 86_400, jitterSeconds: 3_600 })
    expect(walk(source, start, 3).map((slot) => dueAt(source, slot) - slot)).toEqual([2_895, 3_530, 2_018])
  })
})

it('the slots that are due at a moment are those whose delays have ended', () => {
  assert(
    property(anyDelayed, ({ timing, moment, jitterSeconds }) => {
      const source = dueBy({ ...timing, jitterSeconds })
      const bound = dueUpTo(source, moment)
      const around = walk(source, moment - 10_000, 200).filter((slot) => slot <= moment + 10_000)
      expect(around.filter((slot) => slot <= bound)).toEqual(around.filter((slot) => dueAt(source, slot) <= moment))
    }),
  )
})

it.each<[Timing, number, string | undefined]>([
  [{ everySeconds: 900 }, 0, undefined],
  [{ everySeconds: 900 }, 899, undefined],
  [{ everySeconds: 900 }, 900, 'it cannot be delayed by 900 s: the slots are 900 s apart; write 0 to 899'],
  [{ schedules: ['* * * * *'], timeZone: 'UTC' }, 60, 'it cannot be delayed by 60 s: the slots are 60 s apart; write 0 to 59'],
  [{ schedules: ['*/5 * * * *', '* * * * *'], timeZone: 'UTC' }, 90, 'by 90 s: the slots are 60 s apart; write 0 to 59'],
  // One long pause in a week is enough.
  [{ schedules: ['* * * * MON-SAT'], timeZone: 'UTC' }, 3_600, undefined],
  [{ schedules: ['0 8 * * MON-FRI'], timeZone: 'Europe/Berlin' }, 100_000, undefined],
  [{ schedules: ['0 8 * * *'], timeZone: 'Europe/Berlin' }, 86_400, 'the slots are 86400 s apart; write 0 to 86399'],
  [{ schedules: ['0 0 1 1 *'], timeZone: 'UTC' }, 31_000_000, undefined],
  [{ at: [start, start + 1] }, 3_600, undefined],
  [{ everySeconds: 900, endTime: start }, 3_600, 'the slots are 900 s apart; write 0 to 899'],
])('%j with a delay of %i s: %s', (timing, jitterSeconds, fault) => {
  const found = findJitterFault(slotsOf(timing), jitterSeconds)
  if (fault === undefined) expect(found).toBeUndefined()
  else expect(found).toContain(fault)
})
