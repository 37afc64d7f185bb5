import type { Clock } from '../clock/index.ts'
import type { Logger } from '../observability/index.ts'

/** Where queues live: a standalone Redis or Valkey, and the prefix that their keys start with. */
export type BrokerEndpoint = {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string
  /** BullMQ's `prefix`. */
  readonly keyPrefix: string
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
  /** The queue is paused: nobody takes its jobs. */
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

export type BrokerInfo = {
  /** Version of the server, such as `7.0.15`. */
  readonly version: string
  /** `maxmemory-policy`; anything but `noeviction` can lose jobs. */
  readonly evictionPolicy: string
}

/**
 * The operator's view of a broker. It reads, and never writes to a queue; the only key that it writes is the epoch.
 *
 * Every call rejects with TM_BROKER_UNREACHABLE within 2 s while the broker is away, and with TM_BROKER_COMMAND_FAILED when the
 * broker refuses the command. The connections come back by themselves; a caller only calls again.
 */
export type Broker = {
  /** Reads many queues in one round trip, in the order given. All or nothing: it rejects when one of them cannot be read. */
  readQueues(queues: readonly string[]): Promise<readonly QueueReading[]>
  /**
   * Waits until something happened in a queue after its cursor (a `streamId`), at most `blockMs` (which may not exceed 10 s).
   * Returns only the queues with news, with a cursor to go on from. One call at a time per broker; the others wait for their turn.
   * Rejects with the signal's reason when it aborts.
   */
  watchQueues(cursors: ReadonlyMap<string, string>, blockMs: number, signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  info(): Promise<BrokerInfo>
  /** Tells the broker the epoch of who leads, which it keeps if it is its highest; resolves with the highest that it knew before, 0 for none. */
  announceEpoch(epoch: number): Promise<number>
  /** Ends the connections; calls under way reject. */
  close(): Promise<void>
}

/** What `connectBroker` needs. */
export type BrokerOptions = BrokerEndpoint & { readonly log: Logger; readonly clock: Clock }
