/**
 * From what clocks show to moments: the one rule for the days on which the clocks of a place change. It does not
 * depend on how an expression is spelled, only on the times that it names.
 *
 * - An expression that names **some hours** names times of day. Each is due once, at the moment at which the clocks
 *   first reach or pass it. So a time that is skipped is due at the end of the gap, and one that exists twice is due
 *   the first time. Several expressions are due exactly when one expression with all of their times is.
 * - An expression that names **every hour** names a pace. It is due whenever the clocks show one of its minutes: never
 *   in the gap, and both times in the repeated hour. So an hourly schedule stays hourly.
 */
import type { Slot } from '../contract/index.ts'
import { type CronExpression, nextBit } from './cron.ts'
import { farthestShift, type Zone } from './time-zone.ts'
import { nextReading, previousReading, type Reading } from './wall-clock.ts'

/** `Once`: at the moment at which clocks first reach or pass the time. `WheneverShown`: each time that they show it. */
export type ClockRule = 'Once' | 'WheneverShown'

export function clockRuleOf({ hours }: CronExpression): ClockRule {
  for (let hour = 0; hour < 24; hour++) if (nextBit(hours, hour) !== hour) return 'Once'
  return 'WheneverShown'
}

/** Returns the first slot after `after`. */
export function slotAfter(expression: CronExpression, zone: Zone, rule: ClockRule, after: Slot): Slot | undefined {
  if (rule === 'WheneverShown') return nextShown(expression, zone, after + 1)
  const reading = nextReading(expression, furthestReading(zone, after) + 1)
  return reading === undefined ? undefined : firstReached(zone, reading)
}

/** Returns the last slot at or before `until`. */
export function slotUpTo(expression: CronExpression, zone: Zone, rule: ClockRule, until: Slot): Slot | undefined {
  if (rule === 'WheneverShown') return previousShown(expression, zone, until)
  const reading = previousReading(expression, furthestReading(zone, until))
  return reading === undefined ? undefined : firstReached(zone, reading)
}

/** The furthest that clocks have shown until this moment: more than they show now, if they have just gone back. */
function furthestReading(zone: Zone, moment: Slot): Reading {
  let period = zone.periodAt(moment)
  let furthest = moment + period.offset
  while (period.start > moment - farthestShift) {
    period = zone.periodAt(period.start - 1)
    furthest = Math.max(furthest, period.end - 1 + period.offset)
  }
  return furthest
}

/** The first moment at which clocks show this reading or a later one. */
export function firstReached(zone: Zone, reading: Reading): Slot {
  let period = zone.periodAt(reading - farthestShift)
  while (reading >= period.end + period.offset) period = zone.periodAt(period.end)
  return Math.max(period.start, reading - period.offset)
}

function nextShown(expression: CronExpression, zone: Zone, first: Slot): Slot | undefined {
  for (let from = first; ;) {
    const { end, offset } = zone.periodAt(from)
    const reading = nextReading(expression, from + offset)
    if (reading === undefined) return undefined
    if (reading < end + offset) return reading - offset
    // Soon after `from`, clocks may go back and show an earlier match. Later than that, none comes before `reading`.
    from = end - from < farthestShift ? end : Math.max(end, reading - farthestShift)
  }
}

function previousShown(expression: CronExpression, zone: Zone, last: Slot): Slot | undefined {
  for (let until = last; ;) {
    const { start, offset } = zone.periodAt(until)
    const reading = previousReading(expression, until + offset)
    if (reading === undefined) return undefined
    if (reading >= start + offset) return reading - offset
    until = until - start < farthestShift ? start - 1 : Math.min(start - 1, reading + farthestShift)
  }
}
