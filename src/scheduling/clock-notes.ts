/**
 * What people see of slots: the time that the clocks of the zone show, and what a clock change does to a slot. For words
 * only: which slots there are follows from the timing alone.
 */
import type { Slot } from '../contract/index.ts'
import { type ClockRule, defaultClockRule, isPace } from './clock-changes.ts'
import { type CronExpression, parseCron } from './cron.ts'
import { farthestShift, type Period, type Zone, zoneOf } from './time-zone.ts'
import { nextReading, type Reading } from './wall-clock.ts'

/** `slot` undefined: a time that does not exist on that day, and for which nothing runs. */
export type ShownSlot = {
  readonly slot: Slot | undefined
  /** `Sun 2026-03-29 03:00`, with seconds where there are any. */
  readonly local: string
  /** What a clock change does to it. */
  readonly note?: string
}

/** A change of the clocks at the moment `at`, from one distance to UTC to another. */
type ClockChange = { readonly at: Slot; readonly before: number; readonly after: number }

/** Where slots come from: no expressions for an interval. `dst` undefined: the default. */
export type ShownTiming = { readonly timeZone: string; readonly schedules: readonly string[]; readonly dst?: ClockRule | undefined }

/**
 * Shows slots in ascending order, all after `after`. Between them stand the times that an expression names and clocks
 * skip, if nothing runs for them.
 */
export function showSlots(
  slots: readonly Slot[],
  after: Slot,
  { timeZone, schedules, dst = defaultClockRule }: ShownTiming,
): readonly ShownSlot[] {
  const zone = zoneOf(timeZone)
  if (typeof zone === 'string') return []
  const expressions = schedules.flatMap((text) => {
    const parsed = parseCron(text)
    return typeof parsed === 'string' ? [] : [parsed]
  })
  const timesOfDay = expressions.filter((each) => !isPace(each))
  const runsAfterGap = dst.gap === 'RunAfterGap'
  const shown: ShownSlot[] = []
  let last = after
  for (const slot of slots) {
    // At the end of a gap, a slot stands for the times that it skips, unless they are skipped for good.
    for (const change of changesIn(zone, last, runsAfterGap ? slot - 1 : slot)) shown.push(...skippedTimes(change, timesOfDay))
    const note = expressions.length === 0 ? undefined : noteOn(slot, zone, runsAfterGap ? timesOfDay : [])
    shown.push({ slot, local: formatReading(slot + zone.periodAt(slot).offset), ...(note === undefined ? {} : { note }) })
    last = slot
  }
  return shown
}

/** Changes at moments after `after`, up to `until`. */
function changesIn(zone: Zone, after: Slot, until: Slot): readonly ClockChange[] {
  const changes: ClockChange[] = []
  for (let period = zone.periodAt(after); period.end <= until;) {
    const next = zone.periodAt(period.end)
    if (next.offset !== period.offset) changes.push({ at: period.end, before: period.offset, after: next.offset })
    period = next
  }
  return changes
}

/** Times in the gap of a change for which there is no slot at its end. */
function skippedTimes(change: ClockChange, timesOfDay: readonly CronExpression[]): readonly ShownSlot[] {
  return namedInGap(change, timesOfDay).map((reading) => ({
    slot: undefined,
    local: formatReading(reading),
    note: `does not exist, clocks skip ${gapOf(change)}: nothing runs`,
  }))
}

function noteOn(slot: Slot, zone: Zone, timesOfDay: readonly CronExpression[]): string | undefined {
  const period = zone.periodAt(slot)
  const reading = slot + period.offset
  const [change] = changesIn(zone, slot - 1, slot)
  const skipped = change === undefined ? [] : namedInGap(change, timesOfDay)
  if (change !== undefined && skipped.length > 0) {
    const times = skipped.map((each) => formatTime(each)).join(', ')
    return `clocks skip ${gapOf(change)}: ${times} runs at the end of the gap`
  }
  if (isShownLater(zone, slot, reading)) return 'exists twice: the first'
  return isShownEarlier(zone, period, reading) ? 'exists twice: the second' : undefined
}

/** The times that expressions name and clocks skip, ascending; of many only the first four. */
function namedInGap({ at, before, after }: ClockChange, expressions: readonly CronExpression[]): readonly Reading[] {
  const found = new Set<Reading>()
  for (const expression of expressions) {
    for (let reading = nextReading(expression, at + before); reading !== undefined && reading < at + after && found.size < mostTimes;) {
      found.add(reading)
      reading = nextReading(expression, reading + 1)
    }
  }
  return [...found].toSorted((a, b) => a - b)
}

const mostTimes = 4

function isShownLater(zone: Zone, slot: Slot, reading: Reading): boolean {
  return changesIn(zone, slot, slot + farthestShift).some(({ at, after }) => reading >= at + after && reading - after > slot)
}

function isShownEarlier(zone: Zone, { start, offset }: Period, reading: Reading): boolean {
  const slot = reading - offset
  return changesIn(zone, slot - farthestShift, Math.max(start, slot)).some(
    ({ at, before }) => reading < at + before && reading - before < slot,
  )
}

/** `02:00 to 03:00`. */
function gapOf({ at, before, after }: ClockChange): string {
  return `${formatTime(at + before)} to ${formatTime(at + after)}`
}

function formatTime(reading: Reading): string {
  return new Date(reading * 1000).toISOString().slice(11, 19).replace(/:00$/u, '')
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const

export function formatReading(reading: Reading): string {
  const date = new Date(reading * 1000)
  return `${weekdays[date.getUTCDay()]} ${date.toISOString().slice(0, 10)} ${formatTime(reading)}`
}
