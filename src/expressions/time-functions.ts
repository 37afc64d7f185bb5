/**
 * The parts of times and durations. A time zone is a name of the tz database or an offset such as `+02:00`; without
 * one it is UTC.
 */
import { method, type Overload } from './functions.ts'
import { fault, nanosOf } from './values.ts'

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known !== undefined) return known
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: /^\d\d:\d\d$/u.test(zone) ? `+${zone}` : zone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    throw fault(
      'invalid_time_zone',
      `the time zone ${JSON.stringify(zone)} does not exist`,
      'write a name such as Europe/Berlin, or +02:00',
    )
  }
  formats.set(zone, format)
  return format
}

/** Returns a time whose UTC parts are those that a clock in the zone shows. */
function localTime(time: Date, zone: string): Date {
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(time)
      .map(({ type, value }) => [type, value]),
  )
  const part = (name: string): number => Number(parts[name])
  const year = parts['era']?.startsWith('B') === true ? 1 - part('year') : part('year')
  const result = new Date(0)
  result.setUTCFullYear(year, part('month') - 1, part('day'))
  result.setUTCHours(part('hour'), part('minute'), part('second'), time.getUTCMilliseconds())
  return result
}

function dayOfYear(time: Date): number {
  const first = new Date(time)
  first.setUTCMonth(0, 1)
  return Math.round((time.getTime() - first.getTime()) / 86_400_000)
}

/**
 * The date of a zone's calendar as `2026-11-28`, some days later or earlier. Days are those of the calendar, which have
 * 23 to 25 hours when clocks change.
 */
function localDate(time: Date, zone: string, days: bigint): string {
  const local = localTime(time, zone)
  local.setUTCDate(local.getUTCDate() + Number(days))
  if (Number.isNaN(local.getTime()) || local.getUTCFullYear() < 1 || local.getUTCFullYear() > 9_999)
    throw fault('numeric_overflow', 'the date is not within the years 1 to 9999')
  return local.toISOString().slice(0, 10)
}

const parts: Readonly<Record<string, (local: Date) => number>> = {
  getDate: (local) => local.getUTCDate(),
  getDayOfMonth: (local) => local.getUTCDate() - 1,
  getDayOfWeek: (local) => local.getUTCDay(),
  getDayOfYear: dayOfYear,
  getFullYear: (local) => local.getUTCFullYear(),
  getHours: (local) => local.getUTCHours(),
  getMilliseconds: (local) => local.getUTCMilliseconds(),
  getMinutes: (local) => local.getUTCMinutes(),
  getMonth: (local) => local.getUTCMonth(),
  getSeconds: (local) => local.getUTCSeconds(),
}

const nanosOfPart: Readonly<Record<string, bigint>> = {
  getHours: 3_600_000_000_000n,
  getMilliseconds: 1_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
}

export const timeFunctions: readonly Overload[] = [
  ...Object.entries(parts).flatMap(([name, part]) => [
    method(name, ['timestamp'], 'int', (time) => BigInt(part(time))),
    method(name, ['timestamp', 'string'], 'int', (time, zone) => BigInt(part(localTime(time, zone)))),
  ]),
  ...Object.entries(nanosOfPart).map(([name, nanos]) => method(name, ['duration'], 'int', (duration) => nanosOf(duration) / nanos)),
  method('localDate', ['timestamp', 'string'], 'string', (time, zone) => localDate(time, zone, 0n)),
  method('localDate', ['timestamp', 'string', 'int'], 'string', localDate),
]
