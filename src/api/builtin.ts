import type { JobTemplate, PodTemplate } from './kinds/job-template.ts'
import type { Condition, KubeObject, Resource } from './object.ts'

/** The fields of a Deployment that Taskmill reads and writes; the others exist but are not typed. */
export type Deployment = KubeObject & { readonly spec: DeploymentSpec; readonly status?: DeploymentStatus }

export type DeploymentSpec = {
  readonly replicas?: number
  readonly selector: LabelSelector
  readonly template: PodTemplate
  readonly [field: string]: unknown
}

type LabelSelector = {
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

/** The fields of a Job that Taskmill reads and writes; the others exist but are not typed. */
export type Job = KubeObject & { readonly spec: JobTemplate['spec']; readonly status?: JobStatus }

/** Counters that are 0 may be missing from the JSON. */
type JobStatus = {
  readonly startTime?: string
  /** Only of a successful Job. */
  readonly completionTime?: string
  readonly active?: number
  readonly ready?: number
  readonly succeeded?: number
  readonly failed?: number
  /** Types: `Complete` and `Failed` once all pods have ended; before that `SuccessCriteriaMet` or `FailureTarget`; `Suspended`. */
  readonly conditions?: readonly {
    readonly type: string
    readonly status: string
    readonly reason?: string
    readonly message?: string
    readonly lastTransitionTime?: string
  }[]
}

export const jobs: Resource<Job> = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true }

/** The fields of a CronJob that Taskmill reads and writes; the others exist but are not typed. */
export type CronJob = KubeObject & { readonly spec: CronJobSpec; readonly status?: { readonly lastScheduleTime?: string } }

export type CronJobSpec = {
  readonly schedule: string
  readonly timeZone?: string
  readonly concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace'
  readonly startingDeadlineSeconds?: number
  readonly suspend?: boolean
  readonly successfulJobsHistoryLimit?: number
  readonly failedJobsHistoryLimit?: number
  readonly jobTemplate: { readonly metadata?: JobTemplate['metadata']; readonly spec: JobTemplate['spec'] }
  readonly [field: string]: unknown
}

export const cronJobs: Resource<CronJob> = { group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true }

/** What Taskmill reads of a Pod. */
export type Pod = KubeObject & {
  readonly spec: { readonly nodeName?: string; readonly [field: string]: unknown }
  readonly status?: {
    readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
    /** Of a pod that failed as a whole, for example `Evicted`. */
    readonly reason?: string
    readonly message?: string
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
      readonly lastTransitionTime?: string | null
    }[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

export type ContainerStatus = {
  readonly name: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: ContainerState
  /** How the container ended before its last restart. */
  readonly lastState?: ContainerState
}

export type ContainerState = {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: object
  readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string; readonly finishedAt?: string }
}

export const pods: Resource<Pod> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }

/** An Event of events.k8s.io/v1. `note` is at most 1,024 bytes, `eventTime` has six digits of a second. */
export type Event = KubeObject & {
  readonly type: EventType
  readonly reason: string
  /** The action in progress, for example `Scale`. */
  readonly action: string
  readonly note?: string
  readonly regarding: ObjectReference
  readonly eventTime: string
  readonly reportingController: string
  readonly reportingInstance: string
  /** Present once the same event has occurred again. */
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
}

export type EventType = 'Normal' | 'Warning'

type ObjectReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
}

export const events: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
}

/** Times have six digits of a second (`2026-11-23T08:00:00.000000Z`), because the API server refuses three. */
export type Lease = KubeObject & {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}

export type Namespace = KubeObject

export const namespaces: Resource<Namespace> = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }

/** A ConfigMap. Taskmill watches it only by its name. */
export type ConfigMap = KubeObject & { readonly data?: { readonly [key: string]: string } }

export const configMaps: Resource<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true }

/** A Secret. Taskmill reads it only by its name; its content goes only to a broker. */
export type Secret = KubeObject & {
  readonly type?: string
  /** Values in base64. */
  readonly data?: { readonly [key: string]: string }
}

export const secrets: Resource<Secret> = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
