/** Small objects for this folder's tests: a pool, its broker and its Deployment as the API server would return them. */
import type { Deployment, DeploymentStatus, TaskBroker, WorkerPool, WorkerPoolStatus } from '../../api/index.ts'
import { classifyRefusal, type ErrorCode, type KubeErrorDetails, type Refusal, taskmillError } from '../../errors/index.ts'
import { emptyHistory } from '../../scaling/index.ts'
import { decide, type Plan } from './decide.ts'
import type { PoolQueue, World } from './gather.ts'
import { statusOf } from './status.ts'

export const nowMs = Date.UTC(2026, 10, 23, 3, 0, 0)

export function poolOf(spec: Partial<WorkerPool['spec']> = {}): WorkerPool {
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'WorkerPool',
    metadata: { name: 'email', namespace: 'acme', uid: 'pool-uid', generation: 3 },
    spec: {
      replicas: 0,
      brokerRef: { name: 'default' },
      queues: [{ name: 'email_tasks' }],
      concurrency: 4,
      scaling: {
        mode: 'Auto',
        minReplicas: 0,
        maxReplicas: 10,
        targetBacklogPerReplica: 50,
        behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
      },
      drainTimeoutSeconds: 30,
      template: { spec: { containers: [{ name: 'worker', image: 'acme:1' }] } },
      ...spec,
    },
  }
}

/** A pool that scales a Deployment which exists. */
export function targetPool(spec: Partial<WorkerPool['spec']> = {}): WorkerPool {
  const { template: _, ...rest } = poolOf().spec
  return { ...poolOf(), spec: { ...rest, targetRef: { kind: 'Deployment', name: 'theirs' }, ...spec } }
}

export function scalingOf(part: Partial<WorkerPool['spec']['scaling']>): Pick<WorkerPool['spec'], 'scaling'> {
  return { scaling: { ...poolOf().spec.scaling, ...part } }
}

export const broker: TaskBroker = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'TaskBroker',
  metadata: { name: 'default', namespace: 'acme', uid: 'broker-uid', generation: 1 },
  spec: { standalone: { address: 'redis:6379' }, keyPrefix: 'bull', dispatch: 'Active' },
}

export function deploymentOf(replicas: number, status: DeploymentStatus = {}, written?: number): Deployment {
  const matchLabels = { 'taskmill.dev/pool': 'email' }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'email',
      namespace: 'acme',
      uid: 'deployment-uid',
      generation: 1,
      resourceVersion: '10',
      ...(written === undefined ? {} : { annotations: { 'taskmill.dev/written-replicas': String(written) } }),
      ownerReferences: [{ apiVersion: 'taskmill.dev/v1alpha1', kind: 'WorkerPool', name: 'email', uid: 'pool-uid', controller: true }],
    },
    spec: { replicas, selector: { matchLabels }, template: { spec: { containers: [{ name: 'worker' }] } } },
    status: { observedGeneration: 1, ...status },
  }
}

export function loadOf(part: Partial<PoolQueue>): PoolQueue {
  return { queue: 'email_tasks', waiting: 0, prioritized: 0, delayed: 0, dueDelayed: 0, active: 0, orphaned: 0, paused: false, ...part }
}

export function worldOf(part: Partial<World> = {}): World {
  return {
    pool: poolOf(),
    status: undefined,
    broker,
    deployment: { kind: 'Owned', object: deploymentOf(0) },
    signals: { kind: 'Read', queues: [loadOf({})] },
    trouble: undefined,
    warnings: [],
    history: emptyHistory,
    refused: undefined,
    refusedReplicas: undefined,
    lookAgainAfterMs: undefined,
    nowMs,
    ...part,
  }
}

/** What the API server says to a template, or to a number of replicas: an answer of this code and message. */
export function refusalOf(code: ErrorCode, message: string, causes: KubeErrorDetails['causes'] = []): Refusal {
  return classifyRefusal(taskmillError(code, message, { details: { status: 400, causes } }))
}

/** What is decided in a world, and what people read then. */
export function outcomeOf(world: World): Plan & { readonly status: WorkerPoolStatus } {
  const plan = decide(world)
  return { ...plan, status: statusOf(world, plan) }
}
