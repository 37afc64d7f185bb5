/** What `place-jobs.lua` writes, key by key, against what the FlowProducer of each major of BullMQ writes for the same jobs. */
import type { FlowJob, Queue } from 'bullmq'
import { describe, expect, test } from 'vitest'
import type { PlacedJob } from '../../src/broker/index.ts'
import { dump, versions, type BullMq } from './bullmq-versions.ts'
import { useBrokerHome, type BrokerHome } from './broker-home.ts'
import { done, eventually, firstSlot, jobOf, lead, ledger, proof } from './ledger-home.ts'
import { nodeJobOf, run } from './run-home.ts'

let redis: BrokerHome['redis']
let broker: BrokerHome['broker']
let client: BrokerHome['client']
const addedMs = Date.UTC(2030, 0, 1, 12)

useBrokerHome((home) => ({ redis, broker, client } = home))

/** The same job as a user of BullMQ would add it. */
function flowOf({ id, doneQueue, done: data, ...job }: PlacedJob): FlowJob {
  const opts: FlowJob['opts'] & { readonly taskmill: object } = {
    jobId: id,
    timestamp: addedMs,
    delay: Math.max(job.dueAtMs - addedMs, 0),
    attempts: job.attempts,
    ...(job.backoffMs === undefined ? {} : { backoff: { type: 'exponential', delay: job.backoffMs } }),
    ...(job.bullPriority === undefined ? {} : { priority: job.bullPriority }),
    removeOnComplete: { age: 86_400 },
    removeOnFail: { age: 604_800 },
    ignoreDependencyOnFailure: true,
    taskmill: 'slot' in data ? { ledger: data.ledger, slot: data.slot } : { run: data.run, node: data.node },
  }
  return {
    name: 'done',
    queueName: doneQueue,
    data,
    opts: { jobId: id, timestamp: addedMs },
    children: [{ name: job.name, queueName: job.queue, data: job.data, opts }],
  }
}

async function withQueue(bullmq: BullMq, prepare: (queue: Queue) => Promise<unknown>): Promise<void> {
  const queue = new bullmq.Queue('tasks', { connection: { port: redis.port, host: '127.0.0.1' } })
  // BullMQ writes what it keeps about the queue beside the first commands: later, it would write over what the preparation writes there.
  await eventually(async () => expect(await client.hexists(`bull:${queue.name}:meta`, 'opts.maxLenEvents')).toBe(1))
  await prepare(queue)
  await queue.close()
}

async function addFlows(bullmq: BullMq, jobs: readonly PlacedJob[]): Promise<void> {
  const producer = new bullmq.FlowProducer({ connection: { port: redis.port, host: '127.0.0.1' } })
  await producer.addBulk(jobs.map(flowOf))
  await producer.close()
}

type Prepare = (queue: Queue) => Promise<unknown>

/** What is in Redis after the preparation and the given way to add jobs; Taskmill's own keys aside. */
async function after(bullmq: BullMq, prepare: Prepare, add: () => Promise<unknown>): Promise<Record<string, unknown>> {
  await client.flushall()
  await withQueue(bullmq, prepare)
  // A done queue keeps fewer events than BullMQ would by itself, which a test of its own holds.
  await client.hset(`bull:${done}:meta`, 'opts.maxLenEvents', 200)
  await add()
  // Taskmill counts what it has added to a queue beside what BullMQ keeps about it, which a test of its own holds.
  await client.hdel('bull:tasks:meta', 'taskmill')
  const all = await dump(client, 'bull:')
  return Object.fromEntries(Object.entries(all).filter(([key]) => !key.startsWith('bull:.taskmill:')))
}

async function place(jobs: readonly PlacedJob[]): Promise<void> {
  await lead(broker)
  expect(await broker.placeJobs(jobs, addedMs, proof)).toBe('Placed')
}

const slot = (index: number, more: Partial<PlacedJob> = {}) => jobOf('tasks', firstSlot + index, more)
const later = { dueAtMs: addedMs + 60_000 }
const add = (queue: Queue, id: string, opts: object = {}) => queue.add('x', { n: 1 }, { jobId: id, timestamp: addedMs, ...opts })

const jobsOf: readonly (readonly [string, readonly PlacedJob[]])[] = [
  ['a plain job', [slot(0)]],
  ['a delayed job', [slot(0, later)]],
  ['a job that was due long ago', [slot(0, { dueAtMs: addedMs - 60_000 })]],
  ['a prioritized job', [slot(0, { bullPriority: 7 })]],
  ['a job that is delayed and prioritized', [slot(0, { ...later, bullPriority: 100 })]],
  ['attempts and a backoff', [slot(0, { attempts: 5, backoffMs: 1_500 })]],
  ['a backoff of 0', [slot(0, { attempts: 2, backoffMs: 0 })]],
  ['the node of a run', [nodeJobOf('tasks', 'fetch', { attempts: 3, backoffMs: 10, bullPriority: 1 })]],
  ['names and payloads of any kind', [slot(0, { name: '報告/"🦊"', data: { text: 'ü/\\"\n', list: [1, 2.5, 1e21, null], none: {} } })]],
  [
    'payloads that are no objects',
    [slot(0, { data: null }), slot(1, { data: 'text' }), slot(2, { data: 0 }), slot(3, { data: undefined })],
  ],
  ['jobs that are due in the same millisecond', [slot(0, later), slot(1, later), slot(2, { dueAtMs: addedMs + 60_001 }), slot(3, later)]],
  ['jobs of all kinds', [slot(0), slot(1, later), slot(2, { bullPriority: 2 }), slot(3, { bullPriority: 1 }), slot(4), slot(5, later)]],
]

const queuesOf: readonly (readonly [string, Prepare])[] = [
  ['an empty queue', async () => undefined],
  [
    'a queue with jobs of all kinds',
    async (queue) => {
      await add(queue, 'w1')
      await add(queue, 'w2')
      await add(queue, 'p1', { priority: 3 })
      await add(queue, 'd1', { delay: 30_000 })
      await add(queue, 'd2', { delay: 60_000 })
    },
  ],
  ['a paused queue', (queue) => queue.pause()],
  [
    'a paused queue with a job',
    async (queue) => {
      await add(queue, 'w1')
      await queue.pause()
    },
  ],
  [
    'a queue at its global concurrency',
    async (queue) => {
      await queue.setGlobalConcurrency(1)
      await client.lpush('bull:tasks:active', 'other')
      await client.del('bull:tasks:marker')
    },
  ],
  [
    'a queue below its global concurrency',
    async (queue) => {
      await queue.setGlobalConcurrency(2)
      await client.lpush('bull:tasks:active', 'other')
    },
  ],
  ['a queue with a rate limit', (queue) => queue.setGlobalRateLimit(1, 60_000)],
  ['a queue with a short stream of events', () => client.hset('bull:tasks:meta', 'opts.maxLenEvents', 3)],
]

describe.each(versions)('%s writes the same', (_, bullmq) => {
  test.each(jobsOf)('%s', async (_name, jobs) => {
    const theirs = await after(
      bullmq,
      async () => undefined,
      () => addFlows(bullmq, jobs),
    )
    expect(Object.keys(theirs).length).toBeGreaterThan(6)
    expect(
      await after(
        bullmq,
        async () => undefined,
        () => place(jobs),
      ),
    ).toEqual(theirs)
  })

  test.each(queuesOf)('%s', async (_name, prepare) => {
    const jobs = [slot(0), slot(1, { bullPriority: 2 }), slot(2, later)]
    const theirs = await after(bullmq, prepare, () => addFlows(bullmq, jobs))
    expect(await after(bullmq, prepare, () => place(jobs))).toEqual(theirs)
  })

  test('a job that waits, or runs, without its done job', async () => {
    const jobs = [slot(0), slot(1, later), slot(2)]
    const prepare = async () => {
      await addFlows(bullmq, jobs)
      await client.del(...(await client.keys(`bull:${done}:*`)))
      await client.lrem('bull:tasks:wait', 1, jobs[2]!.id)
      await client.lpush('bull:tasks:active', jobs[2]!.id)
    }
    const theirs = await after(bullmq, prepare, () => addFlows(bullmq, jobs))
    expect(await after(bullmq, prepare, () => place(jobs))).toEqual(theirs)
  })

  test('the same jobs again: they stay as they are, and ours tells and counts no repeat', async () => {
    const jobs = [slot(0), slot(1, later), slot(2, { bullPriority: 2 })]
    const isKept = ([key]: [string, unknown]) => !/:(events|id)$/u.test(key)
    const twice = await after(
      bullmq,
      async () => undefined,
      async () => (await addFlows(bullmq, jobs), await addFlows(bullmq, jobs)),
    )
    const once = await after(
      bullmq,
      async () => undefined,
      () => place(jobs),
    )
    expect(Object.entries(once).filter(isKept)).toEqual(Object.entries(twice).filter(isKept))
    await place(jobs)
    const all = await dump(client, 'bull:')
    expect(Object.entries(all).filter(([key]) => !key.startsWith('bull:.taskmill:'))).toEqual(Object.entries(once))
  })
})

test('of a done queue a few events stay, of another one as many as BullMQ keeps', async () => {
  const jobs = Array.from({ length: 100 }, (_, index) => slot(index, later))
  for (let round = 0; round < 10; round++) {
    await place(jobs)
    for (const { id } of jobs) await broker.removePlaced({ id, doneQueue: done, queue: 'tasks' }, proof)
  }
  expect(await client.hget(`bull:${done}:meta`, 'opts.maxLenEvents')).toBe('200')
  expect(await client.xlen(`bull:${done}:events`)).toBeLessThan(500)
  expect(await client.hget('bull:tasks:meta', 'opts.maxLenEvents')).toBe('10000')
  expect(await client.xlen('bull:tasks:events')).toBeGreaterThan(2_000)
})

test('only what BullMQ keeps about a done queue goes by itself, after 30 days without a job', async () => {
  await place([slot(0), slot(1, { bullPriority: 1 }), slot(2, later)])
  const keys = await client.keys('*')
  const ttls = await Promise.all(keys.map(async (key) => [key, await client.pttl(key)] as const))
  const expiring = ttls.filter(([, ttl]) => ttl !== -1)
  expect(expiring.map(([key]) => key).toSorted()).toEqual(['events', 'id', 'meta'].map((part) => `bull:${done}:${part}`))
  for (const [, ttl] of expiring) expect(Math.abs(ttl - 30 * 86_400_000)).toBeLessThan(60_000)
})

describe('all or nothing', () => {
  const isOurs = (key: string) => key.startsWith('bull:tasks:tm/') || key.startsWith(`bull:${done}`)

  test.each(['wait', 'delayed', 'prioritized', 'marker', 'events', 'meta', 'id', 'pc', 'active', 'completed', 'failed'])(
    'a queue whose %s has another type: nothing is written',
    async (part) => {
      await (part === 'id' || part === 'pc' ? client.lpush(`bull:tasks:${part}`, 'x') : client.set(`bull:tasks:${part}`, 'x'))
      const jobs = [jobOf('others', firstSlot + 9), slot(0), slot(1, later), slot(2, { bullPriority: 1 })]
      await expect(broker.placeJobs(jobs, addedMs, proof)).rejects.toMatchObject({ code: 'TM_BROKER_COMMAND_FAILED' })
      const lease = ['bull:.taskmill:dispatcher:default/team', 'bull:.taskmill:owners:default']
      expect((await client.keys('bull:*')).toSorted()).toEqual([...lease, `bull:tasks:${part}`])
    },
  )

  test('a set of used queues that has another type: nothing is written', async () => {
    const used = 'bull:.taskmill:queues:default/team'
    await client.set(used, 'x')
    await expect(broker.placeJobs([slot(0)], addedMs, proof)).rejects.toMatchObject({ code: 'TM_BROKER_COMMAND_FAILED' })
    expect((await client.keys('bull:*')).filter((key) => !key.startsWith('bull:.taskmill:'))).toEqual([])
  })

  test('a job that is the child of another flow: nothing is written, and the message names it', async () => {
    const [, six] = versions[0]!
    const producer = new six.FlowProducer({ connection: { port: redis.port, host: '127.0.0.1' } })
    const taken = slot(1)
    await producer.add({
      name: 'parent',
      queueName: 'elsewhere',
      children: [{ name: 'child', queueName: 'tasks', opts: { jobId: taken.id } }],
    })
    await producer.close()
    const before = await dump(client, 'bull:')
    await expect(broker.placeJobs([slot(0), taken], addedMs, proof)).rejects.toMatchObject({
      code: 'TM_BROKER_COMMAND_FAILED',
      message: expect.stringContaining(taken.id),
    })
    const left = await dump(client, 'bull:')
    expect(Object.keys(left).filter((key) => isOurs(key) && !(key in before))).toEqual([])
    expect(left).toMatchObject(before)
  })

  test('one job twice in one call is one job', async () => {
    await place([slot(0), slot(0)])
    expect(await client.lrange('bull:tasks:wait', 0, -1)).toEqual([slot(0).id])
    expect(await client.zcard(`bull:${done}:waiting-children`)).toBe(1)
  })
})

test('the fields that name where a job comes from are there for every worker to read', async () => {
  await place([slot(0), nodeJobOf('tasks', 'fetch')])
  const opts = await Promise.all(
    [slot(0).id, nodeJobOf('tasks', 'fetch').id].map(async (id) => JSON.parse((await client.hget(`bull:tasks:${id}`, 'opts')) ?? '')),
  )
  expect(opts).toMatchObject([{ taskmill: { ledger, slot: firstSlot } }, { taskmill: { run, node: 'fetch' } }])
})
