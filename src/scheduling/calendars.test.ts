import { describe, expect, it } from 'vitest'
import { random } from '../../test/support/random.ts'
import { clockChangesOf } from '../../test/support/time-zones.ts'
import type { Slot } from '../contract/index.ts'
import { type CalendarEntry, type CalendarRules, isNeverDue, parseCalendars, withCalendars } from './calendars.ts'
import { weekdays } from './days.ts'
import { zoneOf } from './time-zone.ts'
import { parseTiming, type SlotSource, type Timing } from './timing.ts'

const at = (text: string): Slot => Date.parse(text) / 1000
const times = (slots: readonly Slot[]): readonly string[] =>
  slots.map((slot) => new Date(slot * 1000).toISOString().replace(':00.000Z', 'Z'))

function dueBy(timing: Timing): SlotSource {
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.slots
}

function slotsOf(timing: Timing, rules: CalendarRules, timeZone = 'UTC'): SlotSource {
  const calendars = parseCalendars(rules, timeZone)
  if (!calendars.ok) throw new Error(JSON.stringify(calendars.faults))
  return withCalendars(dueBy(timing), calendars.cover)
}

function forwards(slots: SlotSource, after: Slot, until: Slot): readonly Slot[] {
  const found: Slot[] = []
  for (let slot = slots.next(after); slot !== undefined && slot <= until; slot = slots.next(slot)) found.push(slot)
  return found
}

function faultsOf(rules: CalendarRules): readonly string[] {
  const parsed = parseCalendars(rules, 'UTC')
  return parsed.ok ? [] : parsed.faults.map(({ field, message }) => `${field}: ${message}`)
}

const everyDay: Timing = { schedules: ['0 1 * * *'], timeZone: 'UTC' }
const hourly: Timing = { everySeconds: 3600 }
const between = (slots: SlotSource, from: string, until: string) => times(slots.between(at(from), at(until), 1000))

describe('the examples of docs/schedules.md', () => {
  const workdays = ['MON', 'TUE', 'WED', 'THU', 'FRI'] as const
  it.each<[string, CalendarRules, Timing, readonly [string, string], readonly string[]]>([
    [
      'dates',
      { exclude: [{ dates: ['2026-12-25', '12-31', '2027-01-02/2027-01-04'] }] },
      everyDay,
      ['2026-12-23T12:00Z', '2027-01-06T12:00Z'],
      ['24', '26', '27', '28', '29', '30']
        .map((day) => `2026-12-${day}T01:00Z`)
        .concat('2027-01-01T01:00Z', '2027-01-05T01:00Z', '2027-01-06T01:00Z'),
    ],
    [
      'dates of each year, across its end',
      { exclude: [{ dates: ['12-24/01-02'] }] },
      everyDay,
      ['2027-12-22T12:00Z', '2028-01-04T12:00Z'],
      ['2027-12-23T01:00Z', '2028-01-03T01:00Z', '2028-01-04T01:00Z'],
    ],
    [
      'weekdays',
      { exclude: [{ weekdays: ['SAT', 'SUN'] }] },
      everyDay,
      ['2026-12-03T12:00Z', '2026-12-08T12:00Z'],
      ['2026-12-04T01:00Z', '2026-12-07T01:00Z', '2026-12-08T01:00Z'],
    ],
    [
      'office hours, and not on holidays',
      { include: [{ weekdays: workdays, windows: [{ from: '09:00', to: '12:00' }] }], exclude: [{ dates: ['12-25'] }] },
      hourly,
      ['2026-12-24T10:30Z', '2026-12-28T09:30Z'],
      ['2026-12-24T11:00Z', '2026-12-28T09:00Z'],
    ],
    [
      'the night from Friday to Saturday, which belongs to Friday',
      { include: [{ weekdays: ['FRI'], windows: [{ from: '22:00', to: '02:00' }] }] },
      hourly,
      ['2026-12-04T12:00Z', '2026-12-11T22:30Z'],
      ['2026-12-04T22:00Z', '2026-12-04T23:00Z', '2026-12-05T00:00Z', '2026-12-05T01:00Z', '2026-12-11T22:00Z'],
    ],
    [
      'until the end of the day',
      { include: [{ windows: [{ from: '22:00', to: '24:00' }] }] },
      hourly,
      ['2026-12-04T12:00Z', '2026-12-05T12:00Z'],
      ['2026-12-04T22:00Z', '2026-12-04T23:00Z'],
    ],
  ])('%s', (_, rules, timing, [from, until], want) => {
    const slots = slotsOf(timing, rules)
    expect(between(slots, from, until)).toEqual(want)
    expect(times(forwards(slots, at(from), at(until)))).toEqual(want)
  })
})

it('the 29th of February comes in leap years only', () => {
  const slots = slotsOf(everyDay, { include: [{ dates: ['02-29'] }] })
  expect(between(slots, '2024-01-01T00:00Z', '2034-01-01T00:00Z')).toEqual(['2024-02-29T01:00Z', '2028-02-29T01:00Z', '2032-02-29T01:00Z'])
})

it.each<[string, string, string]>([
  ['2026-02-29', 'exclude[0].dates[0]', '"2026-02-29" is a day that does not exist; correct its month or its day'],
  ['02-30', 'exclude[0].dates[0]', '"02-30" is a day that does not exist'],
  ['13-01', 'exclude[0].dates[0]', '"13-01" is a day that does not exist'],
  ['1926-12-25', 'exclude[0].dates[0]', '"1926-12-25" is not in the years 1970 to 2099; correct the year'],
  ['25.12.2026', 'exclude[0].dates[0]', '"25.12.2026" is not a date; write a date as 2026-12-25, a date of each year as 12-25, or a range'],
  ['', 'exclude[0].dates[0]', '"" is not a date; write'],
  ['2026-12-25/12-31', 'exclude[0].dates[0]', '"2026-12-25/12-31" has a year on one side only; write it on both sides, or on none'],
  ['2027-01-02/2026-12-24', 'exclude[0].dates[0]', '"2027-01-02/2026-12-24" ends before it begins; write "2026-12-24/2027-01-02"'],
  ['01-01/01-02/01-03', 'exclude[0].dates[0]', '"01-01/01-02/01-03" has more than one slash; write'],
])('the date %j is refused with what to write', (date, field, message) => {
  expect(faultsOf({ exclude: [{ dates: [date] }] })).toEqual([expect.stringContaining(`${field}: ${message}`) as unknown])
})

it.each<[string, string, string]>([
  ['24:00', '06:00', 'a window cannot begin at "24:00"; write from: "00:00"'],
  ['06:00', '06:00', 'from and to are both "06:00"; for a whole day write from: "00:00" and to: "24:00", or leave windows out'],
  ['25:00', '06:00', '"25:00" is not a time of day; write times of day from "00:00" to "24:00", in quotes'],
  ['06:00', '7:00', '"7:00" is not a time of day'],
  ['06:60', '07:00', '"06:60" is not a time of day'],
  ['06:00', '24:01', '"24:01" is not a time of day'],
])('a window from %j to %j is refused with what to write', (from, to, message) => {
  expect(faultsOf({ include: [{ weekdays: ['MON'] }, { windows: [{ from, to }] }] })).toEqual([
    expect.stringContaining(`include[1].windows[0]: ${message}`) as unknown,
  ])
})

it('all faults are found at once', () => {
  const rules = { exclude: [{ dates: ['x', '12-25', 'y'] }], include: [{ windows: [{ from: '1', to: '2' }] }] }
  expect(faultsOf(rules).map((fault) => fault.split(':')[0])).toEqual([
    'exclude[0].dates[0]',
    'exclude[0].dates[2]',
    'include[0].windows[0]',
  ])
})

it.each<[string, Timing, CalendarRules, boolean]>([
  ['no Sunday is a Monday', { schedules: ['0 1 * * SUN'], timeZone: 'UTC' }, { include: [{ weekdays: ['MON'] }] }, true],
  ['a month without its dates', { schedules: ['0 1 * 3 *'], timeZone: 'UTC' }, { include: [{ dates: ['04-01/05-31'] }] }, true],
  [
    'all days left out, in two parts',
    everyDay,
    { exclude: [{ weekdays: ['MON', 'TUE', 'WED'] }, { weekdays: ['THU', 'FRI', 'SAT', 'SUN'] }] },
    true,
  ],
  ['each day left out, second by second', { everySeconds: 1 }, { exclude: [{ weekdays }] }, true],
  [
    'all hours left out',
    hourly,
    {
      exclude: [
        {
          windows: [
            { from: '00:00', to: '12:00' },
            { from: '12:00', to: '24:00' },
          ],
        },
      ],
    },
    true,
  ],
  ['an hour that has none', everyDay, { include: [{ windows: [{ from: '02:00', to: '24:00' }] }] }, true],
  ['dates of the past', everyDay, { include: [{ dates: ['2020-12-25'] }] }, false],
  ['a date of the far future', everyDay, { include: [{ dates: ['2099-12-31'] }] }, false],
  ['the 29th of February on a Monday', { schedules: ['0 1 29 2 *'], timeZone: 'UTC' }, { include: [{ weekdays: ['MON'] }] }, false],
])('%s: never due is %s', (_, timing, rules, want) => {
  expect(isNeverDue(slotsOf(timing, rules), at('2026-11-29T00:00:00Z'))).toBe(want)
})

describe('the cost follows the changes of the calendar, not the slots that it leaves out', () => {
  function counted(source: SlotSource): { readonly slots: SlotSource; readonly asked: () => number } {
    let asked = 0
    const next = (after: Slot) => (asked++, source.next(after))
    const within = (after: Slot, until: Slot, limit: number) => (asked++, source.between(after, until, limit))
    return { slots: { next, between: within }, asked: () => asked }
  }
  const calendar = (rules: CalendarRules, timeZone = 'UTC') => {
    const parsed = parseCalendars(rules, timeZone)
    if (!parsed.ok) throw new Error('refused')
    return parsed.cover
  }

  it.each(['UTC', 'Europe/Berlin'])('ten years of seconds are passed over at once, in %s', (timeZone) => {
    const { slots, asked } = counted(dueBy({ everySeconds: 1 }))
    const left = withCalendars(slots, calendar({ exclude: [{ dates: ['2026-01-01/2035-12-31'] }] }, timeZone))
    const end = at(timeZone === 'UTC' ? '2036-01-01T00:00:00Z' : '2035-12-31T23:00:00Z')
    expect(left.next(at('2026-06-01T00:00:00Z'))).toBe(end)
    expect(left.between(at('2025-12-31T20:00:00Z'), end, 3)).toEqual([
      ...dueBy({ everySeconds: 1 }).between(0, at(timeZone === 'UTC' ? '2025-12-31T23:59:59Z' : '2025-12-31T22:59:59Z'), 2),
      end,
    ])
    expect(asked()).toBeLessThan(10)
  })

  it('who asks again about the same time costs nothing', () => {
    const { slots, asked } = counted(dueBy({ everySeconds: 1 }))
    const left = withCalendars(slots, calendar({ include: [{ dates: ['2026-12-25'] }] }))
    const first = left.next(at('2026-06-01T00:00:00Z'))
    const before = asked()
    for (let second = 0; second < 1000; second++) expect(left.next(at('2026-06-01T00:00:00Z') + second)).toBe(first)
    expect(asked()).toBe(before)
  })

  it('and so where no slot is left', () => {
    const { slots, asked } = counted(dueBy({ everySeconds: 1 }))
    const left = withCalendars(slots, calendar({ include: [{ dates: ['2020-12-25'] }] }))
    expect([left.next(at('2026-06-01T00:00:00Z')), left.next(at('2026-06-02T00:00:00Z'))]).toEqual([undefined, undefined])
    expect(asked()).toBe(1)
  })
})

/** What an entry means, in the plainest way: by the texts of the day and the time. */
function isNamedBy({ dates, weekdays: names, windows }: CalendarEntry, reading: number): boolean {
  const isDay = (each: number): boolean => {
    const date = new Date(each * 1000).toISOString().slice(0, 10)
    const isDate = dates?.some((text) => {
      const [first = '', last = first] = text.split('/')
      const own = first.length === 5 ? date.slice(5) : date
      return first <= last ? first <= own && own <= last : first <= own || own <= last
    })
    return isDate !== false && names?.includes(weekdays[new Date(each * 1000).getUTCDay()] ?? 'SUN') !== false
  }
  if (windows === undefined) return isDay(reading)
  const time = new Date(reading * 1000).toISOString().slice(11, 16)
  return windows.some(({ from, to }) =>
    from < to ? from <= time && time < to && isDay(reading) : (from <= time && isDay(reading)) || (time < to && isDay(reading - 86_400)),
  )
}

describe('what is found is what one finds slot by slot', () => {
  const zones = Intl.supportedValuesOf('timeZone')
  const chance = random(20_261_130)
  const below = (limit: number): number => Math.floor(chance() * limit)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = (): string => `${two(below(24))}:${two(15 * below(4))}`
  const yearly = (): string => `${two(1 + below(12))}-${two(1 + below(28))}`
  const date = (): string => `${2026 + below(10)}-${yearly()}`
  const inOrder = (a: string, b: string): string => (a < b ? `${a}/${b}` : `${b}/${a}`)
  const listOf = <T>(most: number, make: () => T): readonly T[] => Array.from({ length: 1 + below(most) }, make)
  function entry(): CalendarEntry {
    const parts = 1 + below(7)
    const dates = () => [() => date(), () => yearly(), () => inOrder(date(), date()), () => `${yearly()}/${yearly()}`][below(4)]?.() ?? ''
    const window = (): { from: string; to: string } => {
      const [from, to] = [time(), below(8) === 0 ? '24:00' : time()]
      return from === to ? window() : { from, to }
    }
    return {
      ...((parts & 1) === 0 ? {} : { dates: [...new Set(listOf(4, dates))] }),
      ...((parts & 2) === 0 ? {} : { weekdays: [...new Set(listOf(5, () => weekdays[below(7)] ?? 'SUN'))] }),
      ...((parts & 4) === 0 ? {} : { windows: listOf(3, window) }),
    }
  }
  function rules(): CalendarRules {
    const kind = below(3)
    return { ...(kind === 0 ? {} : { exclude: listOf(2, entry) }), ...(kind === 1 ? {} : { include: listOf(3, entry) }) }
  }
  const isLeft = ({ include, exclude }: CalendarRules, reading: number): boolean =>
    include?.some((each) => isNamedBy(each, reading)) !== false && exclude?.some((each) => isNamedBy(each, reading)) !== true

  it(`over ten years, in all ${zones.length} zones`, () => {
    const [from, until] = [at('2026-01-03T00:00:00Z'), at('2035-12-29T00:00:00Z')]
    for (const zone of zones) {
      const own = rules()
      const due = dueBy({ schedules: [`${15 * below(4)} ${below(24)} * * *`], timeZone: zone })
      const calendars = parseCalendars(own, zone)
      if (!calendars.ok) throw new Error(JSON.stringify(calendars.faults))
      const slots = withCalendars(due, calendars.cover)
      // That these are the clocks of the zone is shown by clock-changes.test.ts.
      const clocks = zoneOf(zone)
      if (typeof clocks === 'string') throw new Error(clocks)
      const want = due.between(from, until, 5000).filter((slot) => isLeft(own, slot + clocks.periodAt(slot).offset))
      const where = `${JSON.stringify(own)} in ${zone}`
      expect(forwards(slots, from, until), where).toEqual(want)
      expect(slots.between(from, until, 5000), where).toEqual(want)
      expect(slots.between(from, until, 7), where).toEqual(want.slice(-7))
    }
  }, 120_000)

  it('around each change of the clocks, every quarter of an hour', () => {
    let judged = 0
    for (const zone of zones) {
      const due = dueBy({ everySeconds: 900 })
      for (const change of clockChangesOf(zone, 2026, 2036).slice(0, 4)) {
        const own = {
          [below(2) === 0 ? 'include' : 'exclude']: [
            {
              ...entry(),
              windows: [
                { from: time(), to: '24:00' },
                { from: '01:45', to: '02:15' },
              ],
            },
          ],
        }
        const calendars = parseCalendars(own, zone)
        if (!calendars.ok) throw new Error(JSON.stringify(calendars.faults))
        const slots = withCalendars(due, calendars.cover)
        const [after, last] = [change.at - 86_400, change.at + 86_400]
        const want = due.between(after, last, 5000).filter((slot) => isLeft(own, slot + (slot < change.at ? change.before : change.after)))
        const where = `${JSON.stringify(own)} in ${zone} at ${new Date(change.at * 1000).toISOString()}`
        expect(times(forwards(slots, after, last)), where).toEqual(times(want))
        expect(times(slots.between(after, last, 5000)), where).toEqual(times(want))
        judged++
      }
    }
    expect(judged).toBeGreaterThan(500)
  }, 120_000)
})

it('a calendar in a zone that does not exist is refused at timeZone', () => {
  expect(parseCalendars({ exclude: [{ weekdays: ['SUN'] }] }, 'Mars/Base')).toMatchObject({ ok: false, faults: [{ field: 'timeZone' }] })
})
