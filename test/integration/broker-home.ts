import { afterAll, beforeAll, beforeEach } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { Broker } from '../../src/broker/index.ts'
import { clientOf, lead, open } from './ledger-home.ts'

export type BrokerHome = {
  readonly redis: RedisServer
  /** Ours, which holds the dispatch lease. */
  readonly broker: Broker & AsyncDisposable
  /** A client of the test's own. */
  readonly client: ReturnType<typeof clientOf>
  /** A queue of this test alone: a worker of the test before cannot take anything from it. */
  readonly queue: string
}

/** Opens a Redis with a broker for the tests of a file, and hands it out before each of them, empty but for the dispatch lease. */
export function useBrokerHome(hand: (home: BrokerHome) => void): void {
  let home: Omit<BrokerHome, 'queue'> | undefined
  let queues = 0
  beforeAll(async () => {
    const redis = await startRedis()
    home = { redis, client: clientOf(redis.port), broker: open(redis) }
  })
  afterAll(async () => {
    await home?.broker.close()
    home?.client.disconnect()
    await home?.redis.stop()
  })
  beforeEach(async () => {
    if (home === undefined) throw new Error('Redis did not start')
    await home.client.flushall()
    await lead(home.broker)
    hand({ ...home, queue: `tasks-${queues++}` })
  })
}
