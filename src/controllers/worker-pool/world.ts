import type { Deployment, TaskBroker, WorkerPool, WorkerPoolStatus } from '../../api/index.ts'
import type { QueueLoad, RecommendationHistory } from '../../scaling/index.ts'
import type { PodTrouble } from '../../workloads/index.ts'
import { writtenReplicas } from './ownership.ts'

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
  /** What is the matter with the pods, as far as somebody has looked. */
  readonly trouble: PodTrouble | undefined
  /** What the API server warned of when it took the Deployment as it is now. */
  readonly warnings: readonly string[]
  readonly history: RecommendationHistory
  readonly refusal: Refusal | undefined
  readonly nowMs: number
}

/** The API server's words on the Deployment: `Invalid` is final for this template, `Forbidden` (a quota, a role) may pass. */
export type Refusal = { readonly kind: 'Invalid' | 'Forbidden'; readonly message: string }

export type DeploymentState =
  | { readonly kind: 'Missing' }
  /** There is one of this name, and it is somebody else's. */
  | { readonly kind: 'Foreign'; readonly owner: string }
  /** The pool's own, or its target. */
  | { readonly kind: 'Owned'; readonly object: Deployment }

/** Replicas that the pool's Deployment asks for now. */
export function currentReplicas(deployment: DeploymentState): number {
  return deployment.kind === 'Owned' ? (deployment.object.spec.replicas ?? 1) : 0
}

/**
 * Somebody scaled the Deployment itself to 0: it asks for none, and its annotation says that we wrote another number. Who it was, nobody
 * knows: the API server keeps no field manager of a 0 that was written through /scale.
 */
export function isHumanZero(object: Deployment): boolean {
  return object.spec.replicas === 0 && (writtenReplicas(object) ?? 0) !== 0
}
