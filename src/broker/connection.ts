import { Redis } from 'ioredis'
import { deadline, type Clock } from '../clock/index.ts'
import { errorMessage, taskmillError, type TaskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { parseAddress } from './address.ts'

/** A call to a broker that is away fails after this long at the latest. */
export const failFastMs = 1_800

export type Connection = {
  readonly redis: Redis
  readonly address: string
  /** Resolves when commands can be sent. Rejects at once while the broker is known to be away, and after 1.8 s otherwise. */
  ready(): Promise<void>
  /** Resolves when commands can be sent, however long that takes; rejects when the signal aborts. */
  back(signal: AbortSignal): Promise<void>
  close(): void
}

export type ConnectionOptions = {
  readonly address: string
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  /** A command without any reply for this long means that the connection is dead, even if TCP has not noticed. */
  readonly silenceMs: number
  readonly log: Logger
  readonly clock: Clock
}

/**
 * One connection that comes back by itself (after 50 ms, doubling up to 1 s), and on which no command is ever queued, resent or
 * left without an answer: what was under way when the connection broke rejects at once, and whoever sent it decides.
 */
export function openConnection({ address, name, silenceMs, log, clock }: ConnectionOptions): Connection {
  let lastError: Error | undefined
  let closed = false
  const redis = new Redis({
    ...parseAddress(address),
    connectionName: name,
    // Replies keep one shape on every server, proxy and version.
    protocol: 2,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // With any other number ioredis would keep commands of a broken connection, and never settle them once it is not to resend them.
    maxRetriesPerRequest: 0,
    connectTimeout: failFastMs,
    socketTimeout: silenceMs,
    retryStrategy: (times) => Math.min(50 * 2 ** (times - 1), 1_000),
  })
  // One set of listeners for each queue that shares the connection, and for each job that waits for it. Not 0: BullMQ counts up from there.
  redis.setMaxListeners(10_000)
  const onFailure = (error: Error) => {
    if (lastError === undefined) log.warn({ address, connection: name, error: errorMessage(error) }, 'broker connection failed')
    lastError = error
  }
  redis.on('error', onFailure)
  redis.on('close', () => {
    if (lastError === undefined && !closed) onFailure(new Error('the connection was closed'))
  })
  redis.on('ready', () => {
    if (lastError !== undefined) log.info({ address, connection: name }, 'broker connection is up')
    lastError = undefined
  })

  const wait = (signal: AbortSignal, isPatient: boolean) =>
    new Promise<void>((resolve, reject) => {
      if (redis.status === 'ready') return resolve()
      const settle = (action: () => void) => () => {
        redis.off('ready', onReady)
        redis.off('end', onEnd)
        redis.off('close', onClose)
        signal.removeEventListener('abort', onAbort)
        action()
      }
      const onReady = settle(resolve)
      const onEnd = settle(() => reject(unreachable(address, new Error('the connection was closed'))))
      const onAbort = settle(() => reject(signal.reason))
      const onClose = settle(() => reject(unreachable(address, lastError)))
      if (redis.status === 'end') return onEnd()
      if (signal.aborted) return onAbort()
      redis.on('ready', onReady)
      redis.on('end', onEnd)
      if (!isPatient) redis.on('close', onClose)
      signal.addEventListener('abort', onAbort, { once: true })
    })

  return {
    redis,
    address,
    back: (signal) => wait(signal, true),
    async ready() {
      if (redis.status === 'ready') return
      if (lastError !== undefined) throw unreachable(address, lastError)
      using limit = deadline(clock, failFastMs, { reason: () => unreachable(address, lastError ?? new Error('no answer')) })
      await wait(limit.signal, false)
    },
    close() {
      closed = true
      redis.disconnect()
    },
  }
}

export function unreachable(address: string, cause: unknown): TaskmillError {
  return taskmillError('TM_BROKER_UNREACHABLE', `the broker at ${address} cannot be reached: ${errorMessage(cause)}`, {
    cause,
    details: { address },
  })
}

const passingReplies = /^(LOADING|MASTERDOWN|READONLY|TRYAGAIN|CLUSTERDOWN|BUSY|NOREPLICAS) /u
const connectionMessages =
  /^(Connection is closed|Stream isn't writeable|Reached the max retries|Command aborted|Socket timeout|Command timed out)/u

/** Whether trying again later can help: the connection broke, or the server says that it cannot answer for now. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError') return passingReplies.test(error.message)
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'AbortError' || connectionMessages.test(error.message)) return true
  return 'code' in error && typeof error.code === 'string' && /^(E[A-Z]+|TM_BROKER_UNREACHABLE)$/u.test(error.code)
}

/** What a failed command means to a caller of the port. */
export function brokerError(address: string, error: unknown): TaskmillError {
  if (isPassing(error)) return unreachable(address, error)
  return taskmillError('TM_BROKER_COMMAND_FAILED', `the broker at ${address} refused a command: ${errorMessage(error)}`, {
    cause: error,
    details: { address },
  })
}
