import { expect, it } from 'vitest'
import { type ClockRule, defaultClockRule } from './clock-changes.ts'
import { type ShownSlot, showSlots } from './clock-notes.ts'
import { parseTiming } from './timing.ts'

const slotAt = (time: string): number => Date.parse(time) / 1000

function shown(after: string, count: number, timeZone: string, ...schedules: readonly string[]): readonly string[] {
  return shownBy(defaultClockRule, after, count, timeZone, ...schedules)
}

function shownBy(dst: ClockRule, after: string, count: number, timeZone: string, ...schedules: readonly string[]): readonly string[] {
  const parsed = parseTiming({ schedules, timeZone, dst })
  if (!parsed.ok) throw new Error(parsed.message)
  const slots: number[] = []
  for (let slot = parsed.slots.next(slotAt(after)); slot !== undefined && slots.length < count; slot = parsed.slots.next(slot))
    slots.push(slot)
  return showSlots(slots, slotAt(after), { timeZone, schedules, dst }).map(inWords)
}

function inWords({ slot, local, note }: ShownSlot): string {
  const utc = slot === undefined ? '-' : new Date(slot * 1000).toISOString().slice(5, 16)
  return [utc, local, ...(note === undefined ? [] : [note])].join(' | ')
}

it.each<[string, readonly [after: string, count: number, zone: string, ...schedules: string[]], readonly string[]]>([
  [
    'a time that clocks skip runs at the end of the gap',
    ['2026-03-28T00:00:00Z', 3, 'Europe/Berlin', '30 2 * * *'],
    [
      '03-28T01:30 | Sat 2026-03-28 02:30',
      '03-29T01:00 | Sun 2026-03-29 03:00 | clocks skip 02:00 to 03:00: 02:30 runs at the end of the gap',
      '03-30T00:30 | Mon 2026-03-30 02:30',
    ],
  ],
  [
    'several skipped times share a slot, also with one that is named',
    ['2026-03-28T12:00:00Z', 1, 'Europe/Berlin', '15,45 2 * * *', '0 3 * * *'],
    ['03-29T01:00 | Sun 2026-03-29 03:00 | clocks skip 02:00 to 03:00: 02:15, 02:45 runs at the end of the gap'],
  ],
  [
    'a slot at the end of the gap that is named itself is nothing special',
    ['2026-03-28T12:00:00Z', 1, 'Europe/Berlin', '0 3 * * *'],
    ['03-29T01:00 | Sun 2026-03-29 03:00'],
  ],
  [
    'a time that exists twice runs the first time',
    ['2026-10-24T12:00:00Z', 2, 'Europe/Berlin', '30 2 * * *'],
    ['10-25T00:30 | Sun 2026-10-25 02:30 | exists twice: the first', '10-26T01:30 | Mon 2026-10-26 02:30'],
  ],
  [
    'a pace runs both times, and has no time to miss in the gap',
    ['2026-10-24T23:45:00Z', 5, 'Europe/Berlin', '*/30 * * * *'],
    [
      '10-25T00:00 | Sun 2026-10-25 02:00 | exists twice: the first',
      '10-25T00:30 | Sun 2026-10-25 02:30 | exists twice: the first',
      '10-25T01:00 | Sun 2026-10-25 02:00 | exists twice: the second',
      '10-25T01:30 | Sun 2026-10-25 02:30 | exists twice: the second',
      '10-25T02:00 | Sun 2026-10-25 03:00',
    ],
  ],
  [
    'a pace goes on after the gap',
    ['2026-03-29T00:15:00Z', 2, 'Europe/Berlin', '*/30 * * * *'],
    ['03-29T00:30 | Sun 2026-03-29 01:30', '03-29T01:00 | Sun 2026-03-29 03:00'],
  ],
  [
    'half an hour in Lord Howe',
    ['2026-10-03T00:00:00Z', 1, 'Australia/Lord_Howe', '15 2 * * *'],
    ['10-03T15:30 | Sun 2026-10-04 02:30 | clocks skip 02:00 to 02:30: 02:15 runs at the end of the gap'],
  ],
  ['without clock changes nothing is said', ['2026-03-29T00:00:00Z', 1, 'UTC', '30 2 * * *'], ['03-29T02:30 | Sun 2026-03-29 02:30']],
  ['seconds are shown where there are any', ['2026-03-29T00:00:00Z', 1, 'UTC', '5 30 2 * * *'], ['03-29T02:30 | Sun 2026-03-29 02:30:05']],
])('%s', (_, [after, count, zone, ...schedules], lines) => {
  expect(shown(after, count, zone, ...schedules)).toEqual(lines)
})

it('a skipped time for which nothing runs stands between the slots', () => {
  const slots = [slotAt('2026-03-28T01:30:00Z'), slotAt('2026-03-30T00:30:00Z')]
  expect(showSlots(slots, slotAt('2026-03-28T00:00:00Z'), { timeZone: 'Europe/Berlin', schedules: ['30 2 * * *'] }).map(inWords)).toEqual([
    '03-28T01:30 | Sat 2026-03-28 02:30',
    '- | Sun 2026-03-29 02:30 | does not exist, clocks skip 02:00 to 03:00: nothing runs',
    '03-30T00:30 | Mon 2026-03-30 02:30',
  ])
})

it('an interval is shown in local time, and clock changes do nothing to it', () => {
  const slots = [slotAt('2026-10-25T00:30:00Z'), slotAt('2026-10-25T01:30:00Z')]
  expect(showSlots(slots, slots[0]! - 1, { timeZone: 'Europe/Berlin', schedules: [] }).map(inWords)).toEqual([
    '10-25T00:30 | Sun 2026-10-25 02:30',
    '10-25T01:30 | Sun 2026-10-25 02:30',
  ])
})

it('a time that clocks skip for good is named, and one that runs twice says so', () => {
  const rule = { gap: 'Skip', overlap: 'Both' } as const
  expect(shownBy(rule, '2026-03-28T12:00:00Z', 1, 'Europe/Berlin', '30 2 * * *', '0 3 * * *')).toEqual([
    '- | Sun 2026-03-29 02:30 | does not exist, clocks skip 02:00 to 03:00: nothing runs',
    '03-29T01:00 | Sun 2026-03-29 03:00',
  ])
  expect(shownBy(rule, '2026-10-24T12:00:00Z', 2, 'Europe/Berlin', '30 2 * * *')).toEqual([
    '10-25T00:30 | Sun 2026-10-25 02:30 | exists twice: the first',
    '10-25T01:30 | Sun 2026-10-25 02:30 | exists twice: the second',
  ])
})
