/**
 * The Deployment of a pool, built from its template: names, ownership, the worker's environment and the grace period. It leaves out
 * `spec.replicas`, which belongs to a field manager of its own.
 */
import { deployments, workerPools, apiVersionOf, type OwnerReference, type TaskBroker, type WorkerPool } from '../../api/index.ts'
import { labels, workerEnv } from '../../contract/index.ts'

type Env = { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }
type Container = { readonly name: string; readonly env?: readonly Env[]; readonly [field: string]: unknown }

/** Time that the kubelet grants beyond the drain: the worker hands back what is left and closes its connections in it. */
const closingSeconds = 10

export type DeploymentApply = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid?: string
    readonly labels: Readonly<Record<string, string>>
    readonly ownerReferences: readonly OwnerReference[]
  }
  readonly spec: {
    readonly replicas?: number
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly template: Readonly<Record<string, unknown>>
  }
}

export function deploymentFor(pool: WorkerPool, broker: TaskBroker): DeploymentApply {
  const own = { [labels.pool]: pool.metadata.name }
  const { metadata, spec } = pool.spec.template
  const containers = spec.containers as readonly Container[]
  const worker = containers.find((container) => container.name === 'worker') ?? containers[0]
  const graceSeconds = pool.spec.drainTimeoutSeconds + closingSeconds
  const declaredGrace = spec['terminationGracePeriodSeconds']
  return {
    apiVersion: apiVersionOf(deployments),
    kind: deployments.kind,
    metadata: {
      name: pool.metadata.name,
      namespace: namespaceOf(pool),
      labels: own,
      ownerReferences: [ownerReference(pool)],
    },
    spec: {
      selector: { matchLabels: own },
      template: {
        metadata: { ...metadata, labels: { ...metadata?.labels, ...own } },
        spec: {
          ...spec,
          containers: containers.map((container) =>
            container === worker ? withEnvironment(container, environmentOf(pool, broker)) : container,
          ),
          terminationGracePeriodSeconds: typeof declaredGrace === 'number' ? Math.max(declaredGrace, graceSeconds) : graceSeconds,
        },
      },
    },
  }
}

export function ownerReference(pool: WorkerPool): OwnerReference {
  return {
    apiVersion: apiVersionOf(workerPools),
    kind: workerPools.kind,
    name: pool.metadata.name,
    uid: pool.metadata.uid ?? '',
    controller: true,
  }
}

export function namespaceOf(pool: WorkerPool): string {
  return pool.metadata.namespace ?? ''
}

function environmentOf(pool: WorkerPool, broker: TaskBroker): readonly Env[] {
  const { spec } = pool
  return [
    { name: workerEnv.pool, value: pool.metadata.name },
    { name: workerEnv.namespace, value: namespaceOf(pool) },
    { name: workerEnv.pod, valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: workerEnv.queues, value: spec.queues.map((queue) => queue.name).join(',') },
    { name: workerEnv.concurrency, value: String(spec.concurrency) },
    { name: workerEnv.drainTimeoutSeconds, value: String(spec.drainTimeoutSeconds) },
    { name: workerEnv.brokerAddress, value: broker.spec.standalone.address },
    { name: workerEnv.brokerKeyPrefix, value: broker.spec.keyPrefix },
  ]
}

/** What the template sets itself wins: who writes TASKMILL_QUEUES into the template means it. */
function withEnvironment(container: Container, injected: readonly Env[]): Container {
  const declared = container.env ?? []
  const names = new Set(declared.map((each) => each.name))
  return { ...container, env: [...declared, ...injected.filter((each) => !names.has(each.name))] }
}
