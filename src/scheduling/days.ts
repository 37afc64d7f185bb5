/** Days by their dates and weekdays, as covers of days that are counted from 1970-01-01. */
import { type Cover, type Interval, joined, within } from './cover.ts'

const dayMs = 86_400_000

export const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const

export type Weekday = (typeof weekdays)[number]

/** One day, or the days from the first to the last. `Yearly`: in each year, across its end if `last` is before `first`. */
export type Dates =
  | { readonly kind: 'Once'; readonly days: Interval }
  /** `month * 31 + day`, both from 0. */
  | { readonly kind: 'Yearly'; readonly first: number; readonly last: number }

const format =
  'write a date as 2026-12-25, a date of each year as 12-25, or a range with a slash between its first and its last day: ' +
  '2026-12-24/2027-01-02'

const datePattern = /^(?:(?<year>19[7-9]\d|20\d\d)-)?(?<month>\d\d)-(?<day>\d\d)$/u

/** Returns the days of `2026-12-25`, `12-25`, or of a range with a slash between two of these; or what is wrong and what to write. */
export function parseDates(text: string): Dates | string {
  const [first = '', last = first, ...more] = text.split('/')
  if (more.length > 0) return `${JSON.stringify(text)} has more than one slash; ${format}`
  const from = parseDate(first)
  const until = parseDate(last)
  if (typeof from === 'string') return from
  if (typeof until === 'string') return until
  if ((from.year === undefined) !== (until.year === undefined))
    return `${JSON.stringify(text)} has a year on one side only; write it on both sides, or on none for each year`
  if (from.year === undefined || until.year === undefined) return { kind: 'Yearly', first: from.place, last: until.place }
  if (from.number > until.number) return `${JSON.stringify(text)} ends before it begins; write "${last}/${first}"`
  return { kind: 'Once', days: { start: from.number, end: until.number + 1 } }
}

type ParsedDate = { readonly year: number | undefined; readonly place: number; readonly number: number }

function parseDate(text: string): ParsedDate | string {
  const parts = datePattern.exec(text)?.groups
  if (parts === undefined) {
    const year = /^(\d{4})-\d\d-\d\d$/u.exec(text)?.[1]
    return year === undefined
      ? `${JSON.stringify(text)} is not a date; ${format}`
      : `${JSON.stringify(text)} is not in the years 1970 to 2099; correct the year`
  }
  const year = parts['year'] === undefined ? undefined : Number(parts['year'])
  const [month, day] = [Number(parts['month']) - 1, Number(parts['day']) - 1]
  // A leap year stands for each year: 02-29 comes in some.
  if (month < 0 || month > 11 || day < 0 || day >= lengthOfMonth(year ?? 2000, month)) {
    return `${JSON.stringify(text)} is a day that does not exist; correct its month or its day`
  }
  return { year, place: month * longestMonth + day, number: dayNumber(year ?? 2000, month, day) }
}

/** Covers these dates. */
export function onDates(all: readonly Dates[]): readonly Cover[] {
  const once = all.flatMap((dates) => (dates.kind === 'Once' ? [dates.days] : []))
  const each = all.flatMap((dates) => (dates.kind === 'Yearly' ? [dates] : []))
  return [...(once.length === 0 ? [] : [within(joined(once))]), ...(each.length === 0 ? [] : [onYearly(each)])]
}

const longestMonth = 31
/** As if each month had 31 days: a date has the same place in each year. */
const places = 12 * longestMonth

/** An answer never reaches beyond a year, so that the length of February is known. */
function onYearly(all: readonly Extract<Dates, { readonly kind: 'Yearly' }>[]): Cover {
  const named = Array.from({ length: places }, (_, place) =>
    all.some(({ first, last }) => (first <= last ? first <= place && place <= last : place <= last || first <= place)),
  )
  const starts: number[] = []
  const ends: number[] = []
  for (let place = 0; place < places; place++)
    starts.push(place > 0 && named[place] === named[place - 1] ? (starts[place - 1] ?? 0) : place)
  for (let place = places - 1; place >= 0; place--)
    ends[place] = named[place] === named[place + 1] ? (ends[place + 1] ?? places) : place + 1
  return (day) => {
    const date = new Date(day * dayMs)
    const year = date.getUTCFullYear()
    const place = date.getUTCMonth() * longestMonth + date.getUTCDate() - 1
    return { holds: named[place] === true, start: dayAt(year, starts[place] ?? 0), end: dayAt(year, ends[place] ?? places) }
  }
}

/** The day of a place in a year; of one that the year does not have, the next. */
function dayAt(year: number, place: number): number {
  const month = Math.floor(place / longestMonth)
  return dayNumber(year, month, Math.min(place % longestMonth, lengthOfMonth(year, month)))
}

export function onWeekdays(names: readonly Weekday[]): Cover {
  const named = weekdays.map((name) => names.includes(name))
  const isNamed = (day: number): boolean => named[(((day + thursday) % 7) + 7) % 7] === true
  if (!named.includes(false)) return () => ({ holds: true, start: -Infinity, end: Infinity })
  return (day) => {
    const holds = isNamed(day)
    let [start, end] = [day, day + 1]
    while (isNamed(start - 1) === holds) start--
    while (isNamed(end) === holds) end++
    return { holds, start, end }
  }
}

/** 1970-01-01. */
const thursday = 4

/** `month` and `day` count from 0. */
function dayNumber(year: number, month: number, day: number): number {
  return Date.UTC(year, month, day + 1) / dayMs
}

function lengthOfMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
}
