import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { parseJson } from '../../src/json/index.ts'
import { addJobs, journal, queueOf, startConsumer } from './consumers.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => void (redis = await redisServer({ isDurable: false })))
beforeEach(() => redis.client.flushall())
afterAll(() => redis.stop())

const wait = (ms: number) => sleep(systemClock, ms)
const hash = (id: string) => redis.client.hgetall(`bull:a:${id}`)
/** Waits until the broker says so: what a handler did is stored a moment after it ended. */
async function eventually<T>(look: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look()
    if (isRight(value)) return value
    await wait(10)
  }
}

test('the result, the progress and the worker of a job are stored', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['j'])
  const seen = journal()
  await using _worker = startConsumer(redis, {
    queues: ['a'],
    name: 'pod-7',
    async process(job) {
      await job.updateProgress({ done: 3 })
      seen.note('ended', job.id)
      return { sum: 5 }
    },
  })
  await seen.until(1)
  const stored = await eventually(
    () => hash('j'),
    (job) => 'finishedOn' in job,
  )
  expect(stored).toMatchObject({ returnvalue: '{"sum":5}', progress: '{"done":3}', pb: 'pod-7', atm: '1' })
})

test('a job whose payload has a number that JavaScript would round fails at once, with the field', async () => {
  await using queue = queueOf(redis, 'a')
  await queue.add('work', { user: { id: parseJson('1175930294816452671') }, n: 9007199254740991 }, { jobId: 'long', attempts: 3 })
  await queue.add('work', { id: '1175930294816452671', n: 9007199254740991 }, { jobId: 'text' })
  const seen = journal()
  await using _worker = startConsumer(redis, {
    queues: ['a'],
    async process(job) {
      seen.note('ended', `${job.id} ${JSON.stringify(job.data)}`)
    },
  })
  const long = await eventually(
    () => hash('long'),
    (job) => 'finishedOn' in job,
  )
  expect(long['failedReason']).toMatch(/^payload\.user\.id: 1175930294816452671 would arrive as .*write it as text, in quotes/u)
  expect(long['data']).toBe('{"user":{"id":1175930294816452671},"n":9007199254740991}')
  await seen.until(1)
  expect([...seen.ended]).toEqual(['text {"id":"1175930294816452671","n":9007199254740991}'])
})

test('a failing job is tried again by its own attempts and backoff, then fails for good', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['fixed'], { attempts: 3, backoff: { type: 'fixed', delay: 60 } })
  await addJobs(queue, ['now'], { attempts: 2 })
  await addJobs(queue, ['strange'], { attempts: 2, backoff: { type: 'of-another-worker' } })
  const seen = journal()
  const at: number[] = []
  await using _worker = startConsumer(redis, {
    queues: ['a'],
    concurrency: 3,
    async process(job) {
      if (job.id === 'fixed') at.push(performance.now())
      seen.note('ended', `${job.id} ${job.attempt}/${job.maxAttempts}`)
      throw new Error(`no luck ${job.attempt}`)
    },
  })
  await seen.until(7)
  expect([...seen.ended].toSorted()).toEqual(['fixed 1/3', 'fixed 2/3', 'fixed 3/3', 'now 1/2', 'now 2/2', 'strange 1/2', 'strange 2/2'])
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(58)
  expect(
    await eventually(
      () => queue.getJobCounts('failed', 'active', 'delayed', 'waiting'),
      (counts) => counts['failed'] === 3,
    ),
  ).toEqual({ failed: 3, active: 0, delayed: 0, waiting: 0 })
  expect(await hash('fixed')).toMatchObject({ failedReason: 'no luck 3', atm: '3' })
})

test('exponential backoff doubles the wait, and a run that is handed back meanwhile keeps its place in it', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['j'], { attempts: 4, backoff: { type: 'exponential', delay: 200 } })
  const seen = journal()
  const at: number[] = []
  const failing = (isHandedBack: (attempt: number) => boolean) =>
    startConsumer(redis, {
      queues: ['a'],
      async process(job, { signal }) {
        seen.note('started', `${job.attempt}`)
        if (isHandedBack(job.attempt)) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        at.push(performance.now())
        seen.note('ended', `${job.attempt}`)
        throw new Error(`no luck ${job.attempt}`)
      },
    })
  const first = failing((attempt) => attempt === 3)
  while (seen.started.length < 3) await wait(5)
  expect(await first.end()).toMatchObject({ handedBack: 1 })
  await using _second = failing(() => false)
  await seen.until(4)
  expect(seen.started).toEqual(['1', '2', '3', '3', '4'])
  for (const [index, delayMs] of [200, 400, 800].entries()) {
    // The second wait is that before the run that was handed back.
    const waitedMs = at[index + 1]! - at[index]!
    expect(waitedMs).toBeGreaterThanOrEqual(delayMs - 5)
    expect(waitedMs).toBeLessThan(delayMs + 1_000)
  }
  const stored = await eventually(
    () => hash('j'),
    (job) => 'finishedOn' in job,
  )
  expect(stored).toMatchObject({ failedReason: 'no luck 4', atm: '4' })
})

test('unrecoverable errors, and jobs that BullMQ gave up before, are not retried', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['final', 'given-up'], { attempts: 5 })
  await redis.client.hset('bull:a:given-up', 'defa', 'job stalled more than allowable limit')
  const seen = journal()
  await using _worker = startConsumer(redis, {
    queues: ['a'],
    async process(job) {
      seen.note('ended', job.id)
      throw Object.assign(new Error('never'), { name: 'UnrecoverableError' })
    },
  })
  await eventually(
    () => queue.getFailedCount(),
    (count) => count === 2,
  )
  expect(seen.ended).toEqual(['final'])
  expect(await hash('final')).toMatchObject({ failedReason: 'never', atm: '1' })
  expect(await hash('given-up')).toMatchObject({ failedReason: 'job stalled more than allowable limit' })
})

test('a result that is not JSON fails the job instead of leaving it active', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['big', 'circle', 'text', 'fine'])
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  await using _worker = startConsumer(redis, {
    queues: ['a'],
    async process(job) {
      if (job.id === 'text') throw 'just text'
      return job.id === 'big' ? 1n : job.id === 'circle' ? circle : undefined
    },
  })
  await eventually(
    () => queue.getCompletedCount(),
    (count) => count === 1,
  )
  expect(
    await eventually(
      () => queue.getFailedCount(),
      (count) => count === 3,
    ),
  ).toBe(3)
  expect((await hash('big'))['failedReason']).toMatch(/BigInt/u)
  expect((await hash('text'))['failedReason']).toBe('just text')
})

test('a job scheduler continues: each of its jobs adds the next', async () => {
  await using queue = queueOf(redis, 'a')
  const seen = journal()
  await using _worker = startConsumer(redis, { queues: ['a'], process: async (job) => seen.note('ended', job.id) })
  await queue.upsertJobScheduler('tick', { every: 100 })
  await seen.until(4)
  await queue.removeJobScheduler('tick')
  expect(new Set(seen.ended).size).toBe(seen.ended.length)
})

test('a drain lets short jobs end and hands back the rest with no attempt used up', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['short', 'polite', 'deaf', 'later'])
  await addJobs(queue, ['ranked'], { priority: 2 })
  const seen = journal()
  const reasons: unknown[] = []
  const [shortEnds, forever] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const first = startConsumer(redis, {
    queues: ['a'],
    concurrency: 5,
    async process(job, { signal }) {
      seen.note('started', job.id)
      if (job.id === 'short') await shortEnds.promise
      else if (job.id === 'deaf') await forever.promise
      else await new Promise((_, reject) => signal.addEventListener('abort', () => (reasons.push(signal.reason), reject(signal.reason))))
      seen.note('ended', job.id)
    },
  })
  while (seen.started.length < 5) await wait(5)
  await addJobs(queue, ['untouched'])
  const ending = first.end(400)
  shortEnds.resolve()
  expect(await ending).toEqual({ finished: 1, handedBack: 4, abandoned: 0 })
  expect(seen.ended).toEqual(['short'])
  expect(reasons).toEqual(
    Array.from({ length: 3 }, () => expect.objectContaining({ name: 'AbortError', message: expect.stringContaining('draining') })),
  )
  expect(await queue.getJobCounts('active', 'waiting', 'prioritized', 'failed', 'completed')).toEqual({
    active: 0,
    waiting: 4,
    prioritized: 1,
    failed: 0,
    completed: 1,
  })
  expect(await hash('deaf')).not.toHaveProperty('atm')

  const after = journal()
  await using _second = startConsumer(redis, {
    queues: ['a'],
    async process(job) {
      after.note('ended', `${job.id} ${job.attempt}`)
    },
  })
  await after.until(5)
  // Handed back to the front in the order in which they had begun; plain jobs before the prioritized one.
  expect(after.ended).toEqual(['polite 1', 'deaf 1', 'later 1', 'untouched 1', 'ranked 1'])
  forever.resolve()
})

test('a job that is handed back wakes an idle worker at once, also a prioritized one', async () => {
  await using queue = queueOf(redis, 'a')
  await addJobs(queue, ['p'], { priority: 2 })
  const started = Promise.withResolvers<void>()
  const first = startConsumer(redis, {
    queues: ['a'],
    process: (_job, { signal }) => (
      started.resolve(),
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    ),
  })
  await started.promise
  const seen = journal()
  await using _second = startConsumer(redis, { queues: ['a'], process: async (job) => seen.note('ended', job.id) })
  await wait(300)
  const drainedMs = performance.now()
  await first.end()
  await seen.until(1)
  expect(performance.now() - drainedMs).toBeLessThan(3_000) // far below the 5 s of a poll
})

test('an idle consumer drains at once, and does not take a wake-up along', async () => {
  await using queue = queueOf(redis, 'a')
  const seen = journal()
  const options = { queues: ['a', 'b'], process: async (job: { id: string }) => seen.note('ended', job.id) }
  for (let round = 0; round < 20; round++) {
    const first = startConsumer(redis, options)
    const second = startConsumer(redis, options)
    await wait(30)
    const [drained] = await Promise.all([first.end(10_000), addJobs(queue, [`j${round}`])])
    expect(drained.abandoned).toBe(0)
    await seen.until(round + 1)
    await second.end()
  }
  expect(new Set(seen.ended).size).toBe(20)
})
