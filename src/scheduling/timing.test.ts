import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { assert, constantFrom, integer, property, record, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Slot } from '../contract/index.ts'
import { parseCron, resolveHashes } from './cron.ts'
import { zoneOf } from './time-zone.ts'
import { cronSlots, parseTiming, type SlotSource, type Timing } from './timing.ts'

const at = (text: string): Slot => Date.parse(text) / 1000
const times = (slots: readonly Slot[]): readonly string[] => slots.map((slot) => new Date(slot * 1000).toISOString().replace('.000Z', 'Z'))

function slotsOf(timing: Timing): SlotSource {
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.slots
}
function forwards(slots: SlotSource, after: Slot, count: number): readonly Slot[] {
  const found: Slot[] = []
  for (let slot = slots.next(after); slot !== undefined && found.length < count; slot = slots.next(slot)) found.push(slot)
  return found
}
const cron = (expression: string | readonly string[], timeZone = 'UTC'): SlotSource => slotsOf({ schedules: [expression].flat(), timeZone })

describe('expressions', () => {
  it.each([
    ['30 2 * * *', '2026-11-24T02:30:00Z'],
    ['*/20 * * * * *', '2026-11-24T00:00:20Z'],
    ['0 3 * * MON', '2026-11-30T03:00:00Z'],
    ['0 3 1 JAN *', '2027-01-01T03:00:00Z'],
    ['0 0 L * *', '2026-11-30T00:00:00Z'],
    ['0 0 15W * *', '2026-12-15T00:00:00Z'],
    ['0 0 * * FRI#1', '2026-12-04T00:00:00Z'],
    ['0 0 13 * FRI', '2026-11-27T00:00:00Z'], // either of both days
    ['@daily', '2026-11-25T00:00:00Z'],
    ['0 0 29 2 *', '2028-02-29T00:00:00Z'],
  ])('%s is due next at %s', (expression, next) => {
    expect(times([cron(expression).next(at('2026-11-24T00:00:00Z')) ?? 0])).toEqual([next])
  })

  it.each([
    ['0 3 */1 * MON', '0 3 * * MON'],
    ['0 3 ? * MON', '0 3 * * MON'],
    ['0 3 */2 * MON', '0 3 1-31/2 * 1'],
    ['5/20 * * * *', '5,25,45 * * * *'],
    ['0 0 * * FRI-SUN', '0 0 * * 0,5,6'],
    ['0 0 * * 7', '0 0 * * sun'],
    ['0 0 * JAN-mar *', '0 0 * 1-3 *'],
    ['  0  0\t* * * ', '@midnight'],
    ['@annually', '0 0 1 1 *'],
    ['0 0 1 1 1 *', '0 0 1 1 1 */1'],
  ])('%j is due when %j is', (one, other) => {
    const [from, until] = [at('2026-01-01T00:00:00Z'), at('2028-01-01T00:00:00Z')]
    expect(cron(one).between(from, until, 1_000)).toEqual(cron(other).between(from, until, 1_000))
  })

  it.each([
    ['', 'has 0 fields, but needs 5 or 6; write minute hour day-of-month month day-of-week, with seconds'],
    ['* * *', 'has 3 fields'],
    ['0 0 * * * * 2027', 'has 7 fields, but needs 5 or 6 (there is no field for years); write'],
    ['61 * * * *', 'is not a valid cron expression: minute "61" is out of range; write 0 to 59'],
    ['0 24 * * *', 'hour "24" is out of range; write 0 to 23'],
    ['0 0 0 * *', 'day-of-month "0" is out of range; write 1 to 31'],
    ['0 0 * 13 *', 'month "13" is out of range; write 1 to 12, or JAN to DEC'],
    ['0 0 * * 8', 'day-of-week "8" is out of range; write 0 to 6, or SUN to SAT'],
    ['60 0 0 * * *', 'second "60" is out of range; write 0 to 59'],
    ['0 0 * * MONDAY', 'day-of-week "MONDAY" is not a value of this field; write 0 to 6, or SUN to SAT'],
    ['H * * * *', 'has an H, which follows from the name of a schedule; write a value of your own'],
    ['0 22-2 * * *', 'hour "22-2" begins after its end; write "22-23,0-2"'],
    ['0 0 * * FRI-MON', 'day-of-week "FRI-MON" begins after its end; write "FRI-SAT,SUN-MON"'],
    ['0 0 * * sat-sun,7-2', 'day-of-week "7-2" begins after its end; write "0-2"'],
    ['0 0 * NOV-FEB *', 'month "NOV-FEB" begins after its end; write "NOV-DEC,JAN-FEB"'],
    ['*/0 * * * *', 'minute "*/0" has the step 0; write 1 to 60'],
    ['*/90 * * * *', 'minute "*/90" has a step that is longer than the field; write 1 to 60, or use everySeconds for a longer interval'],
    ['*/5m * * * *', 'minute "*/5m" has a step that is not a number; write one from 1 to 60'],
    ['*/5/2 * * * *', 'minute "*/5/2" has more than one step; write one, for example "*/15"'],
    ['1,,2 * * * *', 'minute "1,,2" is a list with an empty entry; write the values with one comma between them'],
    ['0 0 1-2-3 * *', 'day-of-month "1-2-3" is not a range; write its first and its last value: "1-31"'],
    ['0 0 *-5 * *', 'day-of-month "*-5" is not a value of this field; write 1 to 31'],
    ['+5 * * * *', 'minute "+5" is not a value of this field; write 0 to 59'],
    ['0 0 L-3 * *', 'day-of-month "L-3" is not a day; write L for the last day, LW for the last workday'],
    ['0 0 * * FRI#6', 'day-of-week "FRI#6" is not a weekday of the month; write FRI#1 to FRI#5, or FRI#L for the last one'],
    ['0 0 * * L', 'day-of-week "L" is not a value of this field; write 0 to 6, or SUN to SAT'],
    ['2026-12-24 18:00 * * *', 'minute "2026-12-24" is a date; write minute, hour, day and month, for example "0 18 24 12 *"'],
    ['0 18:30 * * *', 'hour "18:30" is a time of day; write minute and hour as two fields, for example "30 18 * * *"'],
    ['@every 5m', 'is not a cron expression; use everySeconds instead'],
    ['@Daily', 'is not a known name; write @daily'],
    ['@reboot', 'is not a known name; write @hourly, @daily, @weekly, @monthly or @yearly, or an expression'],
    ['TZ=Europe/Berlin 0 0 * * *', 'contains a time zone; write it in timeZone'],
    ['CRON_TZ=UTC 0 0 * * *', 'contains a time zone; write it in timeZone'],
    ['0 0 31 2 *', 'is never due, because there is no such day; correct day-of-month or month'],
    ['0 0 30W 2 *', 'is never due'],
    ['constructor', 'has 1 field, but needs 5 or 6'],
    ['2026-12-24T18:00:00', 'has 1 field, but needs 5 or 6'],
  ])('%j is refused with what to write', (expression, message) => {
    const parsed = parseTiming({ schedules: ['@daily', expression], timeZone: 'UTC' })
    expect(parsed).toMatchObject({ ok: false, field: 'schedules[1]', message: expect.stringContaining(message) as unknown })
  })

  it.each([
    ['Europe/Bärlin', 'is not a time zone; write an IANA name such as "Europe/Berlin", or "UTC"'],
    ['', 'is not a time zone'],
    ['Local', 'is not a time zone'],
    ['SystemV/PST8', 'is not a time zone'],
    ['europe/berlin', 'is not how this time zone is written; write "Europe/Berlin"'],
    ['us/eastern', 'is not how a time zone is written; write an IANA name'],
    ['+02:00', 'is an offset and not a time zone; write an IANA name such as "Europe/Berlin", or "UTC", or "Etc/GMT-2" if the clocks'],
    ['-03', 'or "Etc/GMT+3"'],
    ['UTC+2', 'is an offset and not a time zone'],
    ['+05:30', 'is an offset and not a time zone; write an IANA name such as "Europe/Berlin", or "UTC"'],
    ['PST', 'is an abbreviation that several time zones share; write an IANA name'],
  ])('the time zone %j is refused with what to write', (timeZone, message) => {
    const parsed = parseTiming({ schedules: ['@daily'], timeZone })
    expect(parsed).toMatchObject({ ok: false, field: 'timeZone', message: expect.stringContaining(message) as unknown })
  })

  it.each(['UTC', 'Europe/Berlin', 'US/Eastern', 'Etc/GMT+2', 'Etc/UTC', 'EST5EDT', 'EST', 'GB', 'America/Argentina/Buenos_Aires'])(
    'the time zone %s is known',
    (timeZone) => {
      expect(parseTiming({ schedules: ['@daily'], timeZone })).toMatchObject({ ok: true })
    },
  )

  it('a slot that several expressions name is one slot', () => {
    const slots = cron(['*/10 * * * *', '*/15 * * * *'])
    expect(times(slots.between(at('2026-11-24T00:00:00Z'), at('2026-11-24T00:30:00Z'), 10))).toEqual([
      '2026-11-24T00:10:00Z',
      '2026-11-24T00:15:00Z',
      '2026-11-24T00:20:00Z',
      '2026-11-24T00:30:00Z',
    ])
  })
})

/** The values below must never change: the slots of existing schedules would move. */
describe('H', () => {
  it.each([
    ['H 2 * * *', 'acme/digest', '3 2 * * *'],
    ['H 2 * * *', 'acme/digest2', '2 2 * * *'],
    ['H 2 * * *', 'other/digest', '50 2 * * *'],
    ['H H * * *', 'acme/digest', '3 14 * * *'],
    ['H H H * * *', 'acme/digest', '5 3 14 * * *'],
    ['H(0-29) * * * *', 'acme/digest', '3 * * * *'],
    ['H(0-29),H(30-59) * * * *', 'acme/digest', '3,33 * * * *'],
    ['H/15 * * * *', 'acme/digest', '3-59/15 * * * *'],
    ['H(0-29)/10 * * * *', 'acme/digest', '3-29/10 * * * *'],
    ['H(0-29)/30 * * * *', 'acme/digest', '3 * * * *'],
    ['H/40 * * * *', 'acme/digest', '3-59/40 * * * *'],
    ['H H(22-23) H H H(MON-FRI)', 'acme/digest', '3 22 8 12 1'],
    ['0 0 H/1 H(jan-MAR) *', 'acme/digest', '0 0 1-28 3 *'],
    ['0 0 * * H(FRI-SUN)', 'acme/digest', '0 0 * * 0'],
    ['*/5 0 1 MAR THU', 'acme/digest', '*/5 0 1 MAR THU'],
    ['H 61 * * *', 'acme/digest', 'H 61 * * *'],
  ])('%s of %s is %s', (expression, seed, plain) => {
    expect(resolveHashes(expression, seed)).toBe(plain)
  })

  it('means what docs/schedules.md shows', () => {
    const page = readFileSync('docs/schedules.md', 'utf8')
    const rows = [...page.matchAll(/^\| `(\S*H[^`]*)` \|[^|]+\| `([^`H]+)` \|$/gmu)]
    expect(rows).toHaveLength(6)
    for (const [, expression = '', plain] of rows) expect(resolveHashes(expression, 'acme/digest'), expression).toBe(plain)
  })

  it('is due when the expression is that it stands for', () => {
    for (const expression of ['H 2 * * *', '  H H(1-5)  L H/2 *', 'H H/7 * * * H', '0 H 15W,H * *']) {
      const [from, until] = [at('2026-01-01T00:00:00Z'), at('2028-01-01T00:00:00Z')]
      const hashed = parseTiming({ schedules: [expression], timeZone: 'UTC' }, 'acme/digest')
      const plain = resolveHashes(expression, 'acme/digest')
      expect(plain).not.toContain('H')
      expect(hashed.ok && hashed.slots.between(from, until, 1_000)).toEqual(cron(plain).between(from, until, 1_000))
    }
  })

  it('spreads schedules over all values, whatever their names are like', () => {
    for (const nameOf of [(index: number) => `acme/job-${index}`, (index: number) => `team-${index}/nightly`]) {
      const counts = new Map<string, number>()
      for (let index = 0; index < 6_000; index++) {
        const value = resolveHashes('H 2 * * *', nameOf(index))
        counts.set(value, (counts.get(value) ?? 0) + 1)
      }
      expect(counts.size).toBe(60)
      // 100 are expected of each: 6 standard deviations.
      expect(Math.min(...counts.values())).toBeGreaterThan(40)
      expect(Math.max(...counts.values())).toBeLessThan(160)
    }
  })

  it('stays within its range, and a step begins within the first one', () => {
    const field = constantFrom(
      ['minute', 0, 59] as const,
      ['hour', 0, 23] as const,
      ['day', 1, 28] as const,
      ['month', 1, 12] as const,
      ['weekday', 0, 6] as const,
    )
    const example = record({
      field,
      a: integer({ min: 0, max: 59 }),
      b: integer({ min: 0, max: 59 }),
      step: integer({ min: 0, max: 60 }),
      seed: string(),
    })
    assert(
      property(example, ({ field: [name, least, most], a, b, step, seed }) => {
        const within = (value: number) => least + (value % (most - least + 1))
        const [from = 0, until = 0] = [within(a), within(b)].toSorted((one, other) => one - other)
        const size = until - from + 1
        const stepped = step === 0 ? '' : `/${1 + (step % size)}`
        const place = ['minute', 'hour', 'day', 'month', 'weekday'].indexOf(name)
        const text = ['0', '0', '1', '1', '*'].with(place, `H(${from}-${until})${stepped}`).join(' ')
        const plain = resolveHashes(text, seed).split(' ')[place] ?? ''
        const [first, last, by] = plain.split(/[-/]/u).map(Number)
        expect(first).toBeGreaterThanOrEqual(from)
        expect(first).toBeLessThanOrEqual(stepped === '' ? until : from + (step % size))
        expect([until, first]).toContain(last ?? first)
        if (by !== undefined) expect(by).toBe(1 + (step % size))
      }),
    )
  })

  it.each([
    ['h * * * *', 'minute "h" is not a minute; write a capital H for a value that follows from the name of the schedule'],
    [
      'H5 * * * *',
      'minute "H5" is not a hashed value; write "H" for one value, "H(0-29)" for one of a range, or "H/2" for each second value',
    ],
    ['H(5) * * * *', 'minute "H(5)" has no range in its brackets; write "H" for one value, "H(0-29)"'],
    ['H(0-29 * * * *', 'minute "H(0-29" is not a hashed value'],
    ['0 H(0-24) * * *', 'hour "H(0-24)" is out of range; write 0 to 23'],
    ['0 H(5-2) * * *', 'hour "H(5-2)" begins after its end; write the lower value first: "H" for one value, "H(0-11)"'],
    ['0 0 H(1-31) * *', 'day-of-month "H(1-31)" can be a day that some months do not have; write "H" for one value, "H(1-14)"'],
    ['H/0 * * * *', 'minute "H/0" has the step 0; write 1 to 60'],
    ['H/61 * * * *', 'minute "H/61" has a step that is longer than the field; write 1 to 60'],
    ['H(0-29)/40 * * * *', 'minute "H(0-29)/40" has a step that is longer than its range; write 1 to 30'],
    ['H/ * * * *', 'minute "H/" has a step that is not a number; write one from 1 to 60'],
    ['H 25 * * *', 'hour "25" is out of range; write 0 to 23'],
    ['H * * *', 'has 4 fields, but needs 5 or 6'],
    ['H 0 30 2 *', '"H 0 30 2 *" is never due'],
  ])('%j is refused with what to write, in the words of its author', (expression, message) => {
    const parsed = parseTiming({ schedules: [expression], timeZone: 'UTC' }, 'acme/digest')
    expect(parsed).toMatchObject({ ok: false, field: 'schedules[0]', message: expect.stringContaining(message) as unknown })
    expect(resolveHashes(expression, 'acme/digest')).toBe(expression === 'H 0 30 2 *' ? '3 0 30 2 *' : expression)
  })
})

describe('everySeconds', () => {
  it('with an offset is due so long after each interval begins', () => {
    const slots = slotsOf({ everySeconds: 900, offsetSeconds: 60 })
    const [after, until] = [at('2026-11-24T00:00:00Z'), at('2026-11-24T00:31:00Z')]
    const expected = ['2026-11-24T00:01:00Z', '2026-11-24T00:16:00Z', '2026-11-24T00:31:00Z']
    expect(times(slots.between(after, until, 10))).toEqual(expected)
    expect(times(forwards(slots, after, 3))).toEqual(expected)
  })

  it.each([
    [{ everySeconds: 0 }, 'everySeconds', '0 is not a whole number of seconds; write 1 or more'],
    [{ everySeconds: 60, offsetSeconds: 60 }, 'offsetSeconds', '60 is not below everySeconds; write 0 to 59'],
    [{ everySeconds: 60, offsetSeconds: -1 }, 'offsetSeconds', '-1 is not below everySeconds; write 0 to 59'],
  ])('%j is refused', (timing, field, message) => {
    expect(parseTiming(timing)).toEqual({ ok: false, field, message })
  })

  it('is anchored at the Unix epoch', () => {
    const slots = slotsOf({ everySeconds: 900 })
    expect(times([slots.next(at('2026-11-24T00:00:00Z')) ?? 0])).toEqual(['2026-11-24T00:15:00Z'])
    expect(times(slots.between(at('2026-11-24T00:00:00Z'), at('2026-11-24T01:00:00Z'), 2))).toEqual([
      '2026-11-24T00:45:00Z',
      '2026-11-24T01:00:00Z',
    ])
  })
})

describe('single times', () => {
  const [noon, evening] = [at('2026-12-24T12:00:00Z'), at('2026-12-24T18:00:00Z')]
  it('are due in order, each once', () => {
    const slots = slotsOf({ at: [evening, noon, evening] })
    expect(forwards(slots, 0, 5)).toEqual([noon, evening])
    expect(slots.between(0, evening, 5)).toEqual([noon, evening])
    expect(slots.between(0, evening, 1)).toEqual([evening])
    expect(slots.between(noon, evening - 1, 5)).toEqual([])
    expect(slots.next(evening)).toBeUndefined()
  })
})

describe('startTime and endTime', () => {
  const hourly = { schedules: ['0 * * * *'], timeZone: 'UTC' }
  const [start, end] = [at('2026-11-24T02:00:00Z'), at('2026-11-24T04:00:00Z')]
  const inside = ['2026-11-24T02:00:00Z', '2026-11-24T03:00:00Z', '2026-11-24T04:00:00Z']
  it.each<Timing>([hourly, { everySeconds: 3600 }])('are the first and the last moment at which %j can be due', (timing) => {
    const slots = slotsOf({ ...timing, startTime: start, endTime: end })
    expect(times(forwards(slots, 0, 10))).toEqual(inside)
    expect(times(slots.between(0, at('2027-01-01T00:00:00Z'), 10))).toEqual(inside)
    expect(slots.between(end, end + 86_400, 10)).toEqual([])
    expect(slots.next(end)).toBeUndefined()
    expect(times(forwards(slotsOf({ ...timing, startTime: start }), 0, 1))).toEqual(inside.slice(0, 1))
    expect(slotsOf({ ...timing, endTime: end }).next(end)).toBeUndefined()
  })

  it('between which no slot lies are refused', () => {
    const message = 'no slot is due from startTime to endTime; write a later time'
    expect(parseTiming({ ...hourly, startTime: start + 1, endTime: start + 60 })).toEqual({ ok: false, field: 'endTime', message })
  })
})

it('between and next find the same slots', () => {
  const timing = constantFrom<Timing>(
    { everySeconds: 7 },
    { everySeconds: 3600, offsetSeconds: 3599 },
    { everySeconds: 3600, startTime: at('2026-06-01T00:00:01Z'), endTime: at('2026-09-01T00:00:00Z') },
    { schedules: ['*/5 * * * * *'], timeZone: 'UTC' },
    { schedules: ['*/7 * * * *', '30 2 * * *'], timeZone: 'Europe/Berlin' },
    { schedules: ['0 */2 * * *'], timeZone: 'America/New_York' },
    { schedules: ['*/20 1,2 * * *', '0 * * * *'], timeZone: 'America/New_York', dst: { gap: 'Skip', overlap: 'Both' } },
    { schedules: ['*/20 1,2 * * *'], timeZone: 'Europe/Berlin', dst: { gap: 'Skip', overlap: 'First' } },
    { schedules: ['*/20 1,2 * * *'], timeZone: 'Australia/Lord_Howe', dst: { gap: 'RunAfterGap', overlap: 'Both' } },
    { schedules: ['*/7 * * * *'], timeZone: 'UTC', startTime: at('2026-06-01T00:00:01Z'), endTime: at('2026-09-01T00:00:01Z') },
    { at: [1, 5, 9, 40].map((day) => at('2026-06-01T00:00:00Z') + day * 80_000) },
    { schedules: ['15 1 * * 0', '45 1 1 * *'], timeZone: 'Australia/Lord_Howe' },
  )
  // Around the changes of clocks of 2026, among others.
  const start = integer({ min: at('2026-03-01T00:00:00Z'), max: at('2026-11-30T00:00:00Z') })
  assert(
    property(record({ timing, start, span: integer({ min: 0, max: 200_000 }) }), ({ timing: each, start: after, span }) => {
      const slots = slotsOf(each)
      const ahead: Slot[] = []
      for (let slot = slots.next(after); slot !== undefined && slot <= after + span && ahead.length < 40; slot = slots.next(slot))
        ahead.push(slot)
      const until = ahead.length === 40 ? (ahead.at(-1) ?? 0) : after + span
      expect(times(slots.between(after, until, 40))).toEqual(times(ahead))
      expect(times(slots.between(after, until, 3))).toEqual(times(ahead.slice(-3)))
      if (slots.count !== undefined) expect(slots.count(after, until)).toBe(ahead.length)
    }),
    { numRuns: 150 },
  )
})

it('the next 1,000 slots cost a few looks at the zone each, however many expressions name them', () => {
  const looksFor = (texts: readonly string[]): number => {
    const zone = zoneOf('Australia/Lord_Howe')
    if (typeof zone === 'string') throw new Error(zone)
    let looks = 0
    const counting = { periodAt: (moment: Slot) => (looks++, zone.periodAt(moment)) }
    const expressions = texts.map((text) => parseCron(text)).filter((each) => typeof each !== 'string')
    expect(expressions).toHaveLength(texts.length)
    const slots = cronSlots(expressions, counting, { gap: 'RunAfterGap', overlap: 'First' })
    expect(forwards(slots, at('2026-11-24T00:00:00Z'), 1_000)).toHaveLength(1_000)
    return looks
  }
  const many = Array.from({ length: 16 }, (_, each) => `${each} ${each} * * *`)
  for (const texts of [['*/5 * * * *'], ['30 2 * * *'], many]) expect(looksFor(texts)).toBeLessThan(1_000 * 6)
})

it('a schedule of one expression takes less than 1 KB', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const count = 10_000
  const build = (each: number): SlotSource => cron(`${each % 60} ${each % 24} 1-${1 + (each % 28)} * MON-FRI`, 'Europe/Berlin')
  build(0).next(0)
  collect()
  const before = process.memoryUsage().heapUsed
  const kept = Array.from({ length: count }, (_, each) => build(each))
  collect()
  const bytes = (process.memoryUsage().heapUsed - before) / kept.length
  expect(bytes).toBeLessThan(1024)
})
