import type { TaskSchedule } from '../api/index.ts'
import { type Slot, slotTime } from '../contract/index.ts'
import { dueAt, dueUpTo, type ShownSlot, showSlots, type Timing } from '../scheduling/index.ts'
import { type BackfillRange, slotsInRange } from './backfill.ts'
import type { CalendarFiles } from './calendars.ts'
import type { Fault } from './fault.ts'
import { slotsLeftOf } from './task-schedule.ts'

/** The slots of a schedule whose runs are due after a moment, as people see them; `dueAt`: when, with `jitterSeconds`. */
export type NextSlots = {
  /** `0 8 * * MON-FRI in Europe/Berlin`. */
  readonly timing: string
  /** Ascending; between them times that clocks skip and for which nothing runs. */
  readonly slots: readonly (ShownSlot & { readonly dueAt?: Slot })[]
  /** There are no more slots than these. */
  readonly isAll: boolean
}

/**
 * Returns the next `count` slots whose runs are due after `after`, as far as `maxRuns` admits them, by calendars as far as `files` has them; undefined if the
 * spec or a file cannot be understood, or a file is not there.
 */
export function nextSlots(schedule: TaskSchedule, after: Slot, count: number, files: CalendarFiles): NextSlots | undefined {
  const left = slotsLeftOf(schedule, files)
  if (left?.kind !== 'Left') return undefined
  const { plan } = left
  const slots: Slot[] = []
  const runsLeft = Math.max(0, (schedule.spec.maxRuns ?? Infinity) - (schedule.status?.dispatchedRuns ?? 0))
  const most = Math.min(count, runsLeft)
  const from = dueUpTo(plan, after)
  let next = plan.slots.next(from)
  for (; next !== undefined && slots.length < most; next = plan.slots.next(next)) slots.push(next)
  const { timing } = plan
  const { timeZone } = schedule.spec
  const shown = showSlots(slots, from, shownTimingOf(timing, timeZone))
  return {
    timing: `${timingWords(timing, timeZone)}${dependsWords(schedule)}`,
    slots:
      timing.jitterSeconds === undefined
        ? shown
        : shown.map((each) => (each.slot === undefined ? each : { ...each, dueAt: dueAt(plan, each.slot) })),
    isAll: next === undefined || slots.length === runsLeft,
  }
}

/**
 * Returns the slots that a backfill would run, in its order, or why it cannot; `createdAt`: when its TaskExecution is created; `files`: the
 * ConfigMaps of the calendars, which are read.
 */
export function slotsToBackfill(schedule: TaskSchedule, range: BackfillRange, createdAt: string, files: CalendarFiles): NextSlots | Fault {
  const found = slotsInRange(schedule, range, createdAt, files)
  if ('reason' in found) return found
  const { slots, timing } = found
  const { timeZone } = schedule.spec
  const ascending = slots.toSorted((a, b) => a - b)
  const shown = showSlots(ascending, (ascending[0] ?? 0) - 1, shownTimingOf(timing, timeZone)).filter(({ slot }) => slot !== undefined)
  return {
    timing: timesWords(timing, timeZone),
    slots: range.order === 'OldestFirst' ? shown : shown.toReversed(),
    isAll: false,
  }
}

/** What is not known of a manifest that names no namespace. */
function dependsWords({ metadata, spec: { schedules = [], jitterSeconds = 0 } }: TaskSchedule): string {
  const unknown = [
    ...(schedules.some((each) => /\bH\b/u.test(each)) ? ['what H stands for'] : []),
    ...(jitterSeconds > 0 ? ['when the runs are due'] : []),
  ]
  if (metadata.namespace !== undefined || unknown.length === 0) return ''
  return ` (${unknown.join(' and ')} ${unknown.length > 1 ? 'depend' : 'depends'} on the namespace, which the manifest does not name)`
}

function shownTimingOf(timing: Timing, timeZone: string): Parameters<typeof showSlots>[2] {
  return 'schedules' in timing ? timing : { timeZone, schedules: [] }
}

function timingWords(timing: Timing, timeZone: string): string {
  return `${timesWords(timing, timeZone)}${timing.jitterSeconds === undefined ? '' : `, jitter ${timing.jitterSeconds}s`}`
}

function timesWords(timing: Timing, timeZone: string): string {
  if ('schedules' in timing) return `${timing.schedules.join('; ')} in ${timeZone}`
  if ('at' in timing) return `${timing.at.length} single ${timing.at.length === 1 ? 'time' : 'times'}`
  return `every ${timing.everySeconds}s${timing.offsetSeconds === undefined ? '' : ` + ${timing.offsetSeconds}s`}`
}

/** What happens to each slot, as a further column of the table. */
type SlotColumn = { readonly header: string; cellOf(slot: Slot): string }

/**
 * Lines of a table: the slot, what the clocks of the zone show, with `jitterSeconds` when its run is due, what happens to it if that is asked
 * for, and what a clock change does to it.
 */
export function slotTable({ slots, isAll }: NextSlots, column?: SlotColumn): readonly string[] {
  const due: SlotColumn = { header: 'RUN DUE', cellOf: (slot) => slotTime(slots.find((each) => each.slot === slot)?.dueAt ?? slot) }
  const isDelayed = slots.some((each) => each.dueAt !== undefined)
  const columns = [...(isDelayed ? [due] : []), ...(column === undefined ? [] : [column])]
  const header = ['SLOT', 'LOCAL TIME', ...columns.map((each) => each.header), '']
  const rows = slots.map(({ slot, local, note = '' }) => [
    slot === undefined ? '-' : slotTime(slot),
    local,
    ...columns.map(({ cellOf }) => (slot === undefined ? '' : cellOf(slot))),
    note,
  ])
  const widths = header.slice(0, -1).map((_, index) => Math.max(...[header, ...rows].map((row) => row[index]?.length ?? 0)))
  const lines =
    rows.length === 0
      ? []
      : [header, ...rows].map((row) =>
          row
            .map((cell, index) => cell.padEnd(widths[index] ?? 0))
            .join('  ')
            .trimEnd(),
        )
  return isAll ? [...lines, rows.length === 0 ? 'there is no slot' : 'there is no slot after these'] : lines
}
