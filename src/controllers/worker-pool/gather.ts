/** Reads what is to be known of one pool: its TaskBroker, its Deployment and pods, and the jobs in its queues. */
import {
  type Deployment,
  deployments,
  findCondition,
  overrideAt,
  type TaskBroker,
  type WorkerPool,
  workerPools,
  type WorkerPoolStatus,
} from '../../api/index.ts'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../clock/index.ts'
import { hasCode, type Refusal } from '../../errors/index.ts'
import type { Informer, KubeClient } from '../../kube/index.ts'
import { createConsistency, type ReconcileContext } from '../../runtime/index.ts'
import { emptyHistory, type QueueLoad, type RecommendationHistory } from '../../scaling/index.ts'
import type { BrokerDirectory, BrokerState } from '../../services/brokers/index.ts'
import { createPodWatch, type WantingPods } from '../../services/jobs/index.ts'
import type { QueueSnapshot, Signals } from '../../services/signals/index.ts'
import { type PodAdvice, type PodTrouble, describePodTrouble } from '../../workloads/index.ts'
import {
  deploymentFor,
  type DeploymentApply,
  deploymentKeyOf,
  deploymentNameOf,
  findForeignOwner,
  isLeftBy,
  namespaceOf,
  selectorOf,
  writtenReplicas,
} from './deployment.ts'

/**
 * The queues of a pool as far as they are known now. One unreadable queue makes the whole unreadable: never scale on partial data.
 * `Pending`: nothing was read since this process began to look. `Blocked`: the broker's credentials are not to be had.
 */
export type QueueSignals =
  | { readonly kind: 'Pending' }
  | { readonly kind: 'Blocked'; readonly message: string }
  | { readonly kind: 'Unreadable'; readonly message: string; readonly sinceMs: number }
  | { readonly kind: 'Read'; readonly queues: readonly PoolQueue[] }

/** `delayed` counts all of them, due or not; only the due ones are demand. */
export type PoolQueue = QueueLoad & { readonly delayed: number }

/** Everything that a decision about one pool depends on, gathered before it is taken. */
export type World = {
  readonly pool: WorkerPool
  /** The status that was written last, which may be newer than the one in the cache. */
  readonly status: WorkerPoolStatus | undefined
  readonly broker: TaskBroker | undefined
  readonly deployment: DeploymentState
  readonly signals: QueueSignals
  /** The trouble of the pods, as far as they were read. */
  readonly trouble: PodTrouble | undefined
  /** What the API server warned of when it took the Deployment as it is now. */
  readonly warnings: readonly string[]
  readonly history: RecommendationHistory
  /** The pool's template as it is now, if the API server refused it the last time. */
  readonly refused: RefusedTemplate | undefined
  /** A number of replicas that the API server refused a moment ago. */
  readonly refusedReplicas: RefusedReplicas | undefined
  /** When there may be more to know of the pods. */
  readonly lookAgainAfterMs: number | undefined
  readonly nowMs: number
}

/** `generation`: that of the pool when its template was refused first. */
export type RefusedTemplate = { readonly refusal: Refusal; readonly generation: number; readonly atMs: number }
export type RefusedReplicas = { readonly refusal: Refusal; readonly replicas: number; readonly atMs: number }

/** What the API server refuses, and may accept later, is tried again after this time; sooner, if it has failed itself. */
const retryMs = { refused: 30_000, failed: 5_000 }

/** After which time a refusal is out of date, in milliseconds. */
export function retryAfterMsOf({ kind, retryAfterMs = 0 }: Refusal): number {
  return Math.max(retryAfterMs, kind === 'Unavailable' ? retryMs.failed : retryMs.refused)
}

export type DeploymentState =
  | { readonly kind: 'Missing' }
  /** There is one of this name, and it has another owner. */
  | { readonly kind: 'Foreign'; readonly owner: string }
  /** The pool's own, or its target. */
  | { readonly kind: 'Owned'; readonly object: Deployment }

/** Whether the status of the pool is a record, and not only a projection: it remembers replicas that people left behind. */
function hasRecord({ spec, status }: WorkerPool, nowMs: number): boolean {
  const isRecorded = status?.replicasBeforeOverride !== undefined || status?.ignoredReplicas !== undefined
  return spec.scaling.mode !== 'Auto' || overrideAt(spec.override, nowMs) !== undefined || isRecorded
}

/** Replicas that the pool's Deployment asks for now. */
export function currentReplicas(deployment: DeploymentState): number {
  return deployment.kind === 'Owned' ? (deployment.object.spec.replicas ?? 1) : 0
}

/**
 * A user scaled the Deployment itself to 0: it asks for none, and its annotation says that we wrote another number. The author is not
 * known: the API server keeps no field manager of a 0 that was written through /scale.
 */
export function isHumanZero(object: Deployment): boolean {
  return object.spec.replicas === 0 && (writtenReplicas(object) ?? 0) !== 0
}

/** What was applied last to a Deployment; a newer generation means that another writer has changed it since. */
export type Applied = {
  readonly uid: string
  readonly template: DeploymentApply
  readonly generation: number
  /** What the API server warned of when it took the template. */
  readonly warnings: readonly string[]
}

/** What is remembered of a pool between two reconciliations; all of it can be lost without harm. */
export type Memory = {
  history: RecommendationHistory
  applied?: Applied
  /** The target that this process has scaled, once it has released the Deployments that the pool scaled before. */
  target?: string
  refused?: (RefusedTemplate & { readonly template: DeploymentApply }) | undefined
  refusedReplicas?: RefusedReplicas | undefined
  /** The API server has told this process what the status records. */
  isRecordRead?: true
}

export type GatherDeps = {
  readonly client: KubeClient
  readonly pools: Informer<WorkerPool>
  readonly taskBrokers: Informer<TaskBroker>
  /** Deployments that carry the pool label. */
  readonly deployments: Informer<Deployment>
  readonly signals: Signals
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly clock: Clock
}

export type Gather = {
  /** Of the pool of that key; empty at first. */
  memory(key: string): Memory
  /**
   * The pool, with what its status records of people's decisions. The cache of a new leader may be behind what the former one wrote; so the API
   * server is asked first, for a pool to which that matters.
   */
  readPool(key: string, cached: WorkerPool, signal: AbortSignal): Promise<WorkerPool>
  /** `status`: the one that was written last. Subscribes the pool to its queues. */
  read(key: string, pool: WorkerPool, status: WorkerPoolStatus | undefined, context: ReconcileContext): Promise<World>
  /** The next reading shows at least this version of the Deployment. */
  wrote(pool: WorkerPool, deployment: Deployment): void
  /** Deployments that carry the pool's marks and are not its target. Every mark is in the cache, whatever its author and age. */
  findLeft(key: string, pool: WorkerPool | undefined): readonly Deployment[]
  /** The pool is gone. */
  forget(key: string): void
}

export function createGather(deps: GatherDeps): Gather {
  const { client, pools, taskBrokers, signals, directory, clock } = deps
  const memories = new Map<string, Memory>()
  const podWatch = createPodWatch({ client, clock, describe: (pods) => describePodTrouble(pods, podAdvice) })
  const consistency = createConsistency({ deployments: (key) => deps.deployments.get(key)?.metadata.resourceVersion })

  const recorded = createConsistency({ pools: (key) => pools.get(key)?.metadata.resourceVersion })

  function memory(key: string): Memory {
    const known = memories.get(key) ?? { history: emptyHistory }
    memories.set(key, known)
    return known
  }

  /** From the cache; from the API server when that shows none (one of another owner is not watched), or is older than what we wrote. */
  async function readDeployment(pool: WorkerPool, signal: AbortSignal): Promise<DeploymentState> {
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
    const owner = findForeignOwner(object, pool, (name) => pools.get(`${namespaceOf(pool)}/${name}`))
    return owner === undefined ? { kind: 'Owned', object } : { kind: 'Foreign', owner }
  }

  return {
    memory,
    async readPool(key, cached, signal) {
      const known = memory(key)
      if (!hasRecord(cached, clock.now()) || (known.isRecordRead === true && recorded.ready(key))) return cached
      const { namespace, name, uid } = cached.metadata
      // By a list: the operator may not get a single pool.
      const { items } = await client.list(workerPools, { namespace, fieldSelector: `metadata.name=${name}`, signal })
      const newest = items.find(({ metadata }) => metadata.uid === uid) ?? cached
      known.isRecordRead = true
      recorded.wroteAt(key, 'pools', newest.metadata.resourceVersion)
      return newest
    },
    async read(key, pool, status, context) {
      const brokerKey = `${namespaceOf(pool)}/${pool.spec.brokerRef.name}`
      const broker = taskBrokers.get(brokerKey)
      const deployment = await readDeployment(pool, context.signal)
      const pods = await podWatch.look(key, deployment.kind === 'Owned' ? wantingPods(deployment.object) : undefined, context)
      const endpoint = broker === undefined ? undefined : directory.get(brokerKey)
      const known = memory(key)
      return {
        pool,
        status,
        broker,
        deployment,
        signals: readSignals(signals, key, { pool, endpoint, deployment }),
        trouble: pods.trouble ?? (pods.isUnknown === true ? recordedTrouble(status) : undefined),
        warnings: known.applied?.warnings ?? [],
        history: known.history,
        refused: broker && refusedTemplate(known, deploymentFor(pool, broker)),
        refusedReplicas: known.refusedReplicas && isRecent(known.refusedReplicas, clock.now()) ? known.refusedReplicas : undefined,
        lookAgainAfterMs: pods.againAfterMs,
        nowMs: clock.now(),
      }
    },
    wrote: (pool, { metadata }) => consistency.wroteAt(deploymentKeyOf(pool), 'deployments', metadata.resourceVersion),
    findLeft(key, pool) {
      const [namespace = '', name = ''] = key.split('/')
      return deps.deployments.list(namespace).filter((object) => isLeftBy(object, name, pool))
    },
    forget(key) {
      signals.unsubscribe({ kind: 'WorkerPool', key })
      const [namespace = '', name = ''] = key.split('/')
      consistency.clear(`${namespace}/${memories.get(key)?.target ?? name}`)
      memories.delete(key)
      recorded.clear(key)
      podWatch.forget(key)
    },
  }
}

function refusedTemplate({ refused }: Memory, template: DeploymentApply | undefined): RefusedTemplate | undefined {
  return template !== undefined && isDeepStrictEqual(refused?.template, template) ? refused : undefined
}

export function isRecent({ refusal, atMs }: { readonly refusal: Refusal; readonly atMs: number }, nowMs: number): boolean {
  return nowMs - atMs < retryAfterMsOf(refusal)
}

/**
 * Subscribes the pool to its queues (again with the same ones costs nothing) and returns what is known of them now. For a pool at zero
 * replicas the queues are watched, because its next job has to be seen at once. `endpoint`: undefined when there is no TaskBroker.
 */
function readSignals(
  signals: Signals,
  key: string,
  world: { readonly pool: WorkerPool; readonly endpoint: BrokerState | undefined; readonly deployment: DeploymentState },
): QueueSignals {
  const { pool, endpoint, deployment } = world
  const subscriber = { kind: 'WorkerPool', key }
  if (endpoint?.kind !== 'Known') {
    signals.unsubscribe(subscriber)
    return endpoint?.kind === 'Blocked' ? { kind: 'Blocked', message: endpoint.message } : { kind: 'Pending' }
  }
  const queues = pool.spec.queues.map((queue) => queue.name)
  const watch = currentReplicas(deployment) === 0 ? 'WhenEmpty' : 'Never'
  signals.subscribe({ subscriber, endpoint: endpoint.endpoint, queues, watch })
  return combine(queues, signals.snapshot(subscriber))
}

function combine(queues: readonly string[], known: ReadonlyMap<string, QueueSnapshot>): QueueSignals {
  const snapshots = queues.map((queue) => known.get(queue))
  const unreadable = snapshots.find((snapshot) => snapshot?.ok === false)
  if (unreadable?.ok === false) return { kind: 'Unreadable', message: unreadable.error.message, sinceMs: unreadable.sinceMs }
  const readings = snapshots.flatMap((snapshot) => (snapshot?.ok === true ? [{ ...snapshot.reading, orphaned: snapshot.orphaned }] : []))
  return readings.length < queues.length ? { kind: 'Pending' } : { kind: 'Read', queues: readings }
}

/**
 * Returns what the status says of pods that no node has room for. A new process may fail to list them first: until it can, a pool that waits for
 * nodes does not grow.
 */
export function recordedTrouble(status: WorkerPoolStatus | undefined): PodTrouble | undefined {
  const limited = findCondition(status?.conditions, 'ScalingLimited')
  if (limited?.status !== 'True' || limited.reason !== 'UnschedulablePods') return undefined
  const unschedulableWords = limited.message.split(crowdedAdvice, 1)[0] ?? ''
  return { unschedulable: Number(/^\d+/u.exec(unschedulableWords)?.[0] ?? 1), unschedulableWords }
}

/** What to do about pods that no node has room for. */
export const crowdedAdvice = '. Next: add a node or lower requests'

/** What the author of a pool can do about its pods. */
const podAdvice: PodAdvice = { outOfMemory: "raise the container's limits.memory or lower spec.concurrency" }

/** The pods of a Deployment that has fewer ready or current ones than it asks for. Undefined when all are there. */
export function wantingPods({ metadata, spec, status }: Deployment): WantingPods | undefined {
  const replicas = spec.replicas ?? 1
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const isComplete = isObserved && (status?.readyReplicas ?? 0) >= replicas && (status?.updatedReplicas ?? 0) >= replicas
  if (replicas === 0 || isComplete) return undefined
  const { namespace, name, creationTimestamp } = metadata
  return { namespace, name, labelSelector: selectorOf(spec.selector), creationTimestamp }
}
