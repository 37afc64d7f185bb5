import { describe, expect, it } from 'vitest'
import { random } from '../../test/support/random.ts'
import { type ClockChange, clockChangesOf, offsetsOf } from '../../test/support/time-zones.ts'
import type { Slot } from '../contract/index.ts'
import type { ClockRule } from './clock-changes.ts'
import { parseTiming, type SlotSource } from './timing.ts'

const at = (text: string): Slot => Date.parse(text) / 1000

function slotsOf(schedules: readonly string[], timeZone: string, dst?: ClockRule): SlotSource {
  const parsed = parseTiming({ schedules, timeZone, ...(dst && { dst }) })
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.slots
}

function forwards(slots: SlotSource, after: Slot, until: Slot): readonly Slot[] {
  const found: Slot[] = []
  for (let slot = slots.next(after); slot !== undefined && slot <= until; slot = slots.next(slot)) found.push(slot)
  return found
}

/** The local times at which a schedule is due on one day in Berlin, where the clocks change in March and October. */
function onDay(day: string, ...schedules: readonly string[]): readonly string[] {
  return onDayBy(undefined, day, ...schedules)
}

function onDayBy(dst: ClockRule | undefined, day: string, ...schedules: readonly string[]): readonly string[] {
  const local = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' })
  const [from, until] = [at(`${day}T00:00:00Z`) - 3 * 3600, at(`${day}T23:00:00Z`)]
  const isThatDay = (slot: Slot): boolean => new Date((slot + offsetsOf('Europe/Berlin')(slot)) * 1000).toISOString().startsWith(day)
  return forwards(slotsOf(schedules, 'Europe/Berlin', dst), from, until)
    .filter(isThatDay)
    .map((slot) =>
      local
        .format(slot * 1000)
        .replace(/GMT\+1|CET/u, 'winter')
        .replace(/GMT\+2|CEST/u, 'summer'),
    )
}

describe('the table of docs/schedules.md', () => {
  const summer = (...times: readonly string[]) => times.map((time) => `${time} summer`)
  const winter = (...times: readonly string[]) => times.map((time) => `${time} winter`)
  it.each([
    ['30 2 * * *', summer('03:00'), summer('02:30')],
    ['30 2 * * SUN', summer('03:00'), summer('02:30')],
    ['0 2,14 * * *', summer('03:00', '14:00'), [...summer('02:00'), ...winter('14:00')]],
    ['30 1,2 * * *', [...winter('01:30'), ...summer('03:00')], summer('01:30', '02:30')],
    ['*/15 2 * * *', summer('03:00'), summer('02:00', '02:15', '02:30', '02:45')],
    ['0,15,30,45 2 * * *', summer('03:00'), summer('02:00', '02:15', '02:30', '02:45')],
    ['0 2-4 * * *', summer('03:00', '04:00'), [...summer('02:00'), ...winter('03:00', '04:00')]],
    ['0 */6 * * *', [...winter('00:00'), ...summer('06:00', '12:00', '18:00')], [...summer('00:00'), ...winter('06:00', '12:00', '18:00')]],
  ])('%s', (expression, march, october) => {
    expect(onDay('2026-03-29', expression)).toEqual(march)
    expect(onDay('2026-10-25', expression)).toEqual(october)
  })

  it.each<[string, ClockRule, readonly string[], readonly string[]]>([
    ['30 2 * * *', { gap: 'RunAfterGap', overlap: 'First' }, summer('03:00'), summer('02:30')],
    ['30 2 * * *', { gap: 'Skip', overlap: 'First' }, [], summer('02:30')],
    ['30 2 * * *', { gap: 'RunAfterGap', overlap: 'Both' }, summer('03:00'), [...summer('02:30'), ...winter('02:30')]],
    ['30 2 * * *', { gap: 'Skip', overlap: 'Both' }, [], [...summer('02:30'), ...winter('02:30')]],
    ['0 2-4 * * *', { gap: 'Skip', overlap: 'Both' }, summer('03:00', '04:00'), [...summer('02:00'), ...winter('02:00', '03:00', '04:00')]],
    ['0,30 1,2 * * *', { gap: 'Skip', overlap: 'First' }, winter('01:00', '01:30'), summer('01:00', '01:30', '02:00', '02:30')],
  ])('%s with %j', (expression, dst, march, october) => {
    expect(onDayBy(dst, '2026-03-29', expression)).toEqual(march)
    expect(onDayBy(dst, '2026-10-25', expression)).toEqual(october)
  })

  it('a pace is a pace by each rule', () => {
    for (const gap of ['Skip', 'RunAfterGap'] as const)
      for (const overlap of ['First', 'Both'] as const)
        for (const day of ['2026-03-29', '2026-10-25'])
          expect(onDayBy({ gap, overlap }, day, '*/30 * * * *')).toEqual(onDay(day, '*/30 * * * *'))
  })

  it.each(['*/30 * * * *', '*/30 0-23 * * *', '*/30 */1 * * *', '0/30 0/1 * * *'])('%s keeps its pace', (expression) => {
    for (const day of ['2026-03-29', '2026-10-25']) {
      const slots = forwards(slotsOf([expression], 'Europe/Berlin'), at(`${day}T00:00:00Z`) - 86_400, at(`${day}T00:00:00Z`) + 86_400)
      expect(new Set(slots.slice(1).map((slot, index) => slot - (slots[index] ?? 0)))).toEqual(new Set([1800]))
    }
  })

  it('one expression is due exactly when several with its times are', () => {
    for (const day of ['2026-03-29', '2026-10-25']) {
      expect(onDay(day, '0 2,14 * * *')).toEqual(onDay(day, '0 2 * * *', '0 14 * * *'))
      expect(onDay(day, '0,30 1-3 * * *')).toEqual(onDay(day, '0 1-3 * * *', '30 1 * * *', '30 2 * * *', '30 3 * * *'))
    }
  })
})

it('a day that a place leaves out is due when the next one begins', () => {
  // Samoa went from 29 to 31 December 2011.
  const slots = forwards(slotsOf(['0 9 * * *'], 'Pacific/Apia'), at('2011-12-29T18:00:00Z'), at('2011-12-31T12:00:00Z'))
  expect(slots).toEqual([at('2011-12-29T19:00:00Z'), at('2011-12-30T10:00:00Z'), at('2011-12-30T19:00:00Z')])
})

/** All that the next ten years bring. */
const [fromYear, toYear] = [2026, 2036]
const zones = Intl.supportedValuesOf('timeZone').map((name) => ({ name, changes: clockChangesOf(name, fromYear, toYear) }))
const minute = 60
const day = 86_400

describe(`all ${zones.length} time zones, ${fromYear} to ${toYear - 1}`, () => {
  it('a time of day that changes touch is due once on each day', () => {
    const [from, until] = [at(`${fromYear}-01-03T00:00:00Z`), at(`${toYear - 1}-12-29T00:00:00Z`)]
    for (const { name, changes } of zones) {
      const [middle = { at: from, before: 0, after: 0 }] = changes
      const reading = new Date((middle.at + Math.min(middle.before, middle.after) + Math.abs(middle.after - middle.before) / 2) * 1000)
      const slots = slotsOf([`${reading.getUTCMinutes()} ${reading.getUTCHours()} * * *`], name)
      const due = forwards(slots, from, until)
      const gaps = new Set(due.slice(1).map((slot, index) => Math.round((slot - (due[index] ?? 0)) / day)))
      expect([gaps, due.length], name).toEqual([new Set([1]), (until - from) / day])
      expect(slots.between(from, until, 5_000), name).toEqual(due)
    }
  })

  it('around each change, slots are those that one finds minute by minute', () => {
    const chance = random(20_261_130)
    const below = (limit: number): number => Math.floor(chance() * limit)
    let judged = 0
    for (const { name, changes } of zones) {
      for (const change of changes) {
        const hour = Math.floor(((((change.at + Math.min(change.before, change.after)) % day) + day) % day) / 3600)
        const hours = pickHours(hour, below)
        const minutes = below(3) === 0 ? [0, 15, 30, 45] : [below(60)]
        const dst = rules[below(rules.length)] ?? { gap: 'RunAfterGap', overlap: 'First' }
        const slots = slotsOf([`${minutes.join()} ${hours.join()} * * *`], name, dst)
        const expected = minuteByMinute(change, { hours, minutes, dst })
        const [after, until] = [change.at - day / 2, change.at + day / 2]
        const where = `${dst.gap}, ${dst.overlap}: ${minutes.join()} ${hours.join()} in ${name}, ${new Date(change.at * 1000).toISOString()}`
        expect(forwards(slots, after, until), where).toEqual(expected)
        expect(slots.between(after, until, 5_000), where).toEqual(expected)
        judged++
      }
    }
    expect(judged).toBe(zones.reduce((total, { changes }) => total + changes.length, 0))
    expect(judged).toBeGreaterThan(2_000)
  })
})

const rules = (['RunAfterGap', 'Skip'] as const).flatMap((gap) =>
  (['First', 'Both'] as const).map((overlap): ClockRule => ({ gap, overlap })),
)

/** The hour of a change with others, or every hour. */
function pickHours(hour: number, below: (limit: number) => number): readonly number[] {
  const all = Array.from({ length: 24 }, (_, each) => each)
  switch (below(4)) {
    case 0:
      return all
    case 1:
      return [hour]
    case 2:
      return all.filter((each) => each % 2 === hour % 2)
    default:
      return [...new Set([hour, (hour + 1) % 24, below(24)])].toSorted((a, b) => a - b)
  }
}

type Named = { readonly hours: readonly number[]; readonly minutes: readonly number[]; readonly dst: ClockRule }

/** The slots within half a day of a change, by looking at the clock each minute. */
function minuteByMinute({ at: change, before, after }: ClockChange, { hours, minutes, dst }: Named): readonly Slot[] {
  const isNamed = (reading: number): boolean =>
    reading % minute === 0 && hours.includes(Math.floor((reading % day) / 3600)) && minutes.includes(Math.floor((reading % 3600) / minute))
  const everyHour = hours.length === 24
  const slots: Slot[] = []
  let furthest = change - day + before
  for (let now = change - day + minute; now <= change + day / 2; now += minute) {
    const reading = now + (now < change ? before : after)
    const isShown = isNamed(reading) && (everyHour || dst.overlap === 'Both' || reading > furthest)
    // The times that clocks pass without showing them.
    let isPassed = false
    for (let each = furthest + minute; each < reading; each += minute) isPassed ||= isNamed(each)
    furthest = Math.max(furthest, reading)
    const isDue = isShown || (isPassed && !everyHour && dst.gap === 'RunAfterGap')
    if (isDue && now > change - day / 2) slots.push(now)
  }
  return slots
}

describe('a time that clocks skip each year', () => {
  const never = { schedules: ['30 2 * 3 SUN#L'], timeZone: 'Europe/Berlin' }
  it('is refused with Skip, and due at the end of the gap without', () => {
    const message =
      '"30 2 * 3 SUN#L" is never due, because clocks in Europe/Berlin skip it each time; write another time, or set dst.gap to RunAfterGap'
    for (const overlap of ['First', 'Both'] as const) {
      expect(parseTiming({ ...never, dst: { gap: 'Skip', overlap } })).toEqual({ ok: false, field: 'schedules[0]', message })
      expect(parseTiming({ ...never, dst: { gap: 'RunAfterGap', overlap } })).toMatchObject({ ok: true })
    }
  })

  it('does not keep the other times from being due', () => {
    const slots = slotsOf(['30 1,2 * 3 SUN#L', '15 2 29 3 *'], 'Europe/Berlin', { gap: 'Skip', overlap: 'First' })
    const due = forwards(slots, at('2026-01-01T00:00:00Z'), at('2029-01-01T00:00:00Z'))
    // In 2026 the 29th is the Sunday on which clocks change.
    const expected = [
      '2026-03-29T00:30:00Z',
      '2027-03-28T00:30:00Z',
      '2027-03-29T00:15:00Z',
      '2028-03-26T00:30:00Z',
      '2028-03-29T00:15:00Z',
    ]
    expect(due).toEqual(expected.map(at))
    expect(slots.between(at('2026-01-01T00:00:00Z'), at('2029-01-01T00:00:00Z'), 100)).toEqual(due)
  })
})
