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

/** Whether a pod of the Job is ready, or has ended. */
export function hasPod({ status }: Job): boolean {
  return (status?.ready ?? 0) + (status?.succeeded ?? 0) + (status?.failed ?? 0) > 0
}

/** Whether a running Job lacks ready pods. */
export function hasUnreadyPods(job: Job): boolean {
  if (endOfJob(job) !== undefined) return false
  const { active = 0, ready = 0 } = job.status ?? {}
  return active === 0 || ready < active
}

/**
 * Whether any container of these pods has ever run. `pods` are all that the Job has; one that counts a pod that is gone by now has run
 * something, as far as anybody can know.
 */
export function hasStartedContainer({ status }: Job, pods: readonly Pod[]): boolean {
  if ((status?.succeeded ?? 0) + (status?.ready ?? 0) > 0 || (status?.failed ?? 0) > pods.length) return true
  return pods.some(({ status: pod }) => {
    const containers = [...(pod?.initContainerStatuses ?? []), ...(pod?.containerStatuses ?? [])]
    return containers.some(
      ({ state, lastState, restartCount = 0 }) =>
        restartCount > 0 || [state, lastState].some((each) => each?.running !== undefined || each?.terminated !== undefined),
    )
  })
}

/** Describes what is wrong with the pods of a running Job. */
export function describeJobTrouble(pods: readonly Pod[], nowMs: number): PodTrouble {
  const current = pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
  if (current.length === 0) {
    const last = describeLastFailure(pods)
    return { unschedulable: 0, ...(last === undefined ? noPods : { ...last, blocked: 'PodFailing', isRetried: true }) }
  }
  const { unschedulable: _, unschedulableWords: __, ...trouble } = describePodTrouble(current)
  return { unschedulable: 0, ...(trouble.words === undefined ? describeLeftContainer(current, nowMs) : trouble) }
}

const noPods = {
  reason: 'no pod',
  blocked: 'NoPod',
  words: 'it has no pod. Next: kubectl describe it; its Events say why none can be created (a quota, pod security, a service account)',
} as const

/** Containers of one pod may end one after the other; a sidecar never does. */
const leftForMs = 60_000

/** Describes a container that runs on long after another one of its pod has ended well. */
function describeLeftContainer(pods: readonly Pod[], nowMs: number): Omit<PodTrouble, 'unschedulable'> {
  for (const { metadata, status } of pods) {
    const containers = status?.containerStatuses ?? []
    const ended = containers.find(({ state }) => state?.terminated?.exitCode === 0)
    const left = containers.find(({ state }) => state?.running !== undefined)
    const sinceMs = nowMs - (timeOf(ended?.state?.terminated?.finishedAt) ?? nowMs)
    if (ended === undefined || left === undefined || sinceMs < leftForMs) continue
    const words =
      `pod ${metadata.name}: container ${ended.name} has ended, and container ${left.name} runs on, so the Job does not end. ` +
      `Next: make ${left.name} an init container with restartPolicy: Always, which ends with the others`
    return { reason: `${left.name} still runs`, blocked: 'ContainerStillRunning', words }
  }
  return {}
}

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
