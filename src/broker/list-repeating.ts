import type { Redis } from 'ioredis'
import { brokerError } from './broker-error.ts'
import type { BrokerOptions } from './broker-port.ts'
import { findRepeatingQueues, readRepeatingJobs, type RepeatingQueue, type TooMuch } from './bullmq/index.ts'
import { failFastMs, openConnection } from './connection.ts'

export type RepeatingListing =
  | TooMuch
  | {
      readonly queues: readonly RepeatingQueue[]
      /** The server is one of a Redis Cluster: what is read is only what this one has. */
      readonly isOfCluster: boolean
    }

/**
 * Reads the job schedulers, and the repeatable jobs of a BullMQ before 6, of these queues; undefined: of all queues of the server's database
 * under the prefix, which walks over its keys. Writes nothing, and needs no script. Errors as those of `Broker`.
 */
export async function listRepeatingJobs(
  options: BrokerOptions,
  queues: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<RepeatingListing> {
  const { address, keyPrefix, credentials, ...rest } = options
  const connection = openConnection({ ...rest, address, credentials: () => credentials, name: 'taskmill:import', silenceMs: failFastMs })
  try {
    await connection.waitUntilReady()
    return await list(connection.redis, keyPrefix, queues, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      throw brokerError(address, error)
    })
  } finally {
    connection.close()
  }
}

async function list(
  redis: Redis,
  keyPrefix: string,
  queues: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<RepeatingListing> {
  const found = queues ?? (await findRepeatingQueues(redis, keyPrefix, signal))
  if ('tooMany' in found) return found
  const read = await readRepeatingJobs(redis, keyPrefix, found, signal)
  if ('tooMany' in read) return read
  // A user that may not ask is not told.
  const about = await redis.info('cluster').catch(() => '')
  return { queues: read, isOfCluster: /^cluster_enabled:1/mu.test(about) }
}
