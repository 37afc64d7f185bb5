/** Throughput of the consumer against plain BullMQ Workers on the same Redis in the same run. */
import { Queue, Worker } from 'bullmq'
import { createConsumer } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

const jobs = 10_000
const concurrency = 50

type Engine = (redis: RedisServer, queues: readonly string[], onJob: () => void) => Promise<() => Promise<unknown>>

const taskmill: Engine = async (redis, queues, onJob) => {
  const consumer = createConsumer({
    address: redis.address,
    keyPrefix: 'bull',
    queues,
    concurrency,
    name: 'bench',
    instance: 'bench',
    log: silentLogger,
    clock: systemClock,
    process: async () => onJob(),
  })
  const run = consumer.run()
  return () => Promise.all([consumer.drain(10_000), run])
}

/** One worker per queue, each with its share of the slots, which is how plain BullMQ consumes several queues. */
const bullmq: Engine = async (redis, queues, onJob) => {
  const workers = queues.map(
    (queue) =>
      new Worker(queue, async () => onJob(), {
        connection: { port: redis.port, host: '127.0.0.1' },
        concurrency: Math.ceil(concurrency / queues.length),
      }),
  )
  return () => Promise.all(workers.map((worker) => worker.close()))
}

async function measure(redis: RedisServer, engine: Engine, queueCount: number): Promise<number> {
  await redis.client.flushall()
  const queues = Array.from({ length: queueCount }, (_, index) => `bench-${index}`)
  for (const name of queues) {
    const queue = new Queue(name, { connection: { port: redis.port, host: '127.0.0.1' } })
    for (let left = Math.floor(jobs / queueCount); left > 0; left -= 1_000) {
      await queue.addBulk(
        Array.from({ length: Math.min(left, 1_000) }, () => ({ name: 'x', data: { n: 1 }, opts: { removeOnComplete: true } })),
      )
    }
    await queue.close()
  }
  const total = Math.floor(jobs / queueCount) * queueCount
  const done = Promise.withResolvers<void>()
  let count = 0
  const startedMs = performance.now()
  const stop = await engine(redis, queues, () => {
    if (++count === total) done.resolve()
  })
  await done.promise
  const perSecond = total / ((performance.now() - startedMs) / 1_000)
  await stop()
  return Math.round(perSecond)
}

/** The best of three rounds each, in turns. */
export async function benchConsumer(): Promise<void> {
  await using redis = await redisServer({ isDurable: false })
  const rows: Record<string, string | number>[] = []
  for (const queues of [1, 3, 20]) {
    const best = { taskmill: 0, bullmq: 0 }
    for (let round = 0; round < 3; round++) {
      best.bullmq = Math.max(best.bullmq, await measure(redis, bullmq, queues))
      best.taskmill = Math.max(best.taskmill, await measure(redis, taskmill, queues))
    }
    rows.push({ queues, 'taskmill jobs/s': best.taskmill, 'bullmq jobs/s': best.bullmq, ratio: (best.taskmill / best.bullmq).toFixed(2) })
  }
  console.log(`\nthroughput of one worker with ${concurrency} slots, jobs that do nothing`)
  console.table(rows)
}
