/** What people read about a pool: conditions, columns and the decision in words. Pure. */
import { findCondition, kubeTime, poolCondition, setConditions, type WantedCondition, type WorkerPoolStatus } from '../../api/index.ts'
import { describeProblems, describeRefusal, type Refusal } from '../../errors/index.ts'
import { demandOf, explainDecision, type ScalingDecision, type ScalingInput } from '../../scaling/index.ts'
import {
  type Blocker,
  describeMissingBroker,
  findReplicasBefore,
  type Grounds,
  ignoredReplicas,
  overrideOf,
  type Plan,
  plural,
} from './decide.ts'
import { selectorOf } from './deployment.ts'
import { crowdedAdvice, currentReplicas, type RefusedTemplate, type World } from './gather.ts'

/** Of a refusal in `status.decision`; all of it stands in the conditions. */
const maxProblemLength = 300

/** The Ready condition, and Reconciling or Stalled where one of them holds. */
type Health = { readonly ready: WantedCondition; readonly standing?: WantedCondition }

/** `plan`: what was decided in this world. */
export function statusOf(world: World, { grounds }: Pick<Plan, 'grounds'>): WorkerPoolStatus {
  return grounds.kind === 'Blocked' ? blockedStatus(world, grounds.blocker) : scaledStatus(world, grounds)
}

function blockedStatus(world: World, { ready, standing }: Blocker): WorkerPoolStatus {
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

type ScaledGrounds = Extract<Grounds, { readonly kind: 'Scaled' }>

function scaledStatus(world: World, { input, decision, intent }: ScaledGrounds): WorkerPoolStatus {
  const { signal, rules } = input
  const signals = signalHealth(world)
  const atZero = intent.disabled ?? 'no jobs; the next job starts a pod'
  const health = refusedHealth(world, signals.health ?? deploymentHealth(world, intent.replicas, atZero))
  const active = intent.disabled === undefined ? signals.active : poolCondition('ScalingActive', 'ScalingDisabled', intent.disabled)
  const scaling = intent.isByPeople === true ? [] : [limitedCondition(world, decision, rules)]
  const able = ableCondition(world, input, decision, intent)
  const others = [...overriddenConditions(world), ...scaling, ...able]
  const ready = readyReplicas(world)
  return {
    ...observed(world),
    desiredReplicas: intent.desired,
    ready: `${ready}/${intent.replicas}`,
    ...(signal.known
      ? {
          busy: `${signal.demand.active}/${ready * rules.concurrency}`,
          backlog: rounded(signal.demand.backlog),
          ...(signal.demand.orphaned === 0 ? {} : { orphaned: signal.demand.orphaned }),
          ...(signal.demand.oldestReadyAtMs === undefined ? {} : { oldestJobTime: kubeTime(signal.demand.oldestReadyAtMs) }),
        }
      : keep(world, ['busy', 'backlog', 'orphaned', 'oldestJobTime'])),
    reason: intent.isHumanZero === true ? active.reason : tellingReason(health.ready, others),
    decision: `${intent.decision}${describeRefused(world)}`,
    ...(intent.replicas === currentReplicas(world.deployment) || world.deployment.kind === 'Missing' || world.refusedReplicas !== undefined
      ? keep(world, ['lastScaleTime'])
      : { lastScaleTime: kubeTime(world.nowMs) }),
    conditions: conditions(world, [health.ready, ...(health.standing === undefined ? [] : [health.standing]), active, ...able, ...scaling]),
  }
}

function ableCondition(
  { refusedReplicas }: World,
  input: ScalingInput,
  decision: ScalingDecision,
  intent: ScaledGrounds['intent'],
): readonly WantedCondition[] {
  if (refusedReplicas?.replicas === intent.replicas) {
    const { refusal } = refusedReplicas
    const what = hasServerFailed(refusal) ? 'failed to take' : 'refuses'
    const message = `the API server ${what} ${plural(intent.replicas)}: ${describeRefusal(refusal)}. The operator retries`
    return [poolCondition('AbleToScale', 'FailedUpdateScale', message)]
  }
  if (intent.isByPeople === true) return []
  return decision.heldUntilMs === undefined
    ? [poolCondition('AbleToScale', 'ReadyForNewScale', 'the replicas follow the demand')]
    : [poolCondition('AbleToScale', 'ScaleDownStabilized', explainDecision(input, decision))]
}

/** ` Template of generation 5 refused: ….`, behind why there are so many replicas. */
function describeRefused({ refused }: World): string {
  if (refused === undefined) return ''
  const problems = describeProblems(refused.refusal)
  const short = problems.length <= maxProblemLength ? problems : `${problems.slice(0, maxProblemLength - 1)}…`
  const what = hasServerFailed(refused.refusal) ? 'not applied, the API server failed' : 'refused'
  return ` Template of generation ${refused.generation} ${what}: ${short}.`
}

/** Nothing is wrong with what was written. */
function hasServerFailed({ kind }: Refusal): boolean {
  return kind === 'Unavailable'
}

function refusedWords({ generation, refusal }: Pick<RefusedTemplate, 'generation' | 'refusal'>): string {
  return `template of generation ${generation} refused: ${describeRefusal(refusal)}`
}

/**
 * The generation whose template was refused first, as the status of a former process says it: it named the same refusal, or was about the same
 * spec.
 */
export function refusedGenerationIn(status: WorkerPoolStatus | undefined, refusal: Refusal, generation: number): number | undefined {
  const told = ['Stalled', 'Reconciling'].flatMap((type) => findCondition(status?.conditions, type)?.message ?? [])
  for (const message of told) {
    const first = Number(/^template of generation (?<first>\d+) refused: /u.exec(message)?.groups?.['first'])
    if (Number.isNaN(first)) continue
    if (status?.observedGeneration === generation || message.startsWith(refusedWords({ generation: first, refusal }))) return first
  }
  return undefined
}

/** A refused template does not hide how its pods are: those of the former template work on. */
function refusedHealth(world: World, health: Health): Health {
  const { refused, deployment } = world
  if (refused === undefined) return health
  const { refusal, generation } = refused
  if (hasServerFailed(refusal)) {
    const failed = `the API server failed to take the template of generation ${generation}, and the operator retries: ${describeRefusal(refusal)}`
    const standing = poolCondition('Reconciling', 'ApiServerFailed', failed)
    return { ready: deployment.kind === 'Owned' ? health.ready : poolCondition('Ready', 'ApiServerFailed', failed), standing }
  }
  const message = refusedWords(refused)
  const meanwhile =
    deployment.kind === 'Owned'
      ? `Meanwhile the former template is in use: ${health.ready.message}`
      : `There is no Deployment yet${describeWaitingJobs(world)}`
  if (refusal.retry === 'OnEdit') {
    return {
      ready: poolCondition('Ready', 'TemplateInvalid', `${message}. ${meanwhile}`),
      standing: poolCondition('Stalled', 'TemplateInvalid', message),
    }
  }
  return {
    ready: poolCondition('Ready', 'TemplateRefused', `${message}. The operator retries. ${meanwhile}`),
    standing: poolCondition('Reconciling', 'TemplateRefused', `${message}. The operator retries`),
  }
}

function describeWaitingJobs({ signals }: World): string {
  if (signals.kind !== 'Read') return ''
  const { backlog } = demandOf(signals.queues)
  return backlog === 0 ? '' : `, and ${backlog === 1 ? '1 job waits' : `${rounded(backlog)} jobs wait`}`
}

function signalHealth(world: World): { readonly active: WantedCondition; readonly health?: Health } {
  const { signals } = world
  if (world.broker === undefined) {
    const message = describeMissingBroker(world.pool)
    return {
      active: poolCondition('ScalingActive', 'FailedGetQueueMetrics', message),
      health: {
        ready: poolCondition('Ready', 'BrokerNotFound', message),
        standing: poolCondition('Reconciling', 'WaitingForBroker', message),
      },
    }
  }
  switch (signals.kind) {
    case 'Read':
      return { active: poolCondition('ScalingActive', 'ValidMetricFound', 'all queues of the pool can be read') }
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
    case 'Blocked': {
      const next = `Next: kubectl describe taskbroker ${world.pool.spec.brokerRef.name}`
      const message = `the queues cannot be read, so the replicas are held: ${signals.message}. ${next}`
      return {
        active: poolCondition('ScalingActive', 'FailedGetQueueMetrics', message),
        health: {
          ready: poolCondition('Ready', 'BrokerNotReady', message),
          standing: poolCondition('Reconciling', 'WaitingForBroker', message),
        },
      }
    }
    case 'Unreadable': {
      const next = `Next: kubectl describe taskbroker ${world.pool.spec.brokerRef.name}`
      const message = `the queues cannot be read, so the replicas are held: ${signals.message}. ${next}`
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

function limitedCondition({ trouble, signals }: World, decision: ScalingDecision, rules: ScalingInput['rules']): WantedCondition {
  const { limit } = decision
  const paused = describePaused(signals)
  switch (limit) {
    case 'UnschedulablePods':
      return poolCondition('ScalingLimited', 'UnschedulablePods', `${trouble?.unschedulableWords ?? ''}${crowdedAdvice}`)
    case 'TooManyReplicas':
      return poolCondition(
        'ScalingLimited',
        'TooManyReplicas',
        `the queues need more than maxReplicas ${rules.maxReplicas}. Next: raise spec.scaling.maxReplicas if the cluster has room`,
      )
    case 'QueueConcurrencyLimited':
      return poolCondition('ScalingLimited', 'QueueConcurrencyLimited', cappedWords(decision))
    case 'TooFewReplicas':
      if (paused !== undefined) return poolCondition('ScalingLimited', 'QueuePaused', paused)
      return poolCondition('ScalingLimited', 'TooFewReplicas', `the queues need less than minReplicas ${rules.minReplicas}`)
    default:
      limit satisfies undefined
      if (paused !== undefined) return poolCondition('ScalingLimited', 'QueuePaused', paused)
      return poolCondition('ScalingLimited', 'DesiredWithinRange', 'the number that the queues need is within minReplicas and maxReplicas')
  }
}

/** `500 jobs wait in queue "email", which is paused: …` */
function describePaused(signals: World['signals']): string | undefined {
  if (signals.kind !== 'Read') return undefined
  const jobsIn = ({ waiting, prioritized, dueDelayed }: (typeof signals.queues)[number]): number => waiting + prioritized + dueDelayed
  const paused = signals.queues.filter((queue) => queue.paused && jobsIn(queue) > 0)
  if (paused.length === 0) return undefined
  const words = paused.map(
    (queue) => `${rounded(jobsIn(queue))} ${jobsIn(queue) === 1 ? 'job waits' : 'jobs wait'} in queue "${queue.queue}"`,
  )
  return `${words.join(', ')}, which is paused: no worker takes them. Next: resume it; kubectl get tq shows whether a TaskQueue suspends it`
}

/** `11 replicas would not help: queue "email" runs at most 4 jobs at once. Next: …` */
function cappedWords({ capped }: ScalingDecision): string {
  const limits = capped?.queues.map(({ queue, concurrency }) => `queue "${queue}" runs at most ${concurrency} at once`) ?? []
  const next = 'Next: raise that limit (maxConcurrency of its TaskQueue) if what it protects has room'
  return `${plural(capped?.from ?? 0)} would partly stay idle: ${limits.join(', ')}. ${next}`
}

const tellingReasons: ReadonlySet<string> = new Set([
  'OverrideActive',
  'TooManyReplicas',
  'QueueConcurrencyLimited',
  'QueuePaused',
  'ScaleDownStabilized',
])

/** The REASON column: the first thing that is not as one would wish, or why all is well. Resting at minReplicas is as one would wish. */
function tellingReason(ready: WantedCondition, others: readonly WantedCondition[]): string {
  const crowded = others.find(({ reason }) => reason === 'UnschedulablePods')
  if (crowded !== undefined && ready.reason.startsWith('Deployment')) return crowded.reason
  const unable = others.find(({ reason }) => reason === 'FailedUpdateScale')
  if (unable !== undefined && ready.reason !== 'TemplateInvalid') return unable.reason
  if (ready.status !== 'True') return ready.reason
  const telling = others.find(({ reason }) => tellingReasons.has(reason))
  return (telling ?? ready).reason
}

function conditions(world: World, wanted: readonly WantedCondition[]): NonNullable<WorkerPoolStatus['conditions']> {
  const all = [...wanted, ...overriddenConditions(world)]
  return setConditions(world.status?.conditions, all, world.nowMs, world.pool.metadata.generation)
}

type Observed = Pick<
  WorkerPoolStatus,
  'observedGeneration' | 'replicas' | 'readyReplicas' | 'selector' | 'ignoredReplicas' | 'replicasBeforeOverride'
>

function observed(world: World): Observed {
  const object = world.deployment.kind === 'Owned' ? world.deployment.object : undefined
  const ignored = ignoredReplicas(world)
  const before = findReplicasBefore(world)
  return {
    observedGeneration: world.pool.metadata.generation ?? 0,
    replicas: object?.status?.replicas ?? 0,
    readyReplicas: readyReplicas(world),
    ...(object === undefined ? keep(world, ['selector']) : { selector: selectorOf(object.spec.selector) }),
    ...(ignored === undefined ? {} : { ignoredReplicas: ignored }),
    ...(before === undefined ? {} : { replicasBeforeOverride: before }),
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

function overriddenConditions(world: World): readonly WantedCondition[] {
  const override = overrideOf(world)
  return override === undefined ? [] : [poolCondition('Overridden', 'OverrideActive', override.words)]
}

/** Whether the pool's pods are there; why not, in the words of who knows best: container, scheduler, Deployment. */
function deploymentHealth({ deployment, trouble, warnings }: World, desired: number, atZero: string): Health {
  const warned = warnings.length === 0 ? '' : `. The API server warns: ${warnings.join('; ')}`
  if (deployment.kind !== 'Owned') return starting('the Deployment is being created')
  const { status, metadata, spec } = deployment.object
  const ready = status?.readyReplicas ?? 0
  const words = `${ready} of ${desired} ${desired === 1 ? 'pod is' : 'pods are'} ready`
  const troubled = trouble?.words === undefined ? undefined : `${words}: ${trouble.words}${warned}`

  const failure = findCondition(status?.conditions, 'ReplicaFailure')
  if (failure?.status === 'True') {
    const message = `pods cannot be created: ${failure.message ?? failure.reason ?? ''}${warned}`
    return { ready: poolCondition('Ready', 'DeploymentUnavailable', message) }
  }
  const progress = findCondition(status?.conditions, 'Progressing')
  if (progress?.status === 'False' && ready < desired) {
    const lookNext = `Next: kubectl describe pods -l '${selectorOf(spec.selector)}'`
    const message = troubled ?? `${words}: ${progress.message ?? progress.reason ?? ''}${warned}. ${lookNext}`
    return {
      ready: poolCondition('Ready', 'DeploymentUnavailable', message),
      standing: poolCondition('Stalled', 'ProgressDeadlineExceeded', message),
    }
  }
  if (desired === 0) return { ready: poolCondition('Ready', 'ScaledToZero', `${atZero}${warned}`) }

  if (ready === 0 && troubled !== undefined) {
    return {
      ready: poolCondition('Ready', 'DeploymentUnavailable', troubled),
      standing: poolCondition('Reconciling', 'DeploymentProgressing', troubled),
    }
  }
  if (ready === 0) return starting(`${words}${warned}`)
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const isComplete = isObserved && ready >= desired && (status?.updatedReplicas ?? 0) >= desired
  const message = isComplete ? `${words}${warned}` : (troubled ?? `${words}${warned}`)
  return {
    ready: poolCondition('Ready', 'DeploymentAvailable', message),
    ...(isComplete ? {} : { standing: poolCondition('Reconciling', 'DeploymentProgressing', message) }),
  }
}

function starting(message: string): Health {
  return {
    ready: poolCondition('Ready', 'DeploymentProgressing', message),
    standing: poolCondition('Reconciling', 'DeploymentProgressing', message),
  }
}

/** What makes a status worth writing at once; all the rest are gauges. */
export function transitionOf(status: WorkerPoolStatus): unknown {
  const facts = status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])
  const [ready, wanted] = (status.ready ?? '').split('/')
  const {
    observedGeneration,
    desiredReplicas,
    replicas,
    ignoredReplicas: ignored,
    replicasBeforeOverride: before,
    selector,
    reason,
  } = status
  // A user of /scale waits for the number of replicas.
  return [observedGeneration, desiredReplicas, ready === wanted, String(replicas) === wanted, ignored, before, selector, reason, facts]
}

/** Whether pods run, or jobs wait for one. */
export function hasWork({ backlog = 0, replicas = 0, desiredReplicas = 0 }: WorkerPoolStatus): boolean {
  return backlog > 0 || replicas > 0 || desiredReplicas > 0
}
