/** What can be read for an alert, and what a condition makes of it: a value, or why there is none. */

/** Why a value cannot be known. Each is a reason of the condition Firing. */
export type UnknownReason =
  | 'TargetNotFound'
  | 'BrokerNotFound'
  | 'BrokerNotUsable'
  | 'BrokerUnreachable'
  | 'NotReadYet'
  | 'TooFewRuns'
  | 'CountsLost'
  | 'TargetSuspended'

/** Jobs that could run now, and since when (Unix ms) the oldest of them waits. */
export type Waiting = { readonly jobs: number; readonly oldestReadyAtMs?: number | undefined }

/** Suspended on purpose; in words: what, by what, and until when. */
export type Suspended = { readonly words: string }

/** What was read for a condition. Facts of another kind than the condition needs are a mistake of the caller. */
export type Facts =
  | { readonly kind: 'Unknown'; readonly reason: UnknownReason; readonly message: string }
  /** Runs that ended within the window, and slots that were missed. */
  | {
      readonly kind: 'Counts'
      readonly succeeded: number
      readonly failed: number
      readonly missed: number
      /** The broker has lost a part of its counts until then (Unix ms): there were at least so many. */
      readonly lostUntilMs?: number | undefined
    }
  /** Jobs that could run now and do not; beside them those of queues that are suspended on purpose. */
  | (Waiting & { readonly kind: 'Backlog'; readonly suspended?: Waiting & Suspended })
  /**
   * The newest success in the schedule's status, and how many successes the broker counted within the window (undefined: the broker cannot be
   * asked). The status can be late: a success in it is believed at once, its absence only together with the count.
   */
  | {
      readonly kind: 'Successes'
      readonly createdAtMs: number
      /** When the last suspension of the schedule ended. */
      readonly resumedAtMs?: number | undefined
      readonly lastSuccessAtMs?: number | undefined
      /** How long after its run was due the newest success came. */
      readonly lastRunSeconds?: number | undefined
      /** When the first run after the newest of these moments is due; Infinity: there is none; undefined: nobody knows. */
      readonly nextDueMs?: number | undefined
      /** The longest that a success lately came after its run was due; undefined: none was seen. */
      readonly longestRunSeconds?: number | undefined
      readonly counted: number | undefined
      readonly lostUntilMs?: number | undefined
    }

/** What can be read of a target. */
export type FactsKind = Exclude<Facts['kind'], 'Unknown'>
export type FactsOf<F extends FactsKind> = Extract<Facts, { readonly kind: F }>

/** The value of a condition now, or why it cannot be known. */
export type Measurement =
  | {
      readonly known: true
      /** The threshold is crossed. */
      readonly holds: boolean
      /** For people; the same as long as nothing happens, though time passes. */
      readonly text: string
      /** The bare number, in the unit of the threshold. */
      readonly amount: string
      /** When the answer becomes another one by time alone (Unix ms). */
      readonly changesAtMs?: number
    }
  | { readonly known: false; readonly reason: UnknownReason; readonly message: string }
