import type { PodTemplate } from '../kinds/pod-template.ts'
import type { Condition, KubeObject, Resource } from '../object.ts'

/** What Taskmill reads and writes of a Deployment; the other fields are there and not typed. */
export type Deployment = KubeObject & { readonly spec: DeploymentSpec; readonly status?: DeploymentStatus }

export type DeploymentSpec = {
  readonly replicas?: number
  readonly selector: LabelSelector
  readonly template: PodTemplate
  readonly [field: string]: unknown
}

export type LabelSelector = {
  readonly matchLabels?: { readonly [label: string]: string }
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values?: readonly string[]
  }[]
}

/** Counters that are 0 are missing from the JSON. */
export type DeploymentStatus = {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly updatedReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly unavailableReplicas?: number
  readonly terminatingReplicas?: number
  readonly conditions?: readonly DeploymentCondition[]
}

/** Types: `Available`, `Progressing`, and `ReplicaFailure` while pods cannot be created. */
export type DeploymentCondition = Omit<Condition, 'observedGeneration' | 'reason' | 'message' | 'lastTransitionTime'> & {
  readonly reason?: string
  readonly message?: string
  readonly lastUpdateTime?: string
  readonly lastTransitionTime?: string
}

export const deployments: Resource<Deployment> = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
}
