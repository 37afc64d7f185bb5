import type { TaskSchedule } from '../api/index.ts'
import type { Slot } from '../contract/index.ts'
import { type CalendarRules, isNeverDue, parseCalendars, type SchedulePlan, type SlotSource, withCalendars } from '../scheduling/index.ts'
import type { PushFaults } from './fault.ts'

/** Where the search for a slot begins, into the past and into the future: the same for everybody, so that the answer does not depend on the day. */
const middle: Slot = Date.UTC(2026, 10, 29) / 1000

/**
 * Returns what the calendars of a schedule leave of what is due by its timing; undefined without calendars, with faults, or if the timing itself
 * has faults.
 */
export function leaveOut(
  { spec }: TaskSchedule,
  due: SlotSource | undefined,
  faults: PushFaults<'InvalidCalendar' | 'InvalidTimeZone'>,
): Pick<SchedulePlan, 'calendars' | 'slots'> | undefined {
  const { calendars, timeZone, everySeconds } = spec
  if (calendars === undefined) return undefined
  const parsed = parseCalendars(calendars, timeZone)
  if (!parsed.ok) {
    for (const { field, message } of parsed.faults) {
      if (field !== 'timeZone') faults.push({ reason: 'InvalidCalendar', field: `spec.calendars.${field}`, message })
      // With cron expressions it is a fault of the timing.
      else if (everySeconds !== undefined) faults.push({ reason: 'InvalidTimeZone', field: 'spec.timeZone', message })
    }
    return undefined
  }
  if (due === undefined) return undefined
  const slots = withCalendars(due, parsed.cover)
  if (!isNeverDue(slots, middle)) return { slots, calendars: parsed.cover }
  faults.push({ reason: 'InvalidCalendar', field: 'spec.calendars', message: neverDue(calendars) })
  return undefined
}

function neverDue({ include, exclude }: CalendarRules): string {
  if (exclude === undefined)
    return 'no slot of this schedule is at a time that include names; correct include, or the times of the schedule'
  return include === undefined
    ? 'exclude leaves no slot of this schedule; correct exclude, or the times of the schedule'
    : 'include and exclude leave no slot of this schedule; correct them, or the times of the schedule'
}
