import { assert, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Slot } from '../contract/index.ts'
import { parseTiming, type SlotSource, type Timing } from './timing.ts'

const at = (text: string): Slot => Date.parse(text) / 1000
const times = (slots: readonly Slot[]): readonly string[] => slots.map((slot) => new Date(slot * 1000).toISOString().replace('.000Z', 'Z'))

function slotsOf(timing: Timing): SlotSource {
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.slots
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
    ['', /has 0 fields, but needs 5 or 6/u],
    ['* * *', /has 3 fields/u],
    ['0 0 * * * * 2027', /has 7 fields, but needs 5 or 6 \(there is no field for years\)/u],
    ['61 * * * *', /is not a valid cron expression \(Invalid value for minute: 61\); write/u],
    ['H * * * *', /is not a valid cron expression .* write/u],
    ['@every 5m', /use everySeconds instead/u],
    ['0 0 31 2 *', /is never due/u],
    ['2026-12-24T18:00:00', /has 1 field, but needs 5 or 6/u],
  ])('%j is refused with what to write', (expression, message) => {
    const parsed = parseTiming({ schedules: ['@daily', expression], timeZone: 'UTC' })
    expect(parsed).toMatchObject({ ok: false, field: 'schedules[1]', message: expect.stringMatching(message) as unknown })
  })

  it('an unknown time zone is refused', () => {
    expect(parseTiming({ schedules: ['@daily'], timeZone: 'Europe/Bärlin' })).toMatchObject({ ok: false, field: 'timeZone' })
  })

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

describe('daylight saving', () => {
  const berlin = (expression: string, from: string, until: string): readonly string[] =>
    times(cron(expression, 'Europe/Berlin').between(at(from), at(until), 100))

  it('a skipped time is due at the end of the gap', () => {
    expect(berlin('30 2 * * *', '2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual(['2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'])
  })

  it('a repeated time is due once, the first time', () => {
    expect(berlin('30 2 * * *', '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual(['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'])
  })

  it('an hourly schedule stays hourly', () => {
    expect(berlin('0 * * * *', '2026-10-24T23:00:00Z', '2026-10-25T03:00:00Z')).toHaveLength(4)
    expect(berlin('0 * * * *', '2026-03-28T23:00:00Z', '2026-03-29T03:00:00Z')).toHaveLength(4)
  })
})

describe('everySeconds', () => {
  it('is anchored at the Unix epoch', () => {
    const slots = slotsOf({ everySeconds: 900 })
    expect(times([slots.next(at('2026-11-24T00:00:00Z')) ?? 0])).toEqual(['2026-11-24T00:15:00Z'])
    expect(times(slots.between(at('2026-11-24T00:00:00Z'), at('2026-11-24T01:00:00Z'), 2))).toEqual([
      '2026-11-24T00:45:00Z',
      '2026-11-24T01:00:00Z',
    ])
  })
})

it('between and next find the same slots', () => {
  const timing = constantFrom<Timing>(
    { everySeconds: 7 },
    { schedules: ['*/5 * * * * *'], timeZone: 'UTC' },
    { schedules: ['*/7 * * * *', '30 2 * * *'], timeZone: 'Europe/Berlin' },
    { schedules: ['0 */2 * * *'], timeZone: 'America/New_York' },
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
    }),
    { numRuns: 150 },
  )
}, 30_000)
