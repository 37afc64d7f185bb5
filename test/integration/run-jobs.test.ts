import { describe, expect, test } from 'vitest'
import type { EndedNode, PlacedJob } from '../../src/broker/index.ts'
import { nodeJobId, slotJobId } from '../../src/contract/index.ts'
import { useBrokerHome, type BrokerHome } from './broker-home.ts'
import { done, eventually, firstSlot, jobOf, ledger, plainQueue, plainWorker, proof } from './ledger-home.ts'
import { nodeJobOf, nodeRefOf, run, token } from './run-home.ts'

let redis: BrokerHome['redis']
let broker: BrokerHome['broker']
let client: BrokerHome['client']
let queue: string

useBrokerHome((home) => ({ redis, broker, client, queue } = home))

const nowMs = async () => (await broker.readLedgers([])).brokerTimeMs
const place = async (...jobs: readonly PlacedJob[]) => await broker.placeJobs(jobs, await nowMs(), proof)
const endsOf = async () => (await broker.readEnded([done])).ended
const ended = (count: number) =>
  eventually(async () => {
    const ends = await endsOf()
    expect(ends).toHaveLength(count)
    return ends
  })
const left = async () =>
  (await client.keys('bull:*')).filter((key) =>
    /tm\/|:(wait|delayed|prioritized|waiting-children|active|completed|failed|stalled)$/u.test(key),
  )

describe('the end of a node', () => {
  test('tells whose it is and what was returned, as far as it is small', async () => {
    const results: Record<string, unknown> = {
      object: { url: 'https://example.com/ü🦊', pages: [1, 2] },
      text: 'fine',
      nothing: undefined,
      largest: 'x'.repeat(16_382),
      larger: 'x'.repeat(16_383),
    }
    const names = Object.keys(results)
    const slots = [firstSlot, firstSlot + 1, firstSlot + 2] as const
    const ofSlots: Readonly<Record<string, unknown>> = { 0: { rows: 12 }, 1: 'x'.repeat(254), 2: 'x'.repeat(255) }
    await place(...names.map((name) => nodeJobOf(queue, name)), nodeJobOf(queue, 'broken'), ...slots.map((slot) => jobOf(queue, slot)))
    await using _worker = plainWorker(redis.port, queue, (id) => {
      const name = id.split('/').at(-1) ?? ''
      if (name === 'broken') throw new Error('no access')
      return name in results ? results[name] : ofSlots[slots.findIndex((slot) => id === slotJobId(ledger, slot))]
    })
    const ends = await ended(9)
    const nodes = Object.fromEntries(ends.filter((end): end is EndedNode => end.kind === 'Node').map((end) => [end.node, end]))
    expect(nodes['object']).toEqual({
      kind: 'Node',
      id: nodeJobId(run, token, 'object'),
      doneQueue: done,
      owner: run,
      token,
      node: 'object',
      outcome: 'Succeeded',
      result: results['object'],
      attemptsMade: 1,
      attempts: 1,
      worker: 'pod-1',
      startedAtMs: expect.any(Number),
      finishedAtMs: expect.any(Number),
    })
    expect(nodes['text']).toMatchObject({ result: 'fine' })
    expect(nodes['nothing']).toMatchObject({ outcome: 'Succeeded', result: null })
    expect(nodes['largest']).toMatchObject({ result: results['largest'] })
    expect(nodes['larger']).toMatchObject({ outcome: 'Succeeded', resultBytes: 16_385 })
    expect(nodes['larger']).not.toHaveProperty('result')
    expect(nodes['broken']).toMatchObject({ outcome: 'Failed', message: 'no access' })
    expect(nodes['broken']).not.toHaveProperty('result')
    const told = ends.filter((end) => end.kind === 'Slot').toSorted((a, b) => a.slot - b.slot)
    expect(told).toMatchObject(slots.map((slot) => ({ owner: ledger, slot, outcome: 'Succeeded' })))
    expect(told.map(({ result }) => result)).toEqual(['{"rows":12}', JSON.stringify(ofSlots[1]), undefined])
  })

  test('of a job that keeps nothing tells the result all the same; of a queue that was obliterated that it is gone', async () => {
    await place(nodeJobOf(queue, 'a'), nodeJobOf(`${queue}-gone`, 'b'))
    await using plain = plainQueue(redis.port, queue)
    {
      await using _worker = plainWorker(redis.port, queue, () => ({ kept: true }))
      await ended(1)
    }
    await plain.remove(nodeJobId(run, token, 'a'))
    await using gone = plainQueue(redis.port, `${queue}-gone`)
    await gone.obliterate({ force: true })
    expect(await ended(2)).toMatchObject([
      { node: 'a', outcome: 'Succeeded', result: { kept: true } },
      { node: 'b', outcome: 'Removed' },
    ])
  })

  test('says where it comes from in the options, and a repeat after the acknowledgement runs nothing', async () => {
    const job = nodeJobOf(queue, 'a')
    await place(job)
    await using plain = plainQueue(redis.port, queue)
    expect((await plain.getJob(job.id))!.opts).toMatchObject({ taskmill: { run, node: 'a' } })
    const ran: string[] = []
    await using _worker = plainWorker(redis.port, queue, (id) => void ran.push(id))
    expect(await broker.acknowledgeEnded(await ended(1), proof)).toBe('Done')
    expect(await place(job)).toBe('Placed')
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(ran).toEqual([job.id]) // within 150 ms
    expect(await endsOf()).toEqual([])
  })
})

describe('cancelling', () => {
  const cancel = (node: string) => broker.cancelPlaced(nodeRefOf(queue, node), proof)

  test('takes every waiting job out without a trace, also between two attempts and handed back', async () => {
    const at = await nowMs()
    await place(
      nodeJobOf(queue, 'retried', { attempts: 3, backoffMs: 60_000 }),
      nodeJobOf(queue, 'waits'),
      nodeJobOf(queue, 'later', { dueAtMs: at + 60_000 }),
      nodeJobOf(queue, 'first', { bullPriority: 5 }),
    )
    await using plain = plainQueue(redis.port, queue)
    {
      await using _worker = plainWorker(
        redis.port,
        queue,
        async () => {
          await plain.pause()
          throw new Error('broken')
        },
        { concurrency: 1 },
      )
      await eventually(async () => expect(await plain.getJobCounts()).toMatchObject({ delayed: 2, waiting: 1, prioritized: 1, active: 0 }))
    }
    const names = ['retried', 'waits', 'later', 'first']
    expect(await broker.removePlaced(nodeRefOf(queue, 'retried'), proof)).toBe('Started')
    expect(await Promise.all(names.map(cancel))).toEqual(['Removed', 'Removed', 'Removed', 'Removed'])
    expect(await left()).toEqual([])
    expect(await Promise.all(names.map(cancel))).toEqual(['Absent', 'Absent', 'Absent', 'Absent'])
    await plain.resume()
    expect(await endsOf()).toEqual([])
  })

  test('leaves what runs, also for children of its own, and says so; what has ended, too', async () => {
    await place(nodeJobOf(queue, 'runs'), nodeJobOf(queue, 'ends'), nodeJobOf(queue, 'fails'))
    const running = Promise.withResolvers<void>()
    await using worker = plainWorker(redis.port, queue, async (id) => {
      if (id.endsWith('/runs')) await running.promise
      if (id.endsWith('/fails')) throw new Error('broken')
    })
    await ended(2)
    expect(await Promise.all(['runs', 'ends', 'fails'].map(cancel))).toEqual(['Running', 'Ended', 'Ended'])
    running.resolve()
    await ended(3)
    expect(await cancel('runs')).toBe('Ended')
    await broker.acknowledgeEnded(await endsOf(), proof)
    expect(await Promise.all(['runs', 'ends', 'fails'].map(cancel))).toEqual(['Absent', 'Absent', 'Absent'])
    await worker.close()

    await place(nodeJobOf(`${queue}-p`, 'parent'))
    const id = nodeJobId(run, token, 'parent')
    await client.lrem(`bull:${queue}-p:wait`, 1, id)
    await client.zadd(`bull:${queue}-p:waiting-children`, 1, id)
    expect(await broker.cancelPlaced(nodeRefOf(`${queue}-p`, 'parent'), proof)).toBe('Running')
    expect(await client.exists(`bull:${queue}-p:${id}`)).toBe(1)
  })

  test('a job that a user removed has ended; with its queue obliterated, too', async () => {
    await place(nodeJobOf(queue, 'a'), nodeJobOf(`${queue}-o`, 'b'))
    await using plain = plainQueue(redis.port, queue)
    await plain.remove(nodeJobId(run, token, 'a'))
    expect(await cancel('a')).toBe('Ended')
    await using other = plainQueue(redis.port, `${queue}-o`)
    await other.obliterate({ force: true })
    expect(await broker.cancelPlaced(nodeRefOf(`${queue}-o`, 'b'), proof)).toBe('Ended')
    expect(await ended(2)).toMatchObject([{ outcome: 'Removed' }, { outcome: 'Removed' }])
  })

  test('a cancel without the proof is Fenced', async () => {
    await place(nodeJobOf(queue, 'a'))
    const before = (await left()).toSorted()
    for (const wrong of [{ epoch: 0 }, { epoch: 2 }, { holder: 'x' }, { dispatcher: 'default/other' }])
      expect(await broker.cancelPlaced(nodeRefOf(queue, 'a'), { ...proof, ...wrong })).toBe('Fenced')
    expect((await left()).toSorted()).toEqual(before)
  })

  test('racing with the start, the retry, a removal and an obliteration: what was removed never runs again, all else ends once', async () => {
    const removed = new Set<string>()
    const begun: { readonly id: string; readonly atMs: number }[] = []
    const removedAtMs = new Map<string, number>()
    const run_ = (id: string, attempt: number) => {
      begun.push({ id, atMs: performance.now() })
      if (attempt < 3) throw new Error('broken')
    }
    await using _first = plainWorker(redis.port, queue, run_)
    await using _second = plainWorker(redis.port, queue, run_)
    await using plain = plainQueue(redis.port, queue)
    await using doomed = plainQueue(redis.port, `${queue}-o`)
    const names: string[] = []
    for (let round = 0; round < 15; round++) {
      const all = Array.from({ length: 20 }, (_, index) => ({
        name: `n-${round}-${index}`,
        queue: index % 10 === 9 ? `${queue}-o` : queue,
      }))
      names.push(...all.map(({ name }) => name))
      await place(...all.map((each) => nodeJobOf(each.queue, each.name, { attempts: 3, backoffMs: 3 })))
      await Promise.all([
        ...all.map(async (each, index) => {
          await new Promise((resolve) => setTimeout(resolve, (index * 7) % 17))
          if (index % 5 === 4 && each.queue === queue) await plain.remove(nodeJobId(run, token, each.name)).catch(() => 0)
          const answer = await broker.cancelPlaced(nodeRefOf(each.queue, each.name), proof)
          expect(answer).not.toBe('Absent')
          if (answer !== 'Removed') return
          removed.add(each.name)
          removedAtMs.set(nodeJobId(run, token, each.name), performance.now())
        }),
        doomed.obliterate({ force: true }),
      ])
    }
    const seen = new Map<string, number>()
    await eventually(async () => {
      const { ended: ends } = await broker.readEnded([done])
      for (const end of ends) if (end.kind === 'Node') seen.set(end.node, (seen.get(end.node) ?? 0) + 1)
      await broker.acknowledgeEnded(ends, proof)
      expect([...seen.keys(), ...removed].length).toBe(names.length)
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect([...seen.keys(), ...removed].toSorted()).toEqual(names.toSorted())
    expect([...seen.values()].every((count) => count === 1)).toBe(true)
    // The workers share this process: what began after the answer was here had not been removed.
    expect(begun.filter(({ id, atMs }) => atMs > (removedAtMs.get(id) ?? Infinity) + 50)).toEqual([])
    expect(removed.size).toBeGreaterThan(20)
    expect(seen.size).toBeGreaterThan(20)
    expect((await left()).filter((key) => key.includes(done))).toEqual([])
    console.info(`cancelling raced: ${removed.size} removed, ${seen.size} ended`)
  }, 60_000)
})
