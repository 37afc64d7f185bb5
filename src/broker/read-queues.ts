import type { Redis } from 'ioredis'
import { queueKeys } from '../contract/index.ts'
import type { QueueReading } from './port.ts'
import { callScript, loadScript } from './script.ts'

/** A script holds up every other client while it runs: 50 queues take about 1 ms. */
const queuesPerCall = 50

const script = loadScript('read-queues')

/** Reads the queues in one round trip, however many they are. */
export async function readQueues(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<QueueReading[]> {
  const chunks: string[][] = []
  for (let from = 0; from < queues.length; from += queuesPerCall) chunks.push(queues.slice(from, from + queuesPerCall))
  const replies = await callScript(
    redis,
    script,
    chunks.map((chunk) => ({ keys: chunk.map((queue) => queueKeys(keyPrefix, queue).base), args: [] })),
  )
  return replies.flatMap((reply, index) => parseReply(chunks[index] ?? [], reply))
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

function parseReply(queues: readonly string[], reply: unknown): QueueReading[] {
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
