/**
 * The Deployment of a pool, built from its template: names, ownership, the worker's environment and the grace period. It leaves out
 * `spec.replicas`, which belongs to a field manager of its own.
 */
import { deployments, workerPools, apiVersionOf, type OwnerReference, type TaskBroker, type WorkerPool } from '../../api/index.ts'
import { labels } from '../../contract/index.ts'
import { injected } from './injection.ts'
import { namespaceOf } from './ownership.ts'

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

/** Of a pool with a template. The broker's Secrets are only named: who may read them is the kubelet. */
export function deploymentFor(pool: WorkerPool, broker: TaskBroker): DeploymentApply {
  const own = { [labels.pool]: pool.metadata.name }
  const { metadata, spec } = pool.spec.template ?? { spec: { containers: [] } }
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
          ...injected(spec, pool, broker),
          terminationGracePeriodSeconds: typeof declaredGrace === 'number' ? Math.max(declaredGrace, graceSeconds) : graceSeconds,
        },
      },
    },
  }
}

function ownerReference(pool: WorkerPool): OwnerReference {
  return {
    apiVersion: apiVersionOf(workerPools),
    kind: workerPools.kind,
    name: pool.metadata.name,
    uid: pool.metadata.uid ?? '',
    controller: true,
  }
}
