/**
 * What to do for one pool: pure, from a world to a plan. Read it from top to bottom: first what makes acting impossible, then how many
 * replicas, then what people should read about it.
 */
import type { WorkerPoolStatus } from '../../api/index.ts'
import {
  decideReplicas,
  demandOf,
  type RecommendationHistory,
  type ScalingDecision,
  type ScalingInput,
  type Signal,
} from '../../scaling/index.ts'
import { blockerOf } from './blockers.ts'
import { deploymentFor, type DeploymentApply } from './deployment.ts'
import { intentOf, type Intent } from './intent.ts'
import { overrideOf } from './override.ts'
import { blockedStatus, scaledStatus } from './status.ts'
import { currentReplicas, type QueueSignals, type World } from './world.ts'

export type Plan = {
  /** The Deployment as it should be, of a pool with a template; left out while nothing can be decided about it. */
  readonly deployment?: DeploymentApply
  /** The replicas to have in it; left out while they are nobody's to write. */
  readonly replicas?: number
  /** A change of replicas to write, and why, in words. */
  readonly scale?: { readonly from: number; readonly to: number; readonly because: string }
  readonly status: WorkerPoolStatus
  readonly history: RecommendationHistory
  /** When the answer may change by time alone. */
  readonly againAfterMs?: number
}

export function decide(world: World): Plan {
  const blocker = blockerOf(world)
  if (blocker !== undefined) {
    return { status: blockedStatus(world, blocker), history: world.history }
  }
  const input = scalingInput(world)
  const decision = decideReplicas(input)
  const intent = intentOf(world, input, decision)
  const from = currentReplicas(world.deployment)
  return {
    ...(world.broker === undefined || world.pool.spec.targetRef !== undefined
      ? {}
      : { deployment: deploymentFor(world.pool, world.broker) }),
    ...(intent.isHeld ? {} : { replicas: intent.replicas }),
    ...(intent.replicas === from || intent.isHeld ? {} : { scale: { from, to: intent.replicas, because: intent.because } }),
    status: scaledStatus(world, input, decision, intent),
    history: decision.history,
    ...again(world, decision, intent),
  }
}

function scalingInput(world: World): ScalingInput {
  const { spec } = world.pool
  return {
    rules: {
      minReplicas: spec.scaling.minReplicas,
      maxReplicas: spec.scaling.maxReplicas,
      targetBacklogPerReplica: spec.scaling.targetBacklogPerReplica,
      concurrency: spec.concurrency,
      scaleDownWindowSeconds: spec.scaling.behavior.scaleDown.stabilizationWindowSeconds,
    },
    signal: signalOf(world.signals),
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

function again(world: World, { heldUntilMs }: ScalingDecision, { isToBeNoted }: Intent): { readonly againAfterMs?: number } {
  const moments = [heldUntilMs === undefined ? undefined : heldUntilMs - world.nowMs, overrideOf(world)?.endsInMs, isToBeNoted && 0]
  const known = moments.filter((moment) => moment !== undefined)
  return known.length === 0 ? {} : { againAfterMs: Math.max(0, Math.min(...known)) }
}
