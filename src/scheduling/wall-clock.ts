import { type CronExpression, type DayRule, hasBit, nextBit, previousBit } from './cron.ts'

/**
 * What the clocks of a place show, in seconds: the time of day and the date, read as if they were UTC. Twice the same
 * where clocks go back, and with a hole where they go forward.
 */
export type Reading = number

const daySeconds = 86_400
const dayMs = daySeconds * 1000
/** After 400 years all dates have the same weekdays again: an expression without a match by then has none. */
const cycleDays = 146_097

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

/** Days are counted from 1970-01-01. A month that the expression does not name is passed over as a whole. */
function nextDay(expression: CronExpression, from: number): number | undefined {
  for (let day = from; day <= from + cycleDays;) {
    const date = new Date(day * dayMs)
    if (!hasBit(expression.months, date.getUTCMonth() + 1)) day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / dayMs
    else if (isDay(expression, date)) return day
    else day++
  }
  return undefined
}

function previousDay(expression: CronExpression, until: number): number | undefined {
  for (let day = until; day >= until - cycleDays;) {
    const date = new Date(day * dayMs)
    if (!hasBit(expression.months, date.getUTCMonth() + 1)) day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 0) / dayMs
    else if (isDay(expression, date)) return day
    else day--
  }
  return undefined
}

/** If both fields for days restrict it, one of them is enough; a star restricts nothing. */
function isDay({ days, weekdays }: CronExpression, date: Date): boolean {
  const isDayOfMonth = days.isStar || hasBit(days.bits, date.getUTCDate()) || days.rules.some((rule) => isDayOf(rule, date))
  const isWeekday = weekdays.isStar || hasBit(weekdays.bits, date.getUTCDay()) || weekdays.rules.some((rule) => isDayOf(rule, date))
  return days.isStar || weekdays.isStar ? isDayOfMonth && isWeekday : isDayOfMonth || isWeekday
}

function isDayOf(rule: DayRule, date: Date): boolean {
  const day = date.getUTCDate()
  const weekday = date.getUTCDay()
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
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
