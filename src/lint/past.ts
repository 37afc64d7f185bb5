import type { TaskSchedule } from '../api/index.ts'
import { type Known, type Noticed, ofKind } from './neighbours.ts'

/**
 * Times of schedules that have passed: a schedule that is created now never fires them. A manifest may have them for one that was created
 * before, so they are warnings.
 */
export function findPastTimes(all: readonly Known[], nowMs: number): readonly Noticed[] {
  const isPast = (time: string): boolean => Date.parse(time) <= nowMs
  return ofKind(all, 'TaskSchedule').flatMap((known): readonly Noticed[] => {
    if (known.object === undefined) return []
    const { at = [], endTime } = (known.object as TaskSchedule).spec
    const warning = (field: string, message: string): Noticed => ({ known, severity: 'warning', field, message })
    return [
      ...at.flatMap((time, index) =>
        isPast(time)
          ? [
              warning(
                `spec.at[${index}]`,
                `${time} has passed: a schedule that is created now never fires it. Next: write a later time, or remove it`,
              ),
            ]
          : [],
      ),
      ...(endTime !== undefined && isPast(endTime)
        ? [warning('spec.endTime', `${endTime} has passed: a schedule that is created now is Completed at once. Next: write a later time`)]
        : []),
    ]
  })
}
