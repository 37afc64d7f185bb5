import { type CronExpression, type DayRule, hasBit, nextBit, previousBit } from './cron.ts'

/**
 * What the clocks of a place show, in seconds: the time of day and the date, read as if they were UTC. Twice the same
 * where clocks go back, and with a hole where they go forward.
 */
export type Reading = number

const daySeconds = 86_400
const dayMs = daySeconds * 1000
/** After 400 years all dates have the same weekdays again: an expression without a match by then has none. */
const cycleMonths = 4_800

/** Returns the first reading at or after `from` that the expression names; undefined: there is no such day. */
export function nextReading(expression: CronExpression, from: Reading): Reading | undefined {
  const today = Math.floor(from / daySeconds)
  const day = nextDay(expression, today)
  if (day === undefined) return undefined
  if (day === today) {
    const time = nextTime(expression, from - today * daySeconds)
    if (time >= 0) return today * daySeconds + time
  }
  const later = day === today ? nextDay(expression, today + 1) : day
  return later === undefined ? undefined : later * daySeconds + nextTime(expression, 0)
}

/** Returns the last reading at or before `until` that the expression names; undefined: there is no such day. */
export function previousReading(expression: CronExpression, until: Reading): Reading | undefined {
  const today = Math.floor(until / daySeconds)
  const day = previousDay(expression, today)
  if (day === undefined) return undefined
  if (day === today) {
    const time = previousTime(expression, until - today * daySeconds)
    if (time >= 0) return today * daySeconds + time
  }
  const earlier = day === today ? previousDay(expression, today - 1) : day
  return earlier === undefined ? undefined : earlier * daySeconds + previousTime(expression, daySeconds - 1)
}

/** Returns the first time of day at or after `from`, in seconds, or -1. */
function nextTime({ hours, minutes, seconds }: CronExpression, from: number): number {
  const hour = Math.floor(from / 3600)
  const minute = Math.floor(from / 60) % 60
  if (hasBit(hours, hour)) {
    const second = hasBit(minutes, minute) ? nextBit(seconds, from % 60) : -1
    if (second >= 0) return hour * 3600 + minute * 60 + second
    const laterMinute = nextBit(minutes, minute + 1)
    if (laterMinute >= 0) return hour * 3600 + laterMinute * 60 + nextBit(seconds, 0)
  }
  const laterHour = nextBit(hours, hour + 1)
  return laterHour < 0 ? -1 : laterHour * 3600 + nextBit(minutes, 0) * 60 + nextBit(seconds, 0)
}

/** Returns the last time of day at or before `until`, in seconds, or -1. */
function previousTime({ hours, minutes, seconds }: CronExpression, until: number): number {
  const hour = Math.floor(until / 3600)
  const minute = Math.floor(until / 60) % 60
  if (hasBit(hours, hour)) {
    const second = hasBit(minutes, minute) ? previousBit(seconds, until % 60) : -1
    if (second >= 0) return hour * 3600 + minute * 60 + second
    const earlierMinute = previousBit(minutes, minute - 1)
    if (earlierMinute >= 0) return hour * 3600 + earlierMinute * 60 + previousBit(seconds, 59)
  }
  const earlierHour = previousBit(hours, hour - 1)
  return earlierHour < 0 ? -1 : earlierHour * 3600 + previousBit(minutes, 59) * 60 + previousBit(seconds, 59)
}

/** `first` is the day on which it begins, counted from 1970-01-01. */
type Month = { readonly first: number; readonly length: number }

/** Months are counted from the beginning of the year 0, and the days of a month from 1. */
function monthOf(index: number): Month {
  const first = firstDayOf(index)
  return { first, length: firstDayOf(index + 1) - first }
}

function firstDayOf(month: number): number {
  return Date.UTC(Math.floor(month / 12), month % 12, 1) / dayMs
}

/** Returns the first day at or after `from`. The cost follows the number of months that the expression names until then. */
function nextDay(expression: CronExpression, from: number): number | undefined {
  const date = new Date(from * dayMs)
  const index = date.getUTCFullYear() * 12 + date.getUTCMonth()
  for (let at = nextMonth(expression, index); at <= index + cycleMonths; at = nextMonth(expression, at + 1)) {
    const month = monthOf(at)
    const day = nextDayIn(month, expression, at === index ? date.getUTCDate() : 1)
    if (day > 0) return month.first + day - 1
  }
  return undefined
}

/** Returns the last day at or before `until`. */
function previousDay(expression: CronExpression, until: number): number | undefined {
  const date = new Date(until * dayMs)
  const index = date.getUTCFullYear() * 12 + date.getUTCMonth()
  for (let at = previousMonth(expression, index); at >= index - cycleMonths; at = previousMonth(expression, at - 1)) {
    const month = monthOf(at)
    const day = previousDayIn(month, expression, at === index ? date.getUTCDate() : month.length)
    if (day > 0) return month.first + day - 1
  }
  return undefined
}

/** The first month at or after this one that the expression names. */
function nextMonth({ months }: CronExpression, index: number): number {
  const january = index - (index % 12)
  const month = nextBit(months, (index % 12) + 1)
  return month > 0 ? january + month - 1 : january + 12 + nextBit(months, 1) - 1
}

function previousMonth({ months }: CronExpression, index: number): number {
  const january = index - (index % 12)
  const month = previousBit(months, (index % 12) + 1)
  return month > 0 ? january + month - 1 : january - 12 + previousBit(months, 12) - 1
}

/** Returns the first day of the month at or after `from`, or -1. */
function nextDayIn(month: Month, expression: CronExpression, from: number): number {
  if (isByDate(expression)) {
    const day = nextBit(expression.days.bits, from)
    return day <= month.length ? day : -1
  }
  for (let day = from; day <= month.length; day++) if (isDay(expression, day, month)) return day
  return -1
}

/** Returns the last day of the month at or before `until`, or -1. */
function previousDayIn(month: Month, expression: CronExpression, until: number): number {
  if (isByDate(expression)) return previousBit(expression.days.bits, until)
  for (let day = until; day > 0; day--) if (isDay(expression, day, month)) return day
  return -1
}

/** Whether the same dates are named in each month. */
function isByDate({ days, weekdays }: CronExpression): boolean {
  return weekdays.isStar && days.rules.length === 0
}

/** 1970-01-01. */
const thursday = 4

/** If both fields for days restrict it, one of them is enough; a star restricts nothing. */
function isDay({ days, weekdays }: CronExpression, day: number, { first, length }: Month): boolean {
  const weekday = (((first + day - 1 + thursday) % 7) + 7) % 7
  const isDayOfMonth = days.isStar || hasBit(days.bits, day) || days.rules.some((rule) => isDayOf(rule, day, weekday, length))
  const isWeekday = weekdays.isStar || hasBit(weekdays.bits, weekday) || weekdays.rules.some((rule) => isDayOf(rule, day, weekday, length))
  return days.isStar || weekdays.isStar ? isDayOfMonth && isWeekday : isDayOfMonth || isWeekday
}

function isDayOf(rule: DayRule, day: number, weekday: number, lastDay: number): boolean {
  switch (rule.kind) {
    case 'LastDay':
      return day === lastDay
    case 'LastWorkday':
      return isNearestWorkday(day, weekday, lastDay, lastDay)
    case 'NearestWorkday':
      return rule.day <= lastDay && isNearestWorkday(day, weekday, rule.day, lastDay)
    case 'NthWeekday':
      return weekday === rule.weekday && Math.ceil(day / 7) === rule.nth
    case 'LastWeekday':
      return weekday === rule.weekday && day > lastDay - 7
  }
}

/** Whether `day` is the workday nearest to `target` in a month that ends on `lastDay`. */
function isNearestWorkday(day: number, weekday: number, target: number, lastDay: number): boolean {
  if (weekday === 0 || weekday === 6 || Math.abs(day - target) > 2) return false
  const targetWeekday = (weekday + target - day + 14) % 7
  if (targetWeekday === 6) return day === (target > 1 ? target - 1 : target + 2)
  if (targetWeekday === 0) return day === (target < lastDay ? target + 1 : target - 2)
  return day === target
}
