import { expect, test } from 'vitest'
import { connectBroker } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { redisServer } from './redis-server.ts'

test('a broker keeps the highest epoch under its prefix, and answers with the one before', async () => {
  await using redis = await redisServer()
  const connect = (keyPrefix: string) => connectBroker({ address: redis.address, keyPrefix, log: silentLogger, clock: systemClock })
  const [broker, other] = [connect('bull'), connect('other')]
  try {
    const answers = []
    for (const epoch of [5, 3, 5, 12]) answers.push([await broker.announceEpoch(epoch), await redis.client.get('bull:.taskmill:epoch')])
    expect(answers).toEqual([
      [0, '5'],
      [5, '5'],
      [5, '5'],
      [5, '12'],
    ])
    expect(await other.announceEpoch(1)).toBe(0)
    await redis.kill()
    await expect(broker.announceEpoch(13)).rejects.toMatchObject({ code: 'TM_BROKER_UNREACHABLE' })
  } finally {
    await Promise.all([broker.close(), other.close()])
  }
})
