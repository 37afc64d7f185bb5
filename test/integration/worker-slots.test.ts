import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { addJobs, idOf, journal, queueOf, startConsumer } from './consumers.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => void (redis = await redisServer({ isDurable: false })))
beforeEach(() => redis.client.flushall())
afterAll(() => redis.stop())

const wait = (ms: number) => sleep(systemClock, ms)
const ids = (count: number, prefix = 'j') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

test('three queues share the slots: never more jobs at once than slots, in the handlers as in the broker', async () => {
  const queues = ['a', 'b', 'c']
  for (const name of queues) {
    await using queue = queueOf(redis, name)
    await addJobs(queue, ids(40))
  }
  const seen = journal()
  let atOnce = 0
  let most = 0
  await using worker = startConsumer(redis, {
    queues,
    concurrency: 4,
    async process(job) {
      most = Math.max(most, ++atOnce)
      await wait(Math.random() * 8)
      atOnce--
      seen.note('ended', idOf(job))
    },
  })
  let mostActive = 0
  const sampling = new AbortController()
  const sampler = (async () => {
    while (!sampling.signal.aborted) {
      const active = await redis.client.eval(
        "local n = 0 for _, k in ipairs(KEYS) do n = n + redis.call('LLEN', k) end return n",
        3,
        ...queues.map((name) => `bull:${name}:active`),
      )
      mostActive = Math.max(mostActive, active as number)
    }
  })()
  await seen.until(120)
  sampling.abort()
  await sampler
  expect(new Set(seen.ended).size).toBe(120)
  expect([most, mostActive]).toEqual([4, 4])
  expect(worker.consumer.running()).toBeLessThanOrEqual(4)
})

test('two consumers run every job of three queues exactly once', async () => {
  const queues = ['a', 'b', 'c']
  const seen = journal()
  const options = { queues, concurrency: 5, process: async (job: Parameters<typeof idOf>[0]) => seen.note('ended', idOf(job)) }
  await using _first = startConsumer(redis, { ...options, name: 'pod-1' })
  await using _second = startConsumer(redis, { ...options, name: 'pod-2' })
  for (const name of queues) {
    await using queue = queueOf(redis, name)
    await addJobs(queue, ids(150))
    await addJobs(queue, ids(50, 'p'), { priority: 5 })
    await addJobs(queue, ids(50, 'd'), { delay: 30 })
  }
  await seen.until(750)
  await wait(100)
  expect(seen.ended.length).toBe(750)
  expect(new Set(seen.ended).size).toBe(750)
  expect(new Set(await Promise.all(queues.map((name) => redis.client.hget(`bull:${name}:j0`, 'pb'))))).not.toContain(null)
})

test('nothing is fetched ahead: what waits for a slot waits in the queue', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ids(5))
  const release = Promise.withResolvers<void>()
  const seen = journal()
  await using _worker = startConsumer(redis, {
    queues: ['a', 'b'],
    concurrency: 2,
    async process(job) {
      seen.note('ended', idOf(job))
      await release.promise
    },
  })
  await seen.until(2)
  await wait(200)
  expect(await queue.getJobCounts('active', 'waiting')).toEqual({ active: 2, waiting: 3 })
  release.resolve()
  await seen.until(5)
})

test('a busy queue does not starve another one, even with a single slot', async () => {
  await using busy = queueOf(redis, 'busy')
  await using rare = queueOf(redis, 'rare')
  await addJobs(busy, ids(400))
  const seen = journal()
  await using _worker = startConsumer(redis, {
    queues: ['busy', 'rare'],
    async process(job) {
      await wait(2)
      seen.note('ended', idOf(job))
    },
  })
  await seen.until(20)
  const before = seen.ended.length
  await addJobs(rare, ['r'])
  while (!seen.ended.includes('rare/r')) await seen.until(seen.ended.length + 1)
  expect(seen.ended.indexOf('rare/r') - before).toBeLessThan(100) // 25 ms of the others' jobs, and slack for a slow machine
  expect(seen.ended.length).toBeLessThan(300)
})

test('plain jobs go first and in order, then the prioritized ones, lower numbers first', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['p9'], { priority: 9 })
  await addJobs(queue, ['p1', 'p1b'], { priority: 1 })
  await addJobs(queue, ['one', 'two'])
  const seen = journal()
  await using _worker = startConsumer(redis, { queues: ['a'], process: async (job) => seen.note('ended', job.id) })
  await seen.until(5)
  expect(seen.ended).toEqual(['one', 'two', 'p1', 'p1b', 'p9'])
})

test('delayed jobs run when they are due, not before, also when an earlier one comes in between', async () => {
  await using queue = queueOf(redis, 'a')
  const seen = journal()
  const startedAt = new Map<string, number>()
  await using _worker = startConsumer(redis, {
    queues: ['other', 'a'],
    async process(job) {
      startedAt.set(job.id, Date.now())
      seen.note('ended', job.id)
    },
  })
  await wait(100)
  const nowMs = Date.now()
  await addJobs(queue, ['late'], { delay: 900, timestamp: nowMs })
  await addJobs(queue, ['soon'], { delay: 300, timestamp: nowMs })
  await addJobs(queue, ['mid'], { delay: 600, timestamp: nowMs })
  await seen.until(3)
  expect(seen.ended).toEqual(['soon', 'mid', 'late'])
  for (const [id, delay] of [
    ['soon', 300],
    ['mid', 600],
    ['late', 900],
  ] as const) {
    const lagMs = startedAt.get(id)! - nowMs - delay
    expect(lagMs).toBeGreaterThanOrEqual(0)
    expect(lagMs).toBeLessThan(2_000) // far below the 5 s of a poll
  }
})

test('an idle worker is woken by each job, not by its poll', async () => {
  await using queue = queueOf(redis, 'c')
  const seen = journal()
  await using _worker = startConsumer(redis, { queues: ['a', 'b', 'c'], process: async (job) => seen.note('ended', job.id) })
  await wait(200)
  const lags: number[] = []
  for (let index = 0; index < 30; index++) {
    const addedMs = performance.now()
    await addJobs(queue, [`j${index}`])
    await seen.until(index + 1)
    lags.push(performance.now() - addedMs)
  }
  lags.sort((a, b) => a - b)
  console.info(`idle pick-up, add included: p50 ${lags[15]!.toFixed(1)} ms, max ${lags[29]!.toFixed(1)} ms`)
  expect(lags[29]).toBeLessThan(4_000)
})

test('a paused queue is not fetched from, and again when it is resumed', async () => {
  await using queue = queueOf(redis, 'a')
  await using other = queueOf(redis, 'b')
  const seen = journal()
  await using _worker = startConsumer(redis, { queues: ['a', 'b'], concurrency: 2, process: async (job) => seen.note('ended', idOf(job)) })
  await queue.pause()
  await addJobs(queue, ['p0', 'p1'])
  await addJobs(other, ['o'])
  await seen.until(1)
  await wait(400)
  expect(seen.ended).toEqual(['b/o'])
  await queue.resume()
  await seen.until(3)
})

test("a queue's own limits hold over all pods: running jobs, and jobs per time", async () => {
  await using queue = queueOf(redis, 'a')
  await using limited = queueOf(redis, 'b')
  await queue.setGlobalConcurrency(1)
  await limited.setGlobalRateLimit(2, 300)
  await addJobs(queue, ids(12))
  await addJobs(limited, ids(6))
  const seen = journal()
  let atOnce = 0
  let most = 0
  const limitedAt: number[] = []
  const options = {
    queues: ['a', 'b'],
    concurrency: 4,
    async process(job: Parameters<typeof idOf>[0]) {
      if (job.queue === 'b') limitedAt.push(Date.now())
      else {
        most = Math.max(most, ++atOnce)
        await wait(10)
        atOnce--
      }
      seen.note('ended', idOf(job))
    },
  }
  await using _first = startConsumer(redis, options)
  await using _second = startConsumer(redis, options)
  await seen.until(18)
  expect(most).toBe(1)
  expect(limitedAt.at(-1)! - limitedAt[0]!).toBeGreaterThanOrEqual(500)
})
