/** What a namespace leaves in a real Redis beside its records, and its removal. */
import { FlowProducer } from 'bullmq'
import { describe, expect, test } from 'vitest'
import type { DispatchProof, Portion } from '../../src/broker/index.ts'
import { type BrokerHome, useBrokerHome } from './broker-home.ts'
import {
  dispatcher,
  done,
  eventually,
  firstSlot,
  jobOf,
  lead,
  leadToClose,
  ledger,
  open,
  plainQueue,
  plainWorker,
  proof,
  refOf,
  writeOf,
} from './ledger-home.ts'
import { appendOf, nodeJobOf, run } from './run-home.ts'

let redis: BrokerHome['redis']
let broker: BrokerHome['broker']
let client: BrokerHome['client']
let queue: string

useBrokerHome((home) => ({ redis, broker, client, queue } = home))

const keys = async () => (await client.keys('*')).toSorted()
const ends = async () => (await broker.readEnded([done])).ended

/** All portions, each as the one before says. */
async function inPortions(work: (next: string | undefined) => Promise<Portion>): Promise<'Done' | 'Fenced'> {
  let portion = await work(undefined)
  while (portion.outcome === 'More') portion = await work(portion.next)
  return portion.outcome
}

const closeWith = (of: DispatchProof) => inPortions((next) => broker.closeNamespace(of, next))

async function close(): Promise<'Done' | 'Fenced'> {
  await leadToClose(broker)
  return closeWith(proof)
}

/** Runs jobs of a schedule and of a run, one of which fails, records their ends, and deletes both records. */
async function live(): Promise<void> {
  const { brokerTimeMs } = await broker.readLedgers([])
  const jobs = [jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1), nodeJobOf(queue, 'a')]
  await broker.placeJobs(jobs, brokerTimeMs, proof)
  {
    await using _worker = plainWorker(redis.port, queue, (id) => {
      if (id.endsWith('000001Z')) throw new Error('no')
    })
    await eventually(async () => expect(await ends()).toHaveLength(3))
  }
  await broker.acknowledgeEnded(await ends(), proof)
  await broker.writeLedger(writeOf({ counts: [{ subjectKind: 'Queue', subject: queue, outcome: 'Failed' }] }))
  await broker.appendRun(appendOf({ counts: [{ subjectKind: 'TaskDependency', subject: 'graph', outcome: 'Succeeded', count: 3 }] }))
  await broker.writeLedger(writeOf({ ledger, expectedRevision: 1, document: undefined }))
  await broker.deleteRun(run, 1, proof)
}

test('everything that the namespace used goes, and nobody but the holder of the lease removes it', async () => {
  await live()
  const before = await keys()
  expect(before).toContain(`bull:.taskmill:queues:${dispatcher}`)
  expect(before.filter((key) => key.includes(':counts:'))).toHaveLength(2)
  expect(before).toContain(`bull:${queue}:${refOf(queue, firstSlot).id}`)
  // Who holds the lease to dispatch does not close.
  expect(await closeWith(proof)).toBe('Fenced')
  await leadToClose(broker)
  expect(await closeWith({ ...proof, epoch: proof.epoch - 1 })).toBe('Fenced')
  expect(await closeWith({ ...proof, holder: 'another' })).toBe('Fenced')
  expect(await keys()).toEqual(before)
  expect(await closeWith(proof)).toBe('Done')
  expect(await keys()).toEqual([])
  expect(await closeWith(proof)).toBe('Fenced')
})

test('a claim to dispatch ends the closing, although it has the same proof', async () => {
  await live()
  const claim = { ...proof, by: `process-${proof.epoch}`, patienceMs: 30_000, cluster: 'c1' }
  expect(await broker.claimDispatch([{ ...claim, mode: 'Close' }])).toEqual([{ kind: 'HeldByOther', holder: proof.holder }])
  await leadToClose(broker)
  await lead(broker)
  const { brokerTimeMs } = await broker.readLedgers([])
  await broker.placeJobs([jobOf(queue, firstSlot + 2)], brokerTimeMs, proof)
  const before = await keys()
  expect(await closeWith(proof)).toBe('Fenced')
  expect(await keys()).toEqual(before)
})

test('a queue that was told how many events to keep goes on with that', async () => {
  await live()
  await client.hset(`bull:${queue}:meta`, 'opts.maxLenEvents', 500)
  expect(await close()).toBe('Done')
  expect(await client.hget(`bull:${queue}:meta`, 'opts.maxLenEvents')).toBe('500')
})

test('what others have put into a queue, or set about it, stays', async () => {
  await live()
  await using plain = plainQueue(redis.port, queue)
  await plain.add('theirs', {}, { jobId: 'theirs' })
  await plain.setGlobalConcurrency(3)
  expect(await close()).toBe('Done')
  expect(await plain.getJobCounts('completed', 'failed', 'waiting')).toEqual({ completed: 0, failed: 0, waiting: 1 })
  expect(await plain.getGlobalConcurrency()).toBe(3)
  expect((await keys()).filter((key) => !key.startsWith(`bull:${queue}:`))).toEqual([])
})

test.each<readonly [string, () => Promise<unknown>]>([
  ['adds jobs, although none is left', addAndRemove],
  ['has only opened it', openOnly],
  ['adds jobs by a flow', addFlow],
])('a queue keeps the counter of its ids where another client %s', async (_, use) => {
  await live()
  await use()
  await lead(broker)
  const { brokerTimeMs } = await broker.readLedgers([])
  await broker.placeJobs([jobOf(queue, firstSlot + 9)], brokerTimeMs, proof)
  await broker.removePlaced(refOf(queue, firstSlot + 9), proof)
  const counter = await client.get(`bull:${queue}:id`)
  expect(await close()).toBe('Done')
  expect(await client.get(`bull:${queue}:id`)).toBe(counter)
  // The next job of the other client gets an id that none had before.
  await using plain = plainQueue(redis.port, queue)
  expect(Number((await plain.add('theirs', {})).id)).toBe(Number(counter) + 1)
})

async function addAndRemove(): Promise<void> {
  await using plain = plainQueue(redis.port, queue)
  await (await plain.add('theirs', {})).remove()
  await forgetVersion()
}

async function addFlow(): Promise<void> {
  const producer = new FlowProducer({ connection: { port: redis.port, host: '127.0.0.1' } })
  const { job } = await producer.add({ name: 'theirs', queueName: queue })
  await job.remove()
  await producer.close()
}

async function openOnly(): Promise<void> {
  await using _plain = plainQueue(redis.port, queue)
  await eventually(async () => expect(await client.hexists(`bull:${queue}:meta`, 'version')).toBe(1))
}

/** As a client leaves a queue that adds jobs without being BullMQ. */
async function forgetVersion(): Promise<void> {
  await client.hdel(`bull:${queue}:meta`, 'version')
}

test('a queue that two namespaces share loses its counter with the second of them', async () => {
  await live()
  const theirs = { dispatcher: 'default/other', epoch: 1, holder: proof.holder }
  await lead(broker, theirs)
  const { brokerTimeMs } = await broker.readLedgers([])
  const ref = { id: 'tm/default/other/report/20300101T000000Z', doneQueue: '.taskmill-done/default/other', queue }
  await broker.placeJobs(
    [jobOf(queue, firstSlot, { ...ref, done: { v: 1, ledger: 'default/other/report', slot: firstSlot } })],
    brokerTimeMs,
    theirs,
  )
  expect(await close()).toBe('Done')
  expect(await client.exists(`bull:${queue}:id`)).toBe(1)
  expect(await broker.removePlaced(ref, theirs)).toBe('Removed')
  await leadToClose(broker, theirs)
  expect(await closeWith(theirs)).toBe('Done')
  expect(await keys()).toEqual([])
})

test('a queue that somebody has paused keeps what it says', async () => {
  await live()
  await using plain = plainQueue(redis.port, queue)
  await plain.pause()
  expect(await close()).toBe('Done')
  expect(await plain.isPaused()).toBe(true)
})

test('a job that still runs ends as any other job, and nobody waits for it', async () => {
  const { brokerTimeMs } = await broker.readLedgers([])
  await broker.placeJobs([jobOf(queue, firstSlot)], brokerTimeMs, proof)
  const gate = Promise.withResolvers<void>()
  await using worker = plainWorker(redis.port, queue, () => gate.promise)
  await eventually(async () => expect(await client.llen(`bull:${queue}:active`)).toBe(1))
  expect(await close()).toBe('Done')
  expect((await keys()).filter((key) => !key.startsWith(`bull:${queue}:`))).toEqual([])
  gate.resolve()
  await eventually(async () => expect(await client.zcard(`bull:${queue}:completed`)).toBe(1))
  expect((await keys()).filter((key) => !key.startsWith(`bull:${queue}:`))).toEqual([])
  expect(worker.isRunning()).toBe(true)
})

test('what another namespace has placed in the same queue stays, with its done queue and its counts', async () => {
  await live()
  const theirs = { dispatcher: 'default/other', epoch: 1, holder: proof.holder }
  await broker.claimDispatch([{ ...theirs, by: 'p', patienceMs: 30_000, cluster: 'c1' }])
  const { brokerTimeMs } = await broker.readLedgers([])
  const id = 'tm/default/other/report/20300101T000000Z'
  const placed = jobOf(queue, firstSlot, {
    id,
    doneQueue: '.taskmill-done/default/other',
    done: { v: 1, ledger: 'default/other/report', slot: firstSlot },
  })
  await broker.placeJobs([placed], brokerTimeMs, theirs)
  expect(await close()).toBe('Done')
  expect(await client.exists(`bull:${queue}:${id}`, `bull:.taskmill-done/default/other:${id}`, 'bull:.taskmill:queues:default/other')).toBe(
    3,
  )
  expect((await keys()).filter((key) => key.includes('/team'))).toEqual([])
})

test('a thousand counted subjects go in portions, also when another process continues', async () => {
  const counts = Array.from({ length: 1_000 }, (_, index) => ({
    subjectKind: 'TaskSchedule' as const,
    subject: `report-${index}`,
    outcome: 'Succeeded' as const,
  }))
  await broker.writeLedger(writeOf({ counts }))
  await broker.writeLedger(writeOf({ ledger, expectedRevision: 1, document: undefined }))
  const counted = () => client.zcard(`bull:.taskmill:counted:${dispatcher}`)
  expect(await counted()).toBe(1_000)
  await leadToClose(broker)
  const left = [await counted()]
  for (let portion = 0; portion < 5; portion += 1) {
    expect(await broker.closeNamespace(proof)).toEqual({ outcome: 'More' })
    left.push(await counted())
  }
  expect(left).toEqual([1_000, 950, 900, 850, 800, 750])
  expect((await keys()).filter((key) => key.includes(':counts:'))).toHaveLength(750)
  await using another = open(redis)
  expect(await inPortions((next) => another.closeNamespace(proof, next))).toBe('Done')
  expect(await keys()).toEqual([])
})

test('subjects of which nothing was counted for 26 hours are forgotten while others are counted', async () => {
  const counted = `bull:.taskmill:counted:${dispatcher}`
  const minute = Math.floor(Date.now() / 60_000)
  const names = Array.from({ length: 45 }, (_, index) => `old-${index}`)
  await client.zadd(counted, ...names.flatMap((name) => [minute - 26 * 60 - 2, name]), minute - 25 * 60, 'recent')
  for (let revision = 0; revision < 3; revision += 1) {
    const counts = [{ subjectKind: 'Queue', subject: `${queue}-${revision}`, outcome: 'Failed' }] as const
    await broker.writeLedger(writeOf({ expectedRevision: revision, counts }))
  }
  const left = await client.zrange(counted, '0', '-1')
  expect(left).toHaveLength(4)
  expect(left).toContain('recent')
  expect(await client.ttl(counted)).toBeGreaterThan(25 * 3_600)
})

describe('queues in which nothing was placed for eight days', () => {
  const day = 86_400_000
  const forget = async (atMs: number) => inPortions((next) => broker.forgetUnusedQueues(proof, atMs, next))
  const queuesOf = () => client.zrange(`bull:.taskmill:queues:${dispatcher}`, '0', '-1')
  const jobIds = () => client.zrange(`bull:${queue}:completed`, '0', '-1')

  async function runOne(): Promise<number> {
    const { brokerTimeMs } = await broker.readLedgers([])
    await broker.placeJobs([jobOf(queue, firstSlot)], brokerTimeMs, proof)
    {
      await using _worker = plainWorker(redis.port, queue, () => 'ok')
      await eventually(async () => expect(await ends()).toHaveLength(1))
    }
    await broker.acknowledgeEnded(await ends(), proof)
    return brokerTimeMs
  }

  test('are left with all that is in them, and not before', async () => {
    const placedMs = await runOne()
    expect(await forget(placedMs + 7.9 * day)).toBe('Done')
    expect([await queuesOf(), (await jobIds()).length]).toEqual([[`bull:${queue}:`], 1])
    expect(await forget(placedMs + 8.1 * day)).toBe('Done')
    expect(await queuesOf()).toEqual([])
    expect((await keys()).filter((key) => key.startsWith(`bull:${queue}:`))).toEqual([])
  })

  test('stay while a job ended in them within a week, or is there', async () => {
    const placedMs = await runOne()
    await client.zadd(`bull:${queue}:completed`, placedMs + 5 * day, refOf(queue, firstSlot).id)
    expect(await forget(placedMs + 9 * day)).toBe('Done')
    expect([await queuesOf(), (await jobIds()).length]).toEqual([[`bull:${queue}:`], 1])
    // It counts as used now, so that nobody looks again and again.
    expect(Number(await client.zscore(`bull:.taskmill:queues:${dispatcher}`, `bull:${queue}:`))).toBeGreaterThanOrEqual(placedMs)
  })

  test('are left by the holder of the lease only', async () => {
    const placedMs = await runOne()
    const before = await keys()
    const work = (next: string | undefined) => broker.forgetUnusedQueues({ ...proof, epoch: 7 }, placedMs + 9 * day, next)
    expect(await inPortions(work)).toBe('Fenced')
    expect(await keys()).toEqual(before)
  })
})

test('hundreds of ended jobs and done jobs go in portions', async () => {
  const { brokerTimeMs } = await broker.readLedgers([])
  const slots = Array.from({ length: 700 }, (_, index) => firstSlot + index)
  for (let from = 0; from < slots.length; from += 100) {
    const jobs = slots.slice(from, from + 100).map((slot) => jobOf(queue, slot))
    await broker.placeJobs(jobs, brokerTimeMs, proof)
  }
  {
    await using _worker = plainWorker(redis.port, queue, () => 'ok', { concurrency: 50 })
    await eventually(async () => expect(await client.zcard(`bull:${queue}:completed`)).toBe(700))
  }
  expect(await close()).toBe('Done')
  expect(await keys()).toEqual([])
})
