import type { TaskSchedule } from '../api/index.ts'
import { type Slot, slotTime } from '../contract/index.ts'
import { type ShownSlot, showSlots } from '../scheduling/index.ts'
import { type BackfillRange, slotsInRange } from './backfill.ts'
import type { CalendarFiles } from './calendars.ts'
import type { Fault } from './fault.ts'
import { slotsLeftOf, timingOf } from './task-schedule.ts'

/** The slots of a schedule after a moment, as people see them. */
export type NextSlots = {
  /** `0 8 * * MON-FRI in Europe/Berlin`. */
  readonly timing: string
  /** Ascending; between them times that clocks skip and for which nothing runs. */
  readonly slots: readonly ShownSlot[]
  /** There are no more slots than these. */
  readonly isAll: boolean
}

/**
 * Returns the next `count` slots after `after`, as far as `maxRuns` admits them, by calendars as far as `files` has them; undefined if the
 * spec or a file cannot be understood, or a file is not there.
 */
export function nextSlots(schedule: TaskSchedule, after: Slot, count: number, files: CalendarFiles): NextSlots | undefined {
  const left = slotsLeftOf(schedule, files)
  if (left?.kind !== 'Left') return undefined
  const source = left.plan.slots
  const slots: Slot[] = []
  const runsLeft = Math.max(0, (schedule.spec.maxRuns ?? Infinity) - (schedule.status?.dispatchedRuns ?? 0))
  const most = Math.min(count, runsLeft)
  let next = source.next(after)
  for (; next !== undefined && slots.length < most; next = source.next(next)) slots.push(next)
  const timing = timingOf(schedule)
  const { timeZone } = schedule.spec
  return {
    timing: timingWords(timing, timeZone),
    slots: showSlots(slots, after, shownTimingOf(timing, timeZone)),
    isAll: next === undefined || slots.length === runsLeft,
  }
}

/** Returns the slots that a backfill would run, in its order, or why it cannot; `createdAt`: when its TaskExecution is created. */
export function slotsToBackfill(schedule: TaskSchedule, range: BackfillRange, createdAt: string): NextSlots | Fault {
  const slots = slotsInRange(schedule, range, createdAt)
  if ('reason' in slots) return slots
  const timing = timingOf(schedule)
  const { timeZone } = schedule.spec
  const ascending = slots.toSorted((a, b) => a - b)
  const shown = showSlots(ascending, (ascending[0] ?? 0) - 1, shownTimingOf(timing, timeZone)).filter(({ slot }) => slot !== undefined)
  return {
    timing: timingWords(timing, timeZone),
    slots: range.order === 'OldestFirst' ? shown : shown.toReversed(),
    isAll: false,
  }
}

type Timing = ReturnType<typeof timingOf>

function shownTimingOf(timing: Timing, timeZone: string): Parameters<typeof showSlots>[2] {
  return 'schedules' in timing ? timing : { timeZone, schedules: [] }
}

function timingWords(timing: Timing, timeZone: string): string {
  if ('schedules' in timing) return `${timing.schedules.join('; ')} in ${timeZone}`
  if ('at' in timing) return `${timing.at.length} single ${timing.at.length === 1 ? 'time' : 'times'}`
  return `every ${timing.everySeconds}s${timing.offsetSeconds === undefined ? '' : ` + ${timing.offsetSeconds}s`}`
}

const header = ['SLOT', 'LOCAL TIME', ''] as const

/** Lines of a table: the slot, what the clocks of the zone show, and what a clock change does to it. */
export function slotTable({ slots, isAll }: NextSlots): readonly string[] {
  const rows = slots.map(({ slot, local, note = '' }) => [slot === undefined ? '-' : slotTime(slot), local, note] as const)
  const widths = [0, 1].map((column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)))
  const lines =
    rows.length === 0
      ? []
      : [header, ...rows].map((row) =>
          row
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join('  ')
            .trimEnd(),
        )
  return isAll ? [...lines, rows.length === 0 ? 'there is no slot' : 'there is no slot after these'] : lines
}
