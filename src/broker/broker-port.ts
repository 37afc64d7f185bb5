import type { Clock } from '../clock/index.ts'
import type { OwnerMarker } from '../contract/index.ts'
import type { Logger } from '../observability/index.ts'
import type { BrokerJobs, BrokerLedgers, BrokerRuns, DispatchProof } from './dispatch-port.ts'
import type { BrokerJobSchedulers } from './job-scheduler-port.ts'

/** User and password. Without a user name: the server's user `default` (`requirepass`). */
export type BrokerCredentials = { readonly username?: string; readonly password: string }

/** Certificates and keys of TLS, in PEM. `{}` means TLS with the authorities that the system trusts. */
export type BrokerTls = {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string
  /** Certificate and key of the client, both or none. */
  readonly cert?: string
  readonly key?: string
  /** What the server's certificate is checked against; the address's host by default. */
  readonly serverName?: string
}

/** A standalone Redis or Valkey: its address, how to authenticate, and the prefix of the queues' keys. */
export type BrokerEndpoint = {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string
  /** BullMQ's `prefix`. */
  readonly keyPrefix: string
  readonly credentials?: BrokerCredentials | undefined
  /** Absent: no TLS. */
  readonly tls?: BrokerTls | undefined
}

/** What one queue holds, read at one instant of the broker's time. Counts are jobs, times are Unix ms. */
export type QueueReading = {
  readonly queue: string
  /** Plain jobs that are ready, including those that BullMQ 5 moved to its `paused` list. */
  readonly waiting: number
  readonly prioritized: number
  /** All delayed jobs, due or not. */
  readonly delayed: number
  /** Delayed jobs whose time has come. BullMQ makes them ready only from a running worker, so they are demand already. */
  readonly dueDelayed: number
  /** When the first delayed job that is not due yet will be; absent when there is none. */
  readonly nextDueAtMs?: number
  readonly active: number
  /** Jobs that failed for good and are still kept. */
  readonly failed: number
  /** Parents of flows that wait for their children. */
  readonly waitingChildren: number
  /** How many jobs were ever added, duplicates included; begins again when the queue is obliterated. */
  readonly added: number
  /** BullMQ's global concurrency: the most jobs that run at once, over all workers. */
  readonly concurrency?: number
  /** The queue is paused: no worker takes its jobs. */
  readonly paused: boolean
  /**
   * Since when the oldest ready job could have run; absent when nothing is ready. Looks at the next job of each kind (plain,
   * prioritized, due), which is the oldest one except after a hand-back or among unlike priorities.
   */
  readonly oldestReadyAtMs?: number
  /** Last entry of the queue's stream of events, to be watched from; `0-0` when there is none. */
  readonly streamId: string
  /** The broker's clock when it read this queue. */
  readonly brokerTimeMs: number
}

/** Facts about a server. A field is absent when the server, or the user's ACL, does not give it. */
export type BrokerInfo = {
  /** Version of the server, such as `7.0.15`. */
  readonly version?: string
  /** `maxmemory-policy`; anything but `noeviction` can lose jobs. */
  readonly evictionPolicy?: string
  readonly usedMemoryBytes?: number
  /** 0: no limit. */
  readonly maxMemoryBytes?: number
  /** What survives a restart of the server: its append-only file, snapshots only, or nothing. */
  readonly persistence?: 'AOF' | 'RDB' | 'None'
  /** With AOF: `always`, `everysec` or `no`. */
  readonly appendFsync?: string
  /** The server's clock, about the middle of the call. */
  readonly timeMs: number
}

/**
 * The operator's view of a broker: it reads queues, keeps their settings (`BrokerQueues`), and dispatches slots and runs (`BrokerLedgers`, `BrokerRuns`,
 * `BrokerJobs`), and keeps job schedulers (`BrokerJobSchedulers`).
 *
 * Every call rejects with TM_BROKER_UNREACHABLE within 2 s while the broker is away, with TM_BROKER_UNAUTHORIZED when it does not accept the
 * credentials or the user may not do what it takes, and with TM_BROKER_COMMAND_FAILED when it refuses a command for another reason. The
 * connections come back by themselves; a caller only calls again.
 */
export type Broker = BrokerLedgers &
  BrokerRuns &
  BrokerQueues &
  BrokerJobs &
  BrokerJobSchedulers & {
    /** Reads many queues in one round trip, in the order given. All or nothing: it rejects when one of them cannot be read. */
    readQueues(queues: readonly string[]): Promise<readonly QueueReading[]>
    /**
     * Returns those of the queues in which something may have happened since these readings; may name too many. One round trip of three
     * commands for each 100 queues, which is far less than reading them. Does not see a job that is removed, without an event, from a
     * queue that still holds others, nor a change of the global concurrency.
     */
    findChangedQueues(readings: readonly QueueReading[]): Promise<readonly string[]>
    /** Returns those of the queues whose global concurrency is not as read: no event announces that. One command for each, in one round trip. */
    findChangedLimits(readings: readonly QueueReading[]): Promise<readonly string[]>
    /**
     * Waits until something happened in a queue after its cursor (a `streamId`), at most `blockMs` (which may not exceed 10 s).
     * Returns only the queues in which something happened, with the next cursor. One call at a time per broker; the others wait for their turn.
     * Rejects with the signal's reason when it aborts.
     */
    watchQueues(cursors: ReadonlyMap<string, string>, blockMs: number, signal: AbortSignal): Promise<ReadonlyMap<string, string>>
    /** Active jobs without a lock, by queue; looks at the 100 that are active longest in each. Every queue has its entry. */
    countOrphans(queues: readonly string[]): Promise<ReadonlyMap<string, number>>
    info(): Promise<BrokerInfo>
    /** Returns the queues that hold repeatable jobs of a BullMQ before 6. BullMQ 6 does not run those. */
    findLegacyRepeatables(queues: readonly string[]): Promise<readonly string[]>
    /** Calls the listener each time the connection is back after a loss: the broker may have less than it had. Returns a function that ends it. */
    onReturn(listener: () => void): () => void
    /** Ends the connections; calls under way reject. */
    close(): Promise<void>
  }

/** What `connectBroker` needs. */
export type BrokerOptions = BrokerEndpoint & { readonly log: Logger; readonly clock: Clock }

/** The settings that Taskmill applies to a queue. Without `maxConcurrency` it sets no limit. */
export type QueueSettings = { readonly suspend: boolean; readonly maxConcurrency?: number }

/** The owner of a queue's settings, and the proof of the dispatch lease. */
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

/** One change to the queue. `isRepair`: Taskmill had made it before, and another client had undone it. */
export type QueueChange =
  | { readonly kind: 'Paused' | 'Resumed'; readonly isRepair: boolean }
  | { readonly kind: 'Limited'; readonly isRepair: boolean; readonly from: number | undefined; readonly to: number | undefined }

/**
 * Only `Done` changed anything. `Conflict`: another owner decides about the queue. `Fenced`: the proof does not hold. `Unreadable`: the record
 * is of a later version.
 */
export type QueueAnswer =
  | {
      readonly outcome: 'Done'
      readonly changes: readonly QueueChange[]
      readonly paused: boolean
      /** Taskmill paused it. */
      readonly pausedByUs: boolean
    }
  | { readonly outcome: 'Conflict'; readonly owner: string }
  | { readonly outcome: 'Fenced' | 'Unreadable' }

/** How long to keep jobs that have ended. An absent field leaves them alone. */
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
 * BullMQ's own settings of queues, which all its workers obey at once. A record beside the queue says what Taskmill applied, so that it can
 * take back exactly that. It leaves a pause or a limit of others as it is. Errors as those of `Broker`.
 */
export type BrokerQueues = {
  /** Applies the settings, and takes back what was applied before and is not wanted any more. A repeat does nothing. */
  applyQueue(apply: QueueApply): Promise<QueueAnswer>
  /** Takes back what was applied, with record and marker. When another owner decides about the queue, only the marker goes. */
  releaseQueue(claim: QueueClaim): Promise<QueueAnswer>
  /** Removes at most some hundred of the jobs that ended longer ago, the oldest first; never one that ended within the last 10 minutes. */
  cleanQueue(claim: QueueClaim & { readonly retention: QueueRetention }): Promise<CleanAnswer>
}
