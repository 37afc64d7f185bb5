/**
 * What to do for one pool: pure, from a world to a plan. Read it from top to bottom: first what makes acting impossible, then what decides
 * about the replicas (an override, the queues, people, or nothing), then how many there are to be.
 */
import { overrideAt, overrideOrigin, poolCondition, type WantedCondition, type WorkerPool, findCondition } from '../../api/index.ts'
import {
  decideReplicas,
  demandOf,
  describeDecision,
  explainDecision,
  type RecommendationHistory,
  type ScalingDecision,
  type ScalingInput,
  type Signal,
} from '../../scaling/index.ts'
import { deploymentFor, type DeploymentApply, deploymentNameOf, writtenReplicas } from './deployment.ts'
import { currentReplicas, isHumanZero, isRecent, type QueueSignals, type World } from './gather.ts'

export type Plan = {
  /** The Deployment as it should be, of a pool with a template; left out while it is not to be applied. */
  readonly deployment?: DeploymentApply
  /** The replicas to have in it; left out while the operator does not write them. */
  readonly replicas?: number
  /** A change of replicas to write, and why, in words. */
  readonly scale?: { readonly from: number; readonly to: number; readonly because: string }
  /** Why: for the status. */
  readonly grounds: Grounds
  readonly history: RecommendationHistory
  /** When the answer may change by time alone. */
  readonly againAfterMs?: number
}

export type Grounds =
  | { readonly kind: 'Blocked'; readonly blocker: Blocker }
  | { readonly kind: 'Scaled'; readonly input: ScalingInput; readonly decision: ScalingDecision; readonly intent: Intent }

/** Why a pool cannot be acted upon: its Ready, and whether it waits for something (Reconciling) or for a user (Stalled). */
export type Blocker = { readonly ready: WantedCondition; readonly standing: WantedCondition }

export type Intent = {
  /** What the Deployment is to have. */
  readonly replicas: number
  /** What people read: the same, or what DryRun would write. */
  readonly desired: number
  /** The Deployment keeps its replicas, whatever they are; not even our own last write is repeated. */
  readonly keepsReplicas: boolean
  /** `status.decision`. */
  readonly decision: string
  /** Why a change is made, without the number in front. */
  readonly because: string
  /** Why the replicas do not follow the queues, and what ends that. */
  readonly disabled?: string
  readonly isHumanZero?: true
  /** People decide: what the queues ask for limits nothing. */
  readonly isByPeople?: true
  /** What the status has to say before the replicas are written. */
  readonly isNotedFirst?: true
}

/** Whether to decide at all: right after a start, the status stays until the queues were read, which takes a moment. */
export function canDecide({ broker, signals, status }: World): boolean {
  return broker === undefined || signals.kind !== 'Pending' || findCondition(status?.conditions, 'Ready') === undefined
}

export function decide(world: World): Plan {
  const blocker = blockerOf(world)
  if (blocker !== undefined) return { grounds: { kind: 'Blocked', blocker }, history: world.history }
  const input = scalingInput(world)
  const decision = decideReplicas(input)
  const intent = intentOf(world, input, decision)
  const from = currentReplicas(world.deployment)
  const deployment = world.broker && isTemplateDue(world) ? deploymentFor(world.pool, world.broker) : undefined
  const isToScale = intent.replicas !== from && !intent.keepsReplicas && world.refusedReplicas?.replicas !== intent.replicas
  return {
    ...(deployment === undefined ? {} : { deployment }),
    ...(intent.keepsReplicas ? {} : { replicas: intent.replicas }),
    ...(isToScale ? { scale: { from, to: intent.replicas, because: intent.because } } : {}),
    grounds: { kind: 'Scaled', input, decision, intent },
    history: decision.history,
    ...nextMoment(world, decision, intent),
  }
}

/** Whether to apply the template: one that only an edit can mend is not tried again, and what may pass is tried every 30 s. */
function isTemplateDue({ refused, nowMs }: World): boolean {
  return refused === undefined || (refused.refusal.retry !== 'OnEdit' && !isRecent(refused, nowMs))
}

/** What keeps the pool from being acted upon until a user changes something, the most helpful reason first. */
function blockerOf({ pool, broker, deployment }: World): Blocker | undefined {
  const target = pool.spec.targetRef
  if (deployment.kind === 'Foreign') {
    const next =
      target === undefined ? 'delete or rename it, or rename this WorkerPool' : 'target another Deployment, or delete one of the two pools'
    const message = `Deployment "${deploymentNameOf(pool)}" exists and belongs to ${deployment.owner}. Next: ${next}`
    return {
      ready: poolCondition('Ready', 'DeploymentNotOwned', message),
      standing: poolCondition('Stalled', 'DeploymentNotOwned', message),
    }
  }
  if (target !== undefined && deployment.kind === 'Missing') {
    const message = `Deployment "${target.name}" does not exist in this namespace. Next: create it, or correct spec.targetRef.name`
    return {
      ready: poolCondition('Ready', 'TargetNotFound', message),
      standing: poolCondition('Reconciling', 'WaitingForTarget', message),
    }
  }
  // The replicas of a Deployment that exists may follow an override or Manual without a broker.
  if (broker === undefined && deployment.kind === 'Missing') {
    const message = describeMissingBroker(pool)
    return {
      ready: poolCondition('Ready', 'BrokerNotFound', message),
      standing: poolCondition('Reconciling', 'WaitingForBroker', message),
    }
  }
  return undefined
}

export function describeMissingBroker({ spec }: WorkerPool): string {
  return `TaskBroker "${spec.brokerRef.name}" does not exist in this namespace. Next: create it`
}

function scalingInput(world: World): ScalingInput {
  const { spec } = world.pool
  return {
    rules: {
      ...spec.scaling,
      concurrency: spec.concurrency,
      scaleDownWindowSeconds: spec.scaling.behavior.scaleDown.stabilizationWindowSeconds,
    },
    signal: world.broker === undefined ? { known: false, message: describeMissingBroker(world.pool) } : signalOf(world.signals),
    current: currentReplicas(world.deployment),
    unschedulable: world.trouble?.unschedulable ?? 0,
    history: world.history,
    nowMs: world.nowMs,
  }
}

function signalOf(signals: QueueSignals): Signal {
  switch (signals.kind) {
    case 'Read':
      return { known: true, demand: demandOf(signals.queues) }
    case 'Unreadable':
      return { known: false, message: signals.message, sinceMs: signals.sinceMs }
    case 'Blocked':
      return { known: false, message: signals.message }
    case 'Pending':
      return { known: false, message: 'not read yet' }
  }
}

/** How many replicas the Deployment is to have, and who says so. */
function intentOf(world: World, input: ScalingInput, decision: ScalingDecision): Intent {
  const current = currentReplicas(world.deployment)
  const asked = `The queues need ${describeDecision(input, decision)}`
  const override = overrideOf(world)
  if (override?.replicas !== undefined) return intentOfOverride(world, override, override.replicas, asked)
  const mode = modeOf(world)
  if (mode !== 'DryRun' && isHumanZeroInForce(world)) return intentOfHumanZero(world)
  if (mode === 'DryRun' && override === undefined) {
    const before = findReplicasBefore(world)
    if (before !== undefined) return intentOfReturn(before)
  }
  switch (mode) {
    case 'Auto': {
      const because = explainDecision(input, decision)
      return { ...ofReplicas(decision.replicas), decision: describeDecision(input, decision), because: `${describeDrift(world)}${because}` }
    }
    case 'DryRun': {
      const would = describeDecision(input, decision)
      const disabled = `${describeMode(override, mode)}: the operator leaves the replicas alone. Next: set it to Auto if status.decision is what you want`
      const words = decision.replicas === current ? `DryRun, would change nothing: ${would}` : `DryRun, would set ${would} Now ${current}.`
      return { ...ofReplicas(current), desired: decision.replicas, keepsReplicas: true, decision: words, because: '', disabled }
    }
    case 'Manual':
      return intentOfManual(world, asked)
  }
}

/** A zero by hand that came after it is left alone; one that was there before has ended with the number that it says. */
function intentOfOverride(world: World, override: PoolOverride, replicas: number, asked: string): Intent {
  const { deployment, pool, status } = world
  const isZero = deployment.kind === 'Owned' && isHumanZero(deployment.object)
  if (isZero && (override.isSuspension || writtenReplicas(deployment.object) === replicas)) return intentOfHumanZero(world)
  const disabled = `spec.override: ${override.words}. Next: taskmill resume wp/${pool.metadata.name} ends it earlier`
  const intent = {
    ...ofReplicas(replicas),
    decision: `${plural(replicas)}: spec.override, ${override.words}. ${asked}`,
    because: `${describeDrift(world)}spec.override, ${override.words}.`,
    disabled,
    isByPeople: true,
  } as const
  const isNoted = findReplicasBefore(world) === undefined || status?.replicasBeforeOverride !== undefined
  return isNoted ? intent : { ...intent, replicas: currentReplicas(deployment), keepsReplicas: true, isNotedFirst: true }
}

/** What the replicas were before the override, where nothing else brings them back. */
export function findReplicasBefore(world: World): number | undefined {
  return replicasBeforeOverride(world, ignoredReplicas(world) !== undefined)
}

function intentOfReturn(replicas: number): Intent {
  const because = 'the replicas before the override.'
  return { ...ofReplicas(replicas), decision: `${plural(replicas)}: ${because}`, because, isByPeople: true }
}

function describeMode(override: PoolOverride | undefined, mode: string): string {
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

function intentOfManual(world: World, asked: string): Intent {
  const { pool, status, deployment } = world
  const says = describeMode(overrideOf(world), 'Manual')
  const scale = `kubectl scale workerpool ${pool.metadata.name} --replicas=N`
  const ends = 'Next: set scaling.mode to Auto to let the queues decide'
  if (ignoredReplicas(world) === undefined) {
    const disabled = `${says}: spec.replicas is ${pool.spec.replicas}, ${scale} changes it. ${ends}`
    const because = `${describeDrift(world)}spec.replicas, ${says}.`
    return {
      ...ofReplicas(pool.spec.replicas),
      decision: `${plural(pool.spec.replicas)}: spec.replicas, ${says}. ${asked}`,
      because,
      disabled,
      isByPeople: true,
    }
  }
  // One that was deleted comes back as it was.
  const before = overrideOf(world) === undefined ? findReplicasBefore(world) : undefined
  const found = before ?? (deployment.kind === 'Owned' ? currentReplicas(deployment) : (status?.desiredReplicas ?? 0))
  const disabled = `${says}: the current replicas are kept; ${scale} changes them. ${ends}`
  const decision = `${plural(found)}: the number when Manual began, kept until a user sets another one (${scale}). ${asked}`
  return { ...ofReplicas(found), decision, because: 'kept since Manual began.', disabled, isByPeople: true }
}

/** In Manual, a number that was written for the pool since ends it. */
function isHumanZeroInForce({ pool, deployment, ...rest }: World): boolean {
  if (deployment.kind !== 'Owned' || !isHumanZero(deployment.object)) return false
  if (modeOf({ pool, nowMs: rest.nowMs }) !== 'Manual' || ignoredReplicas({ pool, deployment, ...rest }) !== undefined) return true
  return pool.spec.replicas === writtenReplicas(deployment.object)
}

function intentOfHumanZero({ pool, deployment }: World): Intent {
  const name = deploymentNameOf(pool)
  const written = deployment.kind === 'Owned' ? writtenReplicas(deployment.object) : undefined
  const disabled = `someone scaled Deployment "${name}" to 0 (Taskmill last wrote ${written}), and the operator leaves it at 0. Next: kubectl scale deployment ${name} --replicas=1, or any number but 0, lets it scale again`
  return {
    ...ofReplicas(0),
    keepsReplicas: true,
    decision: `0 replicas: ${disabled}.`,
    because: '',
    disabled,
    isHumanZero: true,
    isByPeople: true,
  }
}

function ofReplicas(replicas: number): Pick<Intent, 'replicas' | 'desired' | 'keepsReplicas'> {
  return { replicas, desired: replicas, keepsReplicas: false }
}

/** The Event names a number by hand that is replaced, or the change would look as if the queues had asked for it twice. */
function describeDrift({ deployment }: World): string {
  if (deployment.kind !== 'Owned') return ''
  const written = writtenReplicas(deployment.object)
  const current = currentReplicas(deployment)
  return written === undefined || written === current ? '' : `someone else wrote ${current}, Taskmill wrote ${written}; `
}

type Mode = WorkerPool['spec']['scaling']['mode']

type PoolOverride = {
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

/** The mode that holds now: that of the override, or else of the spec. */
function modeOf(world: Pick<World, 'pool' | 'nowMs'>): Mode {
  return overrideOf(world)?.mode ?? world.pool.spec.scaling.mode
}

/**
 * The replicas to go back to when the override ends, of a pool whose mode holds what it finds: those that were there when it began, until
 * they are there again. `isFound`: Manual acts on no `spec.replicas`.
 */
function replicasBeforeOverride(world: World, isFound: boolean): number | undefined {
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

function nextMoment(world: World, { heldUntilMs }: ScalingDecision, { isNotedFirst }: Intent): { readonly againAfterMs?: number } {
  const moments = [heldUntilMs === undefined ? undefined : heldUntilMs - world.nowMs, overrideOf(world)?.endsInMs, isNotedFirst && 0]
  const known = moments.filter((moment) => moment !== undefined)
  return known.length === 0 ? {} : { againAfterMs: Math.max(0, Math.min(...known)) }
}
