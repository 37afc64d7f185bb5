import type { Job, JobTemplate, OwnerReference } from '../api/index.ts'
import { annotations } from '../contract/index.ts'

/** A Job that is to be: the run of one node or slot. */
export type WantedJob = {
  /** Of the node or slot; what makes the Job its own. */
  readonly id: string
  readonly namespace: string
  readonly name: string
  /** Who started it, and for what: on the Job and on its pods. */
  readonly labels: Readonly<Record<string, string>>
  /** Goes with it; undefined: nobody takes it along. */
  readonly owner?: OwnerReference | undefined
  readonly template: JobTemplate
}

type Containers = readonly Readonly<Record<string, unknown>>[]

/**
 * The Job, without a TTL: one that went before its end is recorded would have run for nothing. The one of the template is noted in an
 * annotation.
 */
export function buildJob(wanted: WantedJob): Omit<Job, 'apiVersion' | 'kind'> {
  const { id, namespace, name, owner, template } = wanted
  const { ttlSecondsAfterFinished, ...spec } = template.spec
  const pod = spec.template.spec
  const initContainers = pod['initContainers'] as Containers | undefined
  return {
    metadata: {
      ...template.metadata,
      name,
      namespace,
      labels: { ...template.metadata?.labels, ...wanted.labels },
      annotations: {
        ...template.metadata?.annotations,
        [annotations.jobId]: id,
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
          ...(initContainers === undefined ? {} : { initContainers: initContainers.map(withLastWords) }),
          containers: pod.containers.map(withLastWords),
        },
      },
    },
  }
}

/** The last words of a container that fails are what people need first. */
function withLastWords<T extends object>(container: T): T {
  return { terminationMessagePolicy: 'FallbackToLogsOnError', ...container }
}

/** Whether a Job is the run of this node or slot, and not somebody else's of the same name. */
export function isJobFor(job: Job, id: string): boolean {
  return job.metadata.annotations?.[annotations.jobId] === id
}

/** Whether its end is recorded, so that it may go. By a mark of our own: a TTL may be anybody's. */
export function isAcknowledged({ metadata }: Job): boolean {
  return metadata.annotations?.[annotations.recorded] !== undefined
}

const daySeconds = 86_400
/** No process is frozen for so long that it creates a Job anew which has come and gone. */
const leastSeconds = 600

/** How long a Job that has ended may stay. */
export function ttlSecondsOf(job: Job, outcome: 'Succeeded' | 'Failed'): number {
  const declared = Number(job.metadata.annotations?.[annotations.ttlSeconds] ?? Number.NaN)
  return Number.isInteger(declared) ? Math.max(leastSeconds, declared) : outcome === 'Succeeded' ? daySeconds : 7 * daySeconds
}
