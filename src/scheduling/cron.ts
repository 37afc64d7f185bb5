/**
 * The grammar of `schedules`: five fields, or six with seconds in front, as a CronJob reads them. What is more here
 * (seconds, 7 for Sunday, `L`, `W`, `#`, `H`) and what is refused although a CronJob takes it, is a table in
 * docs/schedules.md; `cron-job.test.ts` compares both parsers.
 */
import { hashText } from './hash.ts'

/** A set of whole numbers from 0 to 63. Bit n of `low` stands for n, bit n of `high` for n + 32. */
export type Bits = { readonly low: number; readonly high: number }

/** A day that depends on its month. */
export type DayRule =
  | { readonly kind: 'LastDay' }
  | { readonly kind: 'LastWorkday' }
  /** The day from Monday to Friday that is nearest to `day`, in the same month. None if the month has no such day. */
  | { readonly kind: 'NearestWorkday'; readonly day: number }
  | { readonly kind: 'NthWeekday'; readonly weekday: number; readonly nth: number }
  | { readonly kind: 'LastWeekday'; readonly weekday: number }

/** Of one part of an expression. `isStar`: it holds a `*` without a step, or with a step of 1. */
type FieldValues = { readonly bits: Bits; readonly isStar: boolean; readonly rules: readonly DayRule[] }

/** A parsed expression, in less than 1 KB. Weekdays count from 0, which is Sunday. */
export type CronExpression = {
  readonly seconds: Bits
  readonly minutes: Bits
  readonly hours: Bits
  readonly months: Bits
  readonly days: FieldValues
  readonly weekdays: FieldValues
}

/** The smallest member that is not below `from`, or -1. */
export function nextBit({ low, high }: Bits, from: number): number {
  if (from < 32) {
    const rest = low & (-1 << from)
    if (rest !== 0) return lowestBit(rest)
  }
  const rest = from >= 64 ? 0 : from <= 32 ? high : high & (-1 << (from - 32))
  return rest === 0 ? -1 : 32 + lowestBit(rest)
}

/** The largest member that is not above `until`, or -1. */
export function previousBit({ low, high }: Bits, until: number): number {
  if (until >= 32) {
    const rest = until >= 63 ? high : high & ~(-2 << (until - 32))
    if (rest !== 0) return 63 - Math.clz32(rest)
  }
  const rest = until < 0 ? 0 : until >= 31 ? low : low & ~(-2 << until)
  return rest === 0 ? -1 : 31 - Math.clz32(rest)
}

export function hasBit({ low, high }: Bits, member: number): boolean {
  return ((member < 32 ? low >>> member : high >>> (member - 32)) & 1) === 1
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word)
}

type Field = { readonly name: string; readonly least: number; readonly most: number; readonly names: readonly string[] }

const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const
const weekdayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const
const second: Field = { name: 'second', least: 0, most: 59, names: [] }
const minute: Field = { name: 'minute', least: 0, most: 59, names: [] }
const hour: Field = { name: 'hour', least: 0, most: 23, names: [] }
const dayOfMonth: Field = { name: 'day-of-month', least: 1, most: 31, names: [] }
const month: Field = { name: 'month', least: 1, most: 12, names: monthNames }
const dayOfWeek: Field = { name: 'day-of-week', least: 0, most: 6, names: weekdayNames }
/** In the order of an expression with seconds. */
const fields = [second, minute, hour, dayOfMonth, month, dayOfWeek]

const nicknames: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
])

const order = 'minute hour day-of-month month day-of-week, with seconds in front if you need them, for example "0 1 * * SUN"'

/** Why an expression is refused, and what to write instead. */
class Refusal extends Error {}

/**
 * Returns the expression, or what is wrong with it and what to write. `seed` is what `H` follows from: `namespace/name` of the schedule.
 * Without a seed, an expression with `H` is refused.
 */
export function parseCron(text: string, seed?: string): CronExpression | string {
  try {
    const { parts, hasHash } = partsOf(text.trim(), seed ?? '')
    const [seconds = '', minutes = '', hours = '', days = '', months = '', weekdays = ''] = parts
    const expression = {
      seconds: valuesOf(seconds, second).bits,
      minutes: valuesOf(minutes, minute).bits,
      hours: valuesOf(hours, hour).bits,
      months: valuesOf(months, month).bits,
      days: valuesOf(days, dayOfMonth),
      weekdays: valuesOf(weekdays, dayOfWeek),
    }
    if (hasHash && seed === undefined) throw new Refusal('has an H, which follows from the name of a schedule; write a value of your own')
    return expression
  } catch (error) {
    if (error instanceof Refusal) return `${JSON.stringify(text)} ${error.message}`
    throw error
  }
}

/** Whether a list of a field begins an entry with H; no name of a month or weekday does. */
const anyHash = /(?:^|[\s,])H/u

/** Returns an expression without `H` that is due at the same times: `37 2 * * *` for `H 2 * * *`. A wrong expression is returned as it is. */
export function resolveHashes(text: string, seed: string): string {
  if (!anyHash.test(text) || typeof parseCron(text, seed) === 'string') return text
  const trimmed = text.trim()
  const { parts } = partsOf(trimmed, seed)
  return parts.slice(trimmed.split(/\s+/u).length === 6 ? 0 : 1).join(' ')
}

/** Returns the six fields, seconds first, with a value for each `H`. */
function partsOf(trimmed: string, seed: string): { readonly parts: readonly string[]; readonly hasHash: boolean } {
  if (/^@every\b/iu.test(trimmed)) throw new Refusal('is not a cron expression; use everySeconds instead')
  if (/^(?:CRON_)?TZ=/u.test(trimmed)) throw new Refusal('contains a time zone; write it in timeZone')
  const nickname = nicknames.get(trimmed)
  if (trimmed.startsWith('@') && nickname === undefined) {
    const lower = trimmed.toLowerCase()
    const known = nicknames.has(lower) ? lower : '@hourly, @daily, @weekly, @monthly or @yearly, or an expression'
    throw new Refusal(`is not a known name; write ${known}`)
  }
  const parts = (nickname ?? trimmed).split(/\s+/u).filter((part) => part !== '')
  if (parts.length !== 5 && parts.length !== 6) {
    const years = parts.length === 7 ? ' (there is no field for years)' : ''
    throw new Refusal(`has ${parts.length} ${parts.length === 1 ? 'field' : 'fields'}, but needs 5 or 6${years}; write ${order}`)
  }
  const all = parts.length === 6 ? parts : ['0', ...parts]
  if (!anyHash.test(trimmed)) return { parts: all, hasHash: false }
  const plain = fields.map((field, index) => (all[index] ?? '').split(',').map((item) => plainItem(item, field, seed)))
  return { parts: plain.map((items) => items.join(',')), hasHash: true }
}

/** Days that each month has. */
const commonDays = 28

/**
 * Returns an entry with a value in place of `H`. All of a field are computed from one number, so that `H(0-29),H(30-59)` are half an hour
 * apart.
 */
function plainItem(item: string, field: Field, seed: string): string {
  if (!item.startsWith('H')) return item
  const { name, least } = field
  const most = field === dayOfMonth ? commonDays : field.most
  const [, range, steps] =
    /^H(?:\(([^()]*)\))?(?:\/(.*))?$/u.exec(item) ?? refuse(field, item, `is not a hashed value; write ${hashes(field)}`)
  const { from, until } = range === undefined ? { from: least, until: most } : hashedRange(range, item, field)
  const size = until - from + 1
  const number = hashText(`${seed}/${name}`)
  const nameOf = (value: number): string => String(field === dayOfWeek ? value % 7 : value)
  if (steps === undefined) return nameOf(from + (number % size))
  const step = stepOf(steps, item, field)
  if (step > size) refuse(field, item, `has a step that is longer than its range; write 1 to ${size}`)
  const first = from + (number % step)
  if (first + step > until) return nameOf(first)
  return step === 1 ? `${from}-${until}` : `${first}-${until}/${step}`
}

function hashedRange(range: string, item: string, field: Field): { readonly from: number; readonly until: number } {
  const [first = '', last, ...others] = range.split('-')
  if (last === undefined || others.length > 0) refuse(field, item, `has no range in its brackets; write ${hashes(field)}`)
  const from = valueOf(first, item, field)
  const isSunday = field === dayOfWeek && last.toUpperCase() === 'SUN' && from > 0
  const until = isSunday ? 7 : valueOf(last, item, field)
  if (from > until) refuse(field, item, `begins after its end; write the lower value first: ${hashes(field)}`)
  if (field === dayOfMonth && until > commonDays) refuse(field, item, `can be a day that some months do not have; write ${hashes(field)}`)
  return { from, until }
}

function hashes(field: Field): string {
  const last = field === dayOfMonth ? commonDays : field.most
  const half = field.least + Math.floor((last - field.least) / 2)
  return `"H" for one value, "H(${field.least}-${half})" for one of a range, or "H/2" for each second value`
}

const noRules: readonly DayRule[] = []

function valuesOf(text: string, field: Field): FieldValues {
  let low = 0
  let high = 0
  let isStar = false
  const rules: DayRule[] = []
  for (const item of text.split(',')) {
    if (item === '') refuse(field, text, `is a list with an empty entry; write the values with one comma between them`)
    const rule = dayRuleOf(item, field)
    if (rule !== undefined) {
      rules.push(rule)
      continue
    }
    const { from, until, step, star } = rangeOf(item, field)
    isStar ||= star
    for (let value = from; value <= until; value += step) {
      // 7 is Sunday as well.
      const member = field === dayOfWeek ? value % 7 : value
      if (member < 32) low |= 1 << member
      else high |= 1 << (member - 32)
    }
  }
  return { bits: { low, high }, isStar, rules: rules.length === 0 ? noRules : rules }
}

type Range = { readonly from: number; readonly until: number; readonly step: number; readonly star: boolean }

function rangeOf(item: string, field: Field): Range {
  const { least, most } = field
  const [range = '', steps, ...more] = item.split('/')
  const [first = '', last, ...others] = range.split('-')
  if (more.length > 0) refuse(field, item, 'has more than one step; write one, for example "*/15"')
  if (others.length > 0)
    refuse(field, item, describeOddity(item, field) ?? `is not a range; write its first and its last value: ${example(field)}`)
  const step = steps === undefined ? 1 : stepOf(steps, item, field)
  if (range === '*' || range === '?') return { from: least, until: most, step, star: step === 1 }

  let from = valueOf(first, item, field)
  if (last === undefined) {
    if (from === 7 && field === dayOfWeek) from = 0
    return { from, until: steps === undefined ? from : most, step, star: false }
  }
  let until = valueOf(last, item, field)
  // Sunday ends the week as well as it begins it: MON-SUN.
  if (field === dayOfWeek && last.toUpperCase() === 'SUN' && from > 0 && from < 7) until = 7
  if (from > until) refuse(field, item, `begins after its end; write ${JSON.stringify(wrapped(first, last, from, field))}`)
  return { from, until, step, star: false }
}

/** A range that goes on at the beginning, as two that do not. */
function wrapped(first: string, last: string, from: number, { least, most, names }: Field): string {
  const isNamed = !/^\d/u.test(first)
  const nameOf = (value: number): string => (isNamed ? (names[value - least] ?? '') : String(value))
  const range = (a: string, b: string): string => (a.toUpperCase() === b ? a : `${a}-${b}`)
  const beginning = range(nameOf(least), last.toUpperCase())
  return from > most ? beginning : `${range(first, nameOf(most))},${beginning}`
}

function stepOf(text: string, item: string, field: Field): number {
  const step = numberOf(text)
  const size = field.most - field.least + 1
  if (step === undefined)
    return refuse(field, item, describeOddity(item, field) ?? `has a step that is not a number; write one from 1 to ${size}`)
  if (step === 0) return refuse(field, item, `has the step 0; write 1 to ${size}`)
  if (step > size) {
    const instead = field === dayOfMonth || field === month || field === dayOfWeek ? '' : ', or use everySeconds for a longer interval'
    return refuse(field, item, `has a step that is longer than the field; write 1 to ${size}${instead}`)
  }
  return step
}

function valueOf(text: string, item: string, field: Field): number {
  const { least, names } = field
  const most = field === dayOfWeek ? 7 : field.most
  const named = names.indexOf(text.toUpperCase())
  if (named >= 0) return named + least
  const value = numberOf(text)
  if (value === undefined)
    return refuse(field, item, describeOddity(item, field) ?? `is not a value of this field; write ${choices(field)}`)
  if (value < least || value > most) return refuse(field, item, `is out of range; write ${choices(field)}`)
  return value
}

function numberOf(text: string): number | undefined {
  return /^\d+$/u.test(text) ? Number(text) : undefined
}

function dayRuleOf(item: string, field: Field): DayRule | undefined {
  const text = item.toUpperCase()
  if (field === dayOfMonth) {
    if (text === 'L') return { kind: 'LastDay' }
    if (text === 'LW') return { kind: 'LastWorkday' }
    const nearest = /^(\d+)W$/u.exec(text)?.[1]
    if (nearest !== undefined) return { kind: 'NearestWorkday', day: valueOf(nearest, item, field) }
    if (/[LW]/u.test(text))
      refuse(field, item, 'is not a day; write L for the last day, LW for the last workday, or 15W for the workday nearest to the 15th')
  }
  if (field === dayOfWeek) {
    const [day = '', nth, ...more] = text.split('#')
    if (nth === undefined) {
      const last = /^(\d+)L$/u.exec(text)?.[1]
      return last === undefined ? undefined : { kind: 'LastWeekday', weekday: valueOf(last, item, field) % 7 }
    }
    const isWeekday = field.names.includes(day) || /^[0-7]$/u.test(day)
    if (!isWeekday || more.length > 0 || !/^[1-5L]$/u.test(nth)) {
      refuse(field, item, 'is not a weekday of the month; write FRI#1 to FRI#5, or FRI#L for the last one, each as an entry of its own')
    }
    const weekday = valueOf(day, item, field) % 7
    return nth === 'L' ? { kind: 'LastWeekday', weekday } : { kind: 'NthWeekday', weekday, nth: Number(nth) }
  }
  return undefined
}

/** What is wrong with an entry that means something which an expression cannot say. */
function describeOddity(item: string, { name }: Field): string | undefined {
  if (/^\d{4}-\d/u.test(item)) {
    return 'is a date; write minute, hour, day and month, for example "0 18 24 12 *". There is no year: it comes due each year'
  }
  if (/^\d{1,2}:\d/u.test(item)) return 'is a time of day; write minute and hour as two fields, for example "30 18 * * *"'
  if (/^h(?:$|[(/])/u.test(item)) return `is not a ${name}; write a capital H for a value that follows from the name of the schedule`
  return undefined
}

function choices({ least, most, names }: Field): string {
  const numbers = `${least} to ${most}`
  return names.length === 0 ? numbers : `${numbers}, or ${names[0]} to ${names.at(-1)}`
}

function example({ least, most, names }: Field): string {
  return names.length === 0 ? `"${least}-${most}"` : `"${names[1]}-${names[5]}"`
}

function refuse({ name }: Field, text: string, problem: string): never {
  throw new Refusal(`is not a valid cron expression: ${name} ${JSON.stringify(text)} ${problem}`)
}
