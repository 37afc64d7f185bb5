import type { Redis } from 'ioredis'
import { deadline } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import { brokerError, isPassing, unreachable } from './broker-error.ts'
import type { Broker, BrokerInfo, BrokerOptions } from './broker-port.ts'
import {
  countOrphans,
  createClosing,
  createEndedJobs,
  createJobSchedulers,
  createPlacedJobs,
  createQueueSettings,
  findChangedLimits,
  findChangedQueues,
  findLegacyRepeatables,
  readQueues,
  waitForEvents,
} from './bullmq/index.ts'
import { failFastMs, openConnection, type Connection } from './connection.ts'
import { createCounts, createLedgers, createRuns } from './records.ts'

const longestBlockMs = 10_000

type Calls = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>

/** Connects to a broker, in the background. Two connections at most: one for commands, and one that waits for events from the first watch on. */
export function connectBroker({ address, keyPrefix, credentials, tls, log, clock }: BrokerOptions): Broker {
  const access = { address, tls, log, clock, ...(credentials === undefined ? {} : { credentials: () => credentials }) }
  const commands = openConnection({ ...access, name: 'taskmill:operator', silenceMs: failFastMs })
  const { redis } = commands
  let watching: Connection | undefined
  let lastWatch: Promise<unknown> = Promise.resolve()

  const onConnection = async <T>(connection: Connection, call: () => Promise<T>): Promise<T> => {
    await connection.waitUntilReady()
    try {
      return await call()
    } catch (error) {
      throw brokerError(address, error)
    }
  }

  /** Connecting and the answer together have to fit into the time; an answer that comes later is dropped. */
  const command = async <T>(call: () => Promise<T>): Promise<T> => {
    using limit = deadline(clock, failFastMs + 100, { reason: () => unreachable(address, new Error('no answer in time')) })
    const late = new Promise<never>((_, reject) =>
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true }),
    )
    return await Promise.race([onConnection(commands, call), late])
  }

  /** Returns the same calls, each as a `command`. */
  const asCommands = <T extends Calls>(calls: T): T => {
    const entries = Object.entries(calls).map(([name, call]) => [name, (...args: never[]) => command(() => call(...args))])
    return Object.fromEntries(entries) as T
  }

  /** Ends the blocking read from the other connection. Where that fails, the read ends by itself, at most `blockMs` later. */
  const interrupt = async (connection: Connection, clientId: number) => {
    try {
      await redis.client('UNBLOCK', clientId)
    } catch (error) {
      log.debug({ address, error: errorMessage(error) }, 'could not end a blocking read')
      connection.redis.disconnect(true)
    }
  }

  const watch = async (cursors: ReadonlyMap<string, string>, blockMs: number, signal: AbortSignal) => {
    signal.throwIfAborted()
    watching ??= openConnection({ ...access, name: 'taskmill:operator:watch', silenceMs: longestBlockMs + failFastMs })
    const connection = watching
    let interrupted: Promise<void> | undefined
    return await onConnection(connection, async () => {
      const clientId = await connection.redis.client('ID')
      signal.throwIfAborted()
      const onAbort = () => void (interrupted = interrupt(connection, clientId))
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await waitForEvents(connection.redis, keyPrefix, cursors, blockMs)
      } finally {
        signal.removeEventListener('abort', onAbort)
        await interrupted
      }
    })
  }

  return {
    ...asCommands(createLedgers(redis, keyPrefix)),
    ...asCommands(createRuns(redis, keyPrefix)),
    ...asCommands(createCounts(redis, keyPrefix)),
    ...asCommands(createPlacedJobs(redis, keyPrefix)),
    ...asCommands(createEndedJobs(redis, keyPrefix)),
    ...asCommands(createJobSchedulers(redis, keyPrefix)),
    ...asCommands(createQueueSettings(redis, keyPrefix)),
    ...asCommands(createClosing(redis, keyPrefix)),

    readQueues: (queues) => command(() => readQueues(redis, keyPrefix, queues)),
    findChangedQueues: (readings) => command(() => findChangedQueues(redis, keyPrefix, readings)),
    findChangedLimits: (readings) => command(() => findChangedLimits(redis, keyPrefix, readings)),
    countOrphans: (queues) => command(() => countOrphans(redis, keyPrefix, queues)),
    findLegacyRepeatables: (queues) => command(() => findLegacyRepeatables(redis, keyPrefix, queues)),
    info: () => command(() => readServerInfo(redis)),

    async watchQueues(cursors, blockMs, signal) {
      if (cursors.size === 0 || blockMs < 1 || blockMs > longestBlockMs) throw new RangeError('a watch needs a queue and 1 to 10000 ms')
      const own = lastWatch.then(() => watch(cursors, Math.round(blockMs), signal))
      lastWatch = own.catch(() => undefined)
      try {
        return await own
      } finally {
        // An answer that is dropped here is not lost: the caller's cursors have not moved.
        signal.throwIfAborted()
      }
    },

    onReturn: commands.onReturn,

    async close() {
      commands.close()
      watching?.close()
      await lastWatch
    },
  }
}

/** Reads the facts about the server in one round trip. Leaves out what it, or the user's ACL, refuses. */
async function readServerInfo(redis: Redis): Promise<BrokerInfo> {
  const ask = async <T>(reply: Promise<T>): Promise<T | undefined> => {
    try {
      return await reply
    } catch (error) {
      if (isPassing(error)) throw error
      return undefined
    }
  }
  const [time, server, memory, persistence, save, appendFsync] = await Promise.all([
    redis.time(),
    ask(redis.info('server')),
    ask(redis.info('memory')),
    ask(redis.info('persistence')),
    ask(redis.config('GET', 'save')),
    ask(redis.config('GET', 'appendfsync')),
  ])
  const fields = new Map(
    [server, memory, persistence]
      .flatMap((text) => text?.split(/\r?\n/u) ?? [])
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
  const hasAppendOnly = fields.get('aof_enabled') === '1'
  const isWithoutAppendOnly = fields.get('aof_enabled') === '0'
  // Undefined, for unknown, where CONFIG is denied or does not exist.
  const snapshots = configValue(save)
  const [seconds = 0, micros = 0] = time.map(Number)
  const info: { readonly [K in keyof Required<BrokerInfo>]: BrokerInfo[K] | undefined } = {
    version: fields.get('valkey_version') ?? fields.get('redis_version'),
    evictionPolicy: fields.get('maxmemory_policy'),
    usedMemoryBytes: wholeNumber(fields.get('used_memory')),
    maxMemoryBytes: wholeNumber(fields.get('maxmemory')),
    persistence: hasAppendOnly ? 'AOF' : isWithoutAppendOnly && snapshots !== undefined ? (snapshots === '' ? 'None' : 'RDB') : undefined,
    appendFsync: hasAppendOnly ? configValue(appendFsync) : undefined,
    timeMs: seconds * 1_000 + Math.floor(micros / 1_000),
  }
  return Object.fromEntries(Object.entries(info).filter(([, value]) => value !== undefined)) as BrokerInfo
}

function configValue(reply: unknown): string | undefined {
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : undefined
}

function wholeNumber(text: string | undefined): number | undefined {
  return text === undefined || !/^\d+$/u.test(text) ? undefined : Number(text)
}
