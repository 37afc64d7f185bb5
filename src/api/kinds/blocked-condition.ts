/** What keeps a run from starting, running or ending: the same reasons on the run and on the schedule that started it. */
import type { ConditionRegistry, EventRegistry } from '../conditions.ts'

export const blockedCondition = {
  meaning:
    'Present only while True: a run that has been dispatched does not start, run or end, and the operator knows why. The message says what to do.',
  reasons: {
    QueueSuspended: { status: 'True', meaning: 'A TaskQueue suspends the queue of the job. Resume it.' },
    QueuePaused: { status: 'True', meaning: 'Someone paused the queue of the job by other means. Resume it there.' },
    NoPool: {
      status: 'True',
      meaning: 'No WorkerPool of the namespace consumes the queue of the job. Correct the name of the queue, or create a pool.',
    },
    PoolNotReady: {
      status: 'True',
      meaning:
        'The pools that consume the queue of the job are not Ready, or a user keeps them at 0 replicas. The message names one and its reason.',
    },
    PodFailing: {
      status: 'True',
      meaning:
        'A pod of the Kubernetes Job does not start or keeps failing: its image, its configuration, its command. The message quotes it. A failure ' +
        'counts until a retry has run for a minute.',
    },
    PodUnschedulable: { status: 'True', meaning: 'No node has room for a pod of the Kubernetes Job. Add a node or lower the requests.' },
    NoPod: {
      status: 'True',
      meaning: 'The Kubernetes Job has no pod: a quota, pod security or a missing service account. The Events of the Job say which.',
    },
    ContainerStillRunning: {
      status: 'True',
      meaning:
        'A container of the pod has ended and another one, such as a sidecar, runs on, so that the Kubernetes Job does not end. Make it an init ' +
        'container with restartPolicy Always.',
    },
    JobSuspended: { status: 'True', meaning: 'The Kubernetes Job has spec.suspend: true, so that it gets no pod.' },
    CreationRefused: {
      status: 'True',
      meaning:
        'The API server does not accept the Kubernetes Job or TaskExecution now (a quota, a policy, a permission). The operator retries.',
    },
  },
} as const satisfies ConditionRegistry[string]

/** A slot that runs a graph has a TaskExecution, which may not start at all. */
export const blockedScheduleCondition = {
  ...blockedCondition,
  reasons: {
    ...blockedCondition.reasons,
    NotStarted: {
      status: 'True',
      meaning:
        'The TaskExecution of the slot has not started: its broker or what it refers to is missing, or it is paused. The message quotes it.',
    },
    PreviousRunFailed: {
      status: 'True',
      meaning:
        'With dependsOnPast, no slot starts because the run before did not succeed. The slots continue when a run by hand succeeds ' +
        '(`taskmill run tsch/NAME`), or when dependsOnPast is set to false.',
    },
  },
} as const satisfies ConditionRegistry[string]

export type BlockedReason = keyof typeof blockedCondition.reasons
export type BlockedScheduleReason = keyof typeof blockedScheduleCondition.reasons

export const blockedEvents = {
  RunBlocked: {
    type: 'Warning',
    action: 'Run',
    meaning: 'A run does not start, run or end. The note says why and what to do; the condition Blocked lasts as long.',
  },
} as const satisfies EventRegistry
