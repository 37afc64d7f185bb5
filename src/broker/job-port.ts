import type { DoneData, Slot } from '../contract/index.ts'
import type { DispatchProof } from './ledger-port.ts'

/** A tracked job, to be placed together with its done job in one transaction. Placing again what is there does nothing. */
export type PlacedJob = {
  /** `slotJobId` or `nodeJobId`; the same in both queues. */
  readonly id: string
  readonly doneQueue: string
  /** Whose end it tells. */
  readonly done: DoneData
  readonly queue: string
  /** Task type. */
  readonly name: string
  readonly data: unknown
  /** Not before this moment (Unix ms); in the past: at once. */
  readonly dueAtMs: number
  /** Attempts in all, and the first delay of the exponential backoff. */
  readonly attempts: number
  readonly backoffMs?: number | undefined
  /** BullMQ's number: 0 or absent is plain; else 1 (first) to 100. */
  readonly bullPriority?: number | undefined
}

export type PlacedRef = { readonly id: string; readonly doneQueue: string; readonly queue: string }

/** The end of a tracked job, until it is acknowledged. */
export type EndedJob = EndedSlot | EndedNode

type End = {
  readonly id: string
  readonly doneQueue: string
  /** The ledger or run that it belongs to. */
  readonly owner: string
  /** `Removed`: somebody removed the job (or its queue) before it ended; nothing is known about it. */
  readonly outcome: 'Succeeded' | 'Failed' | 'Removed'
  /** Error message of a failure, at most 1,024 characters. */
  readonly message?: string
  /** What the job itself says, where it is still kept. */
  readonly attemptsMade?: number
  readonly attempts?: number
  readonly worker?: string
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
}

export type EndedSlot = End & { readonly kind: 'Slot'; readonly slot: Slot }

export type EndedNode = End & {
  readonly kind: 'Node'
  readonly token: string
  readonly node: string
  /** What its handler returned; absent after a failure, and when it is larger than 16,384 bytes as JSON. */
  readonly result?: unknown
  /** How many bytes the result has, when it is too large to be here. */
  readonly resultBytes?: number
}

export type CancelAnswer = 'Removed' | 'Running' | 'Ended' | 'Absent' | 'Fenced'

export type PlacedState = {
  readonly id: string
  /** `Waiting`: ready, delayed, prioritized or between two attempts. `Ended`: completed or failed. */
  readonly state: 'Waiting' | 'Active' | 'Ended' | 'Absent'
  /** When its last attempt began (Unix ms); absent: none has. */
  readonly startedAtMs?: number
  /** Its queue is paused: nobody takes its jobs. */
  readonly isPaused?: true
}

/** Jobs whose end is tracked, by a flow with a job in a done queue. Errors as those of `Broker`. */
export type BrokerJobs = {
  /**
   * All or nothing, in one transaction that the proof has to hold in: what a frozen former leader still sends has no effect. A job that has
   * a done job, or that has ended, is left alone whatever state it is in; one that waits without a done job gets one.
   */
  placeJobs(jobs: readonly PlacedJob[], brokerTimeMs: number, proof: DispatchProof): Promise<'Placed' | 'Fenced'>
  /**
   * Takes a placed job back. `Removed`: it will not run, and neither it nor its done job is there any more. `Started`: it runs, or has run,
   * or somebody else removed it: its end is, or will be, in the done queue. `Absent`: there is neither the job nor its done job. `Fenced`:
   * the proof does not hold, nothing was done.
   */
  removePlaced(ref: PlacedRef, proof: DispatchProof): Promise<'Removed' | 'Started' | 'Absent' | 'Fenced'>
  /**
   * Takes a job out of its queue unless it runs right now, also between two attempts. `Removed`: neither it nor its done job is there any
   * more. `Running`: it goes on, and its end will be in the done queue. `Ended`: its end is there. `Absent`: there is nothing, or its
   * end was acknowledged. `Fenced` as above.
   */
  cancelPlaced(ref: PlacedRef, proof: DispatchProof): Promise<CancelAnswer>
  lookAtPlaced(refs: readonly PlacedRef[]): Promise<readonly PlacedState[]>
  /** The ends that wait in these done queues, oldest first, at most 100 of each; `next` when there are more: what to pass as `from` to go on. */
  readEnded(doneQueues: readonly string[], from?: number): Promise<{ readonly ended: readonly EndedJob[]; readonly next?: number }>
  /**
   * Removes done jobs whose ends are recorded; again, or of a job that has not ended, does nothing. With the proof of who recorded them: what
   * a frozen former leader takes for recorded may not be. Without one: ends that no ledger and no run waits for.
   */
  acknowledgeEnded(refs: readonly { readonly id: string; readonly doneQueue: string }[], proof?: DispatchProof): Promise<'Done' | 'Fenced'>
}
