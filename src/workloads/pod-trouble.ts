/** Describes why pods do not work, with the messages of the kubelet, the scheduler and the container itself. */
import type { BlockedReason, ContainerState, ContainerStatus, Pod } from '../api/index.ts'

export type PodTrouble = {
  /** Number of pods for which no node has room. */
  readonly unschedulable: number
  /** `2 of 7 pods Pending: Insufficient memory`. */
  readonly unschedulableWords?: string
  /** The most telling failure, and what to do next. */
  readonly words?: string
  /** The same in one word: `ImagePullBackOff`, `OOMKilled`, `exit code 3`. */
  readonly reason?: string
  /** The same as the reason of the condition Blocked. */
  readonly blocked?: BlockedReason
  /** A container has failed and is started again, or another pod is: between two failures all looks well for a while. */
  readonly isRetried?: true
}

type Failure = {
  readonly pod: string
  readonly blocked: BlockedReason
  readonly rank: number
  readonly reason: string
  readonly words: string
  readonly next: string
  readonly isRetried?: true
}

/** Longest quotation of a container or the scheduler in a message. */
const maxQuoteLength = 400

/** What the owner of the pods can do. */
export type PodAdvice = { readonly outOfMemory: string }

const plainAdvice: PodAdvice = { outOfMemory: "raise the container's limits.memory" }

/** Ignores pods that are being deleted. */
export function describePodTrouble(all: readonly Pod[], advice: PodAdvice = plainAdvice): PodTrouble {
  const pods = all.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const waiting = pods.flatMap((pod) => unschedulableWords(pod) ?? [])
  const failures = pods.flatMap((pod) => failureOf(pod, advice) ?? []).toSorted((a, b) => a.rank - b.rank || a.pod.localeCompare(b.pod))
  const [first] = failures
  const [why] = waiting
  return {
    unschedulable: waiting.length,
    ...(why === undefined ? {} : { unschedulableWords: `${waiting.length} of ${pods.length} pods Pending: ${why}` }),
    ...(first === undefined
      ? {}
      : {
          reason: first.reason,
          blocked: first.blocked,
          words: `${othersWords(failures.length)}${first.words}. Next: ${first.next}`,
          ...(first.isRetried === true ? { isRetried: true } : {}),
        }),
  }
}

function othersWords(count: number): string {
  return count === 1 ? '' : `${count} pods have problems, for example `
}

function unschedulableWords(pod: Pod): string | undefined {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined
  return quoted(scheduled.message ?? 'no node has room')
}

function failureOf(pod: Pod, advice: PodAdvice): Failure | undefined {
  const { name } = pod.metadata
  const { status } = pod
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  const [worst] = containers.flatMap((container) => containerFailure(name, container, advice) ?? []).toSorted((a, b) => a.rank - b.rank)
  if (worst !== undefined) return worst
  if (status?.phase === 'Failed') {
    const words = `pod ${name}: ${status.reason ?? 'Failed'}${colon(status.message)}`
    const next = `kubectl describe pod ${name}`
    return { pod: name, blocked: 'PodFailing', rank: 4, reason: status.reason ?? 'Failed', words, next, isRetried: true }
  }
  const unschedulable = unschedulableWords(pod)
  if (unschedulable === undefined) return undefined
  const words = `pod ${name}: Unschedulable: ${unschedulable}`
  return { pod: name, blocked: 'PodUnschedulable', rank: 5, reason: 'Unschedulable', words, next: 'add a node or lower the requests' }
}

/** Waiting reasons that end by themselves in a healthy start. */
const harmless: readonly string[] = ['ContainerCreating', 'PodInitializing']

function containerFailure(
  pod: string,
  { name, ready, state, lastState }: ContainerStatus,
  { outOfMemory }: PodAdvice,
): Failure | undefined {
  const subject = `pod ${pod}, container ${name}`
  const ended = endOf(state) ?? endOf(lastState)
  const reason = state?.waiting?.reason
  const logs = `kubectl logs ${pod} -c ${name}${endOf(state) === undefined ? ' --previous' : ''}`
  if (reason === 'CrashLoopBackOff' || (reason === undefined && ready !== true && ended !== undefined)) {
    const isOutOfMemory = ended?.reason === 'OOMKilled'
    const told = [...(reason === undefined ? [] : [reason]), ...endWords(ended)]
    const words = told.join(', ')
    const next = isOutOfMemory ? outOfMemory : logs
    return {
      pod,
      blocked: 'PodFailing',
      rank: isOutOfMemory ? 1 : 2,
      reason: isOutOfMemory ? 'OOMKilled' : (told[0] ?? ''),
      words: `${subject}: ${words}${colon(ended?.message)}`,
      next,
      isRetried: true,
    }
  }
  if (reason === undefined || harmless.includes(reason)) return undefined
  return {
    pod,
    blocked: 'PodFailing',
    rank: 0,
    reason,
    words: `${subject}: ${reason}${colon(state?.waiting?.message)}`,
    next: nextFor(reason, pod),
  }
}

/** Returns how the container ended, if it ended badly. */
function endOf(state: ContainerState | undefined): ContainerState['terminated'] {
  const terminated = state?.terminated
  return terminated === undefined || (terminated.exitCode === 0 && terminated.reason !== 'OOMKilled') ? undefined : terminated
}

function endWords(ended: ContainerState['terminated']): readonly string[] {
  if (ended === undefined) return ['the container ended with exit code 0, but must keep running']
  const { exitCode, reason } = ended
  return [...(reason === undefined || reason === 'Error' ? [] : [reason]), `exit code ${exitCode}`]
}

function nextFor(reason: string, pod: string): string {
  switch (reason) {
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
      return 'correct the image, or the pull secret and the registry'
    case 'CreateContainerConfigError':
      return 'create the Secret or ConfigMap that is named, or correct the reference'
    case 'CreateContainerError':
    case 'RunContainerError':
      return "correct the container's command, args or mounts"
    default:
      return `kubectl describe pod ${pod}`
  }
}

function colon(message: string | undefined): string {
  return message === undefined || message.trim() === '' ? '' : `: ${quoted(message)}`
}

/** Returns one line. A long message keeps its end, where a container says why it failed. */
function quoted(message: string): string {
  const line = message.trim().replaceAll(/\s+/gu, ' ').replace(/\.$/u, '')
  return line.length <= maxQuoteLength ? line : `…${line.slice(1 - maxQuoteLength)}`
}
