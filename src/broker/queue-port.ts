import type { OwnerMarker } from '../contract/index.ts'
import type { DispatchProof } from './ledger-port.ts'

/** What is to hold for a queue. Left out: no limit of Taskmill's. */
export type QueueSettings = { readonly suspend: boolean; readonly maxConcurrency?: number }

/** Who decides about a queue, and with which proof that it is their turn to act. */
export type QueueClaim = {
  readonly queue: string
  /** `queueOwner(installation, namespace, name)`. */
  readonly owner: string
  readonly proof: DispatchProof
}

export type QueueApply = QueueClaim & {
  readonly settings: QueueSettings
  /** Of two owners of one queue the older decides, then the one with the earlier name. */
  readonly createdAtMs: number
  readonly marker: OwnerMarker
  /** An owner that is known to be gone, whose place may be taken. */
  readonly gone?: string | undefined
}

/** What was done to the queue. `isRepair`: it had been done before, and somebody else had undone it. */
export type QueueChange =
  | { readonly kind: 'Paused' | 'Resumed'; readonly isRepair: boolean }
  | { readonly kind: 'Limited'; readonly isRepair: boolean; readonly from: number | undefined; readonly to: number | undefined }

/**
 * `Conflict`: somebody else decides about the queue, nothing was done. `Fenced`: the proof does not hold, nothing was done. `Unreadable`: a
 * later version recorded what it applied, nothing was done.
 */
export type QueueAnswer =
  | {
      readonly outcome: 'Done'
      readonly changes: readonly QueueChange[]
      readonly paused: boolean
      /** Of a paused queue: it is by us. */
      readonly pausedByUs: boolean
    }
  | { readonly outcome: 'Conflict'; readonly owner: string }
  | { readonly outcome: 'Fenced' | 'Unreadable' }

/** How long jobs are kept that have ended; left out: they are left alone. */
export type QueueRetention = { readonly completedSeconds?: number; readonly failedSeconds?: number }

export type CleanAnswer =
  | {
      readonly outcome: 'Done'
      readonly removed: number
      /** When the next ones will be too old, on the broker's clock: there is nothing to do before. In the past: there is more to do now. */
      readonly nextAtMs: number
      readonly brokerTimeMs: number
    }
  | { readonly outcome: 'Conflict' | 'Fenced' | 'Unreadable' }

/**
 * BullMQ's own settings of queues, which all its workers keep to at once. What was applied is recorded beside the queue, so that exactly that
 * can be taken back: a pause or a limit of somebody else is left as it is. Errors as those of `Broker`.
 */
export type BrokerQueues = {
  /** Makes the settings hold, and takes back what was applied before and is not wanted any more. Again does nothing. */
  applyQueue(apply: QueueApply): Promise<QueueAnswer>
  /** Takes back what was applied, record and marker with it. Of a queue about which somebody else decides only the marker goes. */
  releaseQueue(claim: QueueClaim): Promise<QueueAnswer>
  /** Removes at most some hundred of the jobs that ended longer ago, the oldest first; never one that ended within the last 10 minutes. */
  cleanQueue(claim: QueueClaim & { readonly retention: QueueRetention }): Promise<CleanAnswer>
}
