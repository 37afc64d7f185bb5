import { getNextMillis } from 'bullmq'
import { expect, it } from 'vitest'
import { draws, seed } from '../../test/support/draws.ts'
import { random } from '../../test/support/random.ts'
import { schedulerPattern } from './scheduler-pattern.ts'
import { parseTiming } from './timing.ts'

it.each([
  ['0 3 * * *', '0 3 * * *'],
  ['30 0 3 * * MON-SUN', '30 0 3 * * *'],
  ['*/15 9-17 * * MON-FRI', '0,15,30,45 9-17 * * 1-5'],
  ['@monthly', '0 0 1 * *'],
  ['0 0 L * ?', '0 0 L * *'],
  ['0 0 * * FRI#2', '0 0 * * 5#2'],
  ['0 0 * * 5L', '0 0 * * 5L'],
  // Values that are named twice, a range over the end of the week, and one of a day in both fields of days.
  ['*,5 1,1-2 * * FRI-SUN', '* 1,2 * * 0,5,6'],
  ['0 0 1-31 * MON', '0 0 * * *'],
])('%s is %s', (expression, pattern) => {
  expect(schedulerPattern(expression)).toEqual({ pattern })
})

it.each(['0 0 15W * *', '0 0 LW * *', '0 0 1,L * *', '0 0 * * MON,FRI#2'])('%s has no pattern', (expression) => {
  expect(schedulerPattern(expression)).toEqual({ problem: expect.stringContaining('that job schedulers of BullMQ do not know') as unknown })
})

const chance = random(seed)
const below = (limit: number): number => Math.floor(chance() * limit)
const pick = <T>(all: readonly T[]): T => all[below(all.length)]!

const fields = [
  { least: 0, most: 59, others: [] },
  { least: 0, most: 23, others: [] },
  { least: 1, most: 31, others: ['L', '1-31', 'LW', '15W'] },
  { least: 1, most: 12, others: ['JAN', 'feb', 'MAR-MAY'] },
  { least: 0, most: 7, others: ['SUN', 'mon-FRI', '5L', '0L', '1#2', '7#1', 'SAT-SUN', '0-6'] },
] as const
type Field = (typeof fields)[number]

function entry({ least, most, others }: Field): string {
  const value = () => least + below(most - least + 1)
  const kind = chance()
  if (kind < 0.3) return pick(['*', '?', `*/${1 + below(most - least)}`])
  if (kind < 0.55) return `${value()}`
  if (kind < 0.65) return `${value()}/${1 + below(9)}`
  if (kind < 0.8 || others.length === 0) {
    const [a = 0, b = 0] = [value(), value()].toSorted((x, y) => x - y)
    return pick([`${a}-${b}`, `${a}-${b}/${1 + below(5)}`])
  }
  return pick(others)
}

it('BullMQ is due at the times at which Taskmill is', () => {
  const from = Date.UTC(2027, 0, 10, 3, 4, 5)
  let compared = 0
  for (let count = 0; count < draws(300, 20_000); count++) {
    const parts = fields.map((field) => (chance() < 0.75 ? entry(field) : `${entry(field)},${entry(field)}`))
    const expression = [...(chance() < 0.3 ? [entry(fields[0])] : []), ...parts].join(' ')
    const timing = parseTiming({ schedules: [expression], timeZone: 'UTC' })
    const written = schedulerPattern(expression)
    if (!timing.ok || 'problem' in written) continue
    compared++
    let [ours, theirs]: [number | undefined, number | undefined] = [from / 1000, from]
    for (let slot = 0; slot < 10 && ours !== undefined; slot++) {
      ours = timing.slots.next(ours)
      theirs = theirs === undefined ? undefined : getNextMillis(theirs, { pattern: written.pattern, tz: 'UTC' })
      expect(theirs === undefined ? undefined : theirs / 1000, `${expression} as ${written.pattern}`).toBe(ours)
    }
  }
  expect(compared).toBeGreaterThan(150)
})
