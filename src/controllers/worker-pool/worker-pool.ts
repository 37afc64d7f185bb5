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
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import type { Logger, Metrics } from '../../observability/index.ts'
import { createConsistency } from '../../runtime/index.ts'
import { emptyHistory, type RecommendationHistory } from '../../scaling/index.ts'
import { createStatusWriter, type Signals, type WriteBudget } from '../../services/index.ts'
import { actOnDeployment, fieldManagers, type Applied } from './act.ts'
import { decide, type Plan } from './decide.ts'
import { deploymentFor, namespaceOf, type DeploymentApply } from './deployment.ts'
import { scaleEvent, transitionEvents } from './events.ts'
import { createPoolMetrics } from './pool-metrics.ts'
import { readSignals } from './signals.ts'
import { transitionOf } from './status.ts'
import { stateOf, type DeploymentState, type Refusal, type World } from './world.ts'

export type WorkerPoolDeps = {
  readonly client: KubeClient
  readonly pools: Informer<WorkerPool>
  readonly brokers: Informer<TaskBroker>
  /** Deployments that carry the pool label. */
  readonly deployments: Informer<Deployment>
  readonly signals: Signals
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  /** Asks for another look at a pool; called when its queues change. */
  readonly enqueue: (key: string) => void
}

/** What is remembered of a pool between two looks; all of it can be lost without harm. */
type Memory = {
  history: RecommendationHistory
  applied?: Applied
  refused?: { readonly template: DeploymentApply; readonly refusal: Refusal }
}

export type ReconcileContext = { readonly signal: AbortSignal; readonly log: Logger }

/** What is in the way is not watched (a Deployment of somebody else, a quota, a role): look again at this pace whether it is gone. */
const recheckMs = 30_000

export function createWorkerPoolController(deps: WorkerPoolDeps): {
  reconcile(key: string, context: ReconcileContext): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, pools, brokers, signals, events, metrics, clock } = deps
  const memories = new Map<string, Memory>()
  const poolMetrics = createPoolMetrics(metrics)
  const consistency = createConsistency({ deployments: (key) => deps.deployments.get(key)?.metadata.resourceVersion })
  const status = createStatusWriter<WorkerPool>({
    client,
    resource: workerPools,
    fieldManager: fieldManagers.template,
    clock,
    transitionOf,
    budget: deps.statusBudget,
  })

  function forget(key: string): void {
    signals.unsubscribe(key)
    memories.delete(key)
    consistency.clear(key)
    status.forget(key)
    poolMetrics.forget(key)
  }

  async function gather(key: string, pool: WorkerPool, memory: Memory, signal: AbortSignal): Promise<World> {
    const broker = brokers.get(`${namespaceOf(pool)}/${pool.spec.brokerRef.name}`)
    const deployment = await deploymentOf(key, pool, signal)
    return {
      pool,
      status: status.latest(key, pool),
      broker,
      deployment,
      signals: readSignals(signals, key, { pool, broker, deployment }, () => deps.enqueue(key)),
      history: memory.history,
      refusal: broker === undefined ? undefined : refusalOf(memory, deploymentFor(pool, broker)),
      nowMs: clock.now(),
    }
  }

  /** From the cache; from the API server when that shows none (one of somebody else is not watched), or is older than what we wrote. */
  async function deploymentOf(key: string, pool: WorkerPool, signal: AbortSignal): Promise<DeploymentState> {
    const cached = deps.deployments.get(key)
    if (cached !== undefined && consistency.ready(key)) return stateOf(cached, pool)
    try {
      return stateOf(await client.get(deployments, namespaceOf(pool), pool.metadata.name, { signal }), pool)
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return { kind: 'Missing' }
      throw error
    }
  }

  /** The Deployment as planned; undefined when the API server refused it, which the next look tells people. */
  async function act(
    key: string,
    plan: Plan,
    world: World,
    memory: Memory,
    context: ReconcileContext,
  ): Promise<readonly WantedEvent[] | undefined> {
    const { deployment } = plan
    if (deployment === undefined) return []
    try {
      const outcome = await actOnDeployment(
        { client, signal: context.signal, onWritten: ({ metadata }) => consistency.wroteAt(key, 'deployments', metadata.resourceVersion) },
        { ...plan, deployment },
        world.deployment,
        memory.applied,
      )
      memory.applied = outcome.applied
      const did = outcome.did === undefined ? [] : [templateEvent(outcome.did, deployment.metadata.name)]
      return plan.scale === undefined ? did : [...did, scaleEvent(plan.scale)]
    } catch (error) {
      if (!hasCode(error, 'TM_KUBE_INVALID', 'TM_KUBE_FORBIDDEN')) throw error
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
        return {}
      }
      const memory = memories.get(key) ?? { history: emptyHistory }
      memories.set(key, memory)
      const world = await gather(key, pool, memory, context.signal)
      if (isBeforeFirstReading(world)) return {}

      let plan = decide(world)
      const happened = await act(key, plan, world, memory, context)
      // Told at once: should the status not be written, the next look finds these done and would not tell them.
      for (const event of happened ?? []) events.event(pool, event)
      if (plan.scale !== undefined && happened !== undefined) {
        context.log.info({ pool: key, from: plan.scale.from, to: plan.scale.to, because: plan.scale.because }, 'scaled')
      }
      if (happened === undefined) plan = decide({ ...world, refusal: memory.refused?.refusal })
      memory.history = plan.history

      const written = await status.write(key, pool, plan.status, context.signal)
      for (const event of transitionEvents(world.status, plan.status)) events.event(pool, event)
      poolMetrics.report(key, world, plan.status)
      const isForeign = world.deployment.kind === 'Foreign'
      const isForbidden = happened === undefined && memory.refused?.refusal.kind === 'Forbidden'
      return soonest([plan.againAfterMs, written.againAfterMs, isForeign || isForbidden ? recheckMs : undefined])
    },
  }
}

/** Right after a start, what people read stays until the queues were read: a moment later, they are told. */
function isBeforeFirstReading({ broker, signals, status }: World): boolean {
  return broker !== undefined && signals.kind === 'Pending' && findCondition(status?.conditions, 'Ready') !== undefined
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

function soonest(delays: readonly (number | undefined)[]): { readonly requeueAfterMs?: number } {
  const known = delays.filter((delay) => delay !== undefined)
  return known.length === 0 ? {} : { requeueAfterMs: Math.min(...known) }
}
