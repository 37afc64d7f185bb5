/** One slot, carried out by a queue or by something else, on a real Redis: whatever dies in between, it runs once and counts once. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { Broker, EndedJob } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { type CountIncrement, doneQueue, ledgerName, slotJobId, type OwnerMarker, type Slot } from '../../src/contract/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { generationOf, parseTiming, type SchedulePlan } from '../../src/scheduling/index.ts'
import type { SlotStart } from '../../src/plans/index.ts'
import { createBrokerClock } from '../../src/services/brokers/index.ts'
import { visitRecord } from '../../src/services/engine/index.ts'
import { createQueueSlots, createSlotKind, emptySlotMemory, type SlotExecutor } from '../../src/services/slots/index.ts'
import type { RunCounts } from '../../src/services/signals/index.ts'
import { lead, open, plainWorker } from './ledger-home.ts'

let redis: RedisServer
let broker: Broker & AsyncDisposable
const timing = { everySeconds: 3_600 }

beforeAll(async () => {
  redis = await startRedis()
  broker = open(redis)
})
afterAll(async () => {
  await broker.close()
  await redis.stop()
})

/** Runs slots in this process, all of which fail. */
function failingSlots(ran: Slot[]): SlotExecutor {
  const ended = new Map<Slot, number>()
  const begun = new Set<Slot>()
  return {
    isFor: (generation) => generation.endsWith('/.own'),
    starting: {
      kind: 'AfterIntent',
      make: () => ({ made: [], refused: new Map() }),
      async place(slots) {
        for (const { slot } of slots) {
          if (begun.has(slot)) continue
          begun.add(slot)
          ran.push(slot)
          ended.set(slot, Date.now())
        }
        return { outcome: 'Done', refused: new Map() }
      },
    },
    remove: (slots) => Promise.resolve(slots.map(({ slot }) => (begun.has(slot) ? 'Started' : 'Absent'))),
    cancel: (slots) => Promise.resolve(slots.map(({ slot }) => (ended.has(slot) ? 'Ended' : 'Absent'))),
    look: (slots) => Promise.resolve(slots.map(({ slot }) => ({ state: ended.has(slot) ? 'Ended' : 'Absent' }))),
    observe: () =>
      Promise.resolve({
        ends: [...ended].map(([slot, finishedAtMs]) => ({
          slot,
          succeeded: false,
          reason: 'AttemptsExhausted',
          message: 'no',
          finishedAtMs,
        })),
      }),
    async acknowledge(slots) {
      for (const slot of slots) ended.delete(slot)
      return { ids: [] }
    },
    forget: () => Promise.resolve({ ids: [] }),
    subjects: () => [],
  }
}

/** Dispatches the last slot to its recorded end; with `killAt`, that call of `reachPoint` throws, and all that was remembered is gone. */
async function live(namespace: string, place: string, killAt: number) {
  const ledger = ledgerName('default', namespace, 'nightly')
  const done = doneQueue('default', namespace)
  const proof = { dispatcher: `default/${namespace}`, epoch: 1, holder: 'cluster/ns/lease' }
  await lead(broker, proof)
  const marker: OwnerMarker = { v: 1, cluster: 'c1', kind: 'TaskSchedule', namespace, name: 'nightly', deletionPolicy: 'Delete' }
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  const plan: SchedulePlan = {
    timing,
    slots: parsed.slots,
    seed: 'acme/nightly',
    suspended: false,
    concurrencyPolicy: 'Forbid',
    missedRuns: 'Latest',
    missedRunsLimit: 1,
    generation: generationOf('h', place),
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
  const recorded: (CountIncrement & { readonly namespace: string })[] = []
  const runCounts: Pick<RunCounts, 'recorded'> = {
    recorded: (to, ends) => void recorded.push(...ends.map((end) => ({ ...end, namespace: to }))),
  }
  const brokerClock = createBrokerClock(systemClock)
  const deps = { brokerClock, log: silentLogger, counts: runCounts, reachPoint }
  const ran: Slot[] = []
  const own = failingSlots(ran)
  let memory = emptySlotMemory()
  let ended: readonly EndedJob[] = []
  const start: SlotStart = {
    kind: 'Task',
    jobOf: (_ledger, _done, slot) => ({
      id: slotJobId(ledger, slot),
      doneQueue: done,
      done: { v: 1, ledger, slot },
      queue: place,
      name: 'x',
      data: {},
      dueAtMs: slot * 1000,
      attempts: 1,
    }),
  }
  for (;;) {
    try {
      ended = (await broker.readEnded([done])).ended
      const pendingCompletions = () => ended
      const slots = createQueueSlots({
        broker,
        proof,
        ledger,
        doneQueue: done,
        start,
        pendingCompletions,
        whereabouts: () => new Map(),
        reachPoint,
      })
      const kind = createSlotKind(deps, { broker, proof, marker, ledger, plan, memory, executors: [slots, own] })
      const { result, happened } = await visitRecord(kind, memory, { proof, signal: new AbortController().signal })
      const gone = happened.flatMap((each) => (each.kind === 'Acknowledged' ? each.ids : []))
      ended = ended.filter(({ id }) => !gone.includes(id))
      if (result.kind === 'Failed') throw result.error
      if (memory.record?.ledger?.lastRun !== undefined && ended.length + (await own.observe([], 0)).ends.length === 0) break
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'killed') throw error
      memory = emptySlotMemory()
    }
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  const minute = Math.floor(Date.now() / 60_000)
  const stretch = { namespace, fromMinute: minute - 10, toMinute: minute + 1 }
  const { counts } = await broker.readCounts('default', [
    { ...stretch, subjectKind: 'TaskSchedule', subject: 'nightly' },
    { ...stretch, subjectKind: 'Queue', subject: place },
  ])
  return { struck, counts, recorded, ran, dispatched: memory.record?.ledger?.dispatched }
}

test('as a job of a queue: counted for its schedule and its queue, and announced', async () => {
  const points: string[] = []
  for (let killAt = 0; ; killAt++) {
    const ran: string[] = []
    const queue = `slots-${killAt}`
    await using _worker = plainWorker(redis.port, queue, (id) => void ran.push(id))
    const { struck, counts, recorded, dispatched } = await live(`q-${killAt}`, queue, killAt)
    const where = `killed at ${struck} (${killAt})`
    expect(ran, where).toHaveLength(1)
    expect(dispatched, where).toBe(1)
    expect(counts, where).toEqual([
      { succeeded: 1, failed: 0, missed: 0 },
      { succeeded: 1, failed: 0, missed: 0 },
    ])
    if (struck === undefined) {
      expect(recorded.map(({ subjectKind, subject, outcome }) => `${subjectKind} ${subject} ${outcome}`)).toEqual([
        'TaskSchedule nightly Succeeded',
        `Queue ${queue} Succeeded`,
      ])
      break
    }
    points.push(struck)
  }
  expect(points).toEqual(
    expect.arrayContaining([
      'before write dispatch',
      'after write dispatch',
      'before write record',
      'after write record',
      'after acknowledge',
    ]),
  )
})

test('by another executor: what its generation says is its, and counts for the schedule alone', async () => {
  const points: string[] = []
  for (let killAt = 0; ; killAt++) {
    const { struck, counts, ran } = await live(`o-${killAt}`, '.own', killAt)
    const where = `killed at ${struck} (${killAt})`
    expect(ran, where).toHaveLength(1)
    expect(counts, where).toEqual([
      { succeeded: 0, failed: 1, missed: 0 },
      { succeeded: 0, failed: 0, missed: 0 },
    ])
    if (struck === undefined) break
    points.push(struck)
  }
  expect(points).toEqual(expect.arrayContaining(['before write intend', 'before place', 'after place', 'before write record']))
})
