import type { Redis } from 'ioredis'
import type { BrokerInfo } from './port.ts'
import { isPassing } from './broker-error.ts'

/** What the server tells about itself, in one round trip. What it, or the user's ACL, refuses to tell is left out. */
export async function readServerInfo(redis: Redis): Promise<BrokerInfo> {
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
  // Undefined where CONFIG is denied, or is not there: then nobody knows.
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
