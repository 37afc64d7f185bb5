/** The BullMQ that is pinned, which is the newest 6, and the newest 5: what users may run beside Taskmill on the same queues. */
import * as six from 'bullmq'
import * as five from 'bullmq-5'
import type { Redis } from 'ioredis'

export type BullMq = Pick<typeof six, 'Queue' | 'Worker' | 'FlowProducer'>

export const versions: readonly (readonly [string, BullMq])[] = [
  ['BullMQ 6', six],
  // The two majors differ in methods that no test calls.
  ['BullMQ 5', five as unknown as BullMq],
]

/** Everything that Redis has under a prefix, without the ids of events: they are moments. Options are parsed, so that their order does not count. */
export async function dump(client: Redis, prefix: string): Promise<Record<string, unknown>> {
  const keys = (await client.keys(`${prefix}*`)).toSorted()
  const values = await Promise.all(keys.map((key) => valueOf(client, key)))
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]))
}

async function valueOf(client: Redis, key: string): Promise<unknown> {
  switch (await client.type(key)) {
    case 'hash': {
      const fields = Object.entries(await client.hgetall(key))
      return Object.fromEntries(fields.map(([name, text]) => [name, name === 'opts' || name === 'parent' ? JSON.parse(text) : text]))
    }
    case 'list':
      return await client.lrange(key, 0, -1)
    case 'zset':
      return await client.zrange(key, '0', '-1', 'WITHSCORES')
    case 'set':
      return (await client.smembers(key)).toSorted()
    case 'stream':
      return (await client.xrange(key, '-', '+')).map(([, fields]) => fields)
    default:
      return await client.get(key)
  }
}
