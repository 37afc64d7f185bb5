/**
 * What to do for one pool: pure, from a world to a plan. Read it from top to bottom: first what makes acting impossible, then how many
 * replicas, then what people should read about it.
 */
import { poolCondition, type WorkerPoolStatus } from '../../api/index.ts'
import {
  decideReplicas,
  demandOf,
  explainDecision,
  type RecommendationHistory,
  type ScalingDecision,
  type ScalingInput,
  type Signal,
} from '../../scaling/index.ts'
import { deploymentFor, type DeploymentApply } from './deployment.ts'
import { blockedStatus, scaledStatus, type Blocker } from './status.ts'
import { currentReplicas, type QueueSignals, type World } from './world.ts'

export type Plan = {
  /** The Deployment as it should be; left out while nothing can be decided about it. */
  readonly deployment?: DeploymentApply
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
  const from = currentReplicas(world.deployment)
  return {
    ...(world.broker === undefined ? {} : { deployment: deploymentFor(world.pool, world.broker) }),
    ...(decision.replicas === from ? {} : { scale: { from, to: decision.replicas, because: explainDecision(input, decision) } }),
    status: scaledStatus(world, input, decision),
    history: decision.history,
    ...again(world, decision),
  }
}

/** What keeps the pool from being acted upon until somebody changes something, the most telling first. */
function blockerOf({ pool, broker, deployment, refusal }: World): Blocker | undefined {
  if (deployment.kind === 'Foreign') {
    const message = `Deployment "${pool.metadata.name}" exists and belongs to ${deployment.owner}. Next: delete or rename it, or rename this WorkerPool`
    return {
      ready: poolCondition('Ready', 'DeploymentNotOwned', message),
      standing: poolCondition('Stalled', 'DeploymentNotOwned', message),
    }
  }
  if (broker === undefined) {
    const message = `TaskBroker "${pool.spec.brokerRef.name}" does not exist in this namespace. Next: create it`
    return {
      ready: poolCondition('Ready', 'BrokerNotFound', message),
      standing: poolCondition('Reconciling', 'WaitingForBroker', message),
    }
  }
  switch (refusal?.kind) {
    case 'Invalid': {
      const message = `${refusal.message}. Next: correct spec.template`
      return {
        ready: poolCondition('Ready', 'TemplateInvalid', message),
        standing: poolCondition('Stalled', 'TemplateInvalid', message),
      }
    }
    case 'Forbidden': {
      const message = `the Deployment is refused: ${refusal.message}. Next: look at the namespace's quotas and at the operator's role; it is tried again`
      return {
        ready: poolCondition('Ready', 'DeploymentUnavailable', message),
        standing: poolCondition('Reconciling', 'DeploymentProgressing', message),
      }
    }
    default:
      return undefined
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
    case 'Pending':
      return { known: false, message: 'not read yet' }
  }
}

function again(world: World, decision: ScalingDecision): { readonly againAfterMs?: number } {
  return decision.heldUntilMs === undefined ? {} : { againAfterMs: Math.max(0, decision.heldUntilMs - world.nowMs) }
}
