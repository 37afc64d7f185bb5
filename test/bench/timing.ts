/**
 * What it costs to find when a schedule is due: its next 1,000 slots, and what a calendar of 1,000 dates adds to each of them. The peer is BullMQ's
 * own job scheduler, which knows neither calendars nor a rule for the days on which clocks change.
 */
import { getNextMillis } from 'bullmq'
import type { TaskSchedule } from '../../src/api/index.ts'
import { understandSchedule } from '../../src/plans/index.ts'
import { printRows, type Row } from './table.ts'

const slots = 1_000
const rounds = 40
/** It takes a thousand times as long. */
const peerRounds = 5
const startSlot = Date.UTC(2026, 10, 30) / 1000
const dates = 1_000

type Timing = Partial<Pick<TaskSchedule['spec'], 'schedules' | 'everySeconds' | 'calendars'>>

const timeZone = 'Europe/Berlin'
const daily: Timing = { schedules: ['30 7 * * *'] }
const minutely: Timing = { schedules: ['* * * * *'] }
const timings: Readonly<Record<string, Timing>> = {
  'every minute': minutely,
  'every 15 minutes, 8 to 17, Mon to Fri': { schedules: ['*/15 8-17 * * MON-FRI'] },
  'every day at 07:30': daily,
  'the last Friday of each month': { schedules: ['0 18 * * 5L'] },
  'every 90 s': { everySeconds: 90 },
  'the last Sunday of March, each year': { schedules: ['0 2 * 3 0L'] },
  'each 1 January': { schedules: ['0 0 1 1 *'] },
}

/** Figures are milliseconds for the next 1,000 slots of one schedule. */
export function benchTiming(): void {
  for (const [name, timing] of Object.entries(timings)) {
    const peer = 'BullMQ (cron-parser)'
    printRows(`next ${slots.toLocaleString('en')} slots: ${name}, ${timeZone} (ms)`, [row('taskmill', timing)], {
      name: peer,
      values: timed(() => nextOfBullMq(timing), peerRounds),
    })
  }
  const calendar = { name: 'odd days', dates: oddDays() }
  for (const [name, timing] of Object.entries({ 'every minute': minutely, 'every day at 07:30': daily })) {
    const excluded = row(`without ${dates.toLocaleString('en')} dates`, { ...timing, calendars: { exclude: [calendar] } })
    const included = row(`only on ${dates.toLocaleString('en')} dates`, { ...timing, calendars: { include: [calendar] } })
    printRows(
      `next ${slots.toLocaleString('en')} slots with a calendar: ${name} (ms)`,
      [excluded, included],
      row('without a calendar', timing),
    )
  }
}

function row(name: string, timing: Timing): Row {
  const { next } = slotsOf(timing)
  return {
    name,
    values: timed(() => {
      for (let found = 0, after = startSlot; found < slots; found += 1) after = next(after) ?? after
    }),
  }
}

function timed(act: () => void, times = rounds): readonly number[] {
  return Array.from({ length: times }, () => {
    const startedMs = performance.now()
    act()
    return performance.now() - startedMs
  })
}

function slotsOf(timing: Timing) {
  const task = { type: 'bench', queue: 'bench', retry: { maxRetries: 0, initialDelaySeconds: 10 } }
  const spec = { brokerRef: { name: 'default' }, timeZone, concurrencyPolicy: 'Allow', missedRuns: 'Latest', task, ...timing }
  const understood = understandSchedule({ metadata: { namespace: 'bench', name: 'bench' }, spec } as unknown as TaskSchedule)
  if (!understood.ok) throw new Error(JSON.stringify(understood.faults))
  return understood.plan.slots
}

/** Every second day from the start on. */
function oddDays(): readonly string[] {
  return Array.from({ length: dates }, (_, index) => new Date((startSlot + (2 * index + 1) * 86_400) * 1000).toISOString().slice(0, 10))
}

function nextOfBullMq({ schedules: [pattern] = [], everySeconds }: Timing): void {
  const options = pattern === undefined ? { every: (everySeconds ?? 1) * 1000 } : { pattern, tz: timeZone }
  for (let found = 0, afterMs = startSlot * 1000; found < slots; found += 1) afterMs = (getNextMillis(afterMs, options) ?? afterMs) + 1
}
