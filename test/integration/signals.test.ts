import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { connectBroker } from '../../src/broker/index.ts'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createBrokers } from '../../src/services/brokers/index.ts'
import { createSignals, type QueueSnapshot } from '../../src/services/signals/index.ts'
import { addJobs, queueOf } from './consumers.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => void (redis = await redisServer()))
beforeEach(() => redis.client.flushall())
afterAll(() => redis.stop())

const clock = systemClock
const wait = (ms: number) => sleep(clock, ms)
const subscriber = { kind: 'WorkerPool', key: 'ns/pool' }

/** Signals with one pool at zero; the pass can be slowed down, so that only stream and timer can be what woke it. */
function observe(queues: readonly string[], passMs: number) {
  const brokers = createBrokers({ connect: (endpoint) => connectBroker({ ...endpoint, log: silentLogger, clock }) })
  const signals = createSignals({ brokers, clock, log: silentLogger, passMs })
  const listeners = new Set<() => void>()
  let announced = 0
  signals.changesOf('WorkerPool').onChange(() => {
    announced++
    for (const listener of listeners) listener()
  })
  signals.subscribe({ subscriber, endpoint: { address: redis.address, keyPrefix: 'bull' }, queues, watch: 'WhenEmpty' })
  return {
    signals,
    announced: () => announced,
    /** Resolves as soon as the snapshot of the queue is as wanted. */
    when: (queue: string, isRight: (snapshot: QueueSnapshot) => boolean) =>
      new Promise<QueueSnapshot>((resolve) => {
        const look = () => {
          const snapshot = signals.snapshot(subscriber).get(queue)
          if (snapshot === undefined || !isRight(snapshot)) return
          listeners.delete(look)
          resolve(snapshot)
        }
        listeners.add(look)
        look()
      }),
    [Symbol.asyncDispose]: () => signals.stop(),
  }
}

test('the first job of a queue at zero is seen by its event, long before the next pass', async () => {
  await using world = observe(['a', 'b'], 60_000)
  await using queue = queueOf(redis, 'b')
  await world.when('b', ({ ok }) => ok)
  await wait(100)
  const addedMs = performance.now()
  await addJobs(queue, ['j'])
  await world.when('b', (snapshot) => snapshot.ok && snapshot.reading.waiting === 1)
  console.info(`from add to snapshot: ${(performance.now() - addedMs).toFixed(1)} ms, add included`)
})

test('a delayed job is seen when it is due, with no worker and no event', async () => {
  await using world = observe(['a'], 60_000)
  await using queue = queueOf(redis, 'a')
  await world.when('a', ({ ok }) => ok)
  const addedMs = Date.now()
  await addJobs(queue, ['j'], { delay: 500 })
  await world.when('a', (snapshot) => snapshot.ok && snapshot.reading.delayed === 1 && snapshot.reading.dueDelayed === 0)
  await world.when('a', (snapshot) => snapshot.ok && snapshot.reading.dueDelayed === 1)
  expect(Date.now() - addedMs).toBeGreaterThanOrEqual(499)
  expect(Date.now() - addedMs).toBeLessThan(10_000)
})

test('a broker that dies makes its queues unreadable, not empty, and comes back by itself', async () => {
  await using world = observe(['a'], 100)
  const queue = queueOf(redis, 'a')
  await addJobs(queue, ['j1', 'j2'])
  await queue.close()
  await world.when('a', (snapshot) => snapshot.ok && snapshot.reading.waiting === 2)
  await redis.kill()
  const blind = await world.when('a', ({ ok }) => !ok)
  expect(blind).toMatchObject({ ok: false, error: { code: 'TM_BROKER_UNREACHABLE' }, lastReading: { waiting: 2 } })
  const announced = world.announced()
  await wait(1_000)
  expect(world.announced()).toBe(announced)
  await redis.start()
  await world.when('a', (snapshot) => snapshot.ok && snapshot.reading.waiting === 2)
  // And the stream is watched again.
  await using again = queueOf(redis, 'a')
  await again.drain()
  await world.when('a', (snapshot) => snapshot.ok && snapshot.reading.waiting === 0)
  await addJobs(again, ['j3'])
  await world.when('a', (snapshot) => snapshot.ok && snapshot.reading.waiting === 1)
})

test('with nothing changing nothing is announced, and a pass is one command', async () => {
  await using world = observe(['a', 'b', 'c'], 50)
  await world.when('c', ({ ok }) => ok)
  await wait(200)
  const announced = world.announced()
  const evals = async () => Number(/cmdstat_evalsha:calls=(\d+)/u.exec(await redis.client.info('commandstats'))?.[1])
  const before = await evals()
  await wait(1_000)
  expect(world.announced()).toBe(announced)
  expect((await evals()) - before).toBeLessThanOrEqual(21)
})
