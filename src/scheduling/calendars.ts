/**
 * Which slots of a schedule a calendar leaves. A slot that is left out was never due: it is not missed, and nothing catches it up.
 *
 * An entry covers the times at which all of its parts hold; a list covers what one of its entries covers. A slot stays if `include` is missing or
 * covers it, and `exclude` does not. What counts is what the clocks of the zone show at the slot. A window that ends on the next day belongs to the
 * day on which it begins.
 */
import type { Slot } from '../contract/index.ts'
import { fileInZone } from './calendar-file.ts'
import {
  allOf,
  always,
  anyOf,
  type Cover,
  daily,
  daySeconds,
  daysAsReadings,
  type FileCover,
  inZone,
  type Interval,
  joined,
  nextCovered,
  not,
  previousCovered,
} from './cover.ts'
import { onDates, onWeekdays, parseDates, type Weekday } from './days.ts'
import type { SlotSource } from './timing.ts'
import { type Zone, zoneOf } from './time-zone.ts'

/** Times of day, as `22:00` and `06:00`; `to` may be 24:00. */
export type Window = { readonly from: string; readonly to: string }

/** At least one part, or a file alone. */
export type CalendarEntry = {
  readonly file?: FileCover | undefined
  readonly dates?: readonly string[] | undefined
  readonly weekdays?: readonly Weekday[] | undefined
  readonly windows?: readonly Window[] | undefined
}

export type CalendarRules = {
  readonly exclude?: readonly CalendarEntry[] | undefined
  readonly include?: readonly CalendarEntry[] | undefined
}

/** `field` is relative to the rules: `exclude[0].dates[2]`. */
export type CalendarFault = { readonly field: string; readonly message: string }

export type ParsedCalendars =
  { readonly ok: true; readonly cover: Cover } | { readonly ok: false; readonly faults: readonly CalendarFault[] }

/** Compiles rules to a cover of the moments at which a slot may be, or returns all that is wrong with them. */
export function parseCalendars(rules: CalendarRules, timeZone: string): ParsedCalendars {
  const faults: CalendarFault[] = []
  const zone = zoneOf(timeZone)
  if (typeof zone === 'string') faults.push({ field: 'timeZone', message: zone })
  const coversOf = (list: 'exclude' | 'include'): readonly Cover[] | undefined =>
    rules[list]?.map((entry, index) => coverOf(entry, zone, `${list}[${index}]`, faults))
  const [exclude, include] = [coversOf('exclude'), coversOf('include')]
  if (faults.length > 0) return { ok: false, faults }
  const parts = [...(include === undefined ? [] : [anyOf(include)]), ...(exclude === undefined ? [] : [not(anyOf(exclude))])]
  return { ok: true, cover: allOf(parts) }
}

function coverOf({ file, dates, weekdays, windows }: CalendarEntry, zone: Zone | string, at: string, faults: CalendarFault[]): Cover {
  if (file !== undefined) return typeof zone === 'string' ? always : fileInZone(file, zone)
  const days = allOf([
    ...(dates === undefined ? [] : [anyOf(onDates(parseAll(dates, parseDates, `${at}.dates`, faults)))]),
    ...(weekdays === undefined ? [] : [onWeekdays(weekdays)]),
  ])
  const readings =
    windows === undefined ? daysAsReadings(days) : withinWindows(days, parseAll(windows, parseWindow, `${at}.windows`, faults))
  return typeof zone === 'string' ? always : inZone(readings, zone)
}

function parseAll<Text, Parsed extends object>(
  texts: readonly Text[],
  parse: (text: Text) => Parsed | string,
  at: string,
  faults: CalendarFault[],
): readonly Parsed[] {
  return texts.flatMap((text, index) => {
    const parsed = parse(text)
    if (typeof parsed !== 'string') return [parsed]
    faults.push({ field: `${at}[${index}]`, message: parsed })
    return []
  })
}

/** In seconds of the day on which it begins; `end` is beyond that day if it ends on the next. */
function parseWindow({ from, to }: Window): Interval | string {
  const [start, end] = [secondOfDay(from), secondOfDay(to)]
  const format = 'write times of day from "00:00" to "24:00", in quotes'
  if (start === undefined || end === undefined) return `${JSON.stringify(start === undefined ? from : to)} is not a time of day; ${format}`
  if (start === daySeconds) return `a window cannot begin at "24:00"; write from: "00:00"`
  if (start === end) return `from and to are both "${from}"; for a whole day write from: "00:00" and to: "24:00", or leave windows out`
  return { start, end: end > start ? end : end + daySeconds }
}

function secondOfDay(text: string): number | undefined {
  const [, hour, minute] = /^(\d\d):([0-5]\d)$/u.exec(text) ?? []
  const second = Number(hour) * 3600 + Number(minute) * 60
  return second <= daySeconds ? second : undefined
}

function withinWindows(days: Cover, windows: readonly Interval[]): Cover {
  const today = joined(windows.map(({ start, end }) => ({ start, end: Math.min(end, daySeconds) })))
  const tomorrow = joined(windows.map(({ end }) => ({ start: 0, end: end - daySeconds })).filter(({ end }) => end > 0))
  return anyOf([
    allOf([daysAsReadings(days), daily(today)]),
    ...(tomorrow.length === 0 ? [] : [allOf([daysAsReadings(days, daySeconds), daily(tomorrow)])]),
  ])
}

/** No two slots of one schedule are farther apart: the 29th of February falls on the same weekday after 40 years at most. Dates end in 2099. */
const searchedSeconds = 100 * 366 * daySeconds
/** How long it is believed that none comes. */
const noneSeconds = 366 * daySeconds
const batchSize = 16

/**
 * Returns the slots that the cover leaves. The cost follows the number of times at which the cover changes, not the number of slots that it leaves
 * out.
 */
export function withCalendars(source: SlotSource, cover: Cover): SlotSource {
  /** The answer to each question from `from` to before `until`. */
  let known: { readonly from: Slot; readonly until: Slot; readonly slot: Slot | undefined } = { from: 0, until: 0, slot: undefined }

  function find(after: Slot): Slot | undefined {
    const end = after + searchedSeconds
    for (let from = after; ;) {
      const slot = source.next(from)
      const covered = slot === undefined ? undefined : nextCovered(cover, slot, end)
      if (covered === undefined || covered === slot) return covered
      from = covered - 1
    }
  }

  return {
    next(after) {
      if (after < known.from || after >= known.until) {
        const slot = find(after)
        known = { from: after, until: slot ?? after + noneSeconds, slot }
      }
      return known.slot
    },
    between(after, until, limit) {
      const newestFirst: Slot[] = []
      for (let to: Slot | undefined = until; to !== undefined && to > after && newestFirst.length < limit;) {
        const batch = source.between(after, to, Math.min(limit - newestFirst.length, batchSize))
        const [oldest] = batch
        if (oldest === undefined) break
        to = oldest - 1
        for (const slot of batch.toReversed()) {
          if (cover(slot).holds) {
            newestFirst.push(slot)
            continue
          }
          to = previousCovered(cover, slot, after)
          break
        }
      }
      return newestFirst.toReversed()
    },
  }
}

/** Whether a schedule has no slot at all, neither in the past nor in the future. */
export function isNeverDue(slots: SlotSource, around: Slot): boolean {
  return slots.next(around) === undefined && slots.between(0, around, 1).length === 0
}
