import type { Redis } from 'ioredis'
import { queueKeys } from '../../contract/index.ts'
import type { QueueReading } from '../broker-port.ts'
import { callScript, inParts, scriptsBeside, type Script } from '../script.ts'
import { isLegacyKey } from './repeating-jobs.ts'

const loadScript = scriptsBeside(import.meta.url)
const readScript = loadScript('read-queues')
const orphansScript = loadScript('count-orphans')
const repeatablesScript = loadScript('find-repeatables')

/** 50 queues take about 1 ms, in which Redis serves no other client. */
const queuesPerCall = 50
/** Fewer where a script looks at the locks of each queue. */
const lockedQueuesPerCall = 10
/** Three commands for so many take well below a millisecond. */
const queuesPerCheck = 100
const orphansPerQueue = 100
const repeatablesPerQueue = 100

/** Reads the queues in one round trip, however many they are. Counts are jobs, times are Unix ms on the broker's clock. */
export async function readQueues(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<QueueReading[]> {
  const parts = inParts(queues, queuesPerCall)
  const replies = await callScript(
    redis,
    readScript,
    parts.map((part) => ({ keys: basesOf(keyPrefix, part), args: [] })),
  )
  return replies.flatMap((reply, index) => parseReadings(parts[index] ?? [], reply))
}

/** Returns the queues that may have changed since these readings, in one round trip of few commands; see `Broker`. */
export async function findChangedQueues(redis: Redis, keyPrefix: string, readings: readonly QueueReading[]): Promise<readonly string[]> {
  const parts = inParts(readings, queuesPerCheck)
  return (await Promise.all(parts.map((part) => findChangedIn(redis, keyPrefix, part)))).flat()
}

/** Has a key appeared that was not there, has a job been added, or has the stream an event? Each is one command for all of the queues. */
async function findChangedIn(redis: Redis, keyPrefix: string, readings: readonly QueueReading[]): Promise<readonly string[]> {
  const keys = readings.map(({ queue }) => queueKeys(keyPrefix, queue))
  const empty = readings.flatMap((reading) => emptyKeysOf(keyPrefix, reading))
  const streams = keys.map(({ events }) => events)
  const [appeared, added, events] = await Promise.all([
    empty.length === 0 ? 0 : redis.exists(...empty),
    redis.mget(...keys.map(({ base }) => `${base}id`)),
    redis.xread('COUNT', 1, 'STREAMS', ...streams, ...readings.map(({ streamId }) => streamId)),
  ])
  const stirred = new Set(events?.map(([stream]) => stream))
  return readings
    .filter((reading, index) => appeared > 0 || Number(added[index] ?? 0) !== reading.added || stirred.has(streams[index] ?? ''))
    .map(({ queue }) => queue)
}

/** Returns the queues whose global concurrency is not as it was read. */
export async function findChangedLimits(redis: Redis, keyPrefix: string, readings: readonly QueueReading[]): Promise<readonly string[]> {
  const limits = await Promise.all(readings.map(({ queue }) => redis.hget(queueKeys(keyPrefix, queue).meta, 'concurrency')))
  return readings.filter(({ concurrency }, index) => parseLimit(limits[index] ?? '') !== concurrency).map(({ queue }) => queue)
}

/** The keys of what the queue held none of. */
function emptyKeysOf(keyPrefix: string, reading: QueueReading): readonly string[] {
  const { base, wait, paused, active, prioritized, delayed, failed } = queueKeys(keyPrefix, reading.queue)
  return [
    ...(reading.waiting === 0 ? [wait, paused] : []),
    ...(reading.active === 0 ? [active] : []),
    ...(reading.prioritized === 0 ? [prioritized] : []),
    ...(reading.delayed === 0 ? [delayed] : []),
    ...(reading.failed === 0 ? [failed] : []),
    ...(reading.waitingChildren === 0 ? [`${base}waiting-children`] : []),
  ]
}

/**
 * Waits, at most `blockMs`, until something happened in one of the queues after its cursor, and returns those queues with a cursor of the
 * first event that is new. Blocks the connection meanwhile.
 */
export async function waitForEvents(
  redis: Redis,
  keyPrefix: string,
  cursors: ReadonlyMap<string, string>,
  blockMs: number,
): Promise<ReadonlyMap<string, string>> {
  const queueOf = new Map([...cursors.keys()].map((queue) => [queueKeys(keyPrefix, queue).events, queue]))
  // One entry is enough: it only says that something happened, and the reading that follows moves the cursor to the end.
  const reply = await redis.xread('COUNT', 1, 'BLOCK', blockMs, 'STREAMS', ...queueOf.keys(), ...cursors.values())
  return new Map((reply ?? []).map(([key, entries]) => [queueOf.get(key) ?? key, entries.at(-1)?.[0] ?? '0-0']))
}

/** Returns how many active jobs of each queue have no lock, among the 100 that are active longest. */
export async function countOrphans(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const counts = await callForQueues<number>(redis, orphansScript, basesOf(keyPrefix, queues), lockedQueuesPerCall, orphansPerQueue)
  return new Map(queues.map((queue, index) => [queue, counts[index] ?? 0]))
}

/** Returns the queues with repeatable jobs of a BullMQ before 6. Where nothing repeats, one command asks for a hundred queues. */
export async function findLegacyRepeatables(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<readonly string[]> {
  const parts = inParts(queues, queuesPerCheck)
  const counts = await Promise.all(parts.map((part) => redis.exists(...basesOf(keyPrefix, part).map((base) => `${base}repeat`))))
  const asked = parts.filter((_, index) => (counts[index] ?? 0) > 0).flat()
  const bases = basesOf(keyPrefix, asked)
  const keys = await callForQueues<readonly string[]>(redis, repeatablesScript, bases, queuesPerCall, repeatablesPerQueue)
  return asked.filter((_, index) => keys[index]?.some(isLegacyKey))
}

function basesOf(keyPrefix: string, queues: readonly string[]): readonly string[] {
  return queues.map((queue) => queueKeys(keyPrefix, queue).base)
}

/** Calls a script that looks at `limit` entries of each queue and replies with one element for each. */
async function callForQueues<T>(
  redis: Redis,
  script: Script,
  bases: readonly string[],
  perCall: number,
  limit: number,
): Promise<readonly T[]> {
  const replies = await callScript(
    redis,
    script,
    inParts(bases, perCall).map((keys) => ({ keys, args: [limit] })),
  )
  return (replies as T[][]).flatMap((reply) => reply)
}

type QueueReply = readonly [
  wait: number,
  legacyPaused: number,
  prioritized: number,
  delayed: number,
  dueDelayed: number,
  nextDueAtMs: number,
  active: number,
  paused: number,
  oldestReadyAtMs: number,
  streamId: string,
  failed: number,
  waitingChildren: number,
  added: number,
  concurrency: string,
]

function parseReadings(queues: readonly string[], reply: unknown): QueueReading[] {
  const [brokerTimeMs, ...rows] = reply as readonly [number, ...QueueReply[]]
  return rows.map((row, index) => {
    const [wait, legacyPaused, prioritized, delayed, dueDelayed, nextDueAtMs, active, paused, oldestReadyAtMs, streamId, ...rest] = row
    const [failed, waitingChildren, added, concurrency] = rest
    const limit = parseLimit(concurrency)
    return {
      queue: queues[index] ?? '',
      waiting: wait + legacyPaused,
      prioritized,
      delayed,
      dueDelayed,
      ...(nextDueAtMs < 0 ? {} : { nextDueAtMs }),
      active,
      failed,
      waitingChildren,
      added,
      paused: paused === 1,
      ...(limit === undefined ? {} : { concurrency: limit }),
      ...(oldestReadyAtMs < 0 ? {} : { oldestReadyAtMs }),
      streamId,
      brokerTimeMs,
    }
  })
}

function parseLimit(concurrency: string): number | undefined {
  return /^\d+$/u.test(concurrency) ? Number(concurrency) : undefined
}
