import { describe, expect, it } from 'vitest'
import { random } from '../../test/support/random.ts'
import { fileInZone, parseCalendarFile } from './calendar-file.ts'
import { zoneOf } from './time-zone.ts'

const at = (text: string): number => Date.parse(text) / 1000

function calendar(...events: readonly string[]): string {
  const body = events.flatMap((event) => ['BEGIN:VEVENT', ...event.split('\n').map((line) => line.trim()), 'END:VEVENT'])
  return ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//acme//holidays//EN', ...body, 'END:VCALENDAR', ''].join('\r\n')
}

function coverOf(text: string, timeZone: string) {
  const file = parseCalendarFile(text)
  const zone = zoneOf(timeZone)
  if (typeof file === 'string' || typeof zone === 'string') throw new Error(JSON.stringify(file))
  return fileInZone(file, zone)
}

/** The covered times of some, `+` or `-` behind each. */
function asked(text: string, timeZone: string, ...times: readonly string[]): readonly string[] {
  const cover = coverOf(text, timeZone)
  return times.map((time) => `${time} ${cover(at(time)).holds ? '+' : '-'}`)
}

/** Of a text, what is covered at these times: the list as it is expected, `+` or `-` behind each. */
function expectCovered(text: string, timeZone: string, ...expected: readonly string[]): void {
  expect(asked(text, timeZone, ...expected.map((each) => each.split(' ')[0] ?? ''))).toEqual(expected)
}

describe('dates, one in a line', () => {
  it('with comments, empty lines, ranges and dates of each year', () => {
    const text = '# closed\n\n2026-12-24/2026-12-26   # Christmas\r\n01-01\n  2027-03-29  \n'
    expectCovered(
      text,
      'Europe/Berlin',
      '2026-12-23T22:59:59Z -',
      '2026-12-23T23:00:00Z +',
      '2026-12-26T22:59:59Z +',
      '2026-12-26T23:00:00Z -',
      '2031-12-31T23:30:00Z +',
      '2027-03-29T12:00:00Z +',
      '2028-03-29T12:00:00Z -',
    )
  })

  it('an empty file covers nothing', () => expectCovered('# nothing yet\n', 'UTC', '2026-12-25T00:00:00Z -'))

  it.each([
    ['2026-12-25\n\n2026-02-30 # no such day', 'line 3: "2026-02-30" is a day that does not exist; correct its month or its day'],
    ['25.12.2026', 'line 1: "25.12.2026" is not a date; write a date as 2026-12-25'],
    ['{"dates": ["2026-12-25"]}', 'line 1: "{\\"dates\\": [\\"2026-12-25\\"]}" is not a date'],
    ['x'.repeat(1000), `line 1: "${'x'.repeat(40)}" is not a date`],
  ])('%j is refused with its line', (text, message) => {
    expect(parseCalendarFile(text)).toEqual(expect.stringContaining(message))
  })
})

describe('events of an iCalendar file', () => {
  const christmas = 'SUMMARY:Christmas\nDTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227'

  it('of whole days are days wherever the schedule is', () => {
    expectCovered(
      calendar(christmas),
      'Europe/Berlin',
      '2026-12-24T22:59:59Z -',
      '2026-12-24T23:00:00Z +',
      '2026-12-26T22:59:59Z +',
      '2026-12-26T23:00:00Z -',
    )
    expectCovered(calendar(christmas), 'America/New_York', '2026-12-25T04:59:59Z -', '2026-12-25T05:00:00Z +')
  })

  it('without an end last one day', () => {
    expectCovered(
      calendar('DTSTART;VALUE=DATE:20261225'),
      'UTC',
      '2026-12-24T23:59:59Z -',
      '2026-12-25T23:59:59Z +',
      '2026-12-26T00:00:00Z -',
    )
  })

  it('at times in UTC and in a zone are moments', () => {
    const text = calendar(
      'DTSTART:20261224T180000Z\nDURATION:PT2H',
      'DTSTART;TZID=America/New_York:20261231T200000\nDTEND;TZID=America/New_York:20261231T220000',
    )
    for (const zone of ['UTC', 'Asia/Tokyo']) {
      expectCovered(
        text,
        zone,
        '2026-12-24T17:59:59Z -',
        '2026-12-24T18:00:00Z +',
        '2026-12-24T20:00:00Z -',
        '2027-01-01T01:00:00Z +',
        '2027-01-01T03:00:00Z -',
      )
    }
  })

  it('at times without a zone are times on the clocks of the schedule', () => {
    const text = calendar('DTSTART:20261224T180000\nDTEND:20261224T190000')
    expectCovered(text, 'Europe/Berlin', '2026-12-24T17:00:00Z +', '2026-12-24T18:00:00Z -')
    expectCovered(text, 'UTC', '2026-12-24T17:00:00Z -', '2026-12-24T18:00:00Z +')
  })

  it('in a zone that the file describes', () => {
    const zone = [
      'BEGIN:VTIMEZONE',
      'TZID:W. Europe Standard Time',
      'BEGIN:STANDARD',
      'DTSTART:16011028T030000',
      'RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10',
      'TZOFFSETFROM:+0200',
      'TZOFFSETTO:+0100',
      'END:STANDARD',
      'BEGIN:DAYLIGHT',
      'DTSTART:16010325T020000',
      'RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3',
      'TZOFFSETFROM:+0100',
      'TZOFFSETTO:+0200',
      'END:DAYLIGHT',
      'END:VTIMEZONE',
    ]
    const event = 'DTSTART;TZID=W. Europe Standard Time:20260701T180000\nDURATION:PT1H'
    const text = calendar(event).replace('BEGIN:VEVENT', [...zone, 'BEGIN:VEVENT'].join('\r\n'))
    expectCovered(text, 'UTC', '2026-07-01T15:59:59Z -', '2026-07-01T16:00:00Z +', '2026-07-01T17:00:00Z -')
  })

  it('that are cancelled cover nothing, and those that show as free do', () => {
    expectCovered(calendar(`${christmas}\nSTATUS:CANCELLED`), 'UTC', '2026-12-25T12:00:00Z -')
    expectCovered(calendar(`${christmas}\nTRANSP:TRANSPARENT`), 'UTC', '2026-12-25T12:00:00Z +')
  })

  it('recur, without those that are excepted, moved or cancelled', () => {
    const text = calendar(
      'UID:standup\nDTSTART;TZID=Europe/Berlin:20260105T090000\nDURATION:PT30M\nRRULE:FREQ=WEEKLY;BYDAY=MO\nEXDATE;TZID=Europe/Berlin:20260112T090000\nRDATE;TZID=Europe/Berlin:20260114T090000',
      'UID:standup\nRECURRENCE-ID;TZID=Europe/Berlin:20260119T090000\nDTSTART;TZID=Europe/Berlin:20260120T110000\nDURATION:PT30M',
      'UID:standup\nRECURRENCE-ID;TZID=Europe/Berlin:20260126T090000\nDTSTART;TZID=Europe/Berlin:20260126T090000\nSTATUS:CANCELLED',
    )
    expectCovered(
      text,
      'UTC',
      '2026-01-05T08:00:00Z +',
      '2026-01-05T08:30:00Z -',
      '2026-01-12T08:00:00Z -',
      '2026-01-14T08:00:00Z +',
      '2026-01-19T08:00:00Z -',
      '2026-01-20T10:00:00Z +',
      '2026-01-26T08:00:00Z -',
      '2026-02-02T08:00:00Z +',
      // In summer the clocks of Berlin are another hour ahead.
      '2036-07-07T07:00:00Z +',
      '2036-07-07T08:00:00Z -',
    )
  })

  it('end with UNTIL and COUNT', () => {
    const until = calendar('DTSTART;VALUE=DATE:20261201\nRRULE:FREQ=DAILY;UNTIL=20261203')
    expectCovered(until, 'UTC', '2026-12-03T12:00:00Z +', '2026-12-04T12:00:00Z -')
    const count = calendar('DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=2')
    expectCovered(count, 'UTC', '2026-12-01T10:00:00Z +', '2026-12-02T10:00:00Z -', '2026-12-03T10:00:00Z +', '2026-12-05T10:00:00Z -')
    const zoned = calendar('DTSTART;TZID=America/New_York:20261201T200000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261203T010000Z')
    expectCovered(zoned, 'UTC', '2026-12-03T01:00:00Z +', '2026-12-04T01:00:00Z -')
  })

  it('of decades ago recur as new ones do', () => {
    const text = calendar('DTSTART;VALUE=DATE:19700105\nRRULE:FREQ=WEEKLY;INTERVAL=2', 'DTSTART;VALUE=DATE:19000704\nRRULE:FREQ=YEARLY')
    const cover = coverOf(text, 'UTC')
    for (let week = 0; week < 200; week++) {
      const monday = at('1970-01-05T12:00:00Z') + 7 * 86_400 * (2900 + week)
      if (!new Date(monday * 1000).toISOString().includes('-07-04')) expect(cover(monday).holds).toBe(week % 2 === 0)
    }
    expect(cover(at('2050-07-04T12:00:00Z')).holds).toBe(true)
  })

  it('lines are folded, and the file may begin with a byte order mark', () => {
    const text = `\uFEFF${calendar(christmas).replace('DTSTART;VALUE=DATE:20261225', 'DTSTART;VALUE=DA\r\n TE:20261225')}`
    expectCovered(text, 'UTC', '2026-12-25T12:00:00Z +')
  })

  it.each([
    ['SUMMARY:Party', 'line 4: event "Party" has no DTSTART'],
    ['UID:7\nDTSTART;VALUE=DATE:20261345', 'line 4: event "7": DTSTART "2026-13-45" is not a time that exists'],
    ['SUMMARY:Party\nDTSTART:20261224', 'is not a time that exists; write 20261224 with VALUE=DATE, or 20261224T180000Z'],
    ['SUMMARY:Party\nDTSTART:20261224T180000Z\nDTEND:20261224T170000Z', 'line 4: event "Party" ends before it begins; correct DTEND'],
    ['SUMMARY:Party\nDTSTART:20261224T180000Z\nDTEND;VALUE=DATE:20261225', 'event "Party": DTSTART and DTEND are not of one kind'],
    [
      'SUMMARY:Party\nDTSTART;TZID=Mars/Base:20261224T180000',
      'event "Party" is in the time zone "Mars/Base", which is neither an IANA name nor described',
    ],
    [
      'SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=HOURLY',
      'event "Party": RRULE "FREQ=HOURLY" recurs within a day, which is not read; write windows instead',
    ],
    [
      'SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=DAILY;BYMONTHDAY=30;BYMONTH=2',
      'has BYMONTHDAY with FREQ=DAILY, which is not read; write the times as RDATE',
    ],
    [
      'SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30',
      'names a day that does not exist; correct BYMONTH or BYMONTHDAY',
    ],
    ['SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=YEARLY;INTERVAL=5000', 'has an INTERVAL above 1000; write the times as RDATE'],
    [
      'SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=MONTHLY;BYDAY=6MO',
      'RRULE "FREQ=MONTHLY;BYDAY=6MO" cannot be read: Malformed values in BYDAY part',
    ],
    [
      'SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=50',
      'has a BYSETPOS beyond 5; write the times as RDATE',
    ],
    ['SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=YEARLY;BYDAY=20MO', 'needs BYMONTH; write the months'],
    ['SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=DAILY;COUNT=0', 'has a COUNT below 1; correct it'],
    ['SUMMARY:Party\nDTSTART:20261224T180000Z\nRRULE:FREQ=SOMETIMES', 'is not an iCalendar file: invalid frequency "SOMETIMES"'],
    [
      'SUMMARY:Party\nDTSTART:20261224T180000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261224T180000Z',
      'changes a series from a time on (RANGE), which is not read',
    ],
    ['SUMMARY:Party\nthis is no line', 'line 6: "this is no line" is not a line of an iCalendar file: a name, a colon and a value'],
    [`SUMMARY:${'x'.repeat(100)}`, `event "${'x'.repeat(39)}…" has no DTSTART`],
  ])('%j is refused with what to write', (event, message) => {
    expect(parseCalendarFile(calendar(event))).toEqual(expect.stringContaining(message))
  })

  it.each([
    ['BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\n', 'END:VCALENDAR is missing; the file is cut'],
    ['BEGIN:VCALENDAR\r\nEND:VEVENT\r\n', 'line 2: END:VEVENT closes nothing that is open; the file is cut or mixed up'],
    [
      calendar(...Array.from({ length: 5001 }, () => 'DTSTART;VALUE=DATE:20261225')),
      'has 5001 events, but at most 5000 are read; remove those of the past',
    ],
    [
      calendar(...Array.from({ length: 201 }, () => 'DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY')),
      'has 201 events that recur, but at most 200 are read',
    ],
  ])('a file that is cut or too long is refused', (text, message) => {
    expect(parseCalendarFile(text)).toEqual(expect.stringContaining(message))
  })
})

describe('a rule covers the days that one finds day by day', () => {
  const names = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'] as const
  const chance = random(20_261_130)
  const below = (limit: number): number => Math.floor(chance() * limit)
  const some = <T>(all: readonly T[], most: number): readonly T[] => [
    ...new Set(Array.from({ length: 1 + below(most) }, () => all[below(all.length)] as T)),
  ]
  const numbers = (from: number, to: number): readonly number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
  type Rule = {
    readonly freq: string
    readonly interval: number
    readonly months?: readonly number[]
    readonly days?: readonly number[]
    readonly weekdays?: readonly string[]
  }

  function rule(): Rule {
    const freq = (['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'] as const)[below(4)] ?? 'DAILY'
    const interval = below(3) === 0 ? 1 + below(4) : 1
    const ordinal = (): string => `${[1, 2, 3, 4, -1][below(5)]}${names[below(7)]}`
    switch (freq) {
      case 'DAILY':
        return { freq, interval, ...(below(2) === 0 ? {} : { months: some(numbers(1, 12), 4) }) }
      case 'WEEKLY':
        return { freq, interval, ...(below(3) === 0 ? {} : { weekdays: some(names, 3) }) }
      case 'MONTHLY':
        return { freq, interval, ...[{}, { days: some([...numbers(1, 31), -1], 3) }, { weekdays: [ordinal()] }][below(3)] }
      case 'YEARLY':
        return {
          freq,
          interval,
          ...[
            {},
            { months: some(numbers(1, 12), 3), days: some(numbers(1, 28), 2) },
            { months: [2], days: [29] },
            { months: [1 + below(12)], weekdays: [ordinal()] },
          ][below(4)],
        }
    }
  }

  function textOf({ freq, interval, months, days, weekdays }: Rule): string {
    const parts = [`FREQ=${freq}`, ...(interval === 1 ? [] : [`INTERVAL=${interval}`])]
    if (months !== undefined) parts.push(`BYMONTH=${months.join()}`)
    if (days !== undefined) parts.push(`BYMONTHDAY=${days.join()}`)
    if (weekdays !== undefined) parts.push(`BYDAY=${weekdays.join()}`)
    return parts.join(';')
  }

  const dayMs = 86_400_000
  const lengthOf = (year: number, month: number): number => new Date(Date.UTC(year, month + 1, 0)).getUTCDate()

  /** What RFC 5545 says of these rules, in the plainest way. The first day of a series always belongs to it. */
  function isNamed({ freq, interval, months, days, weekdays }: Rule, first: Date, date: Date): boolean {
    if (date.getTime() === first.getTime()) return true
    if (date < first) return false
    const [year, month, day, weekday] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCDay()]
    if (months?.includes(month + 1) === false) return false
    if (days?.some((each) => each === day || each === day - lengthOf(year, month) - 1) === false) return false
    const since = Math.round((date.getTime() - first.getTime()) / dayMs)
    const isWeekday = (weekdays ?? []).some((text) => {
      const nth = Number(text.slice(0, -2))
      if (!text.endsWith(names[weekday] ?? '')) return false
      return nth === 0 || (nth > 0 ? Math.ceil(day / 7) === nth : day > lengthOf(year, month) - 7)
    })
    switch (freq) {
      case 'DAILY':
        return since % interval === 0
      case 'WEEKLY': {
        // Weeks begin on Monday.
        const weeks = Math.floor((since + ((first.getUTCDay() + 6) % 7)) / 7)
        return weeks % interval === 0 && (weekdays === undefined ? weekday === first.getUTCDay() : isWeekday)
      }
      case 'MONTHLY': {
        const between = (year - first.getUTCFullYear()) * 12 + month - first.getUTCMonth()
        return between % interval === 0 && (weekdays === undefined ? days !== undefined || day === first.getUTCDate() : isWeekday)
      }
      default:
        if ((year - first.getUTCFullYear()) % interval !== 0) return false
        if (weekdays !== undefined) return isWeekday
        return days !== undefined || (month === first.getUTCMonth() && day === first.getUTCDate())
    }
  }

  it('over eight years', () => {
    for (let round = 0; round < 400; round++) {
      const own = rule()
      const first = new Date(Date.UTC(2026, below(12), 1 + below(28)))
      const text = first.toISOString().slice(0, 10).replaceAll('-', '')
      const cover = coverOf(calendar(`DTSTART;VALUE=DATE:${text}\nRRULE:${textOf(own)}`), 'UTC')
      const found: string[] = []
      const want: string[] = []
      for (let day = first.getTime() - 40 * dayMs; day < first.getTime() + 8 * 366 * dayMs; day += dayMs) {
        const name = new Date(day).toISOString().slice(0, 10)
        if (cover(day / 1000 + 43_200).holds) found.push(name)
        if (isNamed(own, first, new Date(day))) want.push(name)
      }
      expect(found, `${textOf(own)} from ${text}`).toEqual(want)
    }
  }, 60_000)
})
