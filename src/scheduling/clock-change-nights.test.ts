/** Nights on which clocks change, gone through by the rules: each slot is decided once, under each policy, also when dst is edited that night. */
import { expect, it } from 'vitest'
import { slotTime } from '../contract/index.ts'
import type { ClockRule } from './clock-changes.ts'
import { home, planOf } from './fixtures.ts'
import type { SchedulePlan } from './ledger.ts'

const policies = ['Allow', 'Forbid', 'Queue', 'Replace'] as const
const everySeconds = 300
const spring = '2026-03-28T21:00:00Z'
const autumn = '2026-10-24T21:00:00Z'

type Night = { readonly from: string; readonly policy: (typeof policies)[number]; readonly expression: string }

/** Looks every five minutes for ten hours; each run ends before the next look. Returns the slots that ran, and how many were missed. */
function live({ from, policy, expression }: Night, dstAt: (time: string) => Partial<ClockRule>) {
  const start = Date.parse(from) / 1000
  const world = home()
  const ended = new Set<number>()
  for (let at = start; at <= start + 36_000; at += everySeconds) {
    const dst: ClockRule = { gap: 'RunAfterGap', overlap: 'First', ...dstAt(slotTime(at)) }
    const change: Partial<SchedulePlan> = {
      timing: { schedules: [expression], timeZone: 'Europe/Berlin', dst },
      concurrencyPolicy: policy,
      createdAtMs: start * 1000,
    }
    world.lead(at, planOf(change))
    const due = world.placed.filter((slot) => slot <= at && !ended.has(slot))
    for (const slot of due) world.end(slot)
    for (const slot of due) ended.add(slot)
    world.lead(at, planOf(change))
  }
  const missed = Object.values(world.ledger?.missed ?? {}).reduce((sum, { count }) => sum + count, 0)
  return { ran: [...ended].toSorted((a, b) => a - b).map((slot) => slotTime(slot).slice(11, 16)), missed }
}

it.each(policies)('%s: a time of day in the gap runs after it, or not', (policy) => {
  const night = { from: spring, policy, expression: '30 2 * * *' }
  expect(live(night, () => ({}))).toEqual({ ran: ['01:00'], missed: 0 })
  expect(live(night, () => ({ gap: 'Skip' }))).toEqual({ ran: [], missed: 0 })
})

it.each(policies)('%s: a time of day that clocks show twice runs once, or twice', (policy) => {
  const night = { from: autumn, policy, expression: '30 2 * * *' }
  expect(live(night, () => ({}))).toEqual({ ran: ['00:30'], missed: 0 })
  expect(live(night, () => ({ overlap: 'Both' }))).toEqual({ ran: ['00:30', '01:30'], missed: 0 })
})

it.each(policies)('%s: what names every hour keeps its pace', (policy) => {
  const hours = Array.from({ length: 10 }, (_, index) => `${String((22 + index) % 24).padStart(2, '0')}:00`)
  for (const from of [spring, autumn])
    expect(live({ from, policy, expression: '0 * * * *' }, () => ({}))).toEqual({ ran: hours, missed: 0 })
})

it.each(policies)('%s: an edit of dst in that night fires nothing of the past', (policy) => {
  const inGap = { from: spring, policy, expression: '30 2 * * *' }
  expect(live(inGap, (time) => ({ gap: time < '2026-03-29T01:10' ? 'Skip' : 'RunAfterGap' }))).toEqual({ ran: [], missed: 0 })
  const twice = { from: autumn, policy, expression: '30 2 * * *' }
  // Between the first and the second time.
  expect(live(twice, (time) => ({ overlap: time < '2026-10-25T01:00' ? 'First' : 'Both' })).ran).toEqual(['00:30', '01:30'])
  expect(live(twice, (time) => ({ overlap: time < '2026-10-25T01:00' ? 'Both' : 'First' })).ran).toEqual(['00:30'])
})
