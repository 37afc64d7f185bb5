/** Job schedulers: what Taskmill writes against what BullMQ writes, and that no change of ours loses or doubles a job, with real workers. */
import type { Job, JobsOptions, RepeatOptions, Worker } from 'bullmq'
import { describe, expect, test } from 'vitest'
import type { JobSchedulerPut, JobSchedulerSpec } from '../../src/broker/index.ts'
import { schedulerJobId } from '../../src/contract/index.ts'
import { useBrokerHome, type BrokerHome } from './broker-home.ts'
import { dump, versions } from './bullmq-versions.ts'
import { done, eventually, ledger, plainQueue, plainWorker, proof } from './ledger-home.ts'

let redis: BrokerHome['redis']
let broker: BrokerHome['broker']
let client: BrokerHome['client']
let queue: string

useBrokerHome((home) => ({ redis, broker, client, queue } = home))

const id = 'report'
const spec: JobSchedulerSpec = {
  timing: { pattern: '0 3 * * *', timeZone: 'Europe/Berlin' },
  name: 'write-report',
  data: { of: 'yesterday' },
  attempts: 3,
  backoffMs: 30_000,
  owner: ledger,
}
const everySecond: JobSchedulerSpec = { ...spec, timing: { everyMs: 1000, offsetMs: 0 }, attempts: 1, backoffMs: undefined }
const nowMs = async () => (await broker.readLedgers([])).brokerTimeMs
const readWith = async (own: JobSchedulerSpec | undefined, ...jobsAt: readonly number[]) =>
  (await broker.readJobSchedulers([{ queue, id, doneQueue: done, jobsAt, spec: own }]))[0]!
const read = (...jobsAt: readonly number[]) => readWith(undefined, ...jobsAt)
const putOf = (nextMs: number, more: Partial<JobSchedulerPut> = {}): JobSchedulerPut => ({
  queue,
  id,
  spec,
  expected: undefined,
  nextMs,
  doneQueue: done,
  done: { v: 1, ledger, slot: Math.floor(nextMs / 1000) },
  ...more,
})
const put = async (nextMs: number, more: Partial<JobSchedulerPut> = {}) =>
  await broker.putJobScheduler(putOf(nextMs, { expected: (await read()).stored, ...more }), await nowMs(), proof)
const follow = async (...atMs: readonly number[]) =>
  await broker.followJobs(
    atMs.map((ms) => ({ queue, id: schedulerJobId(id, ms), doneQueue: done, done: { v: 1, ledger, slot: Math.floor(ms / 1000) } })),
    await nowMs(),
    proof,
  )
const ends = async () => (await broker.readEnded([done])).ended
const hourMs = 3_600_000
const later = async (hours = 1) => Math.ceil((await nowMs()) / hourMs) * hourMs + hours * hourMs

describe('what is written', () => {
  const optionsOf = ({ attempts, backoffMs, owner }: JobSchedulerSpec): JobsOptions =>
    ({
      attempts,
      ...(backoffMs === undefined ? {} : { backoff: { type: 'exponential', delay: backoffMs } }),
      removeOnComplete: { age: 86_400 },
      removeOnFail: { age: 604_800 },
      taskmill: { ledger: owner },
    }) as JobsOptions

  test.each<[string, JobSchedulerSpec, RepeatOptions]>([
    ['a pattern', spec, { pattern: '0 3 * * *', tz: 'Europe/Berlin' }],
    [
      'a pattern with an end',
      { ...spec, endMs: 4_102_444_800_000 },
      { pattern: '0 3 * * *', tz: 'Europe/Berlin', endDate: 4_102_444_800_000 },
    ],
    ['an interval', { ...spec, timing: { everyMs: 7_200_000, offsetMs: 60_000 } }, { every: 7_200_000, offset: 60_000 }],
  ])('is what BullMQ writes: %s', async (_, own, options) => {
    await using theirs = plainQueue(redis.port, queue)
    await eventually(async () => expect(await client.hexists(`bull:${queue}:meta`, 'opts.maxLenEvents')).toBe(1))
    const job = await theirs.upsertJobScheduler(id, options, { name: own.name, data: own.data, opts: optionsOf(own) })
    const nextMs = Number(job?.id?.split(':').at(-1))
    const before = await withoutFollowing(nextMs)
    await client.del(...Object.keys(await dump(client, `bull:${queue}:`)))
    await eventually(async () => expect(await client.exists(`bull:${queue}:repeat`)).toBe(0))
    await client.hset(`bull:${queue}:meta`, before.meta)

    expect(await put(nextMs, { spec: own })).toBe('Done')
    const after = await withoutFollowing(nextMs)
    expect(after).toEqual(before)
    expect((await readWith(own)).stored?.differences).toEqual([])
  })

  /** Moments differ, and the done job is what BullMQ does not write. */
  async function withoutFollowing(nextMs: number) {
    const all = await dump(client, `bull:${queue}:`)
    const [job, scheduler] = [all[`bull:${queue}:repeat:${id}:${nextMs}`], all[`bull:${queue}:repeat:${id}`]] as Record<string, unknown>[]
    const { timestamp: _, parent: __, parentKey: ___, delay: ____, ...fields } = job!
    const { timestamp: _____, delay: ______, ...opts } = fields['opts'] as Record<string, unknown>
    const { taskmill: _______, ...meta } = all[`bull:${queue}:meta`] as Record<string, string>
    return {
      meta,
      scheduler,
      job: { ...fields, opts },
      repeat: all[`bull:${queue}:repeat`],
      delayed: all[`bull:${queue}:delayed`],
      id: all[`bull:${queue}:id`],
    }
  }

  test('an edit by another client shows, field by field; the owner stays', async () => {
    await put(await later())
    expect(await read()).toMatchObject({ owner: ledger, stored: { isAsWritten: true } })
    await using theirs = plainQueue(redis.port, queue)
    await theirs.upsertJobScheduler(id, { pattern: '0 4 * * *', tz: 'Europe/Berlin' }, { name: 'write-report', data: { of: 'today' } })
    const { stored, owner } = await readWith(spec)
    expect([owner, stored?.isAsWritten]).toEqual([ledger, false])
    expect(stored?.differences).toEqual([
      { field: 'data', ours: '{"of":"yesterday"}', theirs: '{"of":"today"}' },
      { field: 'pattern', ours: '0 3 * * *', theirs: '0 4 * * *' },
      { field: 'opts.attempts', ours: '3', theirs: undefined },
      { field: 'opts.backoff', ours: '{"delay":30000,"type":"exponential"}', theirs: undefined },
      { field: 'opts.removeOnComplete', ours: '{"age":86400}', theirs: undefined },
      { field: 'opts.removeOnFail', ours: '{"age":604800}', theirs: undefined },
    ])
  })
})

describe('a change', () => {
  test('without the dispatch lease does nothing', async () => {
    const stale = { ...proof, epoch: 0 }
    const nextMs = await later()
    expect(await broker.putJobScheduler(putOf(nextMs), await nowMs(), stale)).toBe('Fenced')
    await put(nextMs)
    const { stored } = await read()
    expect(await broker.removeJobScheduler({ queue, id, doneQueue: done, expected: stored! }, stale)).toEqual({ outcome: 'Fenced' })
    expect((await read()).stored).toEqual(stored)
  })

  test('is refused if the scheduler is not as it was read', async () => {
    await put(await later(1))
    const { stored } = await read()
    await put(await later(2))
    expect(await put(await later(3), { expected: stored })).toBe('Changed')
    expect(await put(await later(3), { expected: undefined })).toBe('Changed')
    expect(await broker.removeJobScheduler({ queue, id, doneQueue: done, expected: stored! }, proof)).toEqual({ outcome: 'Changed' })
  })

  test('replaces a job that is not due, with its done job', async () => {
    const [first, second] = [await later(1), await later(2)]
    await put(first)
    await put(second, { spec: { ...spec, data: { of: 'today' } } })
    expect((await read(first)).jobs).toMatchObject([
      { atMs: second, state: 'Delayed', isFollowed: true },
      { atMs: first, state: 'Absent', isFollowed: false },
    ])
    await put(second, { spec: { ...spec, data: { of: 'tomorrow' } } })
    expect(await client.hget(`bull:${queue}:repeat:${id}:${second}`, 'data')).toBe('{"of":"tomorrow"}')
    expect(await client.zcard(`bull:${done}:waiting-children`)).toBe(1)
    expect(await ends()).toEqual([])
  })

  test('leaves a due job that no worker has taken yet, which an upsert of BullMQ would delete', async () => {
    const [due, next] = [Math.floor((await nowMs()) / 1000) * 1000 - 5000, await later()]
    await put(due)
    expect((await read()).jobs).toMatchObject([{ atMs: due, state: 'Waiting', isFollowed: true }])
    expect(await put(next, { spec: { ...spec, data: { of: 'today' } } })).toBe('Done')
    const ran: string[] = []
    await using _ = plainWorker(redis.port, queue, (job) => ran.push(job))
    await eventually(async () =>
      expect(await ends()).toMatchObject([{ id: schedulerJobId(id, due), slot: due / 1000, outcome: 'Succeeded' }]),
    )
    expect(ran).toEqual([schedulerJobId(id, due)])
    // Its worker has not moved the scheduler on.
    expect((await read()).stored?.nextMs).toBe(next)
    expect((await read()).jobs).toMatchObject([{ atMs: next, state: 'Delayed', isFollowed: true }])
  })

  test('never makes a job of a time that had one', async () => {
    const due = Math.floor((await nowMs()) / 1000) * 1000 - 5000
    await put(due)
    expect(await put(due, { spec: everySecond })).toBe('Taken')
    expect((await readWith(spec)).stored?.differences).toEqual([])
  })

  test.each(['delayed and due', 'active', 'future'])('removes a scheduler, and says what became of its next job: %s', async (state) => {
    const atMs = state === 'future' ? await later() : (await nowMs()) + 50
    await put(atMs)
    let release = (): void => undefined
    const ran: string[] = []
    const worker = (): Worker & AsyncDisposable =>
      plainWorker(redis.port, queue, async (job) => {
        ran.push(job)
        await new Promise<void>((resolve) => (release = resolve))
      })
    await using first = state === 'active' ? worker() : undefined
    if (state === 'active') await eventually(async () => expect(ran).toHaveLength(1))
    if (state !== 'future') await eventually(async () => expect(await nowMs()).toBeGreaterThan(atMs))
    const { stored } = await read()
    const removed = await broker.removeJobScheduler({ queue, id, doneQueue: done, expected: stored! }, proof)
    // While it is active, its worker has made the next one, which is not due.
    expect(removed).toEqual({
      outcome: 'Removed',
      next: { atMs: stored!.nextMs, state: state === 'delayed and due' ? 'Delayed' : 'Removed' },
    })
    expect(await read()).toMatchObject({ stored: undefined, owner: undefined })
    await using _ = first === undefined ? worker() : undefined
    if (state !== 'future') {
      await eventually(async () => expect(ran).toEqual([schedulerJobId(id, atMs)]))
      release()
      await eventually(async () => expect(await ends()).toMatchObject([{ slot: Math.floor(atMs / 1000), outcome: 'Succeeded' }]))
    }
    const left = await dump(client, `bull:${queue}:`)
    expect(left[`bull:${queue}:delayed`]).toBeUndefined()
    expect(await client.zcard(`bull:${done}:waiting-children`)).toBe(0)
    expect(await broker.removeJobScheduler({ queue, id, doneQueue: done, expected: stored! }, proof)).toEqual({ outcome: 'Absent' })
  })
})

describe('the end of a job', () => {
  test('that is followed arrives although nothing of the job is kept', async () => {
    const atMs = await nowMs()
    await put(atMs)
    const job = `bull:${queue}:repeat:${id}:${atMs}`
    await client.hset(job, 'opts', JSON.stringify({ ...JSON.parse((await client.hget(job, 'opts'))!), removeOnComplete: true }))
    await using _ = plainWorker(redis.port, queue, () => ({ rows: 3 }))
    await eventually(async () =>
      expect(await ends()).toMatchObject([{ slot: Math.floor(atMs / 1000), outcome: 'Succeeded', result: '{"rows":3}' }]),
    )
    expect((await read(atMs)).jobs.at(-1)).toMatchObject({ state: 'Absent', isFollowed: true })
  })

  test('that is not followed is read from the job', async () => {
    await using theirs = plainQueue(redis.port, queue)
    const [failed, kept] = await Promise.all(
      [1000, 2000].map(async (ms) => await theirs.add('x', { ms }, { jobId: `repeat:${id}:${ms}`, attempts: 2 })),
    )
    await using _ = plainWorker(redis.port, queue, (job) => {
      if (job === failed?.id) throw new Error('no paper')
      return { pages: 2 }
    })
    await eventually(async () => expect(await kept!.getState()).toBe('completed'))
    await eventually(async () => expect(await failed!.getState()).toBe('failed'))
    expect((await read(1000, 2000, 3000)).jobs).toMatchObject([
      {
        atMs: 1000,
        state: 'Ended',
        isFollowed: false,
        end: { outcome: 'Failed', message: 'no paper', attempts: 2, attemptsMade: 2, worker: 'pod-1' },
      },
      { atMs: 2000, state: 'Ended', isFollowed: false, end: { outcome: 'Succeeded', result: '{"pages":2}' } },
      { atMs: 3000, state: 'Absent', isFollowed: false },
    ])
    expect(await follow(1000, 2000, 3000)).toBe('Done')
    expect(await client.zcard(`bull:${done}:waiting-children`)).toBe(0)
  })

  test('that a person removes with its scheduler arrives as removed', async () => {
    const atMs = await later()
    await put(atMs)
    await using theirs = plainQueue(redis.port, queue)
    await theirs.removeJobScheduler(id)
    expect(await read()).toMatchObject({ stored: undefined, owner: ledger })
    expect((await read(atMs)).jobs).toMatchObject([{ state: 'Absent', isFollowed: true }])
    expect(await follow(atMs)).toBe('Done')
    expect(await ends()).toMatchObject([{ slot: atMs / 1000, outcome: 'Removed' }])
    // And the same time can have a job again.
    expect(await put(atMs)).toBe('Done')
    expect(await ends()).toEqual([])
    expect((await read()).jobs).toMatchObject([{ atMs, state: 'Delayed', isFollowed: true }])
  })
})

describe.each(versions)('a worker of %s', (_, bullmq) => {
  test('serves a scheduler that Taskmill made: each second once, in order, whoever follows', async () => {
    const first = Math.ceil((await nowMs()) / 1000) * 1000 + 1000
    await put(first, { spec: everySecond })
    const ran: string[] = []
    const worker = new bullmq.Worker(queue, (job: Job) => Promise.resolve(void ran.push(job.id ?? '')), {
      connection: { port: redis.port, host: '127.0.0.1' },
    })
    worker.on('error', () => undefined)
    await eventually(async () => expect(ran.length).toBeGreaterThanOrEqual(4))
    await worker.close()
    expect(ran).toEqual(ran.map((__, index) => schedulerJobId(id, first + index * 1000)))
    expect((await read()).stored?.isAsWritten).toBe(true)
    const [end] = await ends()
    expect(end).toMatchObject({ id: schedulerJobId(id, first), outcome: 'Succeeded' })
  })
})

test('schedulers are read and confirmed many at a time', async () => {
  const nextMs = await later()
  const ids = Array.from({ length: 130 }, (_, index) => `s-${index}`)
  for (const each of ids) expect(await broker.putJobScheduler(putOf(nextMs, { id: each }), await nowMs(), proof)).toBe('Done')
  const refs = [...ids, 'none'].map((each) => ({ queue, id: each, doneQueue: done, jobsAt: [] }))
  const readings = await broker.readJobSchedulers(refs)
  const known = await broker.readJobSchedulerVersions(refs)
  expect(readings.map(({ stored }) => stored?.version)).toEqual(known)
  expect([known.length, known.at(-1), new Set(known).size]).toEqual([131, undefined, 2])
  await client.zadd(`bull:${queue}:repeat`, nextMs + 1000, 's-7')
  await client.hset(`bull:${queue}:repeat:s-8`, 'data', '{}')
  const changed = await broker.readJobSchedulerVersions(refs)
  expect(refs.filter((_, index) => changed[index] !== known[index]).map((ref) => ref.id)).toEqual(['s-7', 's-8'])
})

test('a pool at zero counts the next job of a scheduler as demand once it is due', async () => {
  await put((await nowMs()) + 200)
  expect(await broker.readQueues([queue])).toMatchObject([{ waiting: 0, delayed: 1, dueDelayed: 0 }])
  await eventually(async () => expect(await broker.readQueues([queue])).toMatchObject([{ waiting: 0, delayed: 1, dueDelayed: 1 }]))
})
