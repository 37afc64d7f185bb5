import { Queue, Worker } from 'bullmq'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectBroker, type Broker } from '../../src/broker/index.ts'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
let broker: Broker
const keyPrefix = 'bull'
const never = new AbortController().signal

beforeAll(async () => {
  redis = await redisServer()
  broker = connectBroker({ address: redis.address, keyPrefix, log: silentLogger, clock: systemClock })
})
afterAll(async () => {
  await broker.close()
  await redis.stop()
})

const openQueue = (name: string) => new Queue(name, { prefix: keyPrefix, connection: { port: redis.port, host: '127.0.0.1' } })

/** What a test wants in a queue, and how. */
const anyJobs = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('plain' as const) }),
    fc.record({ kind: fc.constant('prioritized' as const), priority: fc.integer({ min: 1, max: 1000 }) }),
    fc.record({ kind: fc.constant('due' as const), agoMs: fc.integer({ min: 1_000, max: 100_000 }) }),
    fc.record({ kind: fc.constant('future' as const), inMs: fc.integer({ min: 60_000, max: 10_000_000 }) }),
  ),
  { maxLength: 25 },
)

describe('readQueues', () => {
  test("equals BullMQ's own counts in any state, without a worker", async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ jobs: anyJobs, taken: fc.nat(3), paused: fc.boolean() }), { minLength: 1, maxLength: 4 }),
        async (wanted) => {
          const queues = wanted.map((_, index) => openQueue(`state-${run}-${index}`))
          run++
          try {
            const now = Date.now()
            for (const [index, queue] of queues.entries()) {
              const { jobs, taken, paused } = wanted[index]!
              await queue.addBulk(
                jobs.map((job) => ({
                  name: 'x',
                  data: {},
                  opts:
                    job.kind === 'prioritized'
                      ? { priority: job.priority }
                      : job.kind === 'due'
                        ? { timestamp: now - job.agoMs - 500, delay: 500 }
                        : job.kind === 'future'
                          ? { timestamp: now, delay: job.inMs }
                          : {},
                })),
              )
              // Takes jobs as a worker does that never renews: straight into the active list, without promotion.
              for (let i = 0; i < taken; i++) await redis.client.rpoplpush(`bull:${queue.name}:wait`, `bull:${queue.name}:active`)
              if (paused) await queue.pause()
            }
            const readings = await broker.readQueues(queues.map((queue) => queue.name))
            for (const [index, queue] of queues.entries()) {
              const { jobs, paused } = wanted[index]!
              const reading = readings[index]!
              const counts = await queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active')
              expect(reading).toMatchObject({
                queue: queue.name,
                waiting: counts['waiting'],
                prioritized: counts['prioritized'],
                delayed: counts['delayed'],
                dueDelayed: jobs.filter((job) => job.kind === 'due').length,
                active: counts['active'],
                paused,
              })
              const future = jobs.flatMap((job) => (job.kind === 'future' ? [now + job.inMs] : []))
              expect(reading.nextDueAtMs).toBe(future.length === 0 ? undefined : Math.min(...future))
              const oldestDue = jobs.flatMap((job) => (job.kind === 'due' ? [now - job.agoMs] : []))
              if (oldestDue.length > 0) expect(reading.oldestReadyAtMs).toBe(Math.min(...oldestDue))
              else if (counts['waiting']! + counts['prioritized']! === 0) expect(reading.oldestReadyAtMs).toBeUndefined()
              else expect(Math.abs(reading.oldestReadyAtMs! - now)).toBeLessThan(5_000)
            }
          } finally {
            await Promise.all(queues.map((queue) => queue.close()))
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test('a queue that never existed is empty', async () => {
    const [reading] = await broker.readQueues(['nowhere'])
    expect(reading).toEqual({
      queue: 'nowhere',
      waiting: 0,
      prioritized: 0,
      delayed: 0,
      dueDelayed: 0,
      active: 0,
      failed: 0,
      waitingChildren: 0,
      added: 0,
      paused: false,
      streamId: '0-0',
      brokerTimeMs: expect.any(Number),
    })
  })

  test('reads 120 queues in order, also after the server forgot its scripts', async () => {
    const names = Array.from({ length: 120 }, (_, index) => `many-${index}`)
    await redis.client.script('FLUSH')
    await redis.client.lpush('bull:many-77:wait', 'a', 'b')
    const readings = await broker.readQueues(names)
    expect(readings.map(({ queue }) => queue)).toEqual(names)
    expect(readings[77]).toMatchObject({ waiting: 2 })
    expect(readings[77]!.oldestReadyAtMs).toBeUndefined() // ids without a job
  })

  test('counts jobs that BullMQ 5 moved to its paused list', async () => {
    await redis.client.lpush('bull:legacy:paused', 'a', 'b', 'c')
    await redis.client.hset('bull:legacy:meta', 'paused', 1)
    expect(await broker.readQueues(['legacy'])).toMatchObject([{ waiting: 3, paused: true }])
  })

  test('a key of the wrong type is an error, not an empty queue', async () => {
    await redis.client.set('bull:broken:wait', 'x')
    await expect(broker.readQueues(['nowhere', 'broken'])).rejects.toMatchObject({ code: 'TM_BROKER_COMMAND_FAILED' })
  })
})

describe('findChangedQueues', () => {
  type Change = (queue: Queue) => Promise<unknown>
  const base = (queue: Queue) => `bull:${queue.name}:`
  const withoutEvents = async (queue: Queue, change: () => Promise<unknown>): Promise<void> => {
    await change()
    await redis.client.del(`${base(queue)}events`)
  }

  test.each<readonly [string, Change]>([
    ['a job', (queue) => queue.add('x', {})],
    ['a job without an event', (queue) => withoutEvents(queue, () => queue.add('x', {}))],
    ['a delayed job without an event', (queue) => withoutEvents(queue, () => queue.add('x', {}, { delay: 60_000 }))],
    ['a pushed id', (queue) => redis.client.lpush(`${base(queue)}wait`, 'y')],
    ['a pause', (queue) => queue.pause()],
    ['an active job', (queue) => redis.client.lpush(`${base(queue)}active`, 'y')],
    ['a failed job', (queue) => redis.client.zadd(`${base(queue)}failed`, 1, 'y')],
    ['a parent that waits', (queue) => redis.client.zadd(`${base(queue)}waiting-children`, 1, 'y')],
    ['a removed job', async (queue) => (await queue.getDelayed())[0]?.remove()],
    ['the removal of all', (queue) => queue.obliterate()],
  ])('sees %s, and nothing before', async (what, change) => {
    const queue = openQueue(`changed-${what.replaceAll(' ', '-')}`)
    const other = openQueue(`unchanged-${what.replaceAll(' ', '-')}`)
    try {
      for (const each of [queue, other]) await each.add('x', {}, { delay: 600_000 })
      const readings = await broker.readQueues([queue.name, other.name, 'never-existed'])
      expect(await broker.findChangedQueues(readings)).toEqual([])
      await change(queue)
      expect(await broker.findChangedQueues(readings)).toContain(queue.name)
    } finally {
      await Promise.all([queue.close(), other.close()])
    }
  })

  test('another limit is a matter of findChangedLimits, which sees it set, changed and removed', async () => {
    const queue = openQueue('limited')
    const other = openQueue('unlimited')
    try {
      const names = [queue.name, other.name, 'never-existed']
      for (const change of [
        () => queue.setGlobalConcurrency(3),
        () => queue.setGlobalConcurrency(4),
        () => queue.removeGlobalConcurrency(),
      ]) {
        const readings = await broker.readQueues(names)
        expect(await broker.findChangedLimits(readings)).toEqual([])
        await change()
        expect(await broker.findChangedLimits(readings)).toEqual([queue.name])
      }
    } finally {
      await Promise.all([queue.close(), other.close()])
    }
  })

  test('costs three commands for each hundred queues', async () => {
    const readings = await broker.readQueues(Array.from({ length: 200 }, (_, index) => `confirmed-${index}`))
    await redis.client.config('RESETSTAT')
    expect(await broker.findChangedQueues(readings)).toEqual([])
    const stats = await redis.client.info('commandstats')
    const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gmu)].map(([, name, count]) => [name, Number(count)])
    expect(Object.fromEntries(calls)).toMatchObject({ exists: 2, mget: 2, xread: 2 })
    expect(calls.filter(([name]) => !['exists', 'mget', 'xread', 'config|resetstat', 'info'].includes(String(name)))).toEqual([])
  })
})

describe('watchQueues', () => {
  test('wakes only for the queue in which something happened, and continues from the cursor', async () => {
    const a = openQueue('watch-a')
    await a.waitUntilReady()
    const cursors = new Map([
      ['watch-a', '0-0'],
      ['watch-b', '0-0'],
    ])
    const news = broker.watchQueues(cursors, 10_000, never)
    await a.add('x', {})
    const woken = await news
    expect([...woken.keys()]).toEqual(['watch-a'])
    const [reading] = await broker.readQueues(['watch-a'])
    expect(await broker.watchQueues(new Map([['watch-a', reading!.streamId]]), 20, never)).toEqual(new Map())
    await a.close()
  })

  test('ends with the reason of the signal at once, and the next watch does not wait for it', async () => {
    const stop = new AbortController()
    const waiting = broker.watchQueues(new Map([['watch-c', '0-0']]), 10_000, stop.signal)
    setTimeout(() => stop.abort(new Error('enough')), 50)
    await expect(waiting).rejects.toThrow('enough')
    const started = performance.now()
    expect(await broker.watchQueues(new Map([['watch-c', '0-0']]), 10, never)).toEqual(new Map())
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe('info', () => {
  test('tells version, eviction policy, memory, durability and the time', async () => {
    await redis.client.config('SET', 'maxmemory', '500mb')
    const before = Date.now()
    expect(await broker.info()).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/u),
      evictionPolicy: 'noeviction',
      usedMemoryBytes: expect.any(Number),
      maxMemoryBytes: 500 * 1024 * 1024,
      persistence: 'AOF',
      appendFsync: 'always',
      timeMs: expect.any(Number),
    })
    expect((await broker.info()).timeMs).toBeGreaterThanOrEqual(before - 5)
    await redis.client.config('SET', 'maxmemory', '0')
  })

  test('tells a server with snapshots from one that keeps nothing', async () => {
    await using own = await redisServer({ isDurable: false })
    const mine = connectBroker({ address: own.address, keyPrefix, log: silentLogger, clock: systemClock })
    expect(await mine.info()).toMatchObject({ persistence: 'None', maxMemoryBytes: 0 })
    await own.client.config('SET', 'save', '3600 1')
    const info = await mine.info()
    expect(info).toMatchObject({ persistence: 'RDB' })
    expect(info).not.toHaveProperty('appendFsync')
    await mine.close()
  })
})

test('countOrphans counts active jobs without a lock, among the 100 that are active longest', async () => {
  const queue = openQueue('orphans')
  await queue.addBulk(Array.from({ length: 8 }, () => ({ name: 'x', data: {} })))
  const holder = new Worker('orphans', null, { connection: { port: redis.port, host: '127.0.0.1' }, prefix: keyPrefix })
  const jobs = [await holder.getNextJob('t1'), await holder.getNextJob('t2'), await holder.getNextJob('t3')]
  await redis.client.del(`bull:orphans:${jobs[1]!.id}:lock`)
  await redis.client.lpush('bull:lost:active', ...Array.from({ length: 250 }, (_, index) => `j${index}`))
  const names = ['orphans', 'lost', ...Array.from({ length: 40 }, (_, index) => `none-${index}`)]
  const counts = await broker.countOrphans(names)
  expect([...counts.keys()]).toEqual(names)
  expect([counts.get('orphans'), counts.get('lost'), counts.get('none-39')]).toEqual([1, 100, 0])
  await Promise.all([holder.close(true), queue.close()])
})

test('findLegacyRepeatables names the queues that hold repeatable jobs of BullMQ 5, and no others', async () => {
  const queue = openQueue('modern')
  await queue.upsertJobScheduler('every:minute:5', { every: 60_000 }, { name: 'x' })
  await queue.upsertJobScheduler('a:b::c:* * * * *', { pattern: '0 * * * *' }, { name: 'x' })
  await redis.client.zadd('bull:legacy-cron:repeat', 1, 'clean::::0 3 * * *')
  await redis.client.zadd('bull:legacy-every:repeat', 1, 'clean:id:1700000000000:Europe/Berlin:60000')
  await redis.client.zadd('bull:legacy-hashed:repeat', 1, '0b1c2d3e4f5061728394a5b6c7d8e9f0')
  await redis.client.hset('bull:legacy-hashed:repeat:0b1c2d3e4f5061728394a5b6c7d8e9f0', { name: 'clean', pattern: '0 3 * * *' })
  const names = ['modern', 'legacy-cron', 'none', 'legacy-every', 'legacy-hashed']
  expect(await broker.findLegacyRepeatables(names)).toEqual(['legacy-cron', 'legacy-every', 'legacy-hashed'])
  await queue.close()
})

test('findLegacyRepeatables sends one command for a hundred queues in which nothing repeats', async () => {
  const names = Array.from({ length: 200 }, (_, index) => `quiet-${index}`)
  await redis.client.config('RESETSTAT')
  expect(await broker.findLegacyRepeatables(names)).toEqual([])
  const stats = await redis.client.info('commandstats')
  expect([/cmdstat_exists:calls=(\d+)/u.exec(stats)?.[1], /cmdstat_zrange:/u.exec(stats)]).toEqual(['2', null])
})

describe('an absent broker', () => {
  const failsFast = async (call: () => Promise<unknown>) => {
    const started = performance.now()
    await expect(call()).rejects.toMatchObject({ code: 'TM_BROKER_UNREACHABLE' })
    expect(performance.now() - started).toBeLessThan(2_300)
  }

  const recovers = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let tries = 0; ; tries++) {
      try {
        return await call()
      } catch (error) {
        if (tries > 100) throw error
        await sleep(systemClock, 50)
      }
    }
  }

  test('without a listener every call fails fast', async () => {
    const away = connectBroker({ address: '127.0.0.1:1', keyPrefix, log: silentLogger, clock: systemClock })
    await failsFast(() => away.readQueues(['a']))
    await failsFast(() => away.info())
    await failsFast(() => away.watchQueues(new Map([['a', '0-0']]), 5_000, never))
    await away.close()
  })

  test('killed under a watch and started again: both recover and nothing is lost', async () => {
    await using own = await redisServer()
    const mine = connectBroker({ address: own.address, keyPrefix, log: silentLogger, clock: systemClock })
    await own.client.lpush('bull:kept:wait', 'a')
    let returns = 0
    mine.onReturn(() => (returns += 1))
    expect(await mine.readQueues(['kept'])).toMatchObject([{ waiting: 1 }])
    const watching = expect(mine.watchQueues(new Map([['kept', '0-0']]), 10_000, never)).rejects.toMatchObject({
      code: 'TM_BROKER_UNREACHABLE',
    })
    await sleep(systemClock, 50)
    await own.kill()
    await watching
    await failsFast(() => mine.readQueues(['kept']))
    expect(returns).toBe(0)
    await own.start()
    expect(await recovers(() => mine.readQueues(['kept']))).toMatchObject([{ waiting: 1 }])
    expect(returns).toBe(1)
    // It has a connection of its own, which may come back later.
    const news = recovers(() => mine.watchQueues(new Map([['kept', '0-0']]), 5_000, never))
    await own.client.xadd('bull:kept:events', '*', 'event', 'added')
    expect((await news).size).toBe(1)
    await mine.close()
  })

  test('frozen: calls fail in time although TCP is alive, and work again once it thaws', async () => {
    await using own = await redisServer()
    const mine = connectBroker({ address: own.address, keyPrefix, log: silentLogger, clock: systemClock })
    await mine.readQueues(['kept'])
    own.freeze()
    await failsFast(() => mine.readQueues(['kept']))
    await failsFast(() => mine.readQueues(['kept']))
    own.thaw()
    expect(await recovers(() => mine.readQueues(['kept']))).toMatchObject([{ waiting: 0 }])
    await mine.close()
  })

  test('one connection is cut: the next call succeeds again', async () => {
    await broker.readQueues(['kept'])
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    expect(await recovers(() => broker.readQueues(['kept']))).toMatchObject([{ waiting: 0 }])
  })
})
