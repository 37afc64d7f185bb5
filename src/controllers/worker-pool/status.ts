/** What people read about a pool: conditions, columns and the decision in words. Pure. */
import { kubeTime, poolCondition, setConditions, type WantedCondition, type WorkerPoolStatus } from '../../api/index.ts'
import { describeDecision, explainDecision, type ScalingDecision, type ScalingInput } from '../../scaling/index.ts'
import { deploymentHealth, type Health } from './deployment-health.ts'
import { currentReplicas, type World } from './world.ts'

/** Why a pool cannot be acted upon; `standing` says whether it waits for something or for somebody. */
export type Blocker = Health & { readonly standing: WantedCondition }

export function blockedStatus(world: World, { ready, standing }: Blocker): WorkerPoolStatus {
  const replicas = currentReplicas(world.deployment)
  return {
    ...observed(world),
    desiredReplicas: replicas,
    ready: `${readyReplicas(world)}/${replicas}`,
    reason: ready.reason,
    decision: `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}, not managed: ${ready.message}`,
    conditions: conditions(world, [ready, standing]),
  }
}

export function scaledStatus(world: World, input: ScalingInput, decision: ScalingDecision): WorkerPoolStatus {
  const { signal, rules } = input
  const signals = signalHealth(world)
  const health = signals.health ?? deploymentHealth(world.deployment, decision.replicas)
  const limited = limitedCondition(decision, rules)
  const able =
    decision.heldUntilMs === undefined
      ? poolCondition('AbleToScale', 'ReadyForNewScale', 'nothing keeps the replicas from following the demand')
      : poolCondition('AbleToScale', 'ScaleDownStabilized', explainDecision(input, decision))
  const ready = readyReplicas(world)
  return {
    ...observed(world),
    desiredReplicas: decision.replicas,
    ready: `${ready}/${decision.replicas}`,
    ...(signal.known
      ? {
          busy: `${signal.demand.active}/${ready * rules.concurrency}`,
          backlog: rounded(signal.demand.backlog),
          ...(signal.demand.oldestReadyAtMs === undefined ? {} : { oldestJobTime: kubeTime(signal.demand.oldestReadyAtMs) }),
        }
      : keep(world, ['busy', 'backlog', 'oldestJobTime'])),
    reason: tellingReason(health.ready, [signals.active, limited, able]),
    decision: describeDecision(input, decision),
    ...(decision.replicas === currentReplicas(world.deployment) || world.deployment.kind === 'Missing'
      ? keep(world, ['lastScaleTime'])
      : { lastScaleTime: kubeTime(world.nowMs) }),
    conditions: conditions(world, [
      health.ready,
      ...(health.standing === undefined ? [] : [health.standing]),
      signals.active,
      able,
      limited,
    ]),
  }
}

function signalHealth(world: World): { readonly active: WantedCondition; readonly health?: Health } {
  const { signals } = world
  switch (signals.kind) {
    case 'Read':
      return { active: poolCondition('ScalingActive', 'ValidMetricFound', 'all queues of the pool are read') }
    case 'Pending': {
      const message = 'the queues are being read for the first time'
      return {
        active: poolCondition('ScalingActive', 'WaitingForQueueMetrics', message),
        health: {
          ready: poolCondition('Ready', 'WaitingForQueueMetrics', message),
          standing: poolCondition('Reconciling', 'WaitingForQueueMetrics', message),
        },
      }
    }
    case 'Unreadable': {
      const next = `Next: kubectl describe taskbroker ${world.pool.spec.brokerRef.name}`
      const message = `the queues cannot be read, the replicas are held: ${signals.message}. ${next}`
      return {
        active: poolCondition('ScalingActive', 'FailedGetQueueMetrics', message),
        health: {
          ready: poolCondition('Ready', 'BrokerUnreachable', message),
          standing: poolCondition('Reconciling', 'WaitingForBroker', message),
        },
      }
    }
  }
}

function limitedCondition(decision: ScalingDecision, rules: ScalingInput['rules']): WantedCondition {
  switch (decision.limit) {
    case 'TooManyReplicas':
      return poolCondition(
        'ScalingLimited',
        'TooManyReplicas',
        `the queues ask for more than maxReplicas ${rules.maxReplicas}. Next: raise spec.scaling.maxReplicas if the cluster has room`,
      )
    case 'TooFewReplicas':
      return poolCondition('ScalingLimited', 'TooFewReplicas', `the queues ask for less than minReplicas ${rules.minReplicas}`)
    default:
      return poolCondition('ScalingLimited', 'DesiredWithinRange', 'the queues ask for a number within minReplicas and maxReplicas')
  }
}

/** The REASON column: the first thing that is not as one would wish, or why all is well. Resting at minReplicas is as one would wish. */
function tellingReason(ready: WantedCondition, others: readonly WantedCondition[]): string {
  if (ready.status !== 'True') return ready.reason
  const telling = others.find(({ reason }) => reason === 'TooManyReplicas' || reason === 'ScaleDownStabilized')
  return (telling ?? ready).reason
}

function conditions(world: World, wanted: readonly WantedCondition[]): NonNullable<WorkerPoolStatus['conditions']> {
  return setConditions(world.status?.conditions, wanted, world.nowMs, world.pool.metadata.generation)
}

function observed(world: World): Pick<WorkerPoolStatus, 'observedGeneration' | 'replicas' | 'readyReplicas'> {
  const status = world.deployment.kind === 'Owned' ? world.deployment.object.status : undefined
  return {
    observedGeneration: world.pool.metadata.generation ?? 0,
    replicas: status?.replicas ?? 0,
    readyReplicas: readyReplicas(world),
  }
}

function readyReplicas(world: World): number {
  return world.deployment.kind === 'Owned' ? (world.deployment.object.status?.readyReplicas ?? 0) : 0
}

/** Three digits say how much there is; the rest would only be written again and again. */
function rounded(count: number): number {
  return Number(count.toPrecision(3))
}

/** Values that are not known now stay as they were. */
function keep<K extends keyof WorkerPoolStatus>(world: World, fields: readonly K[]): Partial<Pick<WorkerPoolStatus, K>> {
  const kept: Partial<Pick<WorkerPoolStatus, K>> = {}
  for (const field of fields) {
    const value = world.status?.[field]
    if (value !== undefined) kept[field] = value
  }
  return kept
}

/** What makes a status worth writing at once; all the rest are gauges. */
export function transitionOf(status: WorkerPoolStatus): unknown {
  const facts = status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])
  const isComplete = status.readyReplicas === status.desiredReplicas
  return [status.observedGeneration, status.desiredReplicas, isComplete, status.reason, facts]
}
