/** What a namespace leaves in a real Redis beside its records, and its removal. */
import { expect, test } from 'vitest'
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

async function close(): Promise<'Done' | 'Fenced'> {
  await leadToClose(broker)
  return broker.closeNamespace(proof)
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
  expect(before).toContain(`bull:.taskmill:used:${dispatcher}`)
  expect(before.filter((key) => key.includes(':counts:'))).toHaveLength(2)
  expect(before).toContain(`bull:${queue}:${refOf(queue, firstSlot).id}`)
  // Who holds the lease to dispatch does not close.
  expect(await broker.closeNamespace(proof)).toBe('Fenced')
  await leadToClose(broker)
  expect(await broker.closeNamespace({ ...proof, epoch: proof.epoch - 1 })).toBe('Fenced')
  expect(await broker.closeNamespace({ ...proof, holder: 'another' })).toBe('Fenced')
  expect(await keys()).toEqual(before)
  expect(await broker.closeNamespace(proof)).toBe('Done')
  expect(await keys()).toEqual([])
  expect(await broker.closeNamespace(proof)).toBe('Fenced')
})

test('a claim to dispatch ends the closing, although it has the same proof', async () => {
  await live()
  const claim = { ...proof, by: `process-${proof.epoch}`, patienceMs: 30_000, cluster: 'c1' }
  expect(await broker.claimDispatch([{ ...claim, isClosing: true }])).toEqual([{ kind: 'HeldByOther', holder: proof.holder }])
  await leadToClose(broker)
  await lead(broker)
  const { brokerTimeMs } = await broker.readLedgers([])
  await broker.placeJobs([jobOf(queue, firstSlot + 2)], brokerTimeMs, proof)
  const before = await keys()
  expect(await broker.closeNamespace(proof)).toBe('Fenced')
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
  expect(await client.exists(`bull:${queue}:${id}`, `bull:.taskmill-done/default/other:${id}`, 'bull:.taskmill:used:default/other')).toBe(3)
  expect((await keys()).filter((key) => key.includes('/team'))).toEqual([])
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
