/** Concurrency groups in a real Redis: the script keeps the limit, and two schedules share it, whatever dies in between. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { Broker, EndedJob, GroupWrite } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { doneQueue, groupsKey, ledgerKey, ledgerName, type OwnerMarker, slotJobId } from '../../src/contract/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import type { SlotStart } from '../../src/plans/index.ts'
import { generationOf, type Ledger, parseLedger, parseTiming, type SchedulePlan } from '../../src/scheduling/index.ts'
import { createBrokerClock } from '../../src/services/brokers/index.ts'
import { visitRecord } from '../../src/services/engine/index.ts'
import { createConcurrencyGroups, createQueueSlots, createSlotKind, emptySlotMemory } from '../../src/services/slots/index.ts'
import { clientOf, dispatcher, done, firstSlot, jobOf, lead, leadToClose, open, plainWorker, proof, writeOf } from './ledger-home.ts'

let redis: RedisServer
let broker: Broker & AsyncDisposable
let client: ReturnType<typeof clientOf>
const key = groupsKey('bull', dispatcher)

beforeAll(async () => {
  redis = await startRedis({ appendonly: 'always' })
  client = clientOf(redis.port)
  broker = open(redis)
})
afterAll(async () => {
  await broker.close()
  client.disconnect()
  await redis.stop()
})
beforeEach(async () => {
  await client.flushall()
  await lead(broker)
})

const ledgerOf = (name: string) => ledgerName('default', 'team', name)
const revisions = new Map<string, number>()
beforeEach(() => revisions.clear())

/** Writes the next revision of a schedule's ledger. */
async function write(name: string, group: GroupWrite | undefined, more: Parameters<typeof writeOf>[0] = {}) {
  const answer = await broker.writeLedger(
    writeOf({ ledger: ledgerOf(name), expectedRevision: revisions.get(name) ?? 0, document: `{"of":"${name}"}`, group, ...more }),
  )
  if (answer.outcome === 'Written') revisions.set(name, answer.stored?.revision ?? 0)
  return answer
}
const start = (name: string, limit: number, more: Partial<GroupWrite> = {}) => write(name, { name: 'g', runs: 1, limit, ...more })

describe('the write of a ledger', () => {
  test('takes room for the runs that it starts, and gives it back with their ends', async () => {
    expect((await start('a', 2)).outcome).toBe('Written')
    expect((await start('b', 2)).outcome).toBe('Written')
    expect(await client.hgetall(key)).toEqual({ [ledgerOf('a')]: '1 g', [ledgerOf('b')]: '1 g' })
    await write('a', { name: 'g', runs: 0 })
    expect(await client.hgetall(key)).toEqual({ [ledgerOf('b')]: '1 g' })
  })

  test('is refused when there is no room: nothing changes, and the answer says who has it', async () => {
    await start('a', 2, { runs: 2 })
    await write('c', undefined)
    const before = await client.dump(ledgerKey('bull', ledgerOf('c')))
    const jobs = [jobOf('work', firstSlot)]
    const answer = await write('c', { name: 'g', runs: 1, limit: 2 }, { places: { jobs, brokerTimeMs: Date.now() } })
    expect(answer).toMatchObject({ outcome: 'GroupFull', stored: { revision: 1, document: '{"of":"c"}' } })
    expect(answer.groupRuns).toEqual(new Map([[ledgerOf('a'), 2]]))
    expect(await client.dump(ledgerKey('bull', ledgerOf('c')))).toEqual(before)
    expect(await client.keys('bull:work:*')).toEqual([])
    expect(await client.keys(`bull:${done}:*`)).toEqual([])
    expect(await client.hgetall(key)).toEqual({ [ledgerOf('a')]: '2 g' })
  })

  test('does not count other groups, nor its own former runs', async () => {
    await write('x', { name: 'other', runs: 3 })
    await start('a', 1)
    expect((await start('a', 1)).outcome).toBe('Written')
    expect(await client.hgetall(key)).toEqual({ [ledgerOf('x')]: '3 other', [ledgerOf('a')]: '1 g' })
  })

  test('moves its runs to another group, and takes them out of all', async () => {
    await start('a', 1)
    await write('a', { name: 'other', runs: 1 })
    expect(await client.hgetall(key)).toEqual({ [ledgerOf('a')]: '1 other' })
    await write('a', { name: undefined, runs: 0 })
    expect(await client.exists(key)).toBe(0)
  })

  test('that deletes the ledger gives the room back', async () => {
    await start('a', 1)
    await write('a', { name: undefined, runs: 0 }, { document: undefined })
    expect(await client.exists(key)).toBe(0)
  })

  test('drops the runs of ledgers whose schedules are gone', async () => {
    await start('gone', 1)
    expect((await start('a', 1)).outcome).toBe('GroupFull')
    expect((await start('a', 1, { gone: [ledgerOf('gone')] })).outcome).toBe('Written')
    expect(await client.hgetall(key)).toEqual({ [ledgerOf('a')]: '1 g' })
  })

  test('of a former leader takes nothing', async () => {
    await lead(broker, { ...proof, epoch: 2 })
    expect((await start('a', 1)).outcome).toBe('Fenced')
    expect(await client.exists(key)).toBe(0)
  })

  test('fails before anything is written if the key has another type', async () => {
    await client.set(key, 'text')
    await expect(start('a', 1)).rejects.toThrow('WRONGTYPE')
    expect(await client.exists(ledgerKey('bull', ledgerOf('a')))).toBe(0)
  })

  test('that races with others never exceeds the limit', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`)
    const answers = await Promise.all(names.map((name) => start(name, 3)))
    expect(answers.filter(({ outcome }) => outcome === 'Written')).toHaveLength(3)
    expect(answers.filter(({ outcome }) => outcome === 'GroupFull')).toHaveLength(17)
  })

  test('of a schedule that is in no group does not touch the key', async () => {
    await client.set(key, 'text')
    expect((await write('a', undefined)).outcome).toBe('Written')
  })
})

test('a namespace that leaves the broker takes what a ledger left that a user has removed', async () => {
  await start('a', 1)
  await client.del(ledgerKey('bull', ledgerOf('a')))
  await leadToClose(broker)
  while ((await broker.closeNamespace(proof)).outcome === 'More');
  expect(await client.exists(key)).toBe(0)
})

/**
 * Two schedules, limit 1: dispatches the last slot of each to its recorded end. With `killAt`, that call of `reachPoint` throws, and all that the
 * process remembered is gone, of both.
 */
async function live(namespace: string, killAt: number) {
  const space = `default/${namespace}`
  const own = { dispatcher: space, epoch: 1, holder: 'cluster/ns/lease' }
  await lead(broker, own)
  const timing = { everySeconds: 3_600 }
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  const plan: SchedulePlan = {
    timing,
    slots: parsed.slots,
    seed: 'acme/nightly',
    suspended: false,
    concurrencyPolicy: 'Queue',
    group: { name: 'g', limit: 1 },
    missedRuns: 'Latest',
    missedRunsLimit: 1,
    generation: generationOf('h', namespace),
    epoch: 1,
    createdAtMs: Date.now() - 3_600_000,
  }
  let points = 0
  let struck: string | undefined
  const reachPoint = (point: string) => {
    if (points++ !== killAt) return
    struck = point
    throw new Error('killed')
  }
  const names = ['a', 'b'] as const
  const keys = names.map((name) => `${namespace}/${name}`)
  const doneAt = doneQueue('default', namespace)
  const deps = { brokerClock: createBrokerClock(systemClock), log: silentLogger, reachPoint }
  const begin = () => ({ groups: createConcurrencyGroups({ clock: systemClock }), memories: names.map(() => emptySlotMemory()) })
  let process = begin()
  const running = new Set<string>()
  const seen = { most: 0, ran: [] as string[] }
  await using _worker = plainWorker(redis.port, namespace, async (id) => {
    seen.ran.push(id)
    running.add(id)
    seen.most = Math.max(seen.most, running.size)
    await new Promise((resolve) => setTimeout(resolve, 5))
    running.delete(id)
  })

  async function visit(index: number): Promise<void> {
    const name = names[index] ?? 'a'
    const ledger = ledgerName('default', namespace, name)
    const marker: OwnerMarker = { v: 1, cluster: 'c1', kind: 'TaskSchedule', namespace, name, deletionPolicy: 'Delete' }
    const begun: SlotStart = {
      kind: 'Task',
      jobOf: (_ledger, _done, slot) => ({
        ...jobOf(namespace, slot, { id: slotJobId(ledger, slot), doneQueue: doneAt, done: { v: 1, ledger, slot } }),
        dueAtMs: slot * 1000,
      }),
    }
    const ended: readonly EndedJob[] = (await broker.readEnded([doneAt])).ended.filter(({ owner }) => owner === ledger)
    const slots = createQueueSlots({
      broker,
      proof: own,
      ledger,
      doneQueue: doneAt,
      start: begun,
      pendingCompletions: () => ended,
      whereabouts: () => new Map(),
      reachPoint,
    })
    const memory = process.memories[index] ?? emptySlotMemory()
    const member = { group: 'g', key: keys[index] ?? '', members: () => keys, limit: 1 }
    const group = process.groups.place(member, 1)
    const kind = createSlotKind(deps, { broker, proof: own, marker, ledger, plan, memory, executors: [slots], group })
    const { result } = await visitRecord(kind, memory, { proof: own, signal: new AbortController().signal })
    if (result.kind === 'Failed') throw result.error
    process.groups.looked(member, 1)
  }

  async function ledgers(): Promise<readonly Ledger[]> {
    const { stored } = await broker.readLedgers(names.map((name) => ledgerName('default', namespace, name)))
    return stored.flatMap((each) => {
      const read = each === undefined ? undefined : parseLedger(each.document)
      return read?.ok === true ? [read.ledger] : []
    })
  }

  const counted = async () => Object.values(await client.hgetall(groupsKey('bull', space)))
  for (;;) {
    try {
      for (const index of names.keys()) {
        await visit(index)
        expect((await counted()).length).toBeLessThanOrEqual(1)
      }
      const found = await ledgers()
      if (found.length === 2 && found.every(({ lastRun, active }) => lastRun !== undefined && active.length === 0)) break
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'killed') throw error
      process = begin()
    }
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  return { struck, ...seen, left: await counted(), missed: (await ledgers()).map(({ missed }) => missed) }
}

test('two schedules with limit 1, killed at every point: each slot runs once, one after the other, and no room is lost', async () => {
  const points: string[] = []
  for (let killAt = 0; ; killAt++) {
    const { struck, most, ran, left, missed } = await live(`group-${killAt}`, killAt)
    const where = `killed at ${struck} (${killAt})`
    expect(ran, where).toHaveLength(2)
    expect(new Set(ran).size, where).toBe(2)
    expect(most, where).toBe(1)
    expect(left, where).toEqual([])
    expect(missed, where).toEqual([{}, {}])
    if (struck === undefined) break
    points.push(struck)
  }
  expect(points).toEqual(
    expect.arrayContaining(['before write dispatch', 'after write dispatch', 'before write record', 'after write record']),
  )
})
