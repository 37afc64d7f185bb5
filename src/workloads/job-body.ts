import type { Job, JobTemplate, OwnerReference } from '../api/index.ts'
import { annotations } from '../contract/index.ts'

/** A Job to create: the run of one node or slot. */
export type WantedJob = {
  /** The id of the node or slot, by which the Job is recognized. */
  readonly id: string
  readonly namespace: string
  readonly name: string
  /** Who started it and for what; set on the Job and on its pods. */
  readonly labels: Readonly<Record<string, string>>
  /** The object with which the Job is deleted; undefined: none. */
  readonly owner?: OwnerReference | undefined
  readonly template: JobTemplate
  /** Where the template stands in the object of its author: `spec.job`. */
  readonly field: string
  /** Names the template, where a Job may be replaced by one of the same id that is made from another. */
  readonly generation?: string | undefined
}

/**
 * Builds the Job without a TTL: if it were deleted before its end is recorded, its run would be lost. The TTL of the
 * template is kept in an annotation.
 */
export function buildJob(wanted: Omit<WantedJob, 'field'>): Omit<Job, 'apiVersion' | 'kind'> {
  const { id, namespace, name, owner, template, generation } = wanted
  const { ttlSecondsAfterFinished, ...spec } = template.spec
  const pod = spec.template.spec
  // The API server judges the template: what is no list stays as it is, so that the answer names it.
  const initContainers: unknown = pod['initContainers']
  return {
    metadata: {
      ...template.metadata,
      name,
      namespace,
      labels: { ...template.metadata?.labels, ...wanted.labels },
      annotations: {
        ...template.metadata?.annotations,
        [annotations.jobId]: id,
        ...(generation === undefined ? {} : { [annotations.template]: generation }),
        ...(ttlSecondsAfterFinished === undefined ? {} : { [annotations.ttlSeconds]: String(ttlSecondsAfterFinished) }),
      },
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      ...spec,
      template: {
        ...spec.template,
        metadata: { ...spec.template.metadata, labels: { ...spec.template.metadata?.labels, ...wanted.labels } },
        spec: {
          ...pod,
          ...(Array.isArray(initContainers) ? { initContainers: initContainers.map(withLastWords) } : {}),
          containers: pod.containers.map(withLastWords),
        },
      },
    },
  }
}

/** The last output of a failed container is what a user needs first. */
function withLastWords<T extends object>(container: T): T {
  return { terminationMessagePolicy: 'FallbackToLogsOnError', ...container }
}

/** Whether a Job is the run of this node or slot, and not another Job of the same name. */
export function isJobFor(job: Job, id: string): boolean {
  return job.metadata.annotations?.[annotations.jobId] === id
}

/** Whether the Job was made from this very template, as far as it says. */
export function isOfTemplate({ metadata }: Job, generation: string | undefined): boolean {
  const its = metadata.annotations?.[annotations.template]
  return generation === undefined || its === undefined || its === generation
}

/**
 * Whether the end is recorded, so that the Job can be deleted. Uses our own annotation, because anyone can set a TTL.
 */
export function isAcknowledged({ metadata }: Job): boolean {
  return metadata.annotations?.[annotations.recorded] !== undefined
}

const daySeconds = 86_400
/** Longer than any process is frozen: a process that continues later must find the Job, or it would create it again. */
const leastSeconds = 600

/** Returns how long (s) an ended Job is kept. */
export function ttlSecondsOf(job: Job, outcome: 'Succeeded' | 'Failed'): number {
  const declared = Number(job.metadata.annotations?.[annotations.ttlSeconds] ?? Number.NaN)
  return Number.isInteger(declared) ? Math.max(leastSeconds, declared) : outcome === 'Succeeded' ? daySeconds : 7 * daySeconds
}
