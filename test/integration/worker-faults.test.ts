import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { addJobs, journal, queueOf, startConsumer } from './consumers.ts'
import { lossyProxy } from '../support/lossy-proxy.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => void (redis = await redisServer()))
beforeEach(() => redis.client.flushall())
afterAll(() => redis.stop())

const wait = (ms: number) => sleep(systemClock, ms)
const ids = (count: number) => Array.from({ length: count }, (_, index) => `j${index}`)

/** Cuts every connection but the test's own. */
const cutAll = () => redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')

describe('dead workers', () => {
  test('the jobs of a killed process run again elsewhere, as the same attempt', async () => {
    await using queue = queueOf(redis, 'a')
    await addJobs(queue, ['one', 'two'])
    const child = spawn(process.execPath, [fileURLToPath(new URL('./worker-process.ts', import.meta.url)), redis.address, 'a'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const started: string[] = []
    for await (const line of createInterface({ input: child.stdout })) if (started.push(line) === 2) break
    expect(started).toEqual(['one', 'two'])
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    const seen = journal()
    await using _worker = startConsumer(redis, {
      queues: ['a'],
      stalledIntervalMs: 300,
      process: async (job) => seen.note('ended', `${job.id} ${job.attempt}`),
    })
    await seen.until(2)
    expect([...seen.ended].toSorted()).toEqual(['one 1', 'two 1'])
  })

  test('a job that outlives its lock many times over runs once: it is renewed', async () => {
    await using queue = queueOf(redis, 'a')
    await addJobs(queue, ids(3))
    const seen = journal()
    const options = {
      queues: ['a'],
      lockDurationMs: 600,
      stalledIntervalMs: 150,
      async process(job: { id: string }) {
        seen.note('started', job.id)
        await wait(2_500)
        seen.note('ended', job.id)
      },
    }
    await using _first = startConsumer(redis, options)
    await using _second = startConsumer(redis, options)
    await seen.until(3)
    expect([...seen.started].toSorted()).toEqual(ids(3))
  })

  test('a job whose lock another worker has is aborted, and its result is dropped', async () => {
    await using queue = queueOf(redis, 'a')
    await addJobs(queue, ['j'])
    const aborted = Promise.withResolvers<unknown>()
    await using _worker = startConsumer(redis, {
      queues: ['a'],
      lockDurationMs: 300,
      async process(_job, { signal }) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        aborted.resolve(signal.reason)
        return 'dropped'
      },
    })
    while ((await redis.client.set('bull:a:j:lock', 'another', 'XX')) === null) await wait(5)
    expect(await aborted.promise).toMatchObject({ name: 'AbortError', message: expect.stringContaining('lost the lock') })
    await wait(100)
    expect(await queue.getJobCounts('active', 'completed')).toEqual({ active: 1, completed: 0 })
  })
})

describe('lost replies', () => {
  const active = () => redis.client.lrange('bull:a:active', 0, -1)

  test('a job that was given out in a reply that never came runs at once after the reconnect, as the same attempt', async () => {
    await using proxy = await lossyProxy(redis.port)
    await using queue = queueOf(redis, 'a')
    const seen = journal()
    await using _worker = startConsumer(redis, {
      address: proxy.address,
      queues: ['a'],
      process: async (job) => seen.note('ended', `${job.id} ${job.attempt}`),
    })
    await wait(300)
    proxy.loseNextReply()
    const addedMs = performance.now()
    await addJobs(queue, ['j'])
    while ((await active()).length === 0) await wait(5)
    expect(seen.ended).toEqual([])
    proxy.cut()
    await seen.until(1)
    expect(seen.ended).toEqual(['j 1'])
    expect(performance.now() - addedMs).toBeLessThan(20_000) // its lock lasts for 30 s
    expect(await redis.client.hget('bull:a:j', 'stc')).toBeNull()
  })

  test('a job that came with the lost reply to the end of another: both run once', async () => {
    await using proxy = await lossyProxy(redis.port)
    await using queue = queueOf(redis, 'a')
    // One job ahead: the first use of a script is not a call by its digest, which is what the proxy looks for.
    await addJobs(queue, ['ahead', 'one', 'two'])
    const seen = journal()
    await using _worker = startConsumer(redis, {
      address: proxy.address,
      queues: ['a'],
      async process(job) {
        if (job.id === 'one') proxy.loseNextReply()
        seen.note('ended', job.id)
      },
    })
    while ((await active())[0] !== 'two') await wait(5)
    expect(seen.ended).toEqual(['ahead', 'one'])
    proxy.cut()
    await seen.until(3)
    while ((await queue.getCompletedCount()) < 3) await wait(10)
    expect(seen.ended).toEqual(['ahead', 'one', 'two'])
    expect(await active()).toEqual([])
  })
})

describe('an absent broker', () => {
  test('a connection that is cut while a job runs: the job ends once, and the worker continues', async () => {
    await using queue = queueOf(redis, 'a')
    await addJobs(queue, ['long'])
    const seen = journal()
    await using _worker = startConsumer(redis, {
      queues: ['a', 'b'],
      async process(job) {
        seen.note('started', job.id)
        if (job.id === 'long') await wait(400)
        seen.note('ended', job.id)
      },
    })
    while (seen.started.length < 1) await wait(5)
    await cutAll()
    await seen.until(1)
    await addJobs(queue, ['next'])
    await seen.until(2)
    expect(seen.started).toEqual(['long', 'next'])
    while ((await queue.getCompletedCount()) < 2) await wait(10)
  })

  test('connections that are cut again and again: every job ends, none is left to its lock', async () => {
    await using a = queueOf(redis, 'a')
    await using b = queueOf(redis, 'b')
    await addJobs(a, ids(1_000))
    await addJobs(b, ids(1_000))
    const runs = new Map<string, number>()
    const started = performance.now()
    const workers = ['pod-1', 'pod-2'].map((name) =>
      startConsumer(redis, {
        queues: ['a', 'b'],
        name,
        concurrency: 8,
        async process(job) {
          const id = `${job.queue}/${job.id}`
          runs.set(id, (runs.get(id) ?? 0) + 1)
          await wait(5)
        },
      }),
    )
    let cuts = 0
    for (;;) {
      const [doneA, doneB] = await Promise.all([redis.client.zcard('bull:a:completed'), redis.client.zcard('bull:b:completed')])
      if (doneA + doneB === 2_000) break
      if (cuts < 25) {
        await cutAll()
        cuts++
      }
      await wait(60)
    }
    for (const worker of workers) await worker.end()
    const repeated = [...runs.values()].filter((count) => count > 1).length
    console.info(
      `${cuts} cuts of all connections: ${runs.size} jobs, ${repeated} of them run more than once, ${Math.round(performance.now() - started)} ms`,
    )
    expect(runs.size).toBe(2_000)
    // No job was lost with a reply: those wait for their lock to expire, which takes 30 s.
    expect(performance.now() - started).toBeLessThan(28_000)
    expect(await redis.client.llen('bull:a:active')).toBe(0)
  })

  test('killed and started again, longer away than the lock: the running job ends well, once', async () => {
    await using queue = queueOf(redis, 'a')
    await addJobs(queue, ['long', 'next'])
    const seen = journal()
    const options = {
      queues: ['a'],
      lockDurationMs: 600,
      stalledIntervalMs: 10_000,
      async process(job: { id: string }, { signal }: { signal: AbortSignal }) {
        seen.note('started', job.id)
        if (job.id === 'long') await wait(2_500)
        seen.note('ended', `${job.id} ${signal.aborted ? 'aborted' : 'well'}`)
      },
    }
    await using _worker = startConsumer(redis, options)
    while (seen.started.length < 1) await wait(5)
    await redis.kill()
    await wait(1_000)
    await redis.start()
    await seen.until(2)
    expect(seen.started).toEqual(['long', 'next'])
    expect(seen.ended).toEqual(['long well', 'next well'])
    while ((await queue.getCompletedCount()) < 2) await wait(10)
  })

  test('a job that ends while the broker is away is stored when it is back', async () => {
    await using queue = queueOf(redis, 'a')
    await addJobs(queue, ['j'])
    const seen = journal()
    await using _worker = startConsumer(redis, {
      queues: ['a'],
      async process(job) {
        seen.note('started', job.id)
        await wait(200)
        seen.note('ended', job.id)
        return 'kept'
      },
    })
    while (seen.started.length < 1) await wait(5)
    await redis.kill()
    await seen.until(1)
    await wait(300)
    await redis.start()
    while ((await queue.getCompletedCount()) < 1) await wait(10)
    expect(await redis.client.hgetall('bull:a:j')).toMatchObject({ returnvalue: '"kept"', atm: '1' })
    expect(seen.started).toEqual(['j'])
  })

  test('a drain without the broker ends all the same, and says what it could not give back', async () => {
    await using own = await redisServer()
    const queue = queueOf(own, 'a')
    await addJobs(queue, ['j'])
    await queue.close()
    const started = Promise.withResolvers<void>()
    const worker = startConsumer(own, {
      queues: ['a'],
      process: (_job, { signal }) => (
        started.resolve(),
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      ),
    })
    await started.promise
    await own.kill()
    const sinceMs = performance.now()
    expect(await worker.end(100)).toEqual({ finished: 0, handedBack: 0, abandoned: 1 })
    expect(performance.now() - sinceMs).toBeLessThan(6_000)
  })

  test('a consumer that starts before its broker begins when it comes', async () => {
    await using own = await redisServer()
    await own.kill()
    const seen = journal()
    await using _worker = startConsumer(own, { queues: ['a'], process: async (job) => seen.note('ended', job.id) })
    await wait(200)
    await own.start()
    await using queue = queueOf(own, 'a')
    await addJobs(queue, ['j'])
    await seen.until(1)
  })
})
