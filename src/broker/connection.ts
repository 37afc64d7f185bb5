import type { Redis, RedisOptions } from 'ioredis'
import { deadline, type Clock, type TimerHandle } from '../clock/index.ts'
import { errorMessage, taskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { connectionError, withoutAttachments, withTlsHint } from './broker-error.ts'
import type { BrokerCredentials, BrokerTls } from './broker-port.ts'
import { createRedisClient } from './bullmq/index.ts'

/** A call to a broker that is away fails after this time at the latest. */
export const failFastMs = 1_800
/** How often to ask for the credentials while connected. */
const askCredentialsMs = 2_000

export type Connection = {
  readonly redis: Redis
  readonly address: string
  /** Resolves when commands can be sent. Rejects at once while the broker is known to be away, and after 1.8 s otherwise. */
  waitUntilReady(): Promise<void>
  /** Resolves when commands can be sent, however long that takes; rejects when the signal aborts. */
  waitUntilBack(signal: AbortSignal): Promise<void>
  /** Calls the listener each time the connection is back after a loss. Returns a function that ends it. */
  onReturn(listener: () => void): () => void
  close(): void
}

export type ConnectionOptions = {
  readonly address: string
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  /** Called before each connect, and every 2 s while connected. A change is sent on the live connection. */
  readonly credentials?: (() => BrokerCredentials | undefined) | undefined
  readonly tls?: BrokerTls | undefined
  /** A command without any reply for this long means that the connection is dead, even if TCP has not noticed. */
  readonly silenceMs: number
  readonly log: Logger
  readonly clock: Clock
}

/**
 * One connection that comes back by itself (after 50 ms, doubling up to 1 s), and on which no command is ever queued, resent or
 * left without an answer: a command under way when the connection breaks rejects at once, and its caller decides.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const { address, name, credentials = () => undefined, tls, silenceMs, log, clock } = options
  let lastError: Error | undefined
  let wasReady = false
  let closed = false
  let used = credentials()
  const redis = createRedisClient({
    ...parseAddress(address),
    ...authentication(used),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    connectionName: name,
    connectTimeout: failFastMs,
    socketTimeout: silenceMs,
    retryStrategy: (times) => {
      used = credentials()
      Object.assign(redis.options, { username: undefined, password: undefined }, authentication(used))
      return Math.min(50 * 2 ** (times - 1), 1_000)
    },
  })
  const explained = (error: Error) => (wasReady ? error : withTlsHint(error, tls !== undefined))
  const onFailure = (failure: Error) => {
    const error = explained(withoutAttachments(failure))
    if (lastError === undefined) {
      log.warn({ address, connection: name, error: errorMessage(connectionError(address, error)) }, 'broker connection failed')
    }
    lastError = error
  }
  redis.on('error', onFailure)
  redis.on('close', () => {
    if (lastError !== undefined || closed) return
    onFailure(new Error('the connection was closed'))
  })
  const returns = new Set<() => void>()
  redis.on('ready', () => {
    if (wasReady) for (const tell of returns) tell()
    wasReady = true
    if (lastError !== undefined) log.info({ address, connection: name }, 'broker connection is up')
    lastError = undefined
  })
  let refused: BrokerCredentials | undefined
  let timer: TimerHandle | undefined
  /** Sends changed credentials on the live connection. While the server refuses them, the connection keeps its user. */
  const rotate = async () => {
    const next = credentials()
    if (redis.status === 'ready' && next !== undefined && !isSame(next, used)) {
      try {
        await (next.username === undefined ? redis.auth(next.password) : redis.auth(next.username, next.password))
        used = next
        log.info({ address, connection: name }, 'broker credentials changed')
      } catch (error) {
        const level = isSame(next, refused) ? 'debug' : 'warn'
        log[level]({ address, connection: name, error: errorMessage(error) }, 'the broker refuses the changed credentials')
        refused = next
      }
    }
    armRotation()
  }
  const armRotation = () => {
    if (options.credentials !== undefined && !closed) timer = clock.setTimeout(() => void rotate(), askCredentialsMs)
  }
  armRotation()

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
      const onEnd = settle(() => reject(connectionError(address, (!closed && lastError) || new Error('the connection was closed'))))
      const onAbort = settle(() => reject(signal.reason))
      const onClose = settle(() => reject(connectionError(address, lastError)))
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
    waitUntilBack: (signal) => wait(signal, true),
    onReturn(listener) {
      returns.add(listener)
      return () => void returns.delete(listener)
    },
    async waitUntilReady() {
      if (redis.status === 'ready') return
      if (lastError !== undefined) throw connectionError(address, lastError)
      using limit = deadline(clock, failFastMs, { reason: () => connectionError(address, lastError ?? explained(new Error('no answer'))) })
      await wait(limit.signal, false)
    },
    close() {
      closed = true
      if (timer !== undefined) clock.clearTimeout(timer)
      redis.disconnect()
    },
  }
}

function isSame(a: BrokerCredentials | undefined, b: BrokerCredentials | undefined): boolean {
  return a?.username === b?.username && a?.password === b?.password
}

function authentication(credentials: BrokerCredentials | undefined): Pick<RedisOptions, 'username' | 'password'> {
  if (credentials === undefined) return {}
  return { ...(credentials.username === undefined ? {} : { username: credentials.username }), password: credentials.password }
}

function tlsOptions({ ca, cert, key, serverName }: BrokerTls): NonNullable<RedisOptions['tls']> {
  return {
    // Whatever the environment says.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  }
}

/** Splits `host:port`; an IPv6 host stands in brackets. Throws TM_CONFIG_INVALID. */
function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/iu.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535) {
    throw taskmillError(
      'TM_CONFIG_INVALID',
      `the broker's address must be host:port, such as redis:6379, and is ${JSON.stringify(address)}`,
    )
  }
  return { host, port }
}
