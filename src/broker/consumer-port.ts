import type { Clock } from '../clock/index.ts'
import type { Logger } from '../observability/index.ts'
import type { BrokerCredentials, BrokerTls } from './broker-port.ts'

/** A job as its handler sees it. */
export type ConsumerJob = {
  readonly id: string
  readonly queue: string
  /** The job's name: the type of the task. */
  readonly name: string
  readonly data: unknown
  /** This attempt, from 1. Runs that were interrupted (a drain, a killed pod) do not count. */
  readonly attempt: number
  readonly maxAttempts: number
  /** Stores the progress with the job. Rejects while the broker is away. */
  updateProgress(progress: number | object): Promise<void>
}

/**
 * Runs one job. Its value is stored as the result. When it rejects, the attempt has failed, and the job's own `attempts` and `backoff`
 * decide what follows. An error whose `name` is `UnrecoverableError` ends the job at once.
 */
export type ProcessJob = (job: ConsumerJob, context: { readonly signal: AbortSignal }) => Promise<unknown>

export type ConsumerOptions = {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string
  /** BullMQ's `prefix`. */
  readonly keyPrefix: string
  /** Called at each connect and every 2 s. A change is sent on the live connections and interrupts nothing. */
  readonly credentials?: (() => BrokerCredentials | undefined) | undefined
  /** Absent: no TLS. */
  readonly tls?: BrokerTls | undefined
  /** Taken in turns, so that no queue starves another. */
  readonly queues: readonly string[]
  /** Jobs at once over all queues together. */
  readonly concurrency: number
  /** Recorded in each job as `processedBy`: the pod. */
  readonly name: string
  /** Distinguishes this start of the process from all others: part of the locks' tokens. */
  readonly instance: string
  readonly process: ProcessJob
  readonly log: Logger
  readonly clock: Clock
  /** A job whose lock is older is taken for dead. Default 30 s; renewed every third of it. */
  readonly lockDurationMs?: number
  /** How often to look for jobs of dead workers. Default 30 s. */
  readonly stalledIntervalMs?: number
  /** A job that was lost with its worker more often than this fails, because it may be what kills them. Default 3. */
  readonly maxStalledCount?: number
}

export type DrainResult = {
  /** Jobs that ended, well or not, after the drain began. */
  readonly finished: number
  /** Jobs that were given back unharmed: they run again elsewhere, with no attempt used up. */
  readonly handedBack: number
  /** Jobs that could not be given back (the broker was away): they run again elsewhere once their locks have expired. */
  readonly abandoned: number
}

/** The state of a consumer, for probes. */
export type ConsumerHealth = {
  /** Whether there was a connection to the broker since the start. */
  readonly hasConnected: boolean
  /** For how long there has been none; 0 while there is one. */
  readonly awayMs: number
  /** For how long nothing looked for jobs although the broker is there and a slot is free. Seconds are normal, a minute is a fault. */
  readonly stuckMs: number
}

/** Runs the jobs of several queues in one set of slots, each at least once. */
export type Consumer = {
  /** Begins to take jobs. Resolves when a drain has ended; never rejects because of the broker, however long it is away. */
  run(): Promise<void>
  /**
   * Takes no further job from this moment on, lets the running ones go on for `timeoutMs`, then aborts their signals and hands back what
   * remains. Closes the connections at the end. Called again with a shorter time it cuts the first one short.
   */
  drain(timeoutMs: number): Promise<DrainResult>
  /** Jobs that run now. */
  running(): number
  health(): ConsumerHealth
}
