/** Whether a schedule is suspended: by its override while that has an effect, else by its spec. Pure. */
import { overrideAt, overrideOrigin, scheduleCondition, type TaskSchedule, type WantedCondition } from '../../api/index.ts'

export type Suspension = {
  readonly isSuspended: boolean
  /** `suspended until 2026-11-29T04:00:00Z by oncall: "incident 4711"`; undefined: no override has an effect. */
  readonly override?: string
  readonly endsInMs?: number
}

export function suspensionOf({ spec }: TaskSchedule, nowMs: number): Suspension {
  const active = overrideAt(spec.override, nowMs)
  if (active === undefined) return { isSuspended: spec.suspend }
  const { override, endsInMs } = active
  return {
    isSuspended: override.suspend,
    override: `${override.suspend ? 'suspended' : 'not suspended'} ${overrideOrigin(override)}`,
    endsInMs,
  }
}

/** Why nothing is dispatched. */
export function suspendedWords({ metadata }: TaskSchedule, { override }: Suspension): string {
  return override === undefined
    ? 'spec.suspend is true: slots are not dispatched'
    : `spec.override: ${override}: slots are not dispatched. Next: taskmill resume tsch/${metadata.name} ends it sooner`
}

export function overriddenConditions({ override }: Suspension): readonly WantedCondition[] {
  return override === undefined ? [] : [scheduleCondition('Overridden', 'OverrideActive', override)]
}
