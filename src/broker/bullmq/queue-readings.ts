import { hasLegacyRepeatableKeyShape } from 'bullmq'
import type { Redis } from 'ioredis'
import { queueKeys } from '../../contract/index.ts'
import type { QueueReading } from '../broker-port.ts'
import { callScript, inParts, scriptsBeside, type Script } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const readScript = loadScript('read-queues')
const orphansScript = loadScript('count-orphans')
const repeatablesScript = loadScript('find-repeatables')

/** 50 queues take about 1 ms, in which Redis serves no other client. */
const queuesPerCall = 50
/** Fewer where a script looks at the locks of each queue. */
const lockedQueuesPerCall = 10
const orphansPerQueue = 100
const repeatablesPerQueue = 100
/** BullMQ 5 named its later repeatable jobs by a hash. */
const hashedKey = /^[0-9a-f]{32}$/u

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

/** Returns the queues with repeatable jobs of a BullMQ before 6. */
export async function findLegacyRepeatables(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<readonly string[]> {
  const bases = basesOf(keyPrefix, queues)
  const keys = await callForQueues<readonly string[]>(redis, repeatablesScript, bases, queuesPerCall, repeatablesPerQueue)
  return queues.filter((_, index) => keys[index]?.some((key) => hasLegacyRepeatableKeyShape(key) || hashedKey.test(key)))
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
      ...(/^\d+$/u.test(concurrency) ? { concurrency: Number(concurrency) } : {}),
      ...(oldestReadyAtMs < 0 ? {} : { oldestReadyAtMs }),
      streamId,
      brokerTimeMs,
    }
  })
}
