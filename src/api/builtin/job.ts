import type { JobTemplate } from '../kinds/job-template.ts'
import type { KubeObject, Resource } from '../object.ts'

/** What Taskmill reads and writes of a Job; the other fields are there and not typed. */
export type Job = KubeObject & { readonly spec: JobTemplate['spec']; readonly status?: JobStatus }

/** Counters that are 0 may be missing from the JSON. */
export type JobStatus = {
  readonly startTime?: string
  /** Only of one that succeeded. */
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
