import { expect, test } from 'vitest'
import type { Broker, CancelAnswer, LedgerWrite, PlacedJob, PlacedRef, PlacedState } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { ledgerName, type OwnerMarker, type Slot, slotJobId } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import type { SlotStart } from '../../plans/index.ts'
import { dueAt, generationOf, parseLedger, parseTiming, type SchedulePlan } from '../../scheduling/index.ts'
import { createBrokerClock } from '../brokers/index.ts'
import { visitRecord } from '../engine/index.ts'
import { emptySlotMemory } from './ledger-record.ts'
import { createQueueSlots } from './queue-slots.ts'
import { createSlotKind } from './slots.ts'

const ledger = ledgerName('default', 'team', 'report')
const proof = { dispatcher: 'default/team', epoch: 1, holder: 'c/ns/lease' }
const marker: OwnerMarker = { v: 1, cluster: 'c1', kind: 'TaskSchedule', namespace: 'team', name: 'report', deletionPolicy: 'Delete' }

/** A schedule with a slot every 20 s, at a broker that stores the ledger and takes every job. */
function setup(jobOf: (slot: Slot) => PlacedJob, change: Partial<SchedulePlan> = {}) {
  const clock = fakeClock()
  /** What the broker answers about each job, and what was found of it some time ago. */
  const found: { state: PlacedState['state']; cancelled: CancelAnswer; before: PlacedState['state'] } = {
    state: 'Waiting',
    cancelled: 'Removed',
    before: 'Waiting',
  }
  const stored = { revision: 0, document: '' }
  const placed: string[] = []
  const dueTimes: number[] = []
  const current = () => (stored.revision === 0 ? undefined : { ...stored })
  const broker = {
    readLedgers: async () => ({ stored: [current()], brokerTimeMs: clock.now() }),
    async writeLedger({ expectedRevision, document = '', places }: LedgerWrite) {
      if (expectedRevision !== stored.revision) return { outcome: 'Conflict', stored: current(), brokerTimeMs: clock.now() }
      placed.push(...(places?.jobs ?? []).map(({ id }) => id))
      dueTimes.push(...(places?.jobs ?? []).map(({ dueAtMs }) => dueAtMs / 1000))
      Object.assign(stored, { revision: expectedRevision + 1, document })
      return { outcome: 'Written', stored: current(), brokerTimeMs: clock.now() }
    },
    acknowledgeEnded: async () => 'Done',
    lookAtPlaced: async (refs: readonly PlacedRef[]) => refs.map(({ id }) => ({ id, state: found.state })),
    cancelPlaced: async () => found.cancelled,
  } as Partial<Broker> as Broker
  const timing = { everySeconds: 20 }
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  const plan: SchedulePlan = {
    timing,
    slots: parsed.slots,
    seed: 'acme/nightly',
    suspended: false,
    concurrencyPolicy: 'Allow',
    missedRuns: 'Latest',
    missedRunsLimit: 1,
    generation: generationOf('a', 'mail'),
    epoch: 1,
    createdAtMs: clock.now(),
    ...change,
  }
  const memory = emptySlotMemory()
  const start: SlotStart = { kind: 'Task', jobOf: (_ledger, _doneQueue, slot) => jobOf(slot) }
  const whereabouts = () => new Map(placed.slice(0, 1).map((id) => [id, { id, state: found.before }]))
  const visit = () => {
    const slots = createQueueSlots({ broker, proof, ledger, doneQueue: 'done', start, pendingCompletions: () => [], whereabouts })
    const deps = { brokerClock: createBrokerClock(clock), log: silentLogger }
    const kind = createSlotKind(deps, { broker, proof, marker, ledger, plan, memory, executors: [slots] })
    return visitRecord(kind, memory, { proof, signal: new AbortController().signal })
  }
  const now = clock.now() / 1000
  return {
    clock,
    found,
    placed,
    dueTimes,
    plan,
    visit,
    slot: (index: number): Slot => (Math.floor(now / 20) + index) * 20,
    ledger() {
      const read = parseLedger(stored.document)
      if (!read.ok) throw new Error(read.message)
      return read.ledger
    },
  }
}

test('a slot whose expression fails stops none of the slots that are placed with it, and has failed when it is due', async () => {
  const fails = { slot: 0 }
  const {
    visit,
    placed,
    slot,
    clock,
    ledger: read,
  } = setup((each) => {
    if (each === fails.slot) throw taskmillError('TM_EXPRESSION_FAILED', 'division by zero')
    return { id: slotJobId(ledger, each) } as PlacedJob
  })
  fails.slot = slot(2)
  expect((await visit()).result).toEqual({ kind: 'Waiting', untilMs: slot(1) * 1000 })
  expect(placed).toEqual([1, 3, 4].map((index) => slotJobId(ledger, slot(index))))
  await clock.advance(slot(2) * 1000 - clock.now())
  expect((await visit()).result.kind).toBe('Waiting')
  expect(read().lastFailure).toMatchObject({ slot: slot(2), reason: 'Refused', message: 'spec.task.payload: division by zero' })
  expect(read().active.map((run) => run.slot)).not.toContain(slot(2))
})

test('a job that is placed ahead is due at the end of its delay', async () => {
  const change = { timing: { everySeconds: 20, jitterSeconds: 15 } }
  const { visit, dueTimes, slot, plan } = setup((each) => ({ id: slotJobId(ledger, each) }) as PlacedJob, change)
  await visit()
  const due = [1, 2, 3].map((index) => dueAt(plan, slot(index)))
  expect(dueTimes.slice(0, 3)).toEqual(due)
  expect(due.some((each, index) => each > slot(index + 1))).toBe(true)
})

test('any other error is no refusal: the visit fails, and everything is read again', async () => {
  const { visit, placed } = setup(() => {
    throw new TypeError('a mistake')
  })
  expect((await visit()).result).toMatchObject({ kind: 'Failed', error: new TypeError('a mistake') })
  expect(placed).toEqual([])
})

const jobOfSlot = (slot: Slot) => ({ id: slotJobId(ledger, slot) }) as PlacedJob

test('a run is cancelled again if the end that it had is not to be had: somebody may have removed it', async () => {
  const { visit, clock, slot, found, ledger: read } = setup(jobOfSlot, { concurrencyPolicy: 'Replace' })
  await clock.advance(slot(1) * 1000 - clock.now())
  await visit()
  found.cancelled = 'Ended'
  await clock.advance(slot(2) * 1000 - clock.now())
  expect((await visit()).result).toEqual({ kind: 'Waiting', untilMs: slot(2) * 1000 + 1000 })
  expect(read().active).toMatchObject([{ slot: slot(1), ending: { reason: 'Replaced' } }])
  found.cancelled = 'Absent'
  await clock.advance(1000)
  await visit()
  expect(read().active).toMatchObject([{ slot: slot(2) }])
  expect(read().lastRun).toMatchObject({ slot: slot(1), reason: 'Replaced' })
})

test('a run is not replaced by a slot of which the template makes nothing', async () => {
  const fails = { slot: 0 }
  const {
    visit,
    clock,
    slot,
    placed,
    ledger: read,
  } = setup(
    (each) => {
      if (each === fails.slot) throw taskmillError('TM_EXPRESSION_FAILED', 'division by zero')
      return jobOfSlot(each)
    },
    { concurrencyPolicy: 'Replace' },
  )
  fails.slot = slot(2)
  for (const index of [1, 2]) {
    await clock.advance(slot(index) * 1000 - clock.now())
    await visit()
  }
  expect(placed).toEqual([slotJobId(ledger, slot(1))])
  expect(read().active).toMatchObject([{ slot: slot(1) }])
  expect(read().active[0]).not.toHaveProperty('ending')
  expect(read().lastFailure).toMatchObject({ slot: slot(2), reason: 'Refused' })
})

test.each(['Allow', 'Forbid', 'Queue'] as const)(
  'with %s, a run whose job was missed is looked for, and has ended if there is none',
  async (policy) => {
    const { visit, clock, slot, found, ledger: read } = setup(jobOfSlot, { concurrencyPolicy: policy })
    await visit()
    await clock.advance(slot(1) * 1000 - clock.now())
    await visit()
    found.before = 'Absent'
    await visit()
    expect(read().active.map((run) => run.slot)).toContain(slot(1))
    found.state = 'Absent'
    await visit()
    expect(read().active.map((run) => run.slot)).not.toContain(slot(1))
    expect(read().lastFailure).toMatchObject({ slot: slot(1), reason: 'JobRemoved' })
  },
)
