/** What people said about an alert that fires, while it has an effect. Pure. */
import type { NotifyRules } from '../../alerting/index.ts'
import { overrideAt, overrideOrigin } from '../../api/index.ts'
import type { World } from './world.ts'

type Asked = Pick<World, 'alert' | 'nowMs'>

/** Silence is the stronger of the two. */
export function quietOf({ alert, nowMs }: Asked): NotifyRules['quiet'] {
  const active = overrideAt(alert.spec.override, nowMs)
  if (active === undefined) return undefined
  const { override, endsInMs } = active
  return { kind: override.silence === true ? 'Silenced' : 'Acknowledged', untilMs: nowMs + endsInMs }
}

/** `oncall until 2026-11-29T04:00:00Z`: short enough for a column. */
export function ackedByOf({ alert, nowMs }: Asked): string | undefined {
  const active = overrideAt(alert.spec.override, nowMs)
  if (active === undefined) return undefined
  const { by = 'somebody', until, silence } = active.override
  return `${by}${silence === true ? ' (silenced)' : ''} until ${until}`
}

/** `acknowledged until 2026-11-29T04:00:00Z by oncall: "incident 4711"`. */
export function overrideWords({ alert, nowMs }: Asked): string | undefined {
  const active = overrideAt(alert.spec.override, nowMs)
  if (active === undefined) return undefined
  return `${active.override.silence === true ? 'silenced' : 'acknowledged'} ${overrideOrigin(active.override)}`
}
