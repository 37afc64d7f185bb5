/**
 * iCalendar files (RFC 5545): the times of their events, with recurrences and exceptions. The library `ical.js` reads the text and counts the
 * recurrences; rules with which it does not come to an end, or not to the right one, are refused before.
 */
import ICAL from 'ical.js'
import { firstReached } from './clock-changes.ts'
import { type Cover, daySeconds, type FileCover, type Interval, joined, within } from './cover.ts'
import { zoneOf } from './time-zone.ts'

export function isICalendar(text: string): boolean {
  return /^\uFEFF?\s*BEGIN:VCALENDAR\b/iu.test(text)
}

/** Why a file is refused, and what to write instead. */
class Refusal extends Error {}

const mostEvents = 5_000
const mostRules = 200

/** Returns the times of all events that are not cancelled, whether they show as busy or not; or what is wrong, with the line. */
export function parseICalendar(text: string): FileCover | string {
  try {
    const lines = checkLines(text)
    const roots = rootsOf(text)
    const events = roots.flatMap((root) => root.getAllSubcomponents('vevent').map((event) => ({ root, event })))
    if (events.length > mostEvents)
      throw new Refusal(`has ${events.length} events, but at most ${mostEvents} are read; remove those of the past`)
    return coverEvents(events.map((each, index) => ({ ...each, name: nameOf(each.event, lines[index]) })))
  } catch (error) {
    if (error instanceof Refusal) return error.message
    throw error
  }
}

/** Returns the lines on which events begin. The library names no lines. */
function checkLines(text: string): readonly number[] {
  const open: string[] = []
  const events: number[] = []
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    // Continues the line before.
    if (line === '' || /^[ \t]/u.test(line)) continue
    const [, name = '', value = ''] = /^\uFEFF?([A-Za-z0-9-]+)(?:;[^:]*)?[:;](.*)$/u.exec(line) ?? []
    const part = value.trim().toUpperCase()
    if (name === '') throw new Refusal(`line ${index + 1}: ${quote(line)} is not a line of an iCalendar file: a name, a colon and a value`)
    if (name.toUpperCase() === 'BEGIN') {
      if (part === 'VEVENT') events.push(index + 1)
      open.push(part)
    } else if (name.toUpperCase() === 'END' && open.pop() !== part) {
      throw new Refusal(`line ${index + 1}: END:${quoteless(part)} closes nothing that is open; the file is cut or mixed up`)
    }
  }
  const [left] = open
  if (left !== undefined) throw new Refusal(`END:${quoteless(left)} is missing; the file is cut`)
  return events
}

function rootsOf(text: string): readonly ICAL.Component[] {
  try {
    const parsed = ICAL.parse(text.replace(/^\uFEFF/u, '')) as unknown[]
    return (typeof parsed[0] === 'string' ? [parsed] : (parsed as unknown[][])).map((each) => new ICAL.Component(each))
  } catch (error) {
    throw new Refusal(`is not an iCalendar file: ${quoteless(error instanceof Error ? error.message : String(error), 120)}`)
  }
}

type NamedEvent = { readonly root: ICAL.Component; readonly event: ICAL.Component; readonly name: string }

function nameOf(event: ICAL.Component, line: number | undefined): string {
  const summary = event.getFirstPropertyValue('summary') ?? event.getFirstPropertyValue('uid') ?? ''
  return `line ${line ?? '?'}: event ${quote(String(summary))}`
}

/** Times that a file says: of clocks wherever it is used, or moments. */
type Domain = 'readings' | 'moments'

type Found = { readonly single: Interval[]; readonly recurring: Recurring[] }

function coverEvents(events: readonly NamedEvent[]): FileCover {
  const found: Record<Domain, Found> = { readings: { single: [], recurring: [] }, moments: { single: [], recurring: [] } }
  const replaced = replacedTimes(events)
  for (const { root, event, name } of events) {
    const isCancelled = String(event.getFirstPropertyValue('status') ?? '').toUpperCase() === 'CANCELLED'
    if (isCancelled) continue
    const { domain, start, clock, reading, length } = timesOf(root, event, name)
    const into = found[domain]
    const rules = rulesOf(event, reading, name)
    const isReplaced = event.hasProperty('recurrence-id') ? new Set<number>() : (replaced.get(uidOf(event)) ?? new Set<number>())
    const excluded = new Set([...isReplaced, ...datesOf(root, event, 'exdate', name)])
    const add = (each: number): void => {
      if (!excluded.has(each)) into.single.push({ start: each, end: each + length })
    }
    add(start)
    for (const each of datesOf(root, event, 'rdate', name)) add(each)
    for (const rule of rules) into.recurring.push({ rule, from: reading, clock, length, excluded, until: untilOf(rule, clock) })
  }
  const count = found.readings.recurring.length + found.moments.recurring.length
  if (count > mostRules) throw new Refusal(`has ${count} events that recur, but at most ${mostRules} are read; write some as dates`)
  return { readings: [growing(found.readings)], moments: [growing(found.moments)] }
}

/** By UID: the times of a series that an event of its own stands for. */
function replacedTimes(events: readonly NamedEvent[]): ReadonlyMap<string, ReadonlySet<number>> {
  const replaced = new Map<string, Set<number>>()
  for (const { root, event, name } of events) {
    const property = event.getFirstProperty('recurrence-id')
    if (property === null) continue
    if (property.getParameter('range') !== undefined) {
      throw new Refusal(`${name} changes a series from a time on (RANGE), which is not read; end the series there and begin another one`)
    }
    const of = replaced.get(uidOf(event)) ?? new Set()
    for (const each of datesOf(root, event, 'recurrence-id', name)) of.add(each)
    replaced.set(uidOf(event), of)
  }
  return replaced
}

function uidOf(event: ICAL.Component): string {
  return String(event.getFirstPropertyValue('uid') ?? '')
}

/** From what clocks show to the domain of the event. */
type Clock = (reading: number) => number

type EventTimes = {
  readonly domain: Domain
  readonly start: number
  /** What the event's own clock shows at its start. */
  readonly reading: number
  readonly clock: Clock
  readonly length: number
}

function timesOf(root: ICAL.Component, event: ICAL.Component, name: string): EventTimes {
  const begin = event.getFirstProperty('dtstart')
  if (begin === null) throw new Refusal(`${name} has no DTSTART`)
  const [from] = valuesOf(root, begin, name)
  if (from === undefined) throw new Refusal(`${name} has no DTSTART`)
  const start = from.clock(from.reading)
  const finish = event.getFirstProperty('dtend')
  const duration = event.getFirstPropertyValue('duration')
  const least = from.isDay ? daySeconds : 1
  let length = least
  if (finish !== null) {
    const [until] = valuesOf(root, finish, name)
    if (until === undefined || until.isDay !== from.isDay || until.domain !== from.domain)
      throw new Refusal(`${name}: DTSTART and DTEND are not of one kind; write both as days, both with a time zone, or both without`)
    length = until.clock(until.reading) - start
  } else if (duration instanceof ICAL.Duration) length = duration.toSeconds()
  if (length < 0) throw new Refusal(`${name} ends before it begins; correct DTEND`)
  return { domain: from.domain, start, reading: from.reading, clock: from.clock, length: Math.max(length, least) }
}

type Value = { readonly domain: Domain; readonly isDay: boolean; readonly reading: number; readonly clock: Clock }

const same: Clock = (reading) => reading

/** The values of a property that holds times; of a period its start. */
function valuesOf(root: ICAL.Component, property: ICAL.Property, name: string): readonly Value[] {
  const zoneName = property.getParameter('tzid')
  // As the library has split them up: `2026-12-24T18:00:00Z`.
  const [, , , ...texts] = property.jCal as unknown as readonly [string, object, string, ...(string | readonly string[])[]]
  return texts.map((value) => {
    const text = typeof value === 'string' ? value : (value[0] ?? '')
    const { isDay, isUtc, reading } = readTime(text, `${name}: ${property.name.toUpperCase()}`)
    if (isDay) return { domain: 'readings', isDay, reading, clock: same }
    if (isUtc) return { domain: 'moments', isDay, reading, clock: same }
    if (typeof zoneName !== 'string') return { domain: 'readings', isDay, reading, clock: same }
    return { domain: 'moments', isDay, reading, clock: clockOf(root, zoneName, name) }
  })
}

function readTime(text: string, name: string): { readonly isDay: boolean; readonly isUtc: boolean; readonly reading: number } {
  const parts = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(Z)?)?$/u.exec(text)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (parts ?? []).slice(1, 7).map((part) => Number(part ?? 0))
  const reading = Date.UTC(year, month - 1, day, hour, minute, second) / 1000
  // A leap second is the last of its minute.
  const exists =
    parts !== null && new Date(reading * 1000).toISOString().startsWith(text.slice(0, 10)) && hour < 24 && minute < 60 && second <= 60
  if (!exists) throw new Refusal(`${name} ${quote(text)} is not a time that exists; write 20261224 with VALUE=DATE, or 20261224T180000Z`)
  return { isDay: parts[4] === undefined, isUtc: parts[7] === 'Z', reading }
}

function clockOf(root: ICAL.Component, zoneName: string, name: string): Clock {
  const zone = zoneOf(zoneName)
  if (typeof zone !== 'string') return (reading) => firstReached(zone, reading)
  const described = root.getTimeZoneByID(zoneName) as ICAL.Timezone | null
  if (described === null)
    throw new Refusal(`${name} is in the time zone ${quote(zoneName)}, which is neither an IANA name nor described in the file (VTIMEZONE)`)
  return (reading) => reading - described.utcOffset(timeOf(reading))
}

function datesOf(
  root: ICAL.Component,
  event: ICAL.Component,
  property: 'exdate' | 'rdate' | 'recurrence-id',
  name: string,
): readonly number[] {
  return event.getAllProperties(property).flatMap((each) => valuesOf(root, each, name).map(({ clock, reading }) => clock(reading)))
}

type Recurring = {
  readonly rule: ICAL.Recur
  readonly from: number
  readonly clock: Clock
  readonly length: number
  readonly excluded: ReadonlySet<number>
  /** In the domain of the event, the last start. */
  readonly until: number
}

/** What a rule of each frequency may have. With more, the library may search for ever. */
const knownParts: Readonly<Record<string, readonly string[]>> = {
  DAILY: ['BYMONTH'],
  WEEKLY: ['BYDAY'],
  MONTHLY: ['BYDAY', 'BYMONTHDAY', 'BYSETPOS'],
  YEARLY: ['BYMONTH', 'BYMONTHDAY', 'BYDAY'],
}
const mostInterval = 1_000
const mostPosition = 5

function rulesOf(event: ICAL.Component, reading: number, name: string): readonly ICAL.Recur[] {
  return event.getAllProperties('rrule').map((property) => {
    const rule = property.getFirstValue() as ICAL.Recur
    const refuse = (problem: string): never => {
      throw new Refusal(`${name}: RRULE ${quote(rule.toString())} ${problem}`)
    }
    const known = knownParts[rule.freq]
    if (known === undefined) refuse('recurs within a day, which is not read; write windows instead')
    const parts = Object.keys(rule.parts)
    const unknown = parts.find((part) => known?.includes(part) !== true)
    if (unknown !== undefined) refuse(`has ${unknown} with FREQ=${rule.freq}, which is not read; write the times as RDATE, or as dates`)
    if (rule.interval > mostInterval) refuse(`has an INTERVAL above ${mostInterval}; write the times as RDATE, or as dates`)
    if (rule.count !== null && rule.count < 1) refuse('has a COUNT below 1; correct it')
    const positions = (rule.parts['BYSETPOS'] ?? []) as readonly number[]
    if (positions.some((position) => Math.abs(position) > mostPosition))
      refuse(`has a BYSETPOS beyond ${mostPosition}; write the times as RDATE, or as dates`)
    // The library would look at one month only.
    if (rule.freq === 'YEARLY' && parts.length > 0 && !parts.includes('BYMONTH')) refuse('needs BYMONTH; write the months')
    if (namesNoDay(rule)) refuse('names a day that does not exist; correct BYMONTH or BYMONTHDAY')
    try {
      rule.iterator(timeOf(reading)).next()
    } catch (error) {
      refuse(`cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
    return rule
  })
}

/** Longest lengths of the months. */
const monthLengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function namesNoDay({ parts }: ICAL.Recur): boolean {
  const days = (parts['BYMONTHDAY'] ?? []) as readonly number[]
  const months = (parts['BYMONTH'] ?? [1]) as readonly number[]
  return days.length > 0 && !months.some((month) => days.some((day) => Math.abs(day) <= (monthLengths[month - 1] ?? 0)))
}

function untilOf({ until }: ICAL.Recur, clock: Clock): number {
  if (until === null || until === undefined) return Infinity
  const { isDay, isUtc, reading } = readTime(until.toString(), 'UNTIL')
  if (isDay) return clock(reading + daySeconds - 1)
  return isUtc ? reading : clock(reading)
}

/** A time on a clock, without a zone. */
function timeOf(reading: number): ICAL.Time {
  const date = new Date(reading * 1000)
  return new ICAL.Time(
    {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
      isDate: false,
    },
    ICAL.Timezone.localTimezone,
  )
}

/** No schedule has slots before, so that a series which has gone on for decades costs no more than a new one. */
const earliest = Date.UTC(2020, 0) / 1000
/** Dates of a spec end there too. */
const latest = Date.UTC(2100, 0) / 1000

/** The starts of a series, ascending, in the domain of the event. */
function* startsOf({ rule, from, clock, until }: Recurring): Generator<number, undefined> {
  const endless = rule.clone()
  ;(endless as { until: ICAL.Time | null }).until = null
  const iterator = endless.iterator(timeOf(beginningOf(rule, from)))
  for (let time = iterator.next() as ICAL.Time | null; time !== null; time = iterator.next() as ICAL.Time | null) {
    const reading = Date.UTC(time.year, time.month - 1, time.day, time.hour, time.minute, time.second) / 1000
    const start = clock(reading)
    if (start > until || start > latest) return undefined
    if (reading >= from && isNamed(rule, time)) yield start
  }
  return undefined
}

/** Nearer to the present by whole intervals, where nothing is counted. */
function beginningOf({ freq, interval, count }: ICAL.Recur, from: number): number {
  if (count !== null || from >= earliest || (freq !== 'DAILY' && freq !== 'WEEKLY')) return from
  const step = interval * (freq === 'DAILY' ? 1 : 7) * daySeconds
  return from + Math.floor((earliest - from) / step) * step
}

/** The library moves a day that a month does not have into the next one. */
function isNamed({ parts }: ICAL.Recur, { month, day, year }: ICAL.Time): boolean {
  const months = parts['BYMONTH'] as readonly number[] | undefined
  const days = parts['BYMONTHDAY'] as readonly number[] | undefined
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate()
  return months?.includes(month) !== false && days?.some((each) => each === day || each === day - length - 1) !== false
}

const aheadSeconds = 400 * daySeconds

/** Covers single times and series; the series as far as somebody has asked, and a year beyond. */
function growing({ single, recurring }: Found): Cover {
  const series = recurring.map((each) => ({ ...each, starts: startsOf(each), last: -Infinity }))
  const intervals = [...single]
  let until = series.length === 0 ? Infinity : -Infinity
  let cover = within(joined(intervals))
  function grow(time: number): void {
    until = time + aheadSeconds
    for (const each of series) {
      while (each.last < until) {
        const { value } = each.starts.next()
        each.last = value ?? Infinity
        if (value !== undefined && !each.excluded.has(value)) intervals.push({ start: value, end: value + each.length })
      }
    }
    cover = within(joined(intervals))
    if (series.every(({ last }) => last === Infinity)) until = Infinity
  }
  return (time) => {
    if (time >= until) grow(time)
    const { holds, start, end } = cover(time)
    return { holds, start, end: Math.min(end, until) }
  }
}

/** What is said about a file is read by more people than the file. */
function quote(text: string): string {
  return JSON.stringify(quoteless(text))
}

function quoteless(text: string, most = 40): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}
