import type { Deployment, TaskBroker, WorkerPool, WorkerPoolStatus } from '../../api/index.ts'
import type { QueueLoad, RecommendationHistory } from '../../scaling/index.ts'

/**
 * The queues of a pool as far as they are known now. One unreadable queue makes the whole unreadable: never scale on partial data.
 * `Pending`: nothing was read since this process began to look.
 */
export type QueueSignals =
  | { readonly kind: 'Pending' }
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
  readonly history: RecommendationHistory
  readonly refusal: Refusal | undefined
  readonly nowMs: number
}

/** The API server's words on the Deployment: `Invalid` is final for this template, `Forbidden` (a quota, a role) may pass. */
export type Refusal = { readonly kind: 'Invalid' | 'Forbidden'; readonly message: string }

export type DeploymentState =
  | { readonly kind: 'Missing' }
  /** One of this name exists and belongs to somebody else. */
  | { readonly kind: 'Foreign'; readonly owner: string }
  | { readonly kind: 'Owned'; readonly object: Deployment }

/** Replicas that the pool's Deployment asks for now. */
export function currentReplicas(deployment: DeploymentState): number {
  return deployment.kind === 'Owned' ? (deployment.object.spec.replicas ?? 1) : 0
}

/** A Deployment is the pool's when this very pool (by UID, not only by name) is its controller. */
export function stateOf(object: Deployment, pool: WorkerPool): DeploymentState {
  const controller = object.metadata.ownerReferences?.find((owner) => owner.controller === true)
  if (controller?.uid === pool.metadata.uid) return { kind: 'Owned', object }
  return { kind: 'Foreign', owner: controller === undefined ? 'nobody that Taskmill knows' : `${controller.kind} "${controller.name}"` }
}
