/** What is said of BullMQ, against the library that it computes its times with. */
import { getNextMillis } from 'bullmq'
import { describe, expect, it } from 'vitest'
import { draws, seed } from '../../test/support/draws.ts'
import { random } from '../../test/support/random.ts'
import type { Slot } from '../contract/index.ts'
import { findSchedulerClocks } from './scheduler-clocks.ts'
import { parseTiming } from './timing.ts'
import { zoneOf } from './time-zone.ts'

const from = Date.UTC(2026, 10, 30) / 1000
const day = 86_400
const find = (expression: string, timeZone: string) => findSchedulerClocks(expression, timeZone, from)

describe('the first change on which BullMQ is due at another time', () => {
  const berlin = 'on 2027-03-28 clocks in Europe/Berlin skip 02:00 to 03:00, and BullMQ would'
  it.each([
    ['30 2 * * *', `${berlin} run at 2027-03-28T01:30:00Z and not at 2027-03-28T01:00:00Z`],
    ['10,30 2,3 * * *', `${berlin} not run at 2027-03-28T01:00:00Z`],
    ['0 2 * * *', undefined],
    ['15 2 1-20 * *', undefined],
    ['*/30 * * * *', undefined],
    ['30 4 * * *', undefined],
  ])('%s', (expression, message) => {
    expect(find(expression, 'Europe/Berlin')?.message).toBe(message)
  })

  it.each(['Australia/Lord_Howe', 'Africa/Cairo'])('changes that BullMQ does not manage count wherever a slot is near: %s', (timeZone) => {
    expect(find('0 12 * * *', timeZone)?.message).toContain('BullMQ leaves out slots around such a change')
    expect(find('0 12 1 1 *', timeZone)).toBeUndefined()
  })
})

describe('BullMQ itself', () => {
  const chance = random(seed)
  const pick = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)]!
  const expressionOf = () =>
    [
      pick(['0', '30', '15', '*/30', '*/20', '0,45', '59', '10-20/5']),
      pick(['0', '1', '2', '3', '1,2', '2,3', '1-3', '*', '*/2', '0,12', '23', '4']),
      pick(['*', '*', '*', '1', '25-31', 'L', '*/7']),
      pick(['*', '*', '3,10,11', '*/2']),
      pick(['*', '*', 'SUN', '1-5', '0#2', '5L', 'SAT,SUN']),
    ].join(' ')
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'America/St_Johns',
    'Africa/Cairo',
    'Australia/Lord_Howe',
    'Europe/London',
    'America/Santiago',
  ]

  it('is due as Taskmill is, wherever no difference is found', () => {
    const judged = { same: 0, different: 0 }
    for (let count = 0; count < draws(60, 5_000); count++) {
      const [expression, timeZone] = [expressionOf(), pick(zones)]
      const difference = find(expression, timeZone)
      for (const at of changesOf(timeZone, from, 3)) {
        const isSame = JSON.stringify(theirs(expression, timeZone, at)) === JSON.stringify(ours(expression, timeZone, at))
        if (!isSame)
          expect([expression, timeZone, difference === undefined], new Date(at * 1000).toISOString()).toEqual([expression, timeZone, false])
        judged[isSame ? 'same' : 'different']++
      }
    }
    expect(Math.min(judged.same, judged.different)).toBeGreaterThan(10)
  })

  it('is due at other times at each regular change where a difference is found', () => {
    for (let count = 0; count < draws(100, 3_000); count++) {
      const [expression, timeZone] = [expressionOf(), pick(['Europe/Berlin', 'America/New_York'])]
      const difference = find(expression, timeZone)
      if (difference === undefined) continue
      expect(theirs(expression, timeZone, difference.at), `${expression} ${timeZone}`).not.toEqual(
        ours(expression, timeZone, difference.at),
      )
    }
  })

  function changesOf(timeZone: string, after: Slot, most: number): readonly Slot[] {
    const zone = zoneOf(timeZone)
    if (typeof zone === 'string') throw new TypeError(zone)
    const found: Slot[] = []
    for (let period = zone.periodAt(after); found.length < most; period = zone.periodAt(period.end))
      if (zone.periodAt(period.end).offset !== period.offset) found.push(period.end)
    return found
  }

  function ours(expression: string, timeZone: string, at: Slot): readonly Slot[] {
    const parsed = parseTiming({ schedules: [expression], timeZone })
    return parsed.ok ? parsed.slots.between(at - 2 * day, at + 2 * day, 1_000) : []
  }

  function theirs(pattern: string, tz: string, at: Slot): readonly Slot[] {
    const slots: Slot[] = []
    for (let ms = (at - 2 * day) * 1000; ;) {
      const next = getNextMillis(ms, { pattern, tz })
      if (next === undefined || next > (at + 2 * day) * 1000) return slots
      slots.push(next / 1000)
      ms = next
    }
  }
})
