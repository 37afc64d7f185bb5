/** How many replicas the Deployment is to have, and who says so: an override, the queues, people, or nobody. Pure. */
import { describeDecision, explainDecision, type ScalingDecision, type ScalingInput } from '../../scaling/index.ts'
import { modeOf, overrideOf, plural, replicasBeforeOverride, type PoolOverride } from './override.ts'
import { deploymentNameOf, writtenReplicas } from './ownership.ts'
import { currentReplicas, isHumanZero, type World } from './world.ts'

export type Intent = {
  /** What the Deployment is to have. */
  readonly replicas: number
  /** What people read: the same, or what DryRun would write. */
  readonly desired: number
  /** The Deployment keeps its replicas, whatever they are; not even our own last write is repeated. */
  readonly isHeld: boolean
  /** `status.decision`. */
  readonly decision: string
  /** Why a change is made, without the number in front. */
  readonly because: string
  /** Why the replicas do not follow the queues, and what ends that. */
  readonly disabled?: string
  readonly isHumanZero?: true
  /** People decide: what the queues ask for limits nothing. */
  readonly isTheirs?: true
  /** What the status has to say before the replicas are written. */
  readonly isToBeNoted?: true
}

export function intentOf(world: World, input: ScalingInput, decision: ScalingDecision): Intent {
  const current = currentReplicas(world.deployment)
  const asked = `The queues ask for ${describeDecision(input, decision)}`
  const override = overrideOf(world)
  if (override?.replicas !== undefined) return overridden(world, override, override.replicas, asked)
  const mode = modeOf(world)
  if (mode !== 'DryRun' && isSwitchedOff(world)) return switchedOff(world)
  if (mode === 'DryRun' && override === undefined) {
    const before = heldBefore(world)
    if (before !== undefined) return goingBack(before)
  }
  switch (mode) {
    case 'Auto': {
      const because = explainDecision(input, decision)
      return { ...bare(decision.replicas), decision: describeDecision(input, decision), because: `${drift(world)}${because}` }
    }
    case 'DryRun': {
      const would = describeDecision(input, decision)
      const disabled = `${sayMode(override, mode)}: the replicas are left alone. Next: set it to Auto when status.decision convinces`
      const words =
        decision.replicas === current ? `DryRun, and would write nothing: ${would}` : `DryRun, would write ${would} Now ${current}.`
      return { ...bare(current), desired: decision.replicas, isHeld: true, decision: words, because: '', disabled }
    }
    case 'Manual':
      return manual(world, asked)
  }
}

/** A zero by hand that came after it is left alone; one that was there before has ended with the number that it says. */
function overridden(world: World, override: PoolOverride, replicas: number, asked: string): Intent {
  const { deployment, pool, status } = world
  const isZero = deployment.kind === 'Owned' && isHumanZero(deployment.object)
  if (isZero && (override.isSuspension || writtenReplicas(deployment.object) === replicas)) return switchedOff(world)
  const disabled = `spec.override: ${override.words}. Next: taskmill resume wp/${pool.metadata.name} ends it sooner`
  const intent = {
    ...bare(replicas),
    decision: `${plural(replicas)}: spec.override, ${override.words}. ${asked}`,
    because: `${drift(world)}spec.override, ${override.words}.`,
    disabled,
    isTheirs: true,
  } as const
  const isNoted = heldBefore(world) === undefined || status?.replicasBeforeOverride !== undefined
  return isNoted ? intent : { ...intent, replicas: currentReplicas(deployment), isHeld: true, isToBeNoted: true }
}

/** What the replicas were before the override, where nothing else brings them back. */
export function heldBefore(world: World): number | undefined {
  return replicasBeforeOverride(world, ignoredReplicas(world) !== undefined)
}

function goingBack(replicas: number): Intent {
  const because = 'what there was before the override.'
  return { ...bare(replicas), decision: `${plural(replicas)}: ${because}`, because, isTheirs: true }
}

function sayMode(override: PoolOverride | undefined, mode: string): string {
  return override?.mode === undefined ? `scaling.mode is ${mode}` : `spec.override: ${override.words}`
}

/**
 * The `spec.replicas` that Manual does not act upon: the one that was there when it began. It lasts until another one is written; a pool
 * that is Manual from the start acts on what it says, except on a target, which has replicas already.
 */
export function ignoredReplicas({ pool, status, deployment, nowMs }: Omit<World, 'signals'>): number | undefined {
  const { replicas, scaling, targetRef } = pool.spec
  if (scaling.mode !== 'Manual' && modeOf({ pool, nowMs }) !== 'Manual') return replicas
  if (status?.ignoredReplicas !== undefined) return status.ignoredReplicas === replicas ? replicas : undefined
  const isNew = (status?.observedGeneration ?? -1) < 0
  return isNew && (targetRef !== undefined || deployment.kind === 'Owned') ? replicas : undefined
}

function manual(world: World, asked: string): Intent {
  const { pool, status, deployment } = world
  const says = sayMode(overrideOf(world), 'Manual')
  const scale = `kubectl scale workerpool ${pool.metadata.name} --replicas=N`
  const ends = 'Next: set scaling.mode to Auto to let the queues decide'
  if (ignoredReplicas(world) === undefined) {
    const disabled = `${says}: spec.replicas is ${pool.spec.replicas}, ${scale} changes it. ${ends}`
    const because = `${drift(world)}spec.replicas, ${says}.`
    return {
      ...bare(pool.spec.replicas),
      decision: `${plural(pool.spec.replicas)}: spec.replicas, ${says}. ${asked}`,
      because,
      disabled,
      isTheirs: true,
    }
  }
  // One that was deleted comes back as it was.
  const before = overrideOf(world) === undefined ? heldBefore(world) : undefined
  const found = before ?? (deployment.kind === 'Owned' ? currentReplicas(deployment) : (status?.desiredReplicas ?? 0))
  const disabled = `${says}: the replicas that were found are held, ${scale} changes them. ${ends}`
  const decision = `${plural(found)}: found when Manual began, held until another number is written (${scale}). ${asked}`
  return { ...bare(found), decision, because: 'held since Manual began.', disabled, isTheirs: true }
}

/** In Manual, a number that was written for the pool since ends it. */
function isSwitchedOff({ pool, deployment, ...rest }: World): boolean {
  if (deployment.kind !== 'Owned' || !isHumanZero(deployment.object)) return false
  if (modeOf({ pool, nowMs: rest.nowMs }) !== 'Manual' || ignoredReplicas({ pool, deployment, ...rest }) !== undefined) return true
  return pool.spec.replicas === writtenReplicas(deployment.object)
}

function switchedOff({ pool, deployment }: World): Intent {
  const name = deploymentNameOf(pool)
  const written = deployment.kind === 'Owned' ? writtenReplicas(deployment.object) : undefined
  const disabled =
    `somebody scaled Deployment "${name}" to 0, Taskmill wrote ${written} last; it is left alone. ` +
    `Next: kubectl scale deployment ${name} --replicas=1 gives it back to the queues, as does any number but 0`
  return { ...bare(0), isHeld: true, decision: `0 replicas: ${disabled}.`, because: '', disabled, isHumanZero: true, isTheirs: true }
}

function bare(replicas: number): Pick<Intent, 'replicas' | 'desired' | 'isHeld'> {
  return { replicas, desired: replicas, isHeld: false }
}

/** A number by hand is told when it is replaced, or the change would look as if the queues had asked for it twice. */
function drift({ deployment }: World): string {
  if (deployment.kind !== 'Owned') return ''
  const written = writtenReplicas(deployment.object)
  const current = currentReplicas(deployment)
  return written === undefined || written === current ? '' : `${current} was written by hand, ${written} by Taskmill; `
}
