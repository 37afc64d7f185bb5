import type { Slot } from '../contract/index.ts'
import type { ClockRule } from './clock-changes.ts'
import { farthestShift, zoneOf } from './time-zone.ts'
import { parseTiming } from './timing.ts'

/** A change of clocks on which two rules give other slots. `date`: the day on the clocks of the zone. */
export type ClockConflict = { readonly kind: 'Gap' | 'Overlap'; readonly date: string }

/** Clocks are known so far ahead as today's law says; a change after that is none to plan for. */
const lookedAheadSeconds = 10 * 366 * 86_400

/** Returns the first change of clocks within ten years after `after` on which the two rules give other slots; undefined: there is none. */
export function findClockConflict(
  { schedules, timeZone }: { readonly schedules: readonly string[]; readonly timeZone: string },
  ours: ClockRule,
  theirs: ClockRule,
  after: Slot,
): ClockConflict | undefined {
  const zone = zoneOf(timeZone)
  if (typeof zone === 'string') return undefined
  const [one, other] = [ours, theirs].map((dst) => parseTiming({ schedules, timeZone, dst }))
  // A rule by which nothing is ever due differs at the next change.
  const slotsOf = (parsed: typeof one, from: Slot, until: Slot) => (parsed?.ok === true ? parsed.slots.between(from, until, mostSlots) : [])
  for (let period = zone.periodAt(after); period.end <= after + lookedAheadSeconds;) {
    const next = zone.periodAt(period.end)
    const [from, until] = [period.end - farthestShift, period.end + farthestShift]
    if (slotsOf(one, from, until).join() !== slotsOf(other, from, until).join()) {
      const date = new Date((period.end + period.offset) * 1000).toISOString().slice(0, 10)
      return { kind: next.offset > period.offset ? 'Gap' : 'Overlap', date }
    }
    period = next
  }
  return undefined
}

/** In the four days around a change: one a second, at most. */
const mostSlots = 4 * 86_400
