import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { Broker, DispatchClaim } from '../../src/broker/index.ts'
import { dispatcherKey, ledgerKey, ownersKey, type OwnerMarker } from '../../src/contract/index.ts'
import {
  clientOf,
  dispatcher,
  done,
  eventually,
  firstSlot,
  jobOf,
  lead,
  leaseMarker,
  ledger,
  marker,
  open,
  proof,
  writeOf,
} from './ledger-home.ts'

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
beforeEach(async () => void (await client.flushall()))

const claimOf = (more: Partial<DispatchClaim> = {}): DispatchClaim => ({
  ...proof,
  by: 'p1',
  patienceMs: 30_000,
  cluster: 'c1',
  ...more,
})
const claim = async (more: Partial<DispatchClaim> = {}) => (await broker.claimDispatch([claimOf(more)]))[0]
const silent = async (forMs: number) => {
  const aliveAtMs = Number(await client.hget(dispatcherKey('bull', dispatcher), 'aliveAtMs'))
  await client.hset(dispatcherKey('bull', dispatcher), 'aliveAtMs', aliveAtMs - forMs)
}

describe('claiming the dispatch', () => {
  test('first come; renewed; a former process is behind; a new term takes over at once', async () => {
    expect(await claim({ epoch: 4 })).toEqual({ kind: 'Held' })
    expect(await claim({ epoch: 4 })).toEqual({ kind: 'Held' })
    expect(await claim({ epoch: 4, by: 'p2' })).toEqual({ kind: 'Behind', epoch: 4 })
    expect(await claim({ epoch: 3 })).toEqual({ kind: 'Behind', epoch: 4 })
    expect(await claim({ epoch: 5, by: 'p2' })).toEqual({ kind: 'Held' })
    expect(await claim({ epoch: 4 })).toEqual({ kind: 'Behind', epoch: 5 })
    expect(await client.hgetall(dispatcherKey('bull', dispatcher))).toEqual({
      epoch: '5',
      holder: proof.holder,
      by: 'p2',
      aliveAtMs: expect.any(String),
    })
  })

  test('another cluster waits until the holder has been silent for long enough, and then has to outbid it', async () => {
    await claim({ epoch: 7 })
    const foreign = { holder: 'elsewhere', by: 'x' }
    expect(await claim({ ...foreign, epoch: 9 })).toEqual({ kind: 'HeldByOther', holder: proof.holder })
    await silent(29_000)
    expect(await claim({ ...foreign, epoch: 9 })).toEqual({ kind: 'HeldByOther', holder: proof.holder })
    await silent(2_000)
    expect(await claim({ ...foreign, epoch: 7 })).toEqual({ kind: 'Behind', epoch: 7 })
    expect(await claim({ ...foreign, epoch: 8 })).toEqual({ kind: 'Held' })
    expect(await claim({ epoch: 7 })).toEqual({ kind: 'HeldByOther', holder: 'elsewhere' })
    expect((await broker.writeLedger(writeOf({ proof: { ...proof, epoch: 7 } }))).outcome).toBe('Fenced')
  })

  test('a renewal of a lease that is not there any more needs a higher epoch, and marks who claimed it', async () => {
    await claim({ epoch: 4 })
    expect((await broker.listOwners('default', '0')).owners.get(dispatcher)).toEqual(leaseMarker)
    expect(await claim({ epoch: 4, mode: 'Renew' })).toEqual({ kind: 'Held' })
    await broker.releaseDispatch({ ...proof, epoch: 4 })
    expect(await claim({ epoch: 4, mode: 'Close' })).toEqual({ kind: 'Held' })
    expect(await broker.closeNamespace({ ...proof, epoch: 3 })).toEqual({ outcome: 'Fenced' })
    expect(await broker.closeNamespace({ ...proof, epoch: 4 })).toEqual({ outcome: 'Done' })
    expect(await client.keys('*')).toEqual([])
    // What a former holder still sends has no effect.
    expect(await claim({ epoch: 4, mode: 'Renew' })).toEqual({ kind: 'Behind', epoch: 4 })
    expect((await broker.writeLedger(writeOf({ proof: { ...proof, epoch: 4 } }))).outcome).toBe('Fenced')
    expect(await client.keys('*')).toEqual([])
    expect(await claim({ epoch: 5 })).toEqual({ kind: 'Held' })
  })

  test('who wants the lease for a moment gets it where nobody holds it, himself included', async () => {
    await claim({ epoch: 4 })
    expect(await claim({ epoch: 4, mode: 'Borrow' })).toEqual({ kind: 'HeldByOther', holder: proof.holder })
    await silent(31_000)
    expect(await claim({ epoch: 4, mode: 'Borrow' })).toEqual({ kind: 'Held' })
    await broker.releaseDispatch({ ...proof, epoch: 4 })
    expect(await claim({ epoch: 4, mode: 'Borrow' })).toEqual({ kind: 'Held' })
  })

  test('a record from the future, left by a clock that went back, does not hold for ever', async () => {
    await claim()
    await silent(-31_000)
    expect(await claim({ holder: 'elsewhere', epoch: 2 })).toEqual({ kind: 'Held' })
  })

  test('given back: another cluster takes over at once, the former holder writes nothing and can come again', async () => {
    await claim({ epoch: 7 })
    await broker.releaseDispatch({ ...proof, epoch: 6 })
    expect(await claim({ holder: 'elsewhere', epoch: 8 })).toMatchObject({ kind: 'HeldByOther' })
    await broker.releaseDispatch({ ...proof, epoch: 7 })
    expect((await broker.writeLedger(writeOf({ proof: { ...proof, epoch: 7 } }))).outcome).toBe('Fenced')
    expect(await claim({ epoch: 7, by: 'p2' })).toEqual({ kind: 'Behind', epoch: 7 })
    expect(await claim({ epoch: 7 })).toEqual({ kind: 'Held' })
    await broker.releaseDispatch({ ...proof, epoch: 7 })
    expect(await claim({ holder: 'elsewhere', epoch: 8 })).toEqual({ kind: 'Held' })
  })

  test('many at once are answered in order; two processes of one epoch: exactly one holds', async () => {
    const dispatchLeases = Array.from({ length: 120 }, (_, index) => `default/n${index}`)
    const claims = (by: string) => dispatchLeases.map((each) => claimOf({ dispatcher: each, by }))
    const [mine, theirs] = await Promise.all([broker.claimDispatch(claims('a')), other.claimDispatch(claims('b'))])
    for (const [index] of dispatchLeases.entries()) expect([mine[index]!.kind, theirs[index]!.kind].toSorted()).toEqual(['Behind', 'Held'])
    expect(await broker.claimDispatch([])).toEqual([])
  })
})

describe('writing a ledger', () => {
  beforeEach(() => lead(broker))

  test('compare-and-swap, with what is there as the answer, and the marker beside it', async () => {
    const first = await broker.writeLedger(writeOf({ document: '{"n":1}' }))
    expect(first).toEqual({ outcome: 'Written', stored: { revision: 1, document: '{"n":1}' }, brokerTimeMs: expect.any(Number) })
    expect(await broker.writeLedger(writeOf({ document: '{"n":2}' }))).toMatchObject({ outcome: 'Conflict', stored: first.stored })
    expect(await broker.writeLedger(writeOf({ expectedRevision: 2 }))).toMatchObject({ outcome: 'Conflict', stored: first.stored })
    expect(await broker.writeLedger(writeOf({ expectedRevision: 1, document: '{"n":"ü🦊"}' }))).toMatchObject({
      outcome: 'Written',
      stored: { revision: 2 },
    })
    const beforeMs = Date.now()
    const { stored, brokerTimeMs } = await broker.readLedgers(['default/team/none', ledger])
    expect(stored).toEqual([undefined, { revision: 2, document: '{"n":"ü🦊"}' }])
    expect(brokerTimeMs).toBeGreaterThanOrEqual(beforeMs)
    expect(brokerTimeMs).toBeLessThanOrEqual(Date.now())
    expect((await broker.listOwners('default', '0')).owners).toEqual(
      new Map([
        [dispatcher, leaseMarker],
        [ledger, marker],
      ]),
    )

    const orphan: OwnerMarker = { ...marker, deletionPolicy: 'Orphan' }
    await broker.writeLedger(writeOf({ expectedRevision: 2, marker: orphan }))
    expect((await broker.listOwners('default', '0')).owners.get(ledger)).toEqual(orphan)
    expect(await broker.writeLedger(writeOf({ expectedRevision: 2, document: undefined }))).toMatchObject({
      outcome: 'Conflict',
      stored: { revision: 3 },
    })
    expect(await broker.writeLedger(writeOf({ expectedRevision: 3, document: undefined }))).toMatchObject({
      outcome: 'Written',
      stored: undefined,
    })
    expect(await client.exists(ledgerKey('bull', ledger))).toBe(0)
    expect(await client.hkeys(ownersKey('bull', 'default'))).toEqual([dispatcher])
    expect(await broker.writeLedger(writeOf({ document: undefined }))).toMatchObject({ outcome: 'Written', stored: undefined })
  })

  test.each([
    ['a lower epoch', { epoch: 0 }],
    ['a higher epoch than was claimed', { epoch: 2 }],
    ['another holder', { holder: 'elsewhere' }],
    ['another namespace', { dispatcher: 'default/other' }],
  ])('%s is fenced, and changes nothing', async (_, wrong) => {
    await broker.writeLedger(writeOf({ document: 'kept' }))
    for (const document of ['changed', undefined]) {
      const answer = await broker.writeLedger(writeOf({ expectedRevision: 1, document, proof: { ...proof, ...wrong } }))
      expect(answer).toMatchObject({ outcome: 'Fenced', stored: { revision: 1, document: 'kept' } })
    }
    expect((await broker.readLedgers([ledger])).stored).toEqual([{ revision: 1, document: 'kept' }])
  })

  test('places the jobs of its slots in the same moment, or neither writes nor places', async () => {
    const jobs = [jobOf('work', firstSlot), jobOf('work', firstSlot + 60)]
    const places = { jobs, brokerTimeMs: Date.now() }
    const placed = () => Promise.all(jobs.map(({ id }) => client.exists(`bull:work:${id}`, `bull:${done}:${id}`)))
    const { brokerTimeMs: nowMs } = await broker.readLedgers([])
    const refusals = [
      ['Fenced', { proof: { ...proof, epoch: 0 } }],
      ['Conflict', { expectedRevision: 3 }],
      ['TooEarly', { notBeforeMs: nowMs + 60_000 }],
      ['TooLate', { beforeMs: nowMs }],
    ] as const
    for (const [outcome, wrong] of refusals) {
      expect(await broker.writeLedger(writeOf({ places, ...wrong }))).toMatchObject({ outcome, stored: undefined })
      expect(await placed()).toEqual([0, 0])
    }
    const counts = [{ subjectKind: 'TaskSchedule', subject: 'report', outcome: 'Missed', count: 3 }] as const
    expect(await broker.writeLedger(writeOf({ places, counts, document: '1' }))).toMatchObject({
      outcome: 'Written',
      stored: { revision: 1 },
    })
    expect(await placed()).toEqual([2, 2])
    const minute = Math.floor(Date.now() / 60_000)
    const window = {
      namespace: 'team',
      subjectKind: 'TaskSchedule',
      subject: 'report',
      fromMinute: minute - 1,
      toMinute: minute + 1,
    } as const
    expect((await broker.readCounts('default', [window])).counts).toEqual([{ succeeded: 0, failed: 0, missed: 3 }])
  })

  test('writes nothing if one of its jobs is the child of another flow', async () => {
    const [mine, foreign] = [jobOf('work', firstSlot), jobOf('work', firstSlot + 60)]
    await client.hset('bull:elsewhere:parent', 'name', 'theirs')
    await client.hset(`bull:work:${foreign.id}`, 'name', 'theirs', 'parentKey', 'bull:elsewhere:parent')
    const write = broker.writeLedger(writeOf({ places: { jobs: [mine, foreign], brokerTimeMs: Date.now() } }))
    await expect(write).rejects.toThrow(foreign.id)
    expect((await broker.readLedgers([ledger])).stored).toEqual([undefined])
    expect(await client.exists(`bull:work:${mine.id}`)).toBe(0)
  })

  test('writes nothing if a key of a queue has another type', async () => {
    await client.set('bull:work:delayed', 'no sorted set')
    const write = broker.writeLedger(writeOf({ places: { jobs: [jobOf('work', firstSlot)], brokerTimeMs: Date.now() } }))
    await expect(write).rejects.toThrow('WRONGTYPE')
    expect((await broker.readLedgers([ledger])).stored).toEqual([undefined])
  })

  test("only within the window, by the broker's clock", async () => {
    const { brokerTimeMs: nowMs } = await broker.readLedgers([])
    expect((await broker.writeLedger(writeOf({ notBeforeMs: nowMs + 60_000 }))).outcome).toBe('TooEarly')
    expect((await broker.writeLedger(writeOf({ beforeMs: nowMs }))).outcome).toBe('TooLate')
    expect((await broker.readLedgers([ledger])).stored).toEqual([undefined])
    expect((await broker.writeLedger(writeOf({ notBeforeMs: nowMs, beforeMs: nowMs + 60_000 }))).outcome).toBe('Written')
  })

  test('two writers: of 200 rounds of both exactly one wins each, and no increment is lost', async () => {
    let wins = 0
    const write = async (by: Broker) => {
      for (let tries = 0; tries < 200; tries++) {
        const [stored] = (await by.readLedgers([ledger])).stored
        const answer = await by.writeLedger(
          writeOf({ expectedRevision: stored?.revision ?? 0, document: `${Number(stored?.document ?? 0) + 1}` }),
        )
        if (answer.outcome === 'Written') wins++
        else expect(answer.outcome).toBe('Conflict')
      }
    }
    await Promise.all([write(broker), write(other)])
    expect((await broker.readLedgers([ledger])).stored).toEqual([{ revision: wins, document: `${wins}` }])
    expect(wins).toBeGreaterThanOrEqual(200)
  })

  test('120 ledgers in one answer, after the server forgot its scripts', async () => {
    const names = Array.from({ length: 120 }, (_, index) => `default/team/s${index}`)
    await Promise.all(names.map((name, index) => broker.writeLedger(writeOf({ ledger: name, document: `${index}` }))))
    await client.script('FLUSH')
    expect((await broker.readLedgers(names)).stored.map((stored) => stored?.document)).toEqual(names.map((_, index) => `${index}`))
    await client.script('FLUSH')
    expect(await broker.writeLedger(writeOf({ ledger: names[0]!, expectedRevision: 1 }))).toMatchObject({ outcome: 'Written' })
  })

  test('markers come by pages; unknown markers are skipped', async () => {
    const names = Array.from({ length: 700 }, (_, index) => `default/team/s${index}`)
    await Promise.all(names.map((name) => broker.writeLedger(writeOf({ ledger: name }))))
    await client.hset(ownersKey('bull', 'default'), { 'default/x/y': '{"v":2}', 'default/x/z': 'no json' })
    const seen = new Set<string>()
    let pages = 0
    for (let cursor = '0'; ;) {
      const page = await broker.listOwners('default', cursor)
      pages++
      for (const name of page.owners.keys()) seen.add(name)
      if ((cursor = page.cursor) === '0') break
    }
    expect([...seen].toSorted()).toEqual([dispatcher, ...names].toSorted())
    expect(pages).toBeGreaterThan(1)
    expect((await broker.listOwners('elsewhere', '0')).owners.size).toBe(0)
  })

  test('a restart of the server: what was acknowledged is there, and the claim still holds', async () => {
    await broker.writeLedger(writeOf({ document: 'before' }))
    await redis.restart()
    const answer = await eventually(() => broker.writeLedger(writeOf({ expectedRevision: 1, document: 'after' })))
    expect(answer).toMatchObject({ outcome: 'Written', stored: { revision: 2, document: 'after' } })
  })

  test('an older snapshot comes back: the ledger is behind, and the later epoch is fenced until it is claimed again', async () => {
    await broker.writeLedger(writeOf({ document: 'old' }))
    const snapshot = await redis.snapshot()
    await claim({ epoch: 5, by: 'p5' })
    const later = { ...proof, epoch: 5 }
    await broker.writeLedger(writeOf({ expectedRevision: 1, document: 'new', proof: later }))
    await redis.restore(snapshot)
    const answer = await eventually(() => broker.writeLedger(writeOf({ expectedRevision: 2, proof: later })))
    expect(answer).toMatchObject({ outcome: 'Fenced', stored: { revision: 1, document: 'old' } })
    expect(await claim({ epoch: 5, by: 'p5' })).toEqual({ kind: 'Held' })
    expect(await broker.writeLedger(writeOf({ expectedRevision: 1, document: 'newer', proof: later }))).toMatchObject({
      outcome: 'Written',
    })
  })
})
