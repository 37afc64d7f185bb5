import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { Broker, CountRequest } from '../../src/broker/index.ts'
import { countsKey, ownersKey, runKey, type CountIncrement } from '../../src/contract/index.ts'
import { clientOf, dispatcher, eventually, lead, leaseMarker, ledger, open, proof, writeOf } from './ledger-home.ts'
import { appendOf, run, runMarker } from './run-home.ts'

let redis: RedisServer
let broker: Broker & AsyncDisposable
let other: Broker & AsyncDisposable
let client: ReturnType<typeof clientOf>

beforeAll(async () => {
  redis = await startRedis({ appendonly: 'always' })
  client = clientOf(redis.port)
  broker = open(redis)
  other = open(redis)
})
afterAll(async () => {
  await Promise.all([broker.close(), other.close()])
  client.disconnect()
  await redis.stop()
})
beforeEach(async () => {
  await client.flushall()
  await lead(broker)
})

const entriesOf = async () => (await broker.readRun(run, 0)).entries
const wrongProofs: readonly (readonly [string, object])[] = [
  ['a lower epoch', { epoch: 0 }],
  ['a higher epoch than was claimed', { epoch: 2 }],
  ['another holder', { holder: 'elsewhere' }],
  ['another namespace', { dispatcher: 'default/other' }],
]

describe('the log of a run', () => {
  test('grows by compare-and-swap on its length, with the marker beside it, and goes with it', async () => {
    expect(await broker.readRun(run, 0)).toEqual({ entries: [], length: 0, marker: undefined, brokerTimeMs: expect.any(Number) })
    expect(await broker.appendRun(appendOf({ entries: ['{"n":1}', '{"n":"ü🦊"}'] }))).toMatchObject({ outcome: 'Written', length: 2 })
    expect(await broker.appendRun(appendOf({ entries: ['again'] }))).toMatchObject({ outcome: 'Conflict', length: 2 })
    expect(await broker.appendRun(appendOf({ expectedLength: 3 }))).toMatchObject({ outcome: 'Conflict', length: 2 })
    const beforeMs = Date.now()
    const { brokerTimeMs } = await broker.appendRun(appendOf({ expectedLength: 2, entries: ['{"n":3}'] }))
    expect(brokerTimeMs).toBeGreaterThanOrEqual(beforeMs)
    expect(brokerTimeMs).toBeLessThanOrEqual(Date.now())
    expect(await broker.readRun(run, 0)).toMatchObject({ entries: ['{"n":1}', '{"n":"ü🦊"}', '{"n":3}'], length: 3, marker: runMarker })
    expect(await broker.readRun(run, 2)).toMatchObject({ entries: ['{"n":3}'], length: 3 })
    expect(await broker.readRun(run, Number.MAX_SAFE_INTEGER)).toMatchObject({ entries: [], length: 3 })
    expect((await broker.listOwners('default', '0')).owners).toEqual(
      new Map([
        [dispatcher, leaseMarker],
        [run, runMarker],
      ]),
    )

    const elsewhere = { ...runMarker, cluster: 'c2' }
    await broker.appendRun(appendOf({ expectedLength: 3, marker: elsewhere }))
    expect((await broker.readRun(run, 9)).marker).toEqual(elsewhere)
    expect(await broker.deleteRun(run, 3, proof)).toMatchObject({ outcome: 'Conflict', length: 4 })
    expect(await broker.deleteRun(run, 4, proof)).toMatchObject({ outcome: 'Written', length: 0 })
    expect(await client.exists(runKey('bull', run))).toBe(0)
    expect(await client.hkeys(ownersKey('bull', 'default'))).toEqual([dispatcher])
    expect(await broker.deleteRun(run, 0, proof)).toMatchObject({ outcome: 'Written', length: 0 })
  })

  test('is replaced by one entry, by compare-and-swap on its length, with the proof', async () => {
    const archived = { ...appendOf(), entry: '{"archived":true}', marker: { ...runMarker, cluster: 'c3' } }
    await broker.appendRun(appendOf({ entries: ['1', '2', '3'], marker: { ...runMarker, endedAtMs: 1 } }))
    expect(await broker.archiveRun({ ...archived, expectedLength: 2 })).toMatchObject({ outcome: 'Conflict', length: 3 })
    for (const [, wrong] of wrongProofs) {
      const answer = await broker.archiveRun({ ...archived, expectedLength: 3, proof: { ...proof, ...wrong } })
      expect(answer).toMatchObject({ outcome: 'Fenced', length: 3 })
    }
    expect(await entriesOf()).toEqual(['1', '2', '3'])
    expect(await broker.archiveRun({ ...archived, expectedLength: 3 })).toMatchObject({ outcome: 'Written', length: 1 })
    expect(await broker.readRun(run, 0)).toMatchObject({ entries: ['{"archived":true}'], length: 1, marker: archived.marker })
    expect(await broker.deleteRun(run, 1, proof)).toMatchObject({ outcome: 'Written' })
  })

  test.each(wrongProofs)('%s is fenced, and changes nothing', async (_, wrong) => {
    await broker.appendRun(appendOf())
    const bad = { ...proof, ...wrong }
    const counts: readonly CountIncrement[] = [{ subjectKind: 'Queue', subject: 'mail', outcome: 'Failed' }]
    expect(await broker.appendRun(appendOf({ expectedLength: 1, proof: bad, counts }))).toMatchObject({ outcome: 'Fenced', length: 1 })
    expect(await broker.deleteRun(run, 1, bad)).toMatchObject({ outcome: 'Fenced', length: 1 })
    expect(await entriesOf()).toEqual(['{"v":1}'])
    expect(await client.keys('*counts*')).toEqual([])
  })

  test('two writers: exactly one wins each round, and no entry is overwritten', async () => {
    const wins: string[] = []
    const write = async (by: Broker, name: string) => {
      for (let tries = 0; tries < 100; tries++) {
        const { length } = await by.readRun(run, Number.MAX_SAFE_INTEGER)
        const entry = `${name}${tries}`
        const { outcome } = await by.appendRun(appendOf({ expectedLength: length, entries: [entry] }))
        if (outcome === 'Written') wins.push(entry)
        else expect(outcome).toBe('Conflict')
      }
    }
    await Promise.all([write(broker, 'a'), write(other, 'b')])
    expect((await entriesOf()).toSorted()).toEqual(wins.toSorted())
    expect(wins.length).toBeGreaterThanOrEqual(100)
  })

  test('a long one is read in parts, and 10,000 entries are one write', async () => {
    const large = Array.from({ length: 300 }, (_, index) => `${index}${'x'.repeat(16_384)}`)
    await broker.appendRun(appendOf({ entries: large }))
    const read: string[] = []
    let parts = 0
    for (let length = 1; read.length < length; parts++) {
      const part = await broker.readRun(run, read.length)
      read.push(...part.entries)
      length = part.length
    }
    expect(read).toEqual(large)
    expect(parts).toBeGreaterThan(1)
    const many = Array.from({ length: 10_000 }, (_, index) => `${index}`)
    expect(await broker.appendRun(appendOf({ expectedLength: 300, entries: many }))).toMatchObject({ outcome: 'Written', length: 10_300 })
    expect((await broker.readRun(run, 300)).entries).toEqual(many)
  })

  test('a restart of the server: what was acknowledged is there; scripts that it forgot are taught again', async () => {
    await broker.appendRun(appendOf({ entries: ['before'] }))
    await redis.restart()
    await eventually(() => broker.appendRun(appendOf({ expectedLength: 1, entries: ['after'] })))
    await client.script('FLUSH')
    expect(await entriesOf()).toEqual(['before', 'after'])
  })
})

describe('counts', () => {
  const failed = (subject: string): CountIncrement => ({ subjectKind: 'Queue', subject, outcome: 'Failed' })
  const succeeded = (subject: string): CountIncrement => ({ subjectKind: 'TaskSchedule', subject, outcome: 'Succeeded' })
  const request = (more: Partial<CountRequest>): CountRequest => {
    const minute = Math.floor(Date.now() / 60_000)
    return { namespace: 'team', subjectKind: 'Queue', subject: 'mail', fromMinute: minute - 5, toMinute: minute + 1, ...more }
  }
  const read = async (...requests: readonly CountRequest[]) => (await broker.readCounts('default', requests)).counts

  test('a run and a ledger count with the write that records, and not when it is repeated', async () => {
    const append = appendOf({ counts: [failed('mail'), failed('mail'), succeeded('nightly')] })
    await broker.appendRun(append)
    expect(await broker.appendRun(append)).toMatchObject({ outcome: 'Conflict' })
    const missed: CountIncrement = { subjectKind: 'TaskSchedule', subject: 'nightly', outcome: 'Missed', count: 12 }
    const write = writeOf({ counts: [failed('mail'), { ...succeeded('nightly'), outcome: 'Failed' }, missed] })
    await broker.writeLedger(write)
    expect(await broker.writeLedger(write)).toMatchObject({ outcome: 'Conflict' })
    expect(await broker.writeLedger({ ...write, expectedRevision: 1, notBeforeMs: Date.now() + 60_000 })).toMatchObject({
      outcome: 'TooEarly',
    })
    expect(
      await read(
        request({}),
        request({ subjectKind: 'TaskSchedule', subject: 'nightly' }),
        request({ subjectKind: 'TaskDependency', subject: 'nightly' }),
        request({ namespace: 'other' }),
      ),
    ).toEqual([
      { succeeded: 0, failed: 3, missed: 0 },
      { succeeded: 1, failed: 1, missed: 12 },
      { succeeded: 0, failed: 0, missed: 0 },
      { succeeded: 0, failed: 0, missed: 0 },
    ])
    expect((await broker.readCounts('elsewhere', [request({})])).counts).toEqual([{ succeeded: 0, failed: 0, missed: 0 }])
    expect((await broker.readLedgers([ledger])).stored).toMatchObject([{ revision: 1 }])
  })

  test('go 26 hours after the last one', async () => {
    await broker.appendRun(appendOf({ counts: [failed('mail')] }))
    const [key = ''] = await client.keys('*counts*')
    expect(await client.ttl(key)).toBeGreaterThan(26 * 3_600 - 60)
    await client.expire(key, 100)
    await broker.appendRun(appendOf({ expectedLength: 1, counts: [failed('mail')] }))
    expect(await client.ttl(key)).toBeGreaterThan(26 * 3_600 - 60)
  })

  test('a stretch has both its ends, and may span hours; many are one answer', async () => {
    const place = { installation: 'default', namespace: 'team', subjectKind: 'Queue', subject: 'mail' } as const
    const hour = 500_000
    await client.hset(countsKey('bull', place, hour), { '58:Failed': 1, '59:Failed': 2, '59:Succeeded': 10, '5:Other': 7, junk: 1 })
    await client.hset(countsKey('bull', place, hour + 1), { '0:Failed': 4, '30:Failed': 8 })
    await client.hset(countsKey('bull', place, hour + 2), { '0:Failed': 16, '1:Failed': 32 })
    const stretch = (fromMinute: number, toMinute: number) =>
      request({ fromMinute: hour * 60 + fromMinute, toMinute: hour * 60 + toMinute })
    const sums = await read(stretch(59, 59), stretch(59, 60), stretch(58, 120), stretch(61, 89), stretch(0, 1_000), stretch(7, 6))
    expect(sums.map((sum) => [sum.failed, sum.succeeded])).toEqual([
      [2, 10],
      [6, 10],
      [31, 10],
      [0, 0],
      [63, 10],
      [0, 0],
    ])
    expect(await read(...Array.from({ length: 120 }, () => stretch(58, 120)))).toEqual(Array.from({ length: 120 }, () => sums[2]))
    expect(await read()).toEqual([])
  })
})
