/** Settings of queues against BullMQ itself: its workers obey at once, what is stored is what it would store, and only that is taken back. */
import { FlowProducer, type Queue } from 'bullmq'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Broker, QueueApply, QueueClaim } from '../../src/broker/index.ts'
import { ownersKey, queueOwner, queueSettingsKey, type OwnerMarker } from '../../src/contract/index.ts'
import { eventually, lead, open, plainQueue, plainWorker, proof } from './ledger-home.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
let broker: Broker & AsyncDisposable

beforeAll(async () => {
  redis = await redisServer({ isDurable: false })
  broker = open(redis)
})

afterAll(async () => {
  await broker?.close()
  await redis?.stop()
})

beforeEach(async () => {
  await redis.client.flushall()
  await lead(broker)
})

const owner = queueOwner('default', 'team', 'mail')
const claimOf = (queue: string, name = 'mail'): QueueClaim => ({ queue, owner: queueOwner('default', 'team', name), proof })
const markerOf = (queue: string, name: string): OwnerMarker => ({
  v: 1,
  cluster: 'c1',
  kind: 'TaskQueue',
  namespace: 'team',
  name,
  deletionPolicy: 'Delete',
  queue,
})
const applyOf = (
  queue: string,
  settings: Partial<QueueApply['settings']>,
  more: Partial<QueueApply> & { name?: string } = {},
): QueueApply => {
  const { name = 'mail', ...rest } = more
  return { ...claimOf(queue, name), settings: { suspend: false, ...settings }, createdAtMs: 1000, marker: markerOf(queue, name), ...rest }
}
const apply = (queue: string, settings: Partial<QueueApply['settings']>, more: Parameters<typeof applyOf>[2] = {}) =>
  broker.applyQueue(applyOf(queue, settings, more))
const changesOf = async (answer: ReturnType<Broker['applyQueue']>) => {
  const found = await answer
  return found.outcome === 'Done' ? found.changes : found.outcome
}
const jobs = (count: number) => Array.from({ length: count }, (_, index) => ({ name: 'x', data: {}, opts: { jobId: `j${index}` } }))
/** The owners of settings; beside them stands who claimed the dispatch lease. */
const ownersOf = async () => (await redis.client.hkeys(ownersKey('bull', 'default'))).filter((name) => name.includes('/queue/'))
const recordOf = (queue: string) => redis.client.hgetall(queueSettingsKey('bull', queue))

/** Everything that Redis has of a queue, but for what differs between two queues anyway: names, and moments. */
async function stored(queue: string): Promise<Record<string, unknown>> {
  const { client } = redis
  const base = `bull:${queue}:`
  const keys = (await client.keys(`${base}*`)).toSorted()
  const values = await Promise.all(
    keys.map(async (key) => {
      switch (await client.type(key)) {
        case 'hash':
          return { ...(await client.hgetall(key)), timestamp: undefined, finishedOn: undefined, processedOn: undefined }
        case 'list':
          return client.lrange(key, 0, -1)
        case 'zset':
          return key.endsWith(':delayed') || key.endsWith(':marker')
            ? client.zrange(key, '0', '-1')
            : client.zrange(key, '0', '-1', 'WITHSCORES')
        case 'set':
          return (await client.smembers(key)).toSorted()
        case 'stream':
          return (await client.xrange(key, '-', '+')).map(([, fields]) => fields)
        default:
          return client.get(key)
      }
    }),
  )
  return JSON.parse(
    JSON.stringify(Object.fromEntries(keys.map((key, index) => [key.slice(base.length), values[index]])))
      .replaceAll(queue.replace('-up', ''), 'QUEUE')
      .replaceAll(/\b1\d{12}\b/gu, 'MOMENT'),
  ) as Record<string, unknown>
}

describe('a pause and a resume are those of BullMQ', () => {
  const fills: readonly (readonly [string, (queue: Queue) => Promise<unknown>])[] = [
    ['an empty queue', async () => undefined],
    [
      'waiting, prioritized and delayed jobs',
      async (queue) => {
        await queue.addBulk(jobs(3))
        await queue.add('x', {}, { jobId: 'p', priority: 3 })
        await queue.add('x', {}, { jobId: 'd', delay: 60_000 })
      },
    ],
    ['delayed jobs only', (queue) => queue.add('x', {}, { jobId: 'd', delay: 60_000 })],
    [
      'jobs that BullMQ 5 had moved away',
      async (queue) => {
        await queue.addBulk(jobs(3))
        await redis.client.rename(`bull:${queue.name}:wait`, `bull:${queue.name}:paused`)
      },
    ],
    [
      'jobs that BullMQ 5 had moved away, and new ones',
      async (queue) => {
        await queue.addBulk(jobs(3))
        await redis.client.rename(`bull:${queue.name}:wait`, `bull:${queue.name}:paused`)
        await queue.add('x', {}, { jobId: 'new' })
      },
    ],
  ]
  it.each(fills)('%s', async (_, fill) => {
    await using ours = plainQueue(redis.port, 'ours')
    await using theirs = plainQueue(redis.port, 'theirs')
    await Promise.all([ours.waitUntilReady(), theirs.waitUntilReady()])
    await fill(ours)
    await fill(theirs)
    await theirs.pause()
    expect(await changesOf(apply('ours', { suspend: true }))).toEqual([{ kind: 'Paused', isRepair: false }])
    expect(await stored('ours')).toEqual(await stored('theirs'))
    await theirs.resume()
    expect(await changesOf(apply('ours', { suspend: false }))).toEqual([{ kind: 'Resumed', isRepair: false }])
    expect(await stored('ours')).toEqual(await stored('theirs'))
  })

  it('brings back more jobs than one script moves', async () => {
    await using queue = plainQueue(redis.port, 'long')
    await queue.add('x', {})
    await apply('long', { suspend: true })
    const many = Array.from({ length: 15_000 }, (_, index) => `old${index}`)
    await redis.client.rpush('bull:long:paused', ...many)
    await apply('long', { suspend: false })
    expect([await redis.client.llen('bull:long:wait'), await redis.client.exists('bull:long:paused')]).toEqual([15_001, 0])
  })
})

describe('a resume that a kill has interrupted', () => {
  /** As after the first of several calls: the queue is resumed, and most of its jobs are still where BullMQ 5 had moved them. */
  async function interrupted(): Promise<void> {
    await apply('long', { suspend: true })
    const many = Array.from({ length: 15_000 }, (_, index) => `old${index}`)
    await redis.client.rpush('bull:long:paused', ...many)
    await redis.client.hdel('bull:long:meta', 'paused')
    await redis.client.hdel(queueSettingsKey('bull', 'long'), 'paused')
  }
  const jobsIn = async () => [await redis.client.llen('bull:long:wait'), await redis.client.llen('bull:long:paused')]

  it('is finished when the settings are applied again', async () => {
    await interrupted()
    expect(await changesOf(apply('long', { suspend: false }))).toEqual([])
    expect(await jobsIn()).toEqual([15_000, 0])
    expect(await redis.client.exists('bull:long:marker')).toBe(1)
  })

  it('is finished when the settings are taken back, and the record stays until then', async () => {
    await interrupted()
    expect(await broker.releaseQueue(claimOf('long'))).toMatchObject({ outcome: 'Done', paused: false })
    expect(await jobsIn()).toEqual([15_000, 0])
    expect([await recordOf('long'), await ownersOf()]).toEqual([{}, []])
  })

  it('leaves the jobs of a queue that somebody else has paused', async () => {
    await redis.client.hset('bull:long:meta', 'paused', 1)
    await redis.client.rpush('bull:long:paused', 'a')
    await apply('long', { suspend: false })
    expect(await jobsIn()).toEqual([0, 1])
  })
})

describe('plain workers', () => {
  it('end what they run and begin nothing in a suspended queue, and go on at once after it', async () => {
    await using queue = plainQueue(redis.port, 'held')
    const gate = Promise.withResolvers<void>()
    const started: string[] = []
    await using _ = plainWorker(redis.port, 'held', async (id) => {
      started.push(id)
      if (id === 'j0') await gate.promise
    })
    await queue.add('x', {}, { jobId: 'j0' })
    await eventually(async () => expect(started).toEqual(['j0']))
    await apply('held', { suspend: true })
    await queue.addBulk(jobs(5).slice(1))
    gate.resolve()
    await eventually(async () => expect(await queue.getCompletedCount()).toBe(1))
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(started).toEqual(['j0'])
    await apply('held', { suspend: false })
    await eventually(async () => expect(started.toSorted()).toEqual(['j0', 'j1', 'j2', 'j3', 'j4']))
  })

  it('keep to the limit together, and use a higher one without waiting for anything', async () => {
    await using queue = plainQueue(redis.port, 'narrow')
    const gate = Promise.withResolvers<void>()
    let [running, most] = [0, 0]
    const run = async () => {
      most = Math.max(most, ++running)
      await gate.promise
      running--
    }
    await apply('narrow', { maxConcurrency: 3 })
    await using _ = plainWorker(redis.port, 'narrow', run)
    await using __ = plainWorker(redis.port, 'narrow', run)
    await queue.addBulk(jobs(12))
    await eventually(async () => expect(running).toBe(3))
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(most).toBe(3)
    expect(await changesOf(apply('narrow', { maxConcurrency: 6 }))).toEqual([{ kind: 'Limited', isRepair: false, from: 3, to: 6 }])
    await eventually(async () => expect(running).toBe(6))
    expect(await changesOf(broker.releaseQueue(claimOf('narrow')))).toEqual([{ kind: 'Limited', isRepair: false, from: 6, to: undefined }])
    await eventually(async () => expect(running).toBe(12))
    gate.resolve()
    await eventually(async () => expect(await queue.getCompletedCount()).toBe(12))
  })
})

describe('an applied setting', () => {
  it('is taken back, and nothing else', async () => {
    await using queue = plainQueue(redis.port, 'mine')
    await queue.setGlobalConcurrency(9)
    await apply('mine', { suspend: true, maxConcurrency: 4 })
    expect(await recordOf('mine')).toEqual({ v: '1', owner, createdAtMs: '1000', paused: '1', concurrency: '4', found: '9' })
    expect(await ownersOf()).toEqual([owner])
    await broker.releaseQueue(claimOf('mine'))
    expect([await queue.isPaused(), await queue.getGlobalConcurrency()]).toEqual([false, 9])
    expect([await recordOf('mine'), await ownersOf()]).toEqual([{}, []])
    expect(await changesOf(broker.releaseQueue(claimOf('mine')))).toEqual([])
  })

  it('costs nothing again, and is repaired when a user changed it', async () => {
    await using queue = plainQueue(redis.port, 'again')
    await apply('again', { suspend: true, maxConcurrency: 4 })
    expect(await apply('again', { suspend: true, maxConcurrency: 4 })).toEqual({
      outcome: 'Done',
      changes: [],
      paused: true,
      pausedByUs: true,
    })
    await queue.resume()
    await queue.setGlobalConcurrency(50)
    expect(await changesOf(apply('again', { suspend: true, maxConcurrency: 4 }))).toEqual([
      { kind: 'Paused', isRepair: true },
      { kind: 'Limited', isRepair: true, from: 50, to: 4 },
    ])
  })

  it('does not include the pause or the limit of a person', async () => {
    await using queue = plainQueue(redis.port, 'theirs')
    await queue.pause()
    expect(await apply('theirs', {})).toEqual({ outcome: 'Done', changes: [], paused: true, pausedByUs: false })
    // Nor does what comes on top of it make it ours.
    expect(await apply('theirs', { suspend: true })).toEqual({ outcome: 'Done', changes: [], paused: true, pausedByUs: false })
    await apply('theirs', { maxConcurrency: 4 })
    await queue.setGlobalConcurrency(50)
    await broker.releaseQueue(claimOf('theirs'))
    expect([await queue.isPaused(), await queue.getGlobalConcurrency()]).toEqual([true, 50])
  })

  it('is left alone when a later version recorded it', async () => {
    await redis.client.hset(queueSettingsKey('bull', 'later'), { v: '2', owner })
    expect(await apply('later', { suspend: true })).toEqual({ outcome: 'Unreadable' })
    expect(await broker.releaseQueue(claimOf('later'))).toEqual({ outcome: 'Unreadable' })
    expect(await redis.client.exists('bull:later:meta')).toBe(0)
  })
})

describe('one queue', () => {
  it('listens to the older of two, then to the one with the earlier name', async () => {
    await apply('shared', { maxConcurrency: 4 }, { name: 'b', createdAtMs: 2000 })
    expect(await apply('shared', { maxConcurrency: 9 }, { name: 'c', createdAtMs: 2000 })).toEqual({
      outcome: 'Conflict',
      owner: queueOwner('default', 'team', 'b'),
    })
    await apply('shared', { maxConcurrency: 9 }, { name: 'a', createdAtMs: 2000 })
    expect((await apply('shared', {}, { name: 'b', createdAtMs: 2000 })).outcome).toBe('Conflict')
    await apply('shared', { maxConcurrency: 7 }, { name: 'z', createdAtMs: 1000 })
    expect(await recordOf('shared')).toMatchObject({ owner: queueOwner('default', 'team', 'z'), concurrency: '7', found: '' })
    expect(await ownersOf()).toEqual([queueOwner('default', 'team', 'z')])
    // The loser of the conflict takes nothing back.
    expect((await broker.releaseQueue(claimOf('shared', 'a'))).outcome).toBe('Conflict')
    expect(await redis.client.hget('bull:shared:meta', 'concurrency')).toBe('7')
    // And the place of one that is gone can be taken.
    const gone = queueOwner('default', 'team', 'z')
    await apply('shared', {}, { name: 'b', createdAtMs: 2000, gone })
    expect(await redis.client.hget('bull:shared:meta', 'concurrency')).toBe(null)
  })

  it('changes nothing for a process without the dispatch lease', async () => {
    const late = { proof: { ...proof, epoch: 0 } }
    expect(await apply('fenced', { suspend: true }, late)).toEqual({ outcome: 'Fenced' })
    expect(await broker.releaseQueue({ ...claimOf('fenced'), ...late })).toEqual({ outcome: 'Fenced' })
    expect((await broker.cleanQueue({ ...claimOf('fenced'), ...late, retention: { completedSeconds: 600 } })).outcome).toBe('Fenced')
    expect(await redis.client.keys('bull:fenced:*')).toEqual([])
  })
})

describe('retention', () => {
  /** Makes ended jobs look as if they had ended longer ago. */
  async function age(queue: string, set: 'completed' | 'failed', secondsOf: (id: string) => number): Promise<void> {
    const ids = await redis.client.zrange(`bull:${queue}:${set}`, '0', '-1')
    const nowMs = Date.now()
    for (const id of ids) await redis.client.zadd(`bull:${queue}:${set}`, nowMs - secondsOf(id) * 1000, id)
  }
  async function ended(queue: Queue, count: number, fails = false): Promise<void> {
    await using _ = plainWorker(redis.port, queue.name, () => {
      if (fails) throw new Error('by design')
    })
    await queue.addBulk(jobs(count))
    await eventually(async () => expect((await queue.getCompletedCount()) + (await queue.getFailedCount())).toBe(count))
  }

  it('removes the oldest in portions, and says when the next are too old', async () => {
    await using queue = plainQueue(redis.port, 'old')
    await apply('old', {})
    await ended(queue, 450)
    await age('old', 'completed', (id) => 7200 - Number(id.slice(1)) * 10)
    // 7200 s down to 2710 s old; those of more than 3600 s go: j0 to j360, in two portions.
    const first = await broker.cleanQueue({ ...claimOf('old'), retention: { completedSeconds: 3600 } })
    expect(first).toMatchObject({ outcome: 'Done', removed: 200 })
    if (first.outcome === 'Done') expect(first.nextAtMs).toBeLessThan(first.brokerTimeMs)
    const second = await broker.cleanQueue({ ...claimOf('old'), retention: { completedSeconds: 3600 } })
    expect(second).toMatchObject({ outcome: 'Done', removed: 161 })
    if (second.outcome === 'Done') expect(Math.round((second.nextAtMs - second.brokerTimeMs) / 10_000)).toBe(1)
    expect(await queue.getCompletedCount()).toBe(89)
    expect((await redis.client.keys('bull:old:j*')).length).toBe(89)
    expect(await broker.cleanQueue({ ...claimOf('old'), retention: { completedSeconds: 3600 } })).toMatchObject({ removed: 0 })
  })

  it('never removes what ended within ten minutes, and leaves alone what is not named', async () => {
    await using queue = plainQueue(redis.port, 'young')
    await apply('young', {})
    await ended(queue, 4, true)
    await age('young', 'failed', (id) => (id === 'j0' ? 601 : 590))
    expect(await broker.cleanQueue({ ...claimOf('young'), retention: { completedSeconds: 600 } })).toMatchObject({ removed: 0 })
    expect(await broker.cleanQueue({ ...claimOf('young'), retention: { failedSeconds: 1 } })).toMatchObject({ removed: 1 })
    expect(await queue.getFailedCount()).toBe(3)
    const empty = await broker.cleanQueue({ ...claimOf('young'), retention: { completedSeconds: 900 } })
    if (empty.outcome === 'Done') expect(empty.nextAtMs - empty.brokerTimeMs).toBe(900_000)
    expect((await broker.cleanQueue({ ...claimOf('young', 'other'), retention: { failedSeconds: 600 } })).outcome).toBe('Conflict')
  })

  it('leaves what BullMQ leaves: deduplication, logs and parents of flows', async () => {
    const flows = new FlowProducer({ connection: { port: redis.port, host: '127.0.0.1' } })
    const prepare = async (name: string) => {
      await using queue = plainQueue(redis.port, name)
      await queue.add('x', {}, { jobId: 'logged', deduplication: { id: 'once' } })
      await queue.addJobLog('logged', 'a line')
      const child = (id: string) => ({ name: 'x', queueName: name, opts: { jobId: id } })
      await flows.add({ name: 'p', queueName: name, opts: { jobId: 'parent-here' }, children: [child('only')] })
      await flows.add({ name: 'p', queueName: `${name}-up`, opts: { jobId: 'parent-there' }, children: [child('last')] })
      await flows.add({ name: 'p', queueName: `${name}-up`, opts: { jobId: 'parent-waits' }, children: [child('one'), child('two')] })
      {
        await using _ = plainWorker(redis.port, name, (id) => {
          if (id !== 'logged') throw new Error('by design')
        })
        await eventually(async () => expect([await queue.getCompletedCount(), await queue.getFailedCount()]).toEqual([1, 4]))
      }
      await age(name, 'completed', () => 1000)
      await age(name, 'failed', (id) => (id === 'two' ? 10 : 1000))
    }
    await prepare('ours')
    await prepare('them')
    await apply('ours', {})
    await broker.cleanQueue({ ...claimOf('ours'), retention: { completedSeconds: 900, failedSeconds: 900 } })
    await using theirs = plainQueue(redis.port, 'them')
    await theirs.clean(900_000, 1000, 'completed')
    await theirs.clean(900_000, 1000, 'failed')
    await flows.close()
    const without = (all: Record<string, unknown>) => {
      const { events: _, failed: __, ...rest } = all
      return rest
    }
    expect(without(await stored('ours'))).toEqual(without(await stored('them')))
    expect(without(await stored('ours-up'))).toEqual(without(await stored('them-up')))
    expect(await redis.client.zrange('bull:ours:failed', '0', '-1')).toEqual(['two'])
    expect(await redis.client.lrange('bull:ours-up:wait', 0, -1)).toEqual(['parent-there'])
  })
})

it('a reading tells what is needed to see changes and rates', async () => {
  await using queue = plainQueue(redis.port, 'read')
  await queue.addBulk(jobs(3))
  await apply('read', { maxConcurrency: 2 })
  const [reading] = await broker.readQueues(['read'])
  expect(reading).toMatchObject({ waiting: 3, failed: 0, waitingChildren: 0, added: 3, concurrency: 2, paused: false })
})
