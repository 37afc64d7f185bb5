import { describe, expect, test } from 'vitest'
import type { DispatchProof, EndedSlot, PlacedJob } from '../../src/broker/index.ts'
import { slotJobId, type Slot } from '../../src/contract/index.ts'
import { useBrokerHome, type BrokerHome } from './broker-home.ts'
import { done, eventually, firstSlot, jobOf, lead, ledger, open, plainQueue, plainWorker, proof, refOf, writeOf } from './ledger-home.ts'

let redis: BrokerHome['redis']
let broker: BrokerHome['broker']
let client: BrokerHome['client']
let queue: string

useBrokerHome((home) => ({ redis, broker, client, queue } = home))

const nowMs = async () => (await broker.readLedgers([])).brokerTimeMs
const place = async (...jobs: readonly PlacedJob[]) => await broker.placeJobs(jobs, await nowMs(), proof)
const endsOf = async () => (await broker.readEnded([done])).ended.filter((end) => end.kind === 'Slot')
const ended = (count: number) =>
  eventually(async () => {
    const ends = await endsOf()
    expect(ends).toHaveLength(count)
    return ends
  })
const acknowledge = async () => await broker.acknowledgeEnded(await endsOf(), proof)
/** What is left of all that belongs to slots; BullMQ's bookkeeping of a queue aside. */
const left = async () =>
  (await client.keys('bull:*'))
    .filter((key) => /tm\/|:(wait|delayed|prioritized|waiting-children|active|completed|failed)$|placing/u.test(key))
    .toSorted()

/** Runs jobs until that many runs have begun in all; tells which. */
async function runs(of: string, atLeast: number, handle: (id: string, attempt: number) => unknown = () => 'ok') {
  const ids: string[] = []
  await using _worker = plainWorker(redis.port, of, (id, attempt) => {
    ids.push(id)
    return handle(id, attempt)
  })
  await eventually(async () => expect(ids.length).toBeGreaterThanOrEqual(atLeast))
  await new Promise((resolve) => setTimeout(resolve, 150))
  return ids
}

describe('placing', () => {
  test('a delayed job is due at exactly the wanted millisecond, as any BullMQ reads it', async () => {
    const at = (await nowMs()) + 5_000
    const jobs = [0, 1, 2].map((index) => jobOf(queue, firstSlot + index, { dueAtMs: at + index, attempts: 4, backoffMs: 250 }))
    expect(await place(...jobs)).toBe('Placed')
    const scores = await client.zrange(`bull:${queue}:delayed`, 0, '-1', 'WITHSCORES')
    expect([1, 3, 5].map((index) => Math.floor(Number(scores[index]) / 4_096))).toEqual([at, at + 1, at + 2])
    await using plain = plainQueue(redis.port, queue)
    const job = await plain.getJob(jobs[0]!.id)
    expect(job).toMatchObject({ name: 'report', data: { slot: firstSlot } })
    expect(job!.opts).toMatchObject({
      attempts: 4,
      backoff: { type: 'exponential', delay: 250 },
      removeOnComplete: { age: 86_400 },
      removeOnFail: { age: 604_800 },
      taskmill: { ledger, slot: firstSlot },
    })
    expect(job!.opts.removeOnComplete).not.toHaveProperty('count')
    expect(await client.exists('bull:.taskmill:placing')).toBe(0)
  })

  test('a due job joins the waiting jobs, or the prioritized ones by its priority', async () => {
    await place(jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1, { bullPriority: 7 }))
    expect(await broker.readQueues([queue])).toMatchObject([{ waiting: 1, prioritized: 1, delayed: 0 }])
  })

  test('again in every state: nothing happens, and each job runs once', async () => {
    const at = await nowMs()
    const delayed = jobOf(`${queue}-d`, firstSlot, { dueAtMs: at + 60_000 })
    const waiting = jobOf(queue, firstSlot + 1)
    const prioritized = jobOf(queue, firstSlot + 2, { bullPriority: 3 })
    const failing = jobOf(queue, firstSlot + 3)
    const all = [delayed, waiting, prioritized, failing]
    // BullMQ's counter of what was added counts repeats, too.
    const before = async () =>
      JSON.stringify([
        (await broker.readQueues([queue, `${queue}-d`])).map((row) => ({ ...row, streamId: '', brokerTimeMs: 0, added: 0 })),
        await left(),
      ])
    await place(...all)
    const placed = await before()
    await place(...all)
    expect(await before()).toBe(placed)

    const again: Promise<unknown>[] = []
    const ids = await runs(queue, 3, (id) => {
      again.push(place(...all)) // active
      if (id === failing.id) throw new Error('broken')
    })
    await Promise.all(again)
    expect(ids.toSorted()).toEqual([waiting.id, prioritized.id, failing.id].toSorted())
    await ended(3)
    const over = await before()
    await place(...all) // completed and failed, kept
    expect(await before()).toBe(over)
    expect(await runs(queue, 0)).toEqual([]) // within 150 ms
    expect(await before()).toBe(over)
  }, 30_000)

  test('after the ends were acknowledged a late repeat runs nothing and leaves nothing', async () => {
    const jobs = [jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1)]
    await place(...jobs)
    await runs(queue, 2, (id) => {
      if (id === jobs[0]!.id) throw new Error('broken')
    })
    await ended(2)
    await acknowledge()
    const before = await left()
    expect(await client.exists(`bull:${done}:${jobs[0]!.id}`, `bull:${done}:${jobs[1]!.id}`)).toBe(0)
    expect(await place(...jobs)).toBe('Placed')
    expect(await left()).toEqual(before)
    expect(await endsOf()).toEqual([])
    await using plain = plainQueue(redis.port, queue)
    expect(await plain.getJobCounts()).toMatchObject({ waiting: 0, delayed: 0, completed: 1, failed: 1 })
    expect((await plain.getJob(jobs[1]!.id))!.parentKey).toBe(`bull:${done}:${jobs[1]!.id}`)
  })

  test('a repeat after the job was removed by hand does not bring it back', async () => {
    const job = jobOf(queue, firstSlot, { dueAtMs: (await nowMs()) + 60_000 })
    await place(job)
    await using plain = plainQueue(redis.port, queue)
    await plain.remove(job.id)
    await place(job)
    expect(await plain.getJobCounts()).toMatchObject({ waiting: 0, delayed: 0 })
    expect(await endsOf()).toMatchObject([{ id: job.id, outcome: 'Removed' }])
    await acknowledge()
    expect(await left()).toEqual([])
  })

  test('a job that waits without a done job gets one', async () => {
    const job = jobOf(queue, firstSlot)
    await place(job)
    await client.del(`bull:${done}:${job.id}`, `bull:${done}:${job.id}:dependencies`, `bull:${done}:waiting-children`)
    await place(job)
    expect(await runs(queue, 1)).toEqual([job.id])
    expect(await ended(1)).toMatchObject([{ outcome: 'Succeeded' }])
  })

  test.each<[string, Partial<DispatchProof>]>([
    ['a lower epoch', { epoch: 0 }],
    ['a higher epoch', { epoch: 2 }],
    ['another holder', { holder: 'other' }],
    ['another namespace', { dispatcher: 'default/other' }],
  ])('%s places nothing, in no state', async (_, wrong) => {
    const at = await nowMs()
    const jobs = [
      jobOf(queue, firstSlot),
      jobOf(queue, firstSlot + 1, { dueAtMs: at + 60_000 }),
      jobOf(queue, firstSlot + 2, { bullPriority: 1 }),
    ]
    const bad = { ...proof, ...wrong }
    expect(await broker.placeJobs(jobs, at, bad)).toBe('Fenced')
    expect(await left()).toEqual([])
    await place(...jobs)
    const before = await left()
    const hashes = async () => await Promise.all(before.filter((key) => key.endsWith('Z')).map((key) => client.hgetall(key)))
    const contents = await hashes()
    expect(await broker.placeJobs([...jobs, jobOf(queue, firstSlot + 3)], at, bad)).toBe('Fenced')
    expect(await left()).toEqual(before)
    expect(await hashes()).toEqual(contents)
    expect((await runs(queue, 2)).length).toBe(2)
  })

  test('a server that forgot its scripts receives them again, and half a job is never visible', async () => {
    for (let round = 0; round < 20; round++) {
      if (round > 0) await client.script('FLUSH')
      if (round % 2 === 1) await plainQueue(redis.port, queue).add('x', {}) // some of the scripts are known again
      await place(
        jobOf(queue, firstSlot + 3 * round),
        jobOf(queue, firstSlot + 3 * round + 1, { dueAtMs: Date.now() + 60_000 }),
        jobOf(queue, firstSlot + 3 * round + 2, { bullPriority: 1 }),
      )
    }
    expect(await endsOf()).toEqual([])
    expect(await client.zcard(`bull:${done}:waiting-children`)).toBe(60)
    expect(await broker.readQueues([queue])).toMatchObject([{ waiting: 30, delayed: 20, prioritized: 20 }])
  })

  test('without memory it is refused as a whole, and what is there stays', async () => {
    const kept = jobOf(queue, firstSlot)
    await place(kept)
    await runs(queue, 1)
    await ended(1)
    await client.config('SET', 'maxmemory', '1')
    try {
      await expect(place(jobOf(queue, firstSlot + 1), kept)).rejects.toMatchObject({
        code: 'TM_BROKER_COMMAND_FAILED',
        message: expect.stringContaining('OOM'),
      })
    } finally {
      await client.config('SET', 'maxmemory', '0')
    }
    expect(await endsOf()).toMatchObject([{ id: kept.id, outcome: 'Succeeded' }])
    expect(await broker.lookAtPlaced([refOf(queue, firstSlot + 1)])).toMatchObject([{ state: 'Absent' }])
    await place(jobOf(queue, firstSlot + 1), kept)
    expect(await runs(queue, 1)).toEqual([slotJobId(ledger, firstSlot + 1)])
  })

  test('1,000 in calls of 64, the same again, and 1,000 in calls of their own', async () => {
    const at = await nowMs()
    const jobs = Array.from({ length: 1_000 }, (_, index) => jobOf(queue, firstSlot + index, { dueAtMs: at + 60_000 }))
    const placeAll = async () => {
      for (let from = 0; from < jobs.length; from += 64) await broker.placeJobs(jobs.slice(from, from + 64), at, proof)
    }
    await placeAll()
    await placeAll()
    const others = jobs.map((job, index) => jobOf(`${queue}-own`, job.slot + 10_000 + index, { dueAtMs: at }))
    for (let from = 0; from < others.length; from += 20) {
      await Promise.all(others.slice(from, from + 20).map((job) => broker.placeJobs([job], at, proof)))
    }
    expect(await broker.readQueues([queue, `${queue}-own`])).toMatchObject([{ delayed: 1_000 }, { waiting: 1_000 }])
  })

  test('names in any script, and an installation of their own', async () => {
    const name = '報告-отчёт-🦊'
    const job = jobOf(`очередь-${name}`, firstSlot, { name, data: { text: name, deep: { list: [1, 'ü'] } } })
    await place(job)
    let seen: unknown
    await using worker = plainWorker(redis.port, job.queue, () => undefined)
    worker.on('active', ({ name: type, data }) => (seen = { type, data }))
    expect(await ended(1)).toMatchObject([{ id: job.id, owner: ledger, slot: firstSlot, outcome: 'Succeeded' }])
    expect(seen).toEqual({ type: name, data: job.data })
  })
})

describe('ends', () => {
  const byOutcome = (ends: readonly EndedSlot[]) => Object.fromEntries(ends.map(({ slot, ...end }) => [slot - firstSlot, end]))

  test('tell how it went: success, failure after its retries, removal, an emptied and an obliterated queue', async () => {
    const [gone, drained] = [`${queue}-gone`, `${queue}-drained`]
    const later = (await nowMs()) + 60_000
    await place(
      jobOf(queue, firstSlot),
      jobOf(queue, firstSlot + 1, { attempts: 3, backoffMs: 10 }),
      jobOf(queue, firstSlot + 2, { dueAtMs: later }),
      jobOf(drained, firstSlot + 3),
      jobOf(gone, firstSlot + 4, { dueAtMs: later }),
    )
    const startedMs = Date.now()
    await runs(queue, 4, (id) => {
      if (id === slotJobId(ledger, firstSlot + 1)) throw new Error(`no access 🦊${'x'.repeat(5_000)}`)
    })
    await using plain = plainQueue(redis.port, queue)
    await plain.remove(slotJobId(ledger, firstSlot + 2))
    await using other = plainQueue(redis.port, drained)
    await other.drain()
    await using third = plainQueue(redis.port, gone)
    await third.obliterate({ force: true })
    const ends = byOutcome(await ended(5))
    expect(ends).toMatchObject({
      0: { outcome: 'Succeeded', attemptsMade: 1, attempts: 1, worker: 'pod-1' },
      1: { outcome: 'Failed', attemptsMade: 3, attempts: 3, worker: 'pod-1', message: expect.stringContaining('no access 🦊xxx') },
      2: { outcome: 'Removed' },
      3: { outcome: 'Removed' },
      4: { outcome: 'Removed' },
    })
    expect(ends[1]!.message).toHaveLength(1_024)
    expect(ends[0]!.startedAtMs).toBeGreaterThanOrEqual(startedMs - 5_000)
    expect(ends[0]!.finishedAtMs).toBeGreaterThanOrEqual(ends[0]!.startedAtMs!)

    // Reading removes nothing; acknowledging does, and again does nothing.
    expect(await endsOf()).toHaveLength(5)
    await acknowledge()
    await broker.acknowledgeEnded(
      [0, 1, 2, 3, 4].map((index) => refOf(queue, firstSlot + index)),
      proof,
    )
    expect(await endsOf()).toEqual([])
    expect((await left()).filter((key) => key.includes(done))).toEqual([])
  })

  test('a job that is not kept tells no more than that it succeeded, and what it returned', async () => {
    await place(jobOf(queue, firstSlot))
    await using plain = plainQueue(redis.port, queue)
    await runs(queue, 1)
    await plain.remove(slotJobId(ledger, firstSlot))
    const [end] = await ended(1)
    expect(end).toEqual({
      kind: 'Slot',
      id: slotJobId(ledger, firstSlot),
      doneQueue: done,
      owner: ledger,
      slot: firstSlot,
      outcome: 'Succeeded',
      result: '"ok"',
    })
  })

  test('acknowledging a job that has not ended changes nothing', async () => {
    await place(jobOf(queue, firstSlot))
    const before = await left()
    await broker.acknowledgeEnded([refOf(queue, firstSlot)], proof)
    expect(await left()).toEqual(before)
  })

  test('a former leader acknowledges nothing', async () => {
    await place(jobOf(queue, firstSlot))
    await using plain = plainQueue(redis.port, queue)
    await plain.remove(slotJobId(ledger, firstSlot))
    const before = await endsOf()
    expect(await broker.acknowledgeEnded(before, { ...proof, epoch: proof.epoch - 1 })).toBe('Fenced')
    expect(await broker.acknowledgeEnded(before, { ...proof, holder: 'another' })).toBe('Fenced')
    expect(await endsOf()).toEqual(before)
    expect(await broker.acknowledgeEnded(before, proof)).toBe('Done')
    expect(await endsOf()).toEqual([])
  })

  test('an end whose owner is gone goes only where the broker has no ledger of it', async () => {
    await place(jobOf(queue, firstSlot))
    await using plain = plainQueue(redis.port, queue)
    await plain.remove(slotJobId(ledger, firstSlot))
    const ends = await endsOf()
    expect(ends).toHaveLength(1)
    const orphaned = ends.map(({ id, doneQueue, owner }) => ({ id, doneQueue, orphanOf: owner }))
    const { stored } = await broker.readLedgers([ledger])
    const expectedRevision = stored[0]?.revision ?? 0
    await broker.writeLedger(writeOf({ expectedRevision }))
    expect(await broker.acknowledgeEnded(orphaned, proof)).toBe('Done')
    expect(await endsOf()).toEqual(ends)
    await broker.writeLedger(writeOf({ expectedRevision: expectedRevision + 1, document: undefined }))
    expect(await broker.acknowledgeEnded(orphaned, { ...proof, epoch: proof.epoch - 1 })).toBe('Fenced')
    expect(await endsOf()).toEqual(ends)
    expect(await broker.acknowledgeEnded(orphaned, proof)).toBe('Done')
    expect(await endsOf()).toEqual([])
  })

  test('oldest first, 100 of each queue, and it says where to go on', async () => {
    const slots = Array.from({ length: 130 }, (_, index) => firstSlot + index)
    await place(...slots.map((slot) => jobOf(queue, slot)))
    await using plain = plainQueue(redis.port, queue)
    for (const slot of slots) await plain.remove(slotJobId(ledger, slot))
    const first = await broker.readEnded(['.taskmill-done/default/empty', done])
    expect(first.ended.map(({ id }) => id)).toEqual(slots.slice(0, 100).map((slot) => slotJobId(ledger, slot)))
    expect(first.next).toBe(100)
    const rest = await broker.readEnded([done], first.next)
    expect(rest.ended.map(({ id }) => id)).toEqual(slots.slice(100).map((slot) => slotJobId(ledger, slot)))
    expect(rest.next).toBeUndefined()
    await broker.acknowledgeEnded(first.ended, proof)
    const second = await broker.readEnded([done])
    expect(second.ended.map(({ id }) => id)).toEqual(slots.slice(100).map((slot) => slotJobId(ledger, slot)))
    expect(second.next).toBeUndefined()
  })

  test('jobs that others left in the done queue are skipped', async () => {
    await using plain = plainQueue(redis.port, done)
    await plain.add('x', { hello: 1 })
    await client.lpush(`bull:${done}:wait`, 'nothing')
    await place(jobOf(queue, firstSlot))
    await runs(queue, 1)
    await ended(1)
  })
})

describe('taking back', () => {
  test('every kind of waiting job goes without a trace, and can be placed anew', async () => {
    const at = await nowMs()
    const jobs = [
      jobOf(queue, firstSlot),
      jobOf(queue, firstSlot + 1, { dueAtMs: at + 60_000 }),
      jobOf(queue, firstSlot + 2, { bullPriority: 5 }),
    ]
    await place(...jobs)
    for (const { slot } of jobs) expect(await broker.removePlaced(refOf(queue, slot), proof)).toBe('Removed')
    expect(await left()).toEqual([])
    for (const { slot } of jobs) expect(await broker.removePlaced(refOf(queue, slot), proof)).toBe('Absent')
    await place(...jobs.map((job) => ({ ...job, dueAtMs: 0, data: { anew: true } })))
    expect((await runs(queue, 3)).length).toBe(3)
    await ended(3)
  })

  test('a started job stays, whether running, between two attempts, handed back, completed or failed', async () => {
    const jobs = [0, 1, 2].map((index) => jobOf(queue, firstSlot + index, { attempts: index === 1 ? 3 : 1, backoffMs: 60_000 }))
    await place(...jobs)
    const running = Promise.withResolvers<void>()
    await using worker = plainWorker(redis.port, queue, async (id) => {
      if (id === jobs[0]!.id) await running.promise
      else throw new Error('broken')
    })
    await eventually(async () =>
      expect(await broker.lookAtPlaced(jobs.map(({ slot }) => refOf(queue, slot)))).toMatchObject([
        { state: 'Active' },
        { state: 'Waiting', startedAtMs: expect.any(Number) },
        { state: 'Ended' },
      ]),
    )
    for (const { slot } of jobs) expect(await broker.removePlaced(refOf(queue, slot), proof)).toBe('Started')
    running.resolve()
    await ended(2)
    expect(await broker.removePlaced(refOf(queue, firstSlot), proof)).toBe('Started')
    await acknowledge()
    for (const { slot } of jobs) expect(await broker.removePlaced(refOf(queue, slot), proof)).toBe('Started')
    await worker.close()
  })

  test('a removal without the proof is Fenced', async () => {
    await place(jobOf(queue, firstSlot))
    const before = await left()
    for (const wrong of [{ epoch: 0 }, { holder: 'x' }])
      expect(await broker.removePlaced(refOf(queue, firstSlot), { ...proof, ...wrong })).toBe('Fenced')
    expect(await left()).toEqual(before)
  })

  test('racing with the start, 400 times: exactly the ones that were not taken back run, once', async () => {
    const taken = new Set<string>()
    const kept = new Set<string>()
    const ran: string[] = []
    await using _first = plainWorker(redis.port, queue, (id) => void ran.push(id))
    await using _second = plainWorker(redis.port, queue, (id) => void ran.push(id))
    for (let round = 0; round < 20; round++) {
      const at = await nowMs()
      const slots = Array.from({ length: 20 }, (_, index): Slot => firstSlot + round * 20 + index)
      await broker.placeJobs(
        slots.map((slot, index) => jobOf(queue, slot, { dueAtMs: at + (index % 4) * 2, ...(index % 3 === 0 ? { bullPriority: 1 } : {}) })),
        at,
        proof,
      )
      await Promise.all(
        slots.map(async (slot, index) => {
          await new Promise((resolve) => setTimeout(resolve, (index * 7) % 9))
          const answer = await broker.removePlaced(refOf(queue, slot), proof)
          expect(answer).not.toBe('Absent')
          ;(answer === 'Removed' ? taken : kept).add(slotJobId(ledger, slot))
        }),
      )
    }
    await eventually(async () => expect(new Set(ran)).toEqual(kept))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(ran.toSorted()).toEqual([...kept].toSorted())
    expect(taken.size + kept.size).toBe(400)
    expect(Math.min(taken.size, kept.size)).toBeGreaterThan(0)
    console.info(`taking back raced with the start: ${taken.size} taken back, ${kept.size} ran`)
    for (let seen = 0; seen < kept.size;) {
      const { ended: ends } = await broker.readEnded([done])
      seen += ends.length
      await broker.acknowledgeEnded(ends, proof)
      if (ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect((await left()).filter((key) => key.includes(done))).toEqual([])
  }, 60_000)
})

test('looking tells of each job where it is', async () => {
  const at = await nowMs()
  await place(jobOf(queue, firstSlot, { dueAtMs: at + 60_000 }), jobOf(queue, firstSlot + 1), jobOf(queue, firstSlot + 2))
  const more = Array.from({ length: 120 }, (_, index) => refOf(queue, firstSlot + 1_000 + index))
  await runs(queue, 2)
  const states = await broker.lookAtPlaced([refOf(queue, firstSlot), refOf(queue, firstSlot + 1), ...more])
  expect(states.slice(0, 2)).toEqual([
    { id: slotJobId(ledger, firstSlot), state: 'Waiting' },
    { id: slotJobId(ledger, firstSlot + 1), state: 'Ended', startedAtMs: expect.any(Number) },
  ])
  expect(states.slice(2).every(({ state }) => state === 'Absent')).toBe(true)
  expect(states).toHaveLength(122)
  expect(await broker.lookAtPlaced([])).toEqual([])
  await using plain = plainQueue(redis.port, queue)
  await plain.pause()
  const [waiting] = await broker.lookAtPlaced([refOf(queue, firstSlot)])
  expect(waiting).toEqual({ id: slotJobId(ledger, firstSlot), state: 'Waiting', isPaused: true })
})

test('all of it over two connections, however many queues and namespaces', async () => {
  await using own = open(redis)
  await place(jobOf(queue, firstSlot))
  const before = Number(/connected_clients:(\d+)/u.exec(await client.info('clients'))![1])
  await lead(own, { ...proof, dispatcher: 'default/n1' })
  for (let index = 0; index < 30; index++) {
    const job = jobOf(`${queue}-${index}`, firstSlot, { doneQueue: `.taskmill-done/default/n${index}` })
    await own.placeJobs([job], await nowMs(), { ...proof, dispatcher: 'default/n1' })
  }
  await own.watchQueues(new Map([[queue, '0-0']]), 1, new AbortController().signal)
  const after = Number(/connected_clients:(\d+)/u.exec(await client.info('clients'))![1])
  expect(after - before).toBeLessThanOrEqual(2)
})
