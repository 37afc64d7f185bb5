import { labels } from '../../contract/index.ts'
import { type WorkerPool, workerPools } from '../../api/index.ts'
import { placeRefusal } from '../../errors/index.ts'
import type { EventRecorder } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import { soonest, type Reconcile } from '../../runtime/index.ts'
import { closingMs, createStatusWriter, whileRunning, type WriteBudget } from '../../services/status/index.ts'
import { act, fieldManagers, type Outcome, releaseTarget } from './act.ts'
import { canDecide, decide, type Plan } from './decide.ts'
import { fieldInPool } from './deployment.ts'
import { transitionEvents } from './events.ts'
import { createGather, type GatherDeps, type Memory, retryAfterMsOf, type World } from './gather.ts'
import { setGauges } from './metrics.ts'
import { hasWork, refusedGenerationIn, statusOf, transitionOf } from './status.ts'

export type WorkerPoolDeps = GatherDeps & {
  readonly events: EventRecorder
  readonly metrics: Metrics
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** Nothing tells the operator when a Deployment of another owner goes. */
const recheckMs = 30_000
/** A target without the pool's label is not watched either: one that does not exist, or that DryRun does not write to. */
const targetRecheckMs = 5_000

export function createWorkerPoolController(deps: WorkerPoolDeps): { readonly reconcile: Reconcile } {
  const { client, pools, events, metrics, clock } = deps
  const gather = createGather(deps)
  const status = createStatusWriter<WorkerPool>({
    client,
    resource: workerPools,
    fieldManager: fieldManagers.template,
    clock,
    transitionOf,
    budget: deps.statusBudget,
    gaugeIntervalMs: whileRunning(hasWork),
    // It remembers what the replicas were before an override, and which spec.replicas is not acted upon.
    isRecord: true,
    conditionMetrics: createConditionMetrics(metrics, 'WorkerPool'),
  })

  function forget(key: string): void {
    gather.forget(key)
    status.forget(key)
  }

  /** Takes the pool's marks back from Deployments that it does not target. */
  async function releaseLeft(key: string, pool: WorkerPool | undefined, signal: AbortSignal): Promise<void> {
    await Promise.all(gather.findLeft(key, pool).map((object) => releaseTarget(client, object, signal)))
  }

  return {
    async reconcile(key, context) {
      const { signal, log } = context
      const cached = pools.get(key)
      if (cached === undefined || cached.metadata.deletionTimestamp !== undefined) {
        forget(key)
        if (cached === undefined) await releaseLeft(key, undefined, signal)
        return {}
      }
      // Its Deployment goes too, and cannot be created again.
      if (deps.statusBudget.isClosing(cached.metadata)) return { requeueAfterMs: closingMs }
      const pool = await gather.readPool(key, cached, signal)
      const memory = gather.memory(key)
      const target = pool.spec.targetRef?.name
      if (target !== undefined && memory.target !== target) {
        await releaseLeft(key, pool, signal)
        memory.target = target
      }
      const world = await gather.read(key, pool, status.latest(key, pool), context)
      if (!canDecide(world)) return {}

      const plan = decide(world)
      const onWritten = (deployment: Parameters<typeof gather.wrote>[1]) => gather.wrote(pool, deployment)
      const outcome = await act({ client, signal, onWritten }, plan, world, memory.applied)
      // At once: should the status not be written, the next reconciliation finds these done and says nothing of them.
      for (const event of outcome.events) events.event(pool, event)
      if (outcome.scaled !== undefined) log.info({ pool: key, ...outcome.scaled }, 'scaled')
      remember(memory, plan, outcome, world)
      const worldAfter = afterActing(world, outcome, memory)
      const statusAfter = statusOf(worldAfter, plan)
      memory.history = plan.history
      const written = await status.write(key, pool, statusAfter, signal)
      for (const event of transitionEvents(world.status, statusAfter)) events.event(pool, event)
      setGauges(metrics, key, world, statusAfter)
      return soonest([plan.againAfterMs, written.againAfterMs, world.lookAgainAfterMs, recheckAfterMs(worldAfter)])
    },
  }
}

/** What was refused is not sent again with every reconciliation. */
function remember(memory: Memory, plan: Plan, { applied, refusedTemplate, refusedReplicas, scaled }: Outcome, world: World): void {
  const { pool, refused, status, nowMs } = world
  if (applied !== undefined) Object.assign(memory, { applied, refused: undefined })
  if (refusedTemplate !== undefined && plan.deployment !== undefined) {
    const template = plan.deployment
    const refusal = placeRefusal(refusedTemplate, (field) => fieldInPool(field, pool, template))
    const present = pool.metadata.generation ?? 0
    const generation = refused?.generation ?? refusedGenerationIn(status, refusal, present) ?? present
    memory.refused = { template, refusal, generation, atMs: nowMs }
  }
  if (scaled !== undefined) memory.refusedReplicas = undefined
  if (refusedReplicas !== undefined && plan.replicas !== undefined) {
    memory.refusedReplicas = { replicas: plan.replicas, refusal: refusedReplicas, atMs: nowMs }
  }
}

/** What the API server answered in this reconciliation belongs into its status. */
function afterActing(world: World, { applied, refusedTemplate, refusedReplicas, scaled }: Outcome, memory: Memory): World {
  const isTemplateTried = applied !== undefined || refusedTemplate !== undefined
  const isScalingTried = scaled !== undefined || refusedReplicas !== undefined
  return {
    ...world,
    warnings: applied?.warnings ?? world.warnings,
    refused: isTemplateTried ? memory.refused : world.refused,
    refusedReplicas: isScalingTried ? memory.refusedReplicas : world.refusedReplicas,
  }
}

/** What is not watched is looked at again. */
function recheckAfterMs(world: World): number | undefined {
  if (isUnwatchedTarget(world)) return targetRecheckMs
  // Nothing is written to it, so what was refused is not tried again either.
  if (world.deployment.kind === 'Foreign') return recheckMs
  const waits = [world.refused?.refusal.retry === 'OnEdit' ? undefined : world.refused, world.refusedReplicas].filter(
    (each) => each !== undefined,
  )
  if (waits.length === 0) return undefined
  return Math.max(0, Math.min(...waits.map(({ atMs, refusal }) => atMs + retryAfterMsOf(refusal))) - world.nowMs)
}

/** A target is watched by the label that we put on it. */
function isUnwatchedTarget({ pool, deployment }: World): boolean {
  if (pool.spec.targetRef === undefined) return false
  const isMarked = deployment.kind === 'Owned' && deployment.object.metadata.labels?.[labels.pool] === pool.metadata.name
  return deployment.kind === 'Missing' || (deployment.kind === 'Owned' && !isMarked)
}
