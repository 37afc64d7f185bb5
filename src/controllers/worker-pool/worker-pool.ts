import { isDeepStrictEqual } from 'node:util'
import {
  deployments,
  findCondition,
  poolEvent,
  workerPools,
  type Deployment,
  type TaskBroker,
  type WantedEvent,
  type WorkerPool,
} from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import { labels } from '../../contract/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Logger, type Metrics } from '../../observability/index.ts'
import { createConsistency, soonest } from '../../runtime/index.ts'
import { emptyHistory, type RecommendationHistory } from '../../scaling/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import { createPodWatch, type PodLook } from '../../services/jobs/index.ts'
import type { Signals } from '../../services/signals/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { describePodTrouble } from '../../workloads/index.ts'
import { actOnTarget, releaseTarget } from './act-on-target.ts'
import { actOnDeployment, fieldManagers, type Applied } from './act.ts'
import { decide, type Plan } from './decide.ts'
import { deploymentFor, type DeploymentApply } from './deployment.ts'
import { scaleEvent, transitionEvents } from './events.ts'
import { deploymentKeyOf, deploymentNameOf, isLeftBy, namespaceOf, strangerOf } from './ownership.ts'
import { tellPool } from './pool-metrics.ts'
import { readSignals } from './signals.ts'
import { transitionOf } from './status.ts'
import { podAdvice, wantingPods } from './wanting-pods.ts'
import type { DeploymentState, Refusal, World } from './world.ts'

export type WorkerPoolDeps = {
  readonly client: KubeClient
  readonly pools: Informer<WorkerPool>
  readonly taskBrokers: Informer<TaskBroker>
  /** Deployments that carry the pool label. */
  readonly deployments: Informer<Deployment>
  readonly signals: Signals
  /** How to get into the brokers; "namespace/name" of a TaskBroker. */
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** What is remembered of a pool between two looks; all of it can be lost without harm. */
type Memory = {
  history: RecommendationHistory
  applied?: Applied
  /** The target that this process has worked for, once it has looked for others that were left marked. */
  target?: string
  refused?: { readonly template: DeploymentApply | undefined; readonly refusal: Refusal }
}

export type ReconcileContext = { readonly signal: AbortSignal; readonly log: Logger }

/** What is in the way is not watched (a Deployment of somebody else, a quota, a role): look again at this pace whether it is gone. */
const recheckMs = 30_000
/** A target without our label is not watched either: one that is missing, or that DryRun does not touch. */
const targetRecheckMs = 5_000

export function createWorkerPoolController(deps: WorkerPoolDeps): {
  reconcile(key: string, context: ReconcileContext): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, pools, taskBrokers, signals, events, metrics, clock } = deps
  const memories = new Map<string, Memory>()
  const podWatch = createPodWatch({ client, clock, tell: (pods) => describePodTrouble(pods, podAdvice) })
  const consistency = createConsistency({ deployments: (key) => deps.deployments.get(key)?.metadata.resourceVersion })
  const status = createStatusWriter<WorkerPool>({
    client,
    resource: workerPools,
    fieldManager: fieldManagers.template,
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'WorkerPool'),
  })

  function forget(key: string): void {
    signals.unsubscribe({ kind: 'WorkerPool', key })
    memories.delete(key)
    status.forget(key)
    podWatch.forget(key)
  }

  /** What was added to Deployments that this pool targets no more is taken back; every mark is in the cache, whoever made it and when. */
  async function release(key: string, pool: WorkerPool | undefined, signal: AbortSignal): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const left = deps.deployments.list(namespace).filter((object) => isLeftBy(object, name, pool))
    await Promise.all(left.map((object) => releaseTarget(client, object, signal)))
  }

  async function gather(key: string, pool: WorkerPool, memory: Memory, context: ReconcileContext): Promise<World & { look: PodLook }> {
    const brokerKey = `${namespaceOf(pool)}/${pool.spec.brokerRef.name}`
    const broker = taskBrokers.get(brokerKey)
    const deployment = await deploymentOf(pool, context.signal)
    const look = await podWatch.look(key, deployment.kind === 'Owned' ? wantingPods(deployment.object) : undefined, context)
    const state = broker === undefined ? undefined : deps.directory.get(brokerKey)
    return {
      pool,
      status: status.latest(key, pool),
      broker,
      deployment,
      signals: readSignals(signals, key, { pool, broker: state, deployment }),
      trouble: look.trouble,
      warnings: memory.applied?.warnings ?? [],
      history: memory.history,
      refusal: broker === undefined || pool.spec.template === undefined ? undefined : refusalOf(memory, deploymentFor(pool, broker)),
      nowMs: clock.now(),
      look,
    }
  }

  /** From the cache; from the API server when that shows none (one of somebody else is not watched), or is older than what we wrote. */
  async function deploymentOf(pool: WorkerPool, signal: AbortSignal): Promise<DeploymentState> {
    const key = deploymentKeyOf(pool)
    const cached = deps.deployments.get(key)
    if (cached !== undefined && consistency.ready(key)) return stateOf(cached, pool)
    try {
      return stateOf(await client.get(deployments, namespaceOf(pool), deploymentNameOf(pool), { signal }), pool)
    } catch (error) {
      if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
      consistency.clear(key)
      return { kind: 'Missing' }
    }
  }

  function stateOf(object: Deployment, pool: WorkerPool): DeploymentState {
    const owner = strangerOf(object, pool, (name) => pools.get(`${namespaceOf(pool)}/${name}`))
    return owner === undefined ? { kind: 'Owned', object } : { kind: 'Foreign', owner }
  }

  /** Carries out the plan. Undefined when the API server refused it, which the next look tells people. */
  async function act(plan: Plan, world: World, memory: Memory, context: ReconcileContext): Promise<readonly WantedEvent[] | undefined> {
    const { deployment } = plan
    const key = deploymentKeyOf(world.pool)
    const onWritten = ({ metadata }: Deployment) => consistency.wroteAt(key, 'deployments', metadata.resourceVersion)
    const acting = { client, signal: context.signal, onWritten }
    const scaled = plan.scale === undefined ? [] : [scaleEvent(plan.scale)]
    try {
      if (deployment === undefined) {
        if (world.deployment.kind !== 'Owned' || world.pool.spec.targetRef === undefined) return []
        await actOnTarget(acting, world.pool, plan, world.deployment.object)
        return scaled
      }
      const outcome = await actOnDeployment(acting, { ...plan, deployment }, world.deployment, memory.applied)
      memory.applied = outcome.applied
      return outcome.did === undefined ? scaled : [templateEvent(outcome.did, deployment.metadata.name), ...scaled]
    } catch (error) {
      if (!hasCode(error, 'TM_KUBE_FORBIDDEN') && (deployment === undefined || !hasCode(error, 'TM_KUBE_INVALID'))) throw error
      const kind = hasCode(error, 'TM_KUBE_INVALID') ? 'Invalid' : 'Forbidden'
      memory.refused = { template: deployment, refusal: { kind, message: errorMessage(error) } }
      return undefined
    }
  }

  return {
    async reconcile(key, context) {
      const pool = pools.get(key)
      if (pool === undefined || pool.metadata.deletionTimestamp !== undefined) {
        forget(key)
        if (pool === undefined) await release(key, undefined, context.signal)
        return {}
      }
      const memory = memories.get(key) ?? { history: emptyHistory }
      memories.set(key, memory)
      const target = pool.spec.targetRef?.name
      if (target !== undefined && memory.target !== target) {
        await release(key, pool, context.signal)
        memory.target = target
      }
      const { look, ...world } = await gather(key, pool, memory, context)
      if (isBeforeFirstReading(world)) return {}

      let plan = decide(world)
      const happened = await act(plan, world, memory, context)
      // Told at once: should the status not be written, the next look finds these done and would not tell them.
      for (const event of happened ?? []) events.event(pool, event)
      if (plan.scale !== undefined && happened !== undefined) {
        context.log.info({ pool: key, from: plan.scale.from, to: plan.scale.to, because: plan.scale.because }, 'scaled')
      }
      if (happened === undefined) plan = decide({ ...world, refusal: memory.refused?.refusal })
      else if (plan.deployment !== undefined) plan = { ...plan, status: warned(world, plan, memory) }
      memory.history = plan.history

      const written = await status.write(key, pool, plan.status, context.signal)
      for (const event of transitionEvents(world.status, plan.status)) events.event(pool, event)
      tellPool(metrics, key, world, plan.status)
      const isForeign = world.deployment.kind === 'Foreign'
      const isForbidden = happened === undefined && memory.refused?.refusal.kind === 'Forbidden'
      return soonest([
        plan.againAfterMs,
        written.againAfterMs,
        look.againAfterMs,
        isForeign || isForbidden ? recheckMs : undefined,
        isUnwatchedTarget(world) ? targetRecheckMs : undefined,
      ])
    },
  }
}

/** Right after a start, what people read stays until the queues were read: a moment later, they are told. */
function isBeforeFirstReading({ broker, signals, status }: World): boolean {
  return broker !== undefined && signals.kind === 'Pending' && findCondition(status?.conditions, 'Ready') !== undefined
}

/** What the API server warned of in this very look belongs into this very status. */
function warned(world: World, plan: Plan, { applied }: Memory): Plan['status'] {
  const warnings = applied?.warnings ?? []
  return isDeepStrictEqual(warnings, world.warnings) ? plan.status : decide({ ...world, warnings }).status
}

/** A target is watched by the label that we put on it. */
function isUnwatchedTarget({ pool, deployment }: World): boolean {
  if (pool.spec.targetRef === undefined) return false
  const isMarked = deployment.kind === 'Owned' && deployment.object.metadata.labels?.[labels.pool] === pool.metadata.name
  return deployment.kind === 'Missing' || (deployment.kind === 'Owned' && !isMarked)
}

/** The API server's answer to exactly this template, if trying again cannot change it. */
function refusalOf({ refused }: Memory, template: DeploymentApply): Refusal | undefined {
  return refused?.refusal.kind === 'Invalid' && isDeepStrictEqual(refused.template, template) ? refused.refusal : undefined
}

function templateEvent(did: 'created' | 'updated', name: string): WantedEvent {
  return did === 'created'
    ? poolEvent('DeploymentCreated', `created Deployment "${name}"`)
    : poolEvent('DeploymentUpdated', `updated Deployment "${name}" to the pool's template`)
}
