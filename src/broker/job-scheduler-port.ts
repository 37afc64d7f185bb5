import type { DoneData } from '../contract/index.ts'
import type { DispatchProof, EndedSlot } from './dispatch-port.ts'

export type JobSchedulerRef = { readonly queue: string; readonly id: string }

/** When a job scheduler makes jobs. `offsetMs` after whole intervals since 1970. */
export type JobSchedulerTiming =
  { readonly pattern: string; readonly timeZone: string } | { readonly everyMs: number; readonly offsetMs: number }

/** What a job scheduler is to do. */
export type JobSchedulerSpec = {
  readonly timing: JobSchedulerTiming
  /** No job after it (Unix ms). */
  readonly endMs?: number | undefined
  /** Task type. */
  readonly name: string
  readonly data: unknown
  /** Attempts in all, and the first delay of the exponential backoff. */
  readonly attempts: number
  readonly backoffMs?: number | undefined
  /** BullMQ's number: 0 or absent is plain; else 1 (first) to 100. */
  readonly bullPriority?: number | undefined
  /** The ledger of the schedule that it is for. */
  readonly owner: string
}

/** A job scheduler as BullMQ keeps it. */
export type StoredJobScheduler = {
  /** The same as long as nobody changes it, and it has not made its next job. */
  readonly version: string
  /** When its next job is due (Unix ms). It is that of its last job once there is no other. */
  readonly nextMs: number
  /** Where it differs from the spec that it was compared with. */
  readonly differences: readonly JobSchedulerDifference[]
  /** Nobody has changed it since Taskmill wrote it. */
  readonly isAsWritten: boolean
}

/** A field in BullMQ's words, such as `pattern`, `data` or `opts.attempts`; undefined: it is not set. */
export type JobSchedulerDifference = { readonly field: string; readonly ours: string | undefined; readonly theirs: string | undefined }

/** A job that a scheduler has made. */
export type SchedulerJob = {
  /** The time in its id (Unix ms). */
  readonly atMs: number
  readonly state: 'Absent' | 'Delayed' | 'Waiting' | 'Active' | 'Ended'
  /** Its end arrives in the done queue. */
  readonly isFollowed: boolean
  /** Of an active job that is not followed. */
  readonly startedAtMs?: number
  /** Of an ended job that is not followed. */
  readonly end?: Omit<EndedSlot, 'id' | 'doneQueue' | 'owner' | 'kind' | 'slot'>
}

/** `jobsAt`: the times of jobs to look for (Unix ms). `spec`: what to compare it with. */
export type JobSchedulerRequest = JobSchedulerRef & {
  readonly doneQueue: string
  readonly jobsAt: readonly number[]
  readonly spec?: JobSchedulerSpec | undefined
}

export type JobSchedulerReading = {
  readonly stored: StoredJobScheduler | undefined
  /** The ledger of the schedule that has made or adopted it; kept when somebody edits or removes it. */
  readonly owner: string | undefined
  /** Its next job, and those that were asked for. */
  readonly jobs: readonly SchedulerJob[]
  readonly brokerTimeMs: number
}

export type JobSchedulerPut = JobSchedulerRef & {
  readonly spec: JobSchedulerSpec
  /** As it was read; undefined: there was none. */
  readonly expected: StoredJobScheduler | undefined
  /** When its first job is due (Unix ms); in the past: at once. */
  readonly nextMs: number
  readonly doneQueue: string
  readonly done: DoneData
}

/** A job of a scheduler whose end is to arrive in a done queue. */
export type FollowedJob = { readonly queue: string; readonly id: string; readonly doneQueue: string; readonly done: DoneData }

/**
 * Job schedulers of BullMQ, which a worker of any version of it serves. Errors as those of `Broker`.
 *
 * A job that a scheduler has made is never lost by a change to the scheduler: once it is due, or a worker has taken it, it stays and runs.
 */
export type BrokerJobSchedulers = {
  /** In the order given, in one round trip. */
  readJobSchedulers(requests: readonly JobSchedulerRequest[]): Promise<readonly JobSchedulerReading[]>
  /** The version of each, in the order given; undefined where there is none. One round trip. */
  readJobSchedulerVersions(refs: readonly JobSchedulerRef[]): Promise<readonly (string | undefined)[]>
  /**
   * Creates or changes it, with its next job. `Changed`: it is not as expected any more. `Taken`: there is a job of that time already, or it has ended.
   * `Fenced`: the proof does not hold. Only `Done` changed anything.
   */
  putJobScheduler(put: JobSchedulerPut, brokerTimeMs: number, proof: DispatchProof): Promise<'Done' | 'Changed' | 'Taken' | 'Fenced'>
  /**
   * Removes it, and that it has an owner. `next`: what became of its next job. `Removed`: it will not run. Else it is due, or was taken: it stays, and makes no other.
   */
  removeJobScheduler(
    ref: JobSchedulerRef & { readonly doneQueue: string; readonly expected: StoredJobScheduler | undefined },
    proof: DispatchProof,
  ): Promise<
    | { readonly outcome: 'Fenced' | 'Absent' | 'Changed' }
    | { readonly outcome: 'Removed'; readonly next: { readonly atMs: number; readonly state: SchedulerJob['state'] | 'Removed' } }
  >
  /** From now on, the ends of these jobs arrive in their done queues, also if they are removed. A job that has ended is left alone. A repeat does nothing. */
  followJobs(jobs: readonly FollowedJob[], brokerTimeMs: number, proof: DispatchProof): Promise<'Done' | 'Fenced'>
}
