import type { TaskQueue, TaskQueueStatus } from '../../api/index.ts'
import type { QueueReading } from '../../broker/index.ts'
import type { Rates } from './rates.ts'

/** What can be done about a queue now, and what was. */
export type Situation =
  | { readonly kind: 'NoBroker' }
  /** A Secret of the TaskBroker is missing or wrong. */
  | { readonly kind: 'NotUsable'; readonly message: string }
  /** Nobody has said yet whose turn it is. */
  | { readonly kind: 'Pending' }
  | { readonly kind: 'Standby'; readonly heldBy: string | undefined }
  | { readonly kind: 'Unreachable'; readonly message: string }
  /** Somebody else decides about the queue: `TaskQueue "mail" in namespace "team"`. */
  | { readonly kind: 'Conflict'; readonly owner: string }
  /** A later version recorded what it applied. */
  | { readonly kind: 'Unreadable' }
  | { readonly kind: 'Applied'; readonly paused: boolean; readonly pausedByUs: boolean }

export type Suspension = {
  readonly isSuspended: boolean
  /** `suspended until 2026-11-29T04:00:00Z by oncall`; undefined: no override has an effect. */
  readonly override?: string
  readonly endsInMs?: number
}

/** Everything that the status of one TaskQueue says. */
export type World = {
  readonly queue: TaskQueue
  /** The status that was written last. */
  readonly status: TaskQueueStatus | undefined
  readonly situation: Situation
  readonly suspension: Suspension
  /** Undefined: the queue was not read yet, or cannot be. */
  readonly reading: QueueReading | undefined
  readonly rates: Rates | undefined
  readonly nowMs: number
}
