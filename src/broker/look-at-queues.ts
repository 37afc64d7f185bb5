import { hasLegacyRepeatableKeyShape } from 'bullmq'
import type { Redis } from 'ioredis'
import { queueKeys } from '../contract/index.ts'
import { callScript, loadScript } from './script.ts'

const orphansScript = loadScript('count-orphans')
const repeatablesScript = loadScript('find-repeatables')

const orphansPerQueue = 100
const repeatablesPerQueue = 100
/** BullMQ 5 named its later repeatable jobs by a hash. */
const hashedKey = /^[0-9a-f]{32}$/u

/** How many active jobs nobody holds the lock of, for each queue; 10 queues a script, for it looks at 100 locks in each. */
export async function countOrphans(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const counts = await ofQueues<number>(redis, orphansScript, keyPrefix, queues, { queuesPerCall: 10, limit: orphansPerQueue })
  return new Map(queues.map((queue, index) => [queue, counts[index] ?? 0]))
}

/** The queues with repeatable jobs of a BullMQ before 6. */
export async function findLegacyRepeatables(redis: Redis, keyPrefix: string, queues: readonly string[]): Promise<readonly string[]> {
  const options = { queuesPerCall: 50, limit: repeatablesPerQueue }
  const keys = await ofQueues<readonly string[]>(redis, repeatablesScript, keyPrefix, queues, options)
  return queues.filter((_, index) => keys[index]?.some((key) => hasLegacyRepeatableKeyShape(key) || hashedKey.test(key)))
}

async function ofQueues<T>(
  redis: Redis,
  script: ReturnType<typeof loadScript>,
  keyPrefix: string,
  queues: readonly string[],
  { queuesPerCall, limit }: { readonly queuesPerCall: number; readonly limit: number },
): Promise<readonly T[]> {
  const bases = queues.map((queue) => queueKeys(keyPrefix, queue).base)
  const parts = Array.from({ length: Math.ceil(bases.length / queuesPerCall) }, (_, part) =>
    bases.slice(part * queuesPerCall, (part + 1) * queuesPerCall),
  )
  const replies = await callScript(
    redis,
    script,
    parts.map((keys) => ({ keys, args: [limit] })),
  )
  return (replies as T[][]).flatMap((reply) => reply)
}
