/**
 * From what clocks show to moments: the one rule for the days on which the clocks of a place change. It does not
 * depend on how an expression is spelled, only on the times that it names.
 *
 * - An expression that names **some hours** names times of day. By default each is due once, at the moment at which the
 *   clocks first reach or pass it: a time that is skipped at the end of the gap, and one that exists twice the first
 *   time. A `ClockRule` changes either. Several expressions are due exactly when one expression with all of their times
 *   is.
 * - An expression that names **every hour** names a pace, whatever the rule. It is due whenever the clocks show one of
 *   its minutes: never in the gap, and both times in the repeated hour. So an hourly schedule stays hourly.
 */
import type { Slot } from '../contract/index.ts'
import { type CronExpression, nextBit } from './cron.ts'
import { farthestShift, type Zone } from './time-zone.ts'
import { nextReading, previousReading, type Reading } from './wall-clock.ts'

/** `gap`: what becomes of a time that clocks skip. `overlap`: when a time is due that they show twice. */
export type ClockRule = { readonly gap: 'Skip' | 'RunAfterGap'; readonly overlap: 'First' | 'Both' }

export const defaultClockRule: ClockRule = { gap: 'RunAfterGap', overlap: 'First' }
/** Whenever clocks show it. */
const paceRule: ClockRule = { gap: 'Skip', overlap: 'Both' }

export function isPace({ hours }: CronExpression): boolean {
  for (let hour = 0; hour < 24; hour++) if (nextBit(hours, hour) !== hour) return false
  return true
}

/** Returns the rule by which an expression is due, of a schedule that has this one for its times of day. */
export function clockRuleOf(expression: CronExpression, timesOfDay: ClockRule): ClockRule {
  return isPace(expression) ? paceRule : timesOfDay
}

/** Returns the first slot after `after`; undefined: there is none, or clocks skip it each time. */
export function slotAfter(expression: CronExpression, zone: Zone, { gap, overlap }: ClockRule, after: Slot): Slot | undefined {
  if (gap === 'Skip') return overlap === 'Both' ? nextShown(expression, zone, after + 1) : nextFirstShown(expression, zone, after + 1)
  const reading = nextReading(expression, furthestReading(zone, after) + 1)
  const reached = reading === undefined ? undefined : firstReached(zone, reading)
  if (overlap === 'First' || reached === undefined) return reached
  return Math.min(reached, nextShown(expression, zone, after + 1) ?? reached)
}

/** Returns the last slot at or before `until`. */
export function slotUpTo(expression: CronExpression, zone: Zone, { gap, overlap }: ClockRule, until: Slot): Slot | undefined {
  if (gap === 'Skip') return overlap === 'Both' ? previousShown(expression, zone, until) : previousFirstShown(expression, zone, until)
  const reading = previousReading(expression, furthestReading(zone, until))
  const reached = reading === undefined ? undefined : firstReached(zone, reading)
  if (overlap === 'First' || reached === undefined) return reached
  return Math.max(reached, previousShown(expression, zone, until) ?? reached)
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

/** An expression that clocks skip so often in a row, at most once a year, counts as never due. */
const mostSkipped = 28

function nextShown(expression: CronExpression, zone: Zone, first: Slot): Slot | undefined {
  let skipped = 0
  for (let from = first; ;) {
    const { end, offset } = zone.periodAt(from)
    const reading = nextReading(expression, from + offset)
    if (reading === undefined) return undefined
    if (reading < end + offset) return reading - offset
    if (reading < end + zone.periodAt(end).offset && ++skipped === mostSkipped) return undefined
    // Soon after `from`, clocks may go back and show an earlier match. Later than that, none comes before `reading`.
    from = end - from < farthestShift ? end : Math.max(end, reading - farthestShift)
  }
}

function previousShown(expression: CronExpression, zone: Zone, last: Slot): Slot | undefined {
  let skipped = 0
  for (let until = last; ;) {
    const { start, offset } = zone.periodAt(until)
    const reading = previousReading(expression, until + offset)
    if (reading === undefined) return undefined
    if (reading >= start + offset) return reading - offset
    if (reading >= start + zone.periodAt(start - 1).offset && ++skipped === mostSkipped) return undefined
    until = until - start < farthestShift ? start - 1 : Math.min(start - 1, reading + farthestShift)
  }
}

/** Like `nextShown`, without what clocks have shown before. */
function nextFirstShown(expression: CronExpression, zone: Zone, first: Slot): Slot | undefined {
  for (let from = first; ;) {
    const slot = nextShown(expression, zone, from)
    if (slot === undefined) return undefined
    const { end, offset } = zone.periodAt(slot)
    const repeated = furthestReading(zone, slot - 1) - (slot + offset)
    if (repeated < 0) return slot
    from = Math.min(end, slot + repeated + 1)
  }
}

function previousFirstShown(expression: CronExpression, zone: Zone, last: Slot): Slot | undefined {
  for (let until = last; ;) {
    const slot = previousShown(expression, zone, until)
    if (slot === undefined) return undefined
    const { start, offset } = zone.periodAt(slot)
    if (furthestReading(zone, slot - 1) < slot + offset) return slot
    // All of its period up to here was shown before.
    until = start - 1
  }
}
