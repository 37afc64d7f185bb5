/**
 * An expression as job schedulers of BullMQ take it. Their library (cron-parser) refuses what others allow, such as a value that is named twice,
 * so an expression is written anew from what it means. `scheduler-pattern.test.ts` compares the times of both.
 */
import { type Bits, type CronExpression, type DayRule, hasBit, parseCron } from './cron.ts'

/** Returns the pattern, or what it cannot say, as the end of a sentence about the expression. */
export function schedulerPattern(text: string): { readonly pattern: string } | { readonly problem: string } {
  const expression = parseCron(text)
  if (typeof expression === 'string') return { problem: expression }
  const { seconds, minutes, hours, months } = expression
  const days = daysOf(expression)
  if (days === undefined) return { problem: 'names days (W, or L or # beside other days) that job schedulers of BullMQ do not know' }
  const second = listOf(seconds, 0, 59)
  const parts = [...(second === '0' ? [] : [second]), listOf(minutes, 0, 59), listOf(hours, 0, 23), days[0], listOf(months, 1, 12), days[1]]
  return { pattern: parts.join(' ') }
}

/** Day of month and day of week: either matches if both are restricted, so that one that is every day makes it every day. */
function daysOf({ days, weekdays }: CronExpression): readonly [string, string] | undefined {
  const [day, weekday] = [dayList(days.bits, days.rules, 1, 31), dayList(weekdays.bits, weekdays.rules, 0, 6)]
  if (day === undefined || weekday === undefined) return undefined
  if (days.isStar || weekdays.isStar) return [days.isStar ? '*' : day, weekdays.isStar ? '*' : weekday]
  return day === '*' || weekday === '*' ? ['*', '*'] : [day, weekday]
}

function dayList(bits: Bits, rules: readonly DayRule[], least: number, most: number): string | undefined {
  const plain = listOf(bits, least, most)
  if (rules.length === 0) return plain
  const [rule] = rules
  if (rule === undefined || rules.length > 1 || plain !== '') return undefined
  switch (rule.kind) {
    case 'LastDay':
      return 'L'
    case 'LastWeekday':
      return `${rule.weekday}L`
    case 'NthWeekday':
      return `${rule.weekday}#${rule.nth}`
    case 'LastWorkday':
    case 'NearestWorkday':
      return undefined
  }
}

/** `*`, or values with ranges of three and more: `0,15,30-45`. */
function listOf(bits: Bits, least: number, most: number): string {
  const ranges: { from: number; until: number }[] = []
  for (let value = least; value <= most; value++) {
    if (!hasBit(bits, value)) continue
    const last = ranges.at(-1)
    if (last?.until === value - 1) last.until = value
    else ranges.push({ from: value, until: value })
  }
  const [only] = ranges
  if (ranges.length === 1 && only?.from === least && only.until === most) return '*'
  return ranges.map(({ from, until }) => (from === until ? `${from}` : until === from + 1 ? `${from},${until}` : `${from}-${until}`)).join()
}
