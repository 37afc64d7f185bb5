/** The entries of a run's log: its state of record. An entry says what was decided, and is never changed. */
import type { NodeOutcome, RunPlan } from './plan.ts'

/** `Skipped`: no node ran and none failed. */
export type RunOutcome = 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped'

/** Why a node that has started is stopped. */
export type StopReason = 'TimedOut' | 'Cancelled'

/** How the effect of a node ended, as far as it tells. */
export type NodeReport = {
  readonly reason: string
  readonly message?: string
  /** JSON. */
  readonly result?: unknown
  readonly attemptsMade?: number
  readonly attempts?: number
  readonly worker?: string
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
}

export type Begun = { readonly v: 1; readonly kind: 'Begun'; readonly atMs: number; readonly token: string; readonly plan: RunPlan }

/** The intent: from here on the node's job may be in its queue, its Job may exist. */
export type Started = { readonly v: 1; readonly kind: 'Started'; readonly atMs: number; readonly node: string }

/** Its Kubernetes Job was there: it is not created anew when it is gone, whoever looks for it. A job of a queue needs no such word: its queue knows. */
export type Placed = { readonly v: 1; readonly kind: 'Placed'; readonly atMs: number; readonly node: string }

/** Its effect is being taken back. */
export type Stopping = {
  readonly v: 1
  readonly kind: 'Stopping'
  readonly atMs: number
  readonly node: string
  readonly why: StopReason
}

export type Ended = NodeReport & {
  readonly v: 1
  readonly kind: 'Ended'
  readonly atMs: number
  readonly node: string
  readonly outcome: NodeOutcome
}

/** The run as a whole: nothing starts any more but `finally`. */
export type RunStopped = { readonly v: 1; readonly kind: 'Cancelling' | 'TimedOut'; readonly atMs: number }

export type Finished = {
  readonly v: 1
  readonly kind: 'Finished'
  readonly atMs: number
  readonly outcome: RunOutcome
  readonly reason: string
  readonly message: string
}

/** Its object is gone, or the log itself cannot be relied on: what it began is being taken back, and then the log goes. Nobody continues it. */
export type Deleting = { readonly v: 1; readonly kind: 'Deleting'; readonly atMs: number }

/** The first is `Begun`; `Finished` or `Deleting` is the last. */
export type RunEntry = Begun | Started | Placed | Stopping | Ended | RunStopped | Finished | Deleting
