/** The same expressions, read by Taskmill and by the library of the CronJob controller (robfig/cron v3, see `test/support/robfig-cron`). */
import { readFileSync } from 'node:fs'
import { Cron } from 'croner'
import { describe, expect, it } from 'vitest'
import { draws, seed } from '../../test/support/draws.ts'
import { random } from '../../test/support/random.ts'
import { type Answer, askRobfigCron } from '../../test/support/robfig-cron.ts'
import { parseCron, resolveHashes } from './cron.ts'
import { zoneOf } from './time-zone.ts'
import { cronSlots, parseTiming } from './timing.ts'

const [fromYear, toYear] = [2024, 2037]
const chance = random(seed)
const below = (limit: number): number => Math.floor(chance() * limit)
function pick<T>(all: readonly T[]): T {
  const found = all[below(all.length)]
  if (found === undefined) throw new RangeError('nothing to pick from')
  return found
}

const fields = [
  { least: 0, most: 59, names: [] },
  { least: 0, most: 23, names: [] },
  { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: ['JAN', 'feb', 'Mar', 'DEC'] },
  { least: 0, most: 6, names: ['SUN', 'mon', 'Wed', 'FRI', 'SAT'] },
] as const
type Field = (typeof fields)[number]

/** Mostly valid, sometimes just outside of what is. */
function value({ least, most, names }: Field): string {
  if (names.length > 0 && chance() < 0.3) return pick(names)
  const number = chance() < 0.01 ? pick([least - 1, most + 1, most + 40]) : least + below(most - least + 1)
  return chance() < 0.05 ? String(number).padStart(3, '0') : String(number)
}

function step({ least, most }: Field): string {
  const size = most - least + 1
  return chance() < 0.02 ? pick(['0', String(size + 1 + below(60)), '-2', '+2', '', 'x']) : String(1 + below(chance() < 0.7 ? 6 : size))
}

function entry(field: Field): string {
  const kind = chance()
  if (kind < 0.2) return pick(['*', '*', '*', '?'])
  if (kind < 0.4) return `${pick(['*', '*', '?'])}/${step(field)}`
  if (kind < 0.7) return value(field)
  if (kind < 0.76) return `${value(field)}/${step(field)}`
  const [a, b] = [value(field), value(field)]
  const isOrdered = Number(a) <= Number(b)
  const range = isOrdered || chance() < 0.2 ? `${a}-${b}` : `${b}-${a}`
  return kind < 0.9 ? range : `${range}/${step(field)}`
}

const seedOfHash = 'acme/digest'

const slips: readonly ((text: string) => string)[] = [
  (text) => text.replace(' ', ',, '),
  (text) => text.replace(/\d+/u, '+$&'),
  (text) => text.replace(/\*/u, '*-5'),
  (text) => text.replace(/\d+/u, '$&-1-2'),
  (text) => text.replace(/\d+/u, '$&/2/3'),
  (text) => text.replace(/ \S+$/u, ''),
  (text) => `${text} 2027`,
  (text) => `0 ${text}`,
  (text) => `*/20 ${text}`,
  (text) => `  ${text.replaceAll(' ', '\t ')} `,
  (text) => text.replace(/\S+$/u, pick(['7', '0-7', 'FRI-SUN', '5-7', 'SAT-SUN', '1,7', 'MONDAY', 'FRI-MON', '6-2', 'SUN-TUE'])),
  (text) => text.replace(/(\S+ \S+) \S+/u, `$1 ${pick(['L', 'LW', '15W', '1W', 'L-3', '31'])}`),
  (text) => text.replace(/\S+$/u, pick(['FRI#1', 'FRI#L', '5L', 'MON#6', '2#3', 'L'])),
  (text) => text.replace(/^\S+/u, pick(['2026-12-24', '18:00', 'x', '1.5', '-1', '*/90', '60/5'])),
  (text) => text.replace(/^\S+/u, pick(['H', 'H/5', 'H(10-40)', 'H(0-29)/7', '5,H', 'H(5)', 'H(50-60)'])),
  // A CronJob understands what an expression with H stands for.
  (text) =>
    resolveHashes(
      text.replace(/^\S+ \S+/u, `${pick(['H', 'H/25', 'H(0-29)/10', 'H(0-29),H(30-59)'])} ${pick(['H', 'H(1-5)', '*'])}`),
      seedOfHash,
    ),
  (text) => resolveHashes(text.replace(/\S+ (\S+) \S+$/u, `${pick(['H', 'H/3'])} $1 ${pick(['*', 'H', 'H(MON-FRI)'])}`), seedOfHash),
  () => `${pick([30, 31])} ${pick(['12', '*'])} ${pick(['30', '31', '30-31'])} ${pick(['2', 'FEB', '2,4', '4,6'])} *`,
  () =>
    pick([
      '@hourly',
      '@daily',
      '@midnight',
      '@weekly',
      '@monthly',
      '@yearly',
      '@annually',
      '@Daily',
      '@reboot',
      '@every 5m',
      '@every 1h30m',
    ]),
  (text) => `${pick(['TZ', 'CRON_TZ'])}=UTC ${text}`,
]

function expression(): string {
  const text = fields.map((field) => Array.from({ length: chance() < 0.75 ? 1 : 1 + below(3) }, () => entry(field)).join(',')).join(' ')
  return chance() < 0.15 ? pick(slips)(text) : text
}

type Row = (text: string, theirs: Answer) => boolean
const parts = (text: string): readonly string[] => text.trim().split(/\s+/u)
const hasLongStep = (text: string): boolean =>
  parts(text).some((part, at) => part.split(',').some((each) => Number(each.split('/')[1] ?? 1) > [60, 24, 31, 12, 7][at]!))

/** The table of docs/schedules.md: what only one of both takes. */
const onlyHere: Readonly<Record<string, Row>> = {
  'seconds in front': (text) => parts(text).length === 6,
  '`7` and `SUN` at the end of a range': (text) => /(?:^|[,-])7|-sun/iu.test(parts(text)[4] ?? ''),
  '`H`': (text) => /(?:^|,)H/u.test(parts(text)[0] ?? ''),
  '`L`, `W` and `#`': (text) => /#|^\d?L$/u.test(parts(text)[4] ?? '') || /[LW]/u.test(parts(text)[2] ?? ''),
}
const onlyThere: Readonly<Record<string, Row>> = {
  '`@every 5m`': (text) => text.startsWith('@every '),
  '`TZ=` or `CRON_TZ=` in front': (text) => /^(?:CRON_)?TZ=/u.test(text),
  'a day that never comes': (_, { next }) => next.length === 0,
  'a step longer than the field': hasLongStep,
  'slips such as `1,,2`, `*-5` and `+5`': (text) => /,,|,(?:\s|$)|(?:^|[\s,])(?:,|[*?]-)|\+\d/u.test(text),
}

const count = draws(20_000, 200_000)
const zones = Intl.supportedValuesOf('timeZone')
const questions = Array.from({ length: count }, () => ({
  expression: expression(),
  zone: pick(zones),
  // A third of them on the days around a change in many zones.
  after:
    chance() < 0.3
      ? pick([Date.UTC(2026, 2, 28), Date.UTC(2026, 9, 24), Date.UTC(2030, 10, 2), Date.UTC(2030, 2, 9)]) / 1000 + below(3 * 86_400)
      : Date.UTC(2026, 0) / 1000 + below(4 * 366 * 86_400),
  count: 4,
}))

function ours({ expression: text, zone: name, after, count: most }: (typeof questions)[number]): readonly number[] | string {
  const timing = parseTiming({ schedules: [text], timeZone: name }, seedOfHash)
  if (!timing.ok) return timing.message
  const parsed = parseCron(text, seedOfHash)
  const zone = zoneOf(name)
  if (typeof parsed === 'string' || typeof zone === 'string') throw new TypeError('understood and refused')
  // CronJob has one rule for all expressions: it runs whenever the clocks show the time.
  const slots = cronSlots([parsed], zone, { gap: 'Skip', overlap: 'Both' })
  const found: number[] = []
  for (let slot = slots.next(after); slot !== undefined && found.length < most; slot = slots.next(slot)) found.push(slot)
  return found
}

describe(`${count} expressions, seed ${seed}`, () => {
  const answers = askRobfigCron(questions, fromYear, toYear)
  const hits = new Map<string, number>()
  const differences: string[] = []
  const refusals = new Set<string>()
  let compared = 0
  const documented = (table: Readonly<Record<string, Row>>, text: string, theirs: Answer): boolean => {
    const row = Object.entries(table).find(([, applies]) => applies(text, theirs))?.[0]
    if (row !== undefined) hits.set(row, (hits.get(row) ?? 0) + 1)
    return row !== undefined
  }
  for (const [index, question] of questions.entries()) {
    const { expression: text, zone, after } = question
    const theirs = answers[index] ?? { next: [] }
    const own = ours(question)
    const words = `${JSON.stringify(text)} in ${zone} after ${new Date(after * 1000).toISOString()}`
    if (typeof own === 'string') {
      refusals.add(own)
      if (theirs.refused === undefined && !documented(onlyThere, text, theirs))
        differences.push(`${words}: refused here (${own}), taken by CronJob`)
      continue
    }
    if (theirs.refused !== undefined && !documented(onlyHere, text, theirs))
      differences.push(`${words}: taken here, refused by CronJob (${theirs.refused})`)
    if (theirs.refused !== undefined && theirs.next.length === 0) continue
    compared++
    if (own.join() !== theirs.next.join()) differences.push(`${words}: ${own.join()} here, ${theirs.next.join()} as a CronJob`)
  }

  it('are due at the same times, or the difference is in the table', () => {
    expect(differences.slice(0, 20)).toEqual([])
    expect(answers).toHaveLength(count)
    expect(compared).toBeGreaterThan(count / 2)
  })

  it('show each difference that docs/schedules.md lists', () => {
    const page = readFileSync('docs/schedules.md', 'utf8')
    for (const row of [...Object.keys(onlyHere), ...Object.keys(onlyThere)]) {
      expect(hits.get(row) ?? 0, row).toBeGreaterThan(0)
      expect(page.includes(`| ${row} |`), row).toBe(true)
    }
  })

  it('are refused with what to write instead', () => {
    expect([...refusals].filter((message) => !/; (?:write|use|correct) |\. There is no year/u.test(message))).toEqual([])
  })
})

it('L, W and # name the days that croner names', () => {
  const days = ['L', 'LW', '15W', '1W', '31W', '30W', '3,15W', 'L,15', '1W,LW']
  const weekdays = ['FRI#1', '5#5', 'MON#1,FRI#L', '5L', 'SUN#L', '0L', 'TUE#2,THU#4', '7#3']
  const all = [
    ...days.map((day) => `0 6 ${day} * *`).filter((each) => !each.includes(',LW')),
    ...weekdays.map((day) => `0 6 * * ${day}`),
    '30 6 L 2,6 FRI#2',
  ]
  for (const text of all) {
    const theirs = new Cron(text, { timezone: 'UTC' }).nextRuns(200, new Date('2026-01-01T00:00:00Z')).map((date) => date.getTime() / 1000)
    const timing = parseTiming({ schedules: [text], timeZone: 'UTC' })
    const own = timing.ok ? timing.slots.between(Date.UTC(2026, 0) / 1000 - 1, theirs.at(-1) ?? 0, 300) : timing.message
    expect(own, text).toEqual(theirs)
  }
})
