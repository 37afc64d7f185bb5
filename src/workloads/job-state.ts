import type { Job, Pod } from '../api/index.ts'
import { type PodTrouble, describePodTrouble } from './pod-trouble.ts'

/** How a Job ended, according to its status. */
export type JobEnd = {
  readonly outcome: 'Succeeded' | 'Failed'
  /** The Job's own reason: `BackoffLimitExceeded`, `DeadlineExceeded`. */
  readonly reason: string
  readonly message?: string
  /** Number of pods that ended. */
  readonly attemptsMade: number
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
}

/** Returns undefined while the Job, or any of its pods, has not ended. */
export function endOfJob({ status }: Job): JobEnd | undefined {
  const last = status?.conditions?.find((each) => (each.type === 'Complete' || each.type === 'Failed') && each.status === 'True')
  if (status === undefined || last === undefined) return undefined
  const isFailure = last.type === 'Failed'
  const startedAtMs = timeOf(status.startTime)
  const finishedAtMs = timeOf(status.completionTime ?? last.lastTransitionTime)
  return {
    outcome: isFailure ? 'Failed' : 'Succeeded',
    reason: isFailure ? (last.reason ?? 'Failed') : 'Succeeded',
    ...(isFailure && last.message !== undefined ? { message: last.message } : {}),
    attemptsMade: (status.succeeded ?? 0) + (status.failed ?? 0),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
  }
}

function timeOf(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

/** Returns a label selector for all pods of a Job, also after it is gone and another Job has its name. */
export function podSelectorOfJob({ metadata }: Job): string {
  return `batch.kubernetes.io/controller-uid=${metadata.uid ?? ''}`
}

/** Whether a running Job lacks ready pods. */
export function hasUnreadyPods(job: Job): boolean {
  if (endOfJob(job) !== undefined) return false
  const { active = 0, ready = 0 } = job.status ?? {}
  return active === 0 || ready < active
}

/** Describes what is wrong with the pods of a running Job. */
export function describeJobTrouble(pods: readonly Pod[]): PodTrouble {
  const current = pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
  if (current.length === 0) return { unschedulable: 0, ...(describeLastFailure(pods) ?? noPods) }
  const { words, reason } = describePodTrouble(current)
  return { unschedulable: 0, ...(words === undefined ? {} : { words }), ...(reason === undefined ? {} : { reason }) }
}

const noPods = { reason: 'no pod', words: 'it has no pod. Next: kubectl describe it; its Events say why none can be created' }

/** Describes why the newest failed pod failed. */
export function describeLastFailure(
  pods: readonly Pod[],
): { readonly pod: string; readonly reason: string; readonly words: string } | undefined {
  const failed = pods.filter(({ status }) => status?.phase === 'Failed')
  const [last] = failed.toSorted((a, b) => createdMs(b) - createdMs(a) || a.metadata.name.localeCompare(b.metadata.name))
  if (last === undefined) return undefined
  const { words, reason = 'Failed' } = describePodTrouble([last])
  return words === undefined ? undefined : { pod: last.metadata.name, reason, words }
}

function createdMs({ metadata }: Pod): number {
  return timeOf(metadata.creationTimestamp) ?? 0
}
