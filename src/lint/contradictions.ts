/**
 * What two objects say that cannot both be meant, though each is sound by itself. Only what stands beside each other is compared: the same
 * names elsewhere may be meant for another cluster.
 */
import type { TaskAlert, TaskSchedule } from '../api/index.ts'
import { contradictionOf } from '../plans/index.ts'
import { areBeside, couldMeet, type Known, type Noticed } from './neighbours.ts'

/** An alert on successes that are further apart than it waits for, by every schedule that may be meant. */
export function noticeContradictions(all: readonly Known[]): readonly Noticed[] {
  const sound = all.filter(({ object }) => object !== undefined)
  return ofKind(sound, 'TaskAlert').flatMap((known) => {
    const alert = known.object as TaskAlert
    const { kind, name } = alert.spec.target
    const faults = ofKind(sound, kind)
      .filter((other) => other.kind.kind === 'TaskSchedule' && other.name === name && couldMeet(known, other) && areBeside(known, other))
      .map((schedule) => contradictionOf(alert, schedule.object as TaskSchedule))
    const [fault] = faults
    if (fault === undefined || faults.includes(undefined)) return []
    return [{ known, severity: 'error' as const, field: fault.field, message: fault.message }]
  })
}

function ofKind(all: readonly Known[], kind: string): readonly Known[] {
  return all.filter((known) => known.kind.kind === kind)
}
