/** Workers and producers of each major of BullMQ beside ours, on the same queues: what one side writes, the other understands. */
import type { Queue, Worker, WorkerOptions } from 'bullmq'
import { describe, expect, test } from 'vitest'
import type { PlacedJob, QueueApply } from '../../src/broker/index.ts'
import { queueOwner, slotJobId } from '../../src/contract/index.ts'
import { versions } from './bullmq-versions.ts'
import { addJobs, journal, startConsumer, type Journal } from './consumers.ts'
import { useBrokerHome, type BrokerHome } from './broker-home.ts'
import { done, eventually, firstSlot, jobOf, ledger, proof, refOf } from './ledger-home.ts'
import { nodeJobOf } from './run-home.ts'

let redis: BrokerHome['redis']
let broker: BrokerHome['broker']
let client: BrokerHome['client']
let queue: string

useBrokerHome((home) => ({ redis, broker, client, queue } = home))

const nowMs = async () => (await broker.readLedgers([])).brokerTimeMs
const place = async (...jobs: readonly PlacedJob[]) => expect(await broker.placeJobs(jobs, await nowMs(), proof)).toBe('Placed')
const idOf = (index: number) => slotJobId(ledger, firstSlot + index)
const ended = (count: number) =>
  eventually(async () => {
    const { ended: ends } = await broker.readEnded([done])
    expect(ends).toHaveLength(count)
    return new Map(ends.map((end) => [end.id, end]))
  })
const reading = async () => (await broker.readQueues([queue]))[0]!
const quietMs = 250

/** A marker after everything that was there before: once it has run, what was to run has run, and what has not is not going to. */
async function barrier(own: Queue, seen: readonly string[]): Promise<void> {
  const id = `barrier-${seen.length}-${Math.floor(performance.now())}`
  await own.add('x', {}, { jobId: id })
  await eventually(async () => expect(seen).toContain(id))
}

describe.each(versions)('beside %s', (_, bullmq) => {
  const connection = () => ({ port: redis.port, host: '127.0.0.1' })
  const openQueue = (name = queue) => {
    const own = new bullmq.Queue(name, { connection: connection() })
    own.on('error', () => undefined)
    return Object.assign(own, { [Symbol.asyncDispose]: () => own.close() })
  }
  const startWorker = (run: (id: string, attempt: number) => unknown, options: Partial<WorkerOptions> = {}): Worker & AsyncDisposable => {
    const worker = new bullmq.Worker(queue, async (job) => await run(job.id ?? '', job.attemptsMade + 1), {
      connection: connection(),
      name: 'pod-1',
      concurrency: 10,
      ...options,
    })
    worker.on('error', () => undefined)
    return Object.assign(worker, { [Symbol.asyncDispose]: () => worker.close(true) })
  }

  describe('their workers, our jobs', () => {
    test('run once each, plain, delayed and prioritized, and their ends arrive with what came out', async () => {
      const at = await nowMs()
      await place(
        jobOf(queue, firstSlot),
        jobOf(queue, firstSlot + 1, { dueAtMs: at + 300 }),
        jobOf(queue, firstSlot + 2, { bullPriority: 2 }),
        jobOf(queue, firstSlot + 3, { bullPriority: 1 }),
        nodeJobOf(queue, 'fetch'),
      )
      const ran: string[] = []
      let delayedRanAtMs = 0
      await using _worker = startWorker(
        (id) => {
          if (id === idOf(1)) delayedRanAtMs = Date.now()
          ran.push(id)
          return { of: id }
        },
        { concurrency: 1 },
      )
      const ends = await ended(5)
      expect(ran.toSorted()).toEqual([idOf(0), idOf(1), idOf(2), idOf(3), nodeJobOf(queue, 'fetch').id].toSorted())
      // Plain ones first, then by priority.
      expect(ran.filter((id) => id !== idOf(1))).toEqual([idOf(0), nodeJobOf(queue, 'fetch').id, idOf(3), idOf(2)])
      expect(delayedRanAtMs).toBeGreaterThanOrEqual(at + 300 - 5)
      expect(ends.get(idOf(0))).toMatchObject({
        kind: 'Slot',
        owner: ledger,
        slot: firstSlot,
        outcome: 'Succeeded',
        attemptsMade: 1,
        attempts: 1,
        worker: 'pod-1',
        startedAtMs: expect.any(Number),
        finishedAtMs: expect.any(Number),
      })
      const node = ends.get(nodeJobOf(queue, 'fetch').id)
      expect(node).toMatchObject({ kind: 'Node', node: 'fetch', outcome: 'Succeeded', result: { of: node?.id } })
      expect(await broker.acknowledgeEnded([...ends.values()], proof)).toBe('Done')
      expect((await client.keys(`bull:${done}:tm/*`)).length).toBe(0)
    })

    test('fail after their retries, or succeed with one of them', async () => {
      await place(
        jobOf(queue, firstSlot, { attempts: 3, backoffMs: 20 }),
        jobOf(queue, firstSlot + 1, { attempts: 3, backoffMs: 20, bullPriority: 5 }),
        nodeJobOf(queue, 'fetch'),
      )
      const ran: string[] = []
      await using _worker = startWorker((id, attempt) => {
        ran.push(`${id} ${attempt}`)
        if (id !== idOf(1) || attempt < 2) throw new Error(`broken ${attempt}`)
      })
      const ends = await ended(3)
      expect(ran.filter((line) => line.startsWith(idOf(0)))).toEqual([1, 2, 3].map((attempt) => `${idOf(0)} ${attempt}`))
      expect(ends.get(idOf(0))).toMatchObject({
        outcome: 'Failed',
        message: expect.stringContaining('broken 3'),
        attemptsMade: 3,
        attempts: 3,
      })
      expect(ends.get(idOf(1))).toMatchObject({ outcome: 'Succeeded', attemptsMade: 2 })
      expect(ends.get(nodeJobOf(queue, 'fetch').id)).toMatchObject({
        kind: 'Node',
        outcome: 'Failed',
        message: expect.stringContaining('broken 1'),
      })
    })

    test('a repeat after the end runs nothing, acknowledged or not', async () => {
      await place(jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1))
      const ran: string[] = []
      await using _worker = startWorker((id) => {
        ran.push(id)
        if (id === idOf(1)) throw new Error('broken')
      })
      const ends = await ended(2)
      await place(jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1))
      await broker.acknowledgeEnded([...ends.values()], proof)
      await place(jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1))
      await using own = openQueue()
      await barrier(own, ran)
      expect(ran.filter((id) => id.startsWith('tm/')).toSorted()).toEqual([idOf(0), idOf(1)])
      expect((await broker.readEnded([done])).ended).toEqual([])
    })

    test('looking, taking back and cancelling: waiting, running, between two attempts, ended', async () => {
      const jobs = [0, 1, 2, 3].map((index) => jobOf(queue, firstSlot + index, { attempts: index === 1 ? 3 : 1, backoffMs: 60_000 }))
      const refs = jobs.map(({ slot }) => refOf(queue, slot))
      await place(...jobs.slice(0, 3))
      const release = Promise.withResolvers<void>()
      await using _worker = startWorker(async (id) => {
        if (id === idOf(0)) return await release.promise
        if (id === idOf(1)) throw new Error('broken')
      })
      await eventually(async () =>
        expect((await broker.lookAtPlaced(refs.slice(0, 3))).map(({ state }) => state)).toEqual(['Active', 'Waiting', 'Ended']),
      )
      await place({ ...jobs[3]!, dueAtMs: (await nowMs()) + 60_000 })
      expect(await broker.lookAtPlaced([refs[3]!])).toEqual([{ id: idOf(3), state: 'Waiting' }])

      for (const ref of refs.slice(0, 3)) expect(await broker.removePlaced(ref, proof)).toBe('Started')
      expect(await broker.removePlaced(refs[3]!, proof)).toBe('Removed')
      expect(await broker.cancelPlaced(refs[0]!, proof)).toBe('Running')
      expect(await broker.cancelPlaced(refs[1]!, proof)).toBe('Removed')
      expect(await broker.cancelPlaced(refs[2]!, proof)).toBe('Ended')
      release.resolve()
      const ends = await ended(2)
      expect([...ends.keys()].toSorted()).toEqual([idOf(0), idOf(2)])
      expect((await client.keys(`bull:${queue}:tm/*`)).toSorted()).toEqual([`bull:${queue}:${idOf(0)}`, `bull:${queue}:${idOf(2)}`])
    })

    test('their removals, an emptied and an obliterated queue end our jobs as removed', async () => {
      const [emptied, gone] = [`${queue}-emptied`, `${queue}-gone`]
      const later = (await nowMs()) + 60_000
      await place(
        jobOf(queue, firstSlot, { dueAtMs: later }),
        jobOf(emptied, firstSlot + 1),
        jobOf(gone, firstSlot + 2, { dueAtMs: later }),
      )
      await using first = openQueue()
      await first.remove(idOf(0))
      await using second = openQueue(emptied)
      await second.drain()
      await using third = openQueue(gone)
      await third.obliterate({ force: true })
      const ends = await ended(3)
      expect([...ends.values()].map(({ outcome }) => outcome)).toEqual(['Removed', 'Removed', 'Removed'])
    })
  })

  describe('their producers, our workers', () => {
    const consume = (seen: Journal, options: Partial<Parameters<typeof startConsumer>[1]> = {}) =>
      startConsumer(redis as never, {
        queues: [queue],
        process: async ({ id, attempt, name, data }) => {
          seen.note('started', `${id} ${attempt}`)
          if (name === 'fail' || (name === 'flaky' && attempt === 1)) throw new Error('by design')
          seen.note('ended', id)
          return data
        },
        ...options,
      })

    test('jobs of every kind run as their options say, and end where their producers look', async () => {
      await using own = openQueue()
      await addJobs(own, ['w1', 'w2'])
      await own.add('x', { n: 1 }, { jobId: 'p2', priority: 2 })
      await own.add('x', {}, { jobId: 'p1', priority: 1 })
      await own.add('x', {}, { jobId: 'l1', lifo: true })
      await own.add('x', {}, { jobId: 'd1', delay: 200 })
      await own.add('flaky', {}, { jobId: 'f1', attempts: 2, backoff: { type: 'exponential', delay: 10 } })
      await own.add('fail', {}, { jobId: 'f2', attempts: 2, backoff: { type: 'fixed', delay: 10 } })
      const seen = journal()
      await using _consumer = consume(seen)
      await eventually(async () => expect(await own.getJobCounts('completed', 'failed')).toEqual({ completed: 7, failed: 1 }))
      expect(seen.ended.filter((id) => /^[lwp]/u.test(id))).toEqual(['l1', 'w1', 'w2', 'p1', 'p2'])
      expect(seen.started.filter((line) => line.startsWith('f')).toSorted()).toEqual(['f1 1', 'f1 2', 'f2 1', 'f2 2'])
      const kept = await own.getJob('p2')
      expect(kept).toMatchObject({ returnvalue: { n: 1 }, attemptsMade: 1, processedBy: 'pod' })
      expect(await own.getJob('f2')).toMatchObject({ failedReason: 'by design', attemptsMade: 2 })
    })

    test('flows and the ticks of a job scheduler', async () => {
      const producer = new bullmq.FlowProducer({ connection: connection() })
      await producer.add({
        name: 'parent',
        queueName: queue,
        opts: { jobId: 'parent' },
        children: [1, 2].map((index) => ({ name: 'child', queueName: queue, opts: { jobId: `child${index}` } })),
      })
      await producer.close()
      expect(await reading()).toMatchObject({ waiting: 2, waitingChildren: 1 })
      await using own = openQueue()
      await own.upsertJobScheduler('often', { every: 100 }, { name: 'tick' })
      const seen = journal()
      await using _consumer = consume(seen)
      await eventually(async () => {
        expect(seen.ended.filter((id) => id.startsWith('child')).length).toBe(2)
        expect(seen.ended).toContain('parent')
        expect(seen.ended.filter((id) => id.startsWith('repeat:often')).length).toBeGreaterThan(2)
      })
      expect(seen.ended.indexOf('parent')).toBeGreaterThan(Math.max(seen.ended.indexOf('child1'), seen.ended.indexOf('child2')))
      await own.removeJobScheduler('often')
    })

    test('a job that ours hands back runs in theirs, and no attempt is used up', async () => {
      await using own = openQueue()
      await own.add('x', {}, { jobId: 'a', attempts: 2 })
      const started = Promise.withResolvers<void>()
      {
        await using handing = consume(journal(), {
          process: async (_job, { signal }) => {
            started.resolve()
            await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          },
        })
        await started.promise
        expect(await handing.end(0)).toMatchObject({ handedBack: 1 })
      }
      const attempts: number[] = []
      {
        await using _worker = startWorker((_id, attempt) => void attempts.push(attempt))
        await eventually(async () => expect(attempts).toEqual([1]))
        await eventually(async () => expect(await own.getJobCounts('completed')).toEqual({ completed: 1 }))
      }
    })

    test('ours takes over what a dead worker of theirs left', async () => {
      await using own = openQueue()
      await own.add('x', {}, { jobId: 'b' })
      {
        const holding = Promise.withResolvers<void>()
        await using _worker = startWorker(
          async () => {
            holding.resolve()
            await new Promise(() => undefined)
          },
          // A worker that searches for dead workers keeps all others from it for an interval.
          { lockDuration: 400, skipLockRenewal: true, stalledInterval: 100 },
        )
        await holding.promise
      }
      const seen = journal()
      await using _consumer = consume(seen, { stalledIntervalMs: 200 })
      await eventually(async () => expect(seen.ended).toEqual(['b']))
    })

    test('the locks of ours hold against the search of theirs for jobs of dead workers', async () => {
      await using own = openQueue()
      await own.add('x', {}, { jobId: 'long' })
      const release = Promise.withResolvers<void>()
      const [seen, stolen] = [journal(), [] as string[]]
      await using _consumer = consume(seen, {
        lockDurationMs: 2_000,
        process: async ({ id }) => {
          seen.note('started', id)
          await release.promise
          seen.note('ended', id)
        },
      })
      await eventually(async () => expect(seen.started).toEqual(['long']))
      await using _worker = startWorker((id) => void stolen.push(id), { stalledInterval: 100, lockDuration: 2_000 })
      await new Promise((resolve) => setTimeout(resolve, 2_600)) // longer than a lock, and 26 searches
      expect(await broker.countOrphans([queue])).toEqual(new Map([[queue, 0]]))
      release.resolve()
      await eventually(async () => expect(await own.getJobCounts('completed')).toEqual({ completed: 1 }))
      expect(stolen).toEqual([])
      expect(seen.ended).toEqual(['long'])
    })
  })

  describe('reads and changes of their jobs', () => {
    test('counts in every state are theirs', async () => {
      await using own = openQueue()
      await addJobs(own, ['w1', 'w2'])
      await addJobs(own, ['p1'], { priority: 3 })
      await addJobs(own, ['d1', 'd2', 'd3'], { delay: 60_000 })
      await own.add('x', {}, { jobId: 'due', delay: 1 })
      const holder = new bullmq.Worker(queue, null, { connection: connection() })
      holder.on('error', () => undefined)
      const token = 'theirs'
      const job = await holder.getNextJob(token)
      await (await holder.getNextJob(token))?.moveToFailed(new Error('broken'), token)
      const counts = await own.getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'failed')
      const now = await reading()
      expect(now).toMatchObject({
        waiting: counts['waiting'],
        prioritized: counts['prioritized'],
        delayed: counts['delayed'],
        active: 1,
        failed: 1,
        added: 7,
        paused: false,
      })
      expect(now.nextDueAtMs! - now.brokerTimeMs).toBeGreaterThan(50_000)
      expect(Math.abs(now.oldestReadyAtMs! - now.brokerTimeMs)).toBeLessThan(5_000)
      expect(await broker.countOrphans([queue])).toEqual(new Map([[queue, 0]]))
      await client.del(`bull:${queue}:${job?.id}:lock`)
      expect(await broker.countOrphans([queue])).toEqual(new Map([[queue, 1]]))
      await holder.close(true)
    })

    test('a stream of events tells of each of their changes', async () => {
      await using own = openQueue()
      const changes = [
        () => own.add('x', {}, { jobId: 'a' }),
        () => own.add('x', {}, { jobId: 'b', delay: 60_000 }),
        () => own.add('x', {}, { jobId: 'c', priority: 1 }),
        () => own.pause(),
        () => own.resume(),
        () => own.remove('b'),
      ]
      for (const change of changes) {
        const { streamId } = await reading()
        await change()
        const changed = await broker.watchQueues(new Map([[queue, streamId]]), 2_000, new AbortController().signal)
        expect([...changed.keys()]).toEqual([queue])
      }
    })

    test('cleaning removes old ended jobs of theirs with all that belongs to them', async () => {
      await using own = openQueue()
      await broker.applyQueue(applyOf({}))
      {
        await using _worker = startWorker((id) => {
          if (id.startsWith('f')) throw new Error('broken')
          return 'ok'
        })
        await addJobs(own, ['a', 'b', 'f1', 'f2'])
        await own.add('x', {}, { jobId: 'dedup', deduplication: { id: 'once' } })
        await eventually(async () => expect(await own.getJobCounts('completed', 'failed')).toEqual({ completed: 3, failed: 2 }))
      }
      for (const id of ['a', 'f1']) await (await own.getJob(id))?.log('a line')
      const old = (await nowMs()) - 3_600_000
      for (const id of ['a', 'dedup']) await client.zadd(`bull:${queue}:completed`, old, id)
      await client.zadd(`bull:${queue}:failed`, old, 'f1')
      expect(await broker.cleanQueue({ ...claim(), retention: { completedSeconds: 1_800, failedSeconds: 1_800 } })).toMatchObject({
        outcome: 'Done',
        removed: 3,
      })
      expect(await own.getJobCounts('completed', 'failed')).toEqual({ completed: 1, failed: 1 })
      expect((await client.keys(`bull:${queue}:*`)).filter((key) => /:(a|f1|dedup)(:|$)|:de:/u.test(key))).toEqual([])
      // The deduplication ended with its job.
      expect(await own.add('x', {}, { jobId: 'again', deduplication: { id: 'once' } })).toMatchObject({ id: 'again' })
    })
  })

  describe('the settings of a queue mean the same to both', () => {
    test('their pause stops ours, and is seen', async () => {
      await using own = openQueue()
      const seen = journal()
      await own.pause()
      await using _consumer = startConsumer(redis as never, { queues: [queue], process: async ({ id }) => seen.note('ended', id) })
      await addJobs(own, ['a'])
      await place(jobOf(queue, firstSlot), jobOf(queue, firstSlot + 1, { bullPriority: 1 }))
      expect(await reading()).toMatchObject({ paused: true, waiting: 2, prioritized: 1 })
      expect(await broker.lookAtPlaced([refOf(queue, firstSlot)])).toEqual([{ id: idOf(0), state: 'Waiting', isPaused: true }])
      await new Promise((resolve) => setTimeout(resolve, quietMs))
      expect(seen.ended).toEqual([])
      await own.resume()
      await seen.until(3)
      expect(seen.ended.toSorted()).toEqual(['a', idOf(0), idOf(1)].toSorted())
      expect(await reading()).toMatchObject({ paused: false, waiting: 0, prioritized: 0 })
    })

    test.each([
      ['was empty', []],
      ['had jobs', ['before1', 'before2']],
    ])('no job that we place into a queue that they paused when it %s is lost at their resume', async (_name, before) => {
      await using own = openQueue()
      await addJobs(own, before)
      await own.pause()
      await place(jobOf(queue, firstSlot))
      await addJobs(own, ['theirs'])
      await place(jobOf(queue, firstSlot + 1))
      await own.resume()
      const ran: string[] = []
      await using _worker = startWorker((id) => void ran.push(id))
      await ended(2)
      await eventually(async () => expect(ran.toSorted()).toEqual([...before, 'theirs', idOf(0), idOf(1)].toSorted()))
    })

    test('no job that goes back into a queue that they paused is lost at their resume: handed back, tried again, or left by a dead worker', async () => {
      await using own = openQueue()
      await addJobs(own, ['retried'], { attempts: 2 })
      await addJobs(own, ['handed'])
      const [seen, paused] = [journal(), Promise.withResolvers<void>()]
      const first = startConsumer(redis as never, {
        queues: [queue],
        concurrency: 2,
        async process({ id }, { signal }) {
          seen.note('started', id)
          await paused.promise
          if (id === 'retried') throw new Error('broken')
          await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      })
      await eventually(async () => expect(seen.started).toHaveLength(2))
      await addJobs(own, ['waiting'])
      await own.pause()
      paused.resolve()
      await eventually(async () => expect((await reading()).active).toBe(1))
      expect(await first.end(0)).toMatchObject({ handedBack: 1 })
      await client.hset(`bull:${queue}:lost`, { name: 'x', data: '{}', opts: '{}', timestamp: '1', delay: '0', priority: '0' })
      await client.lpush(`bull:${queue}:active`, 'lost')
      {
        await client.sadd(`bull:${queue}:stalled`, 'lost')
        await client.del(`bull:${queue}:stalled-check`)
        await using _second = startConsumer(redis as never, { queues: [queue], process: async () => undefined, stalledIntervalMs: 100 })
        await eventually(async () => expect((await reading()).active).toBe(0))
      }
      expect(await reading()).toMatchObject({ waiting: 4, active: 0, paused: true })
      await own.resume()
      const ran: string[] = []
      await using _worker = startWorker((id, attempt) => void ran.push(`${id} ${attempt}`))
      await eventually(async () => expect(ran.toSorted()).toEqual(['handed 1', 'lost 1', 'retried 2', 'waiting 1']))
    })

    test('jobs of a queue that they paused can be removed and cancelled, and the queue resumed, by us', async () => {
      await using own = openQueue()
      await own.pause()
      await place(...[0, 1, 2].map((index) => jobOf(queue, firstSlot + index)))
      expect(await broker.removePlaced(refOf(queue, firstSlot), proof)).toBe('Removed')
      expect(await broker.cancelPlaced(refOf(queue, firstSlot + 1), proof)).toBe('Removed')
      expect(await reading()).toMatchObject({ paused: true, waiting: 1 })
      const ran: string[] = []
      await own.resume()
      await using _worker = startWorker((id) => void ran.push(id))
      await ended(1)
      expect(ran).toEqual([idOf(2)])
    })

    test('our suspension stops theirs, and ends without losing a job', async () => {
      await using own = openQueue()
      const ran: string[] = []
      await using _worker = startWorker((id) => void ran.push(id))
      await eventually(async () =>
        expect(await broker.applyQueue(applyOf({ suspend: true }))).toMatchObject({ outcome: 'Done', paused: true }),
      )
      expect(await own.isPaused()).toBe(true)
      await addJobs(own, ['a'])
      await addJobs(own, ['p'], { priority: 1 })
      await place(jobOf(queue, firstSlot))
      await new Promise((resolve) => setTimeout(resolve, quietMs))
      expect(ran).toEqual([])
      expect(await broker.applyQueue(applyOf({}))).toMatchObject({ outcome: 'Done', paused: false })
      await eventually(async () => expect(ran.toSorted()).toEqual(['a', 'p', idOf(0)].toSorted()))
    })

    test('our limit of jobs at once holds for theirs, and theirs for ours', async () => {
      await using own = openQueue()
      const running = { now: 0, most: 0, over: 0 }
      const work = async () => {
        running.most = Math.max(running.most, ++running.now)
        await new Promise((resolve) => setTimeout(resolve, 20))
        running.now--
        running.over++
      }
      await broker.applyQueue(applyOf({ maxConcurrency: 2 }))
      expect(await own.getGlobalConcurrency()).toBe(2)
      await addJobs(own, ['a', 'b', 'c', 'd', 'e', 'f'])
      {
        await using _worker = startWorker(work)
        await eventually(async () => expect(running.over).toBe(6))
        await eventually(async () => expect((await reading()).active).toBe(0))
      }
      expect(running.most).toBe(2)
      Object.assign(running, { now: 0, most: 0, over: 0 })
      await broker.releaseQueue(claim())
      await own.setGlobalConcurrency(1)
      expect(await reading()).toMatchObject({ concurrency: 1 })
      await addJobs(own, ['g', 'h', 'i', 'j'])
      await using _consumer = startConsumer(redis as never, { queues: [queue], concurrency: 5, process: work })
      await eventually(async () => expect(running.over).toBe(4))
      expect(running.most).toBe(1)
    })

    test('their rate limit of the whole queue holds for ours', async () => {
      await using own = openQueue()
      await own.setGlobalRateLimit(2, 400)
      await addJobs(own, ['a', 'b', 'c', 'd', 'e'])
      const atMs: number[] = []
      await using _consumer = startConsumer(redis as never, {
        queues: [queue],
        concurrency: 5,
        process: async () => void atMs.push(performance.now()),
      })
      await eventually(async () => expect(atMs).toHaveLength(5))
      // Three windows of two, two and one.
      expect(atMs[2]! - atMs[0]!).toBeGreaterThan(350)
      expect(atMs[4]! - atMs[2]!).toBeGreaterThan(350)
    })
  })

  const claim = () => ({ queue, owner: queueOwner('default', 'team', 'mail'), proof })
  const applyOf = (settings: Partial<QueueApply['settings']>): QueueApply => ({
    ...claim(),
    settings: { suspend: false, ...settings },
    createdAtMs: 1_000,
    marker: { v: 1, cluster: 'c1', kind: 'TaskQueue', namespace: 'team', name: 'mail', deletionPolicy: 'Delete', queue },
  })
})

test('the repeatable jobs of BullMQ 5 are found, and its job schedulers are none', async () => {
  const [, five] = versions[1]!
  const old = new five.Queue(queue, { connection: { port: redis.port, host: '127.0.0.1' } })
  const modern = new five.Queue(`${queue}-modern`, { connection: { port: redis.port, host: '127.0.0.1' } })
  await old.add('x', {}, { repeat: { every: 60_000 } } as object)
  await modern.upsertJobScheduler('often', { every: 60_000 }, { name: 'x' })
  expect(await broker.findLegacyRepeatables([queue, `${queue}-modern`])).toEqual([queue])
  await Promise.all([old.close(), modern.close()])
})
