/** What the override of a pool makes of it, while it has an effect. Pure. */
import { overrideAt, overrideOrigin, poolCondition, type WantedCondition, type WorkerPool } from '../../api/index.ts'
import { currentReplicas, type World } from './world.ts'

type Mode = WorkerPool['spec']['scaling']['mode']

export type PoolOverride = {
  /** Set when it says itself how many there are. */
  readonly replicas?: number
  readonly isSuspension: boolean
  readonly mode?: Mode
  /** `5 replicas until 2026-11-29T04:00:00Z by oncall: "incident 4711"`. */
  readonly words: string
  readonly endsInMs: number
}

export function overrideOf({ pool, nowMs }: Pick<World, 'pool' | 'nowMs'>): PoolOverride | undefined {
  const active = overrideAt(pool.spec.override, nowMs)
  if (active === undefined) return undefined
  const { override, endsInMs } = active
  const { mode, suspend = false } = override
  const replicas = suspend ? 0 : override.replicas
  const what = suspend ? 'suspended' : replicas === undefined ? `mode ${mode ?? ''}` : plural(replicas)
  return {
    ...(replicas === undefined ? {} : { replicas }),
    isSuspension: suspend,
    ...(mode === undefined ? {} : { mode }),
    words: `${what} ${overrideOrigin(override)}`,
    endsInMs,
  }
}

/** Who decides the number now, where the override does not say it itself. */
export function modeOf(world: Pick<World, 'pool' | 'nowMs'>): Mode {
  return overrideOf(world)?.mode ?? world.pool.spec.scaling.mode
}

export function overriddenConditions(world: World): readonly WantedCondition[] {
  const override = overrideOf(world)
  return override === undefined ? [] : [poolCondition('Overridden', 'OverrideActive', override.words)]
}

/**
 * The replicas to go back to when the override ends, of a pool whose mode holds what it finds: those that were there when it began, until
 * they are there again. `isFound`: Manual acts on no `spec.replicas`.
 */
export function replicasBeforeOverride(world: World, isFound: boolean): number | undefined {
  const { pool, status, deployment } = world
  const { mode } = pool.spec.scaling
  if (mode === 'Auto' || (mode === 'Manual' && !isFound)) return undefined
  const current = deployment.kind === 'Owned' ? currentReplicas(deployment) : (status?.desiredReplicas ?? 0)
  const before = status?.replicasBeforeOverride
  if (overrideOf(world) !== undefined) return before ?? current
  return before === current ? undefined : before
}

export function plural(count: number): string {
  return `${count} ${count === 1 ? 'replica' : 'replicas'}`
}
