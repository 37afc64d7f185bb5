import { expect, test } from 'vitest'
import type { TaskSchedule, TaskScheduleStatus } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { createMetrics, silentLogger } from '../../observability/index.ts'
import type { Ledger } from '../../scheduling/index.ts'
import type { Driven, Engine } from '../../services/engine/index.ts'
import type { SlotHappening } from '../../services/slots/index.ts'
import { createTaskScheduleController } from './controller.ts'
import type { TaskScheduleDeps } from './gather.ts'

const key = 'team/report'
const areOthers = { due: false }
const context = { signal: new AbortController().signal, log: silentLogger, areOthersDue: () => areOthers.due, stepAside: () => undefined }
const schedule = {
  metadata: { namespace: 'team', name: 'report', uid: 'u1', generation: 1 },
  spec: { everySeconds: 60, timeZone: 'UTC', brokerRef: { name: 'default' }, deletionPolicy: 'Delete', task: { type: 'x', queue: 'q' } },
} as unknown as TaskSchedule
const terminating = { ...schedule, metadata: { ...schedule.metadata, deletionTimestamp: '2026-11-29T00:00:00Z' } }

/** A schedule whose data in the broker is removed at the first try after `failures`. */
function setup(failures = 0) {
  const there: { object: TaskSchedule | undefined; isClosing: boolean } = { object: schedule, isClosing: false }
  const count = { removals: 0, sweeps: 0 }
  const memories: { record?: unknown; shown?: unknown; understood?: { readonly ok: boolean } }[] = []
  const short: { handler?: () => void } = {}
  const written: TaskScheduleStatus[] = []
  /** What the next look does at the broker. */
  const next: { acted?: Pick<Driven<SlotHappening, never>, 'situation' | 'isWaiting' | 'happened'>; record?: object | undefined } = {}
  const engine: Partial<Engine> = {
    remember() {
      const memory = { record: undefined, connection: {} }
      memories.push(memory)
      return memory as never
    },
    leaseAt: () => ({ kind: 'Pending' }),
    isUndecided: () => false,
    now: () => 0,
    async drive(memory) {
      Object.assign(memory, { record: next.record })
      return (next.acted ?? { situation: { kind: 'Driven' }, isWaiting: true, happened: [] }) as never
    },
    async remove(memory) {
      if (memory.isRemoved === true) return { isComplete: true, happened: [] }
      count.removals++
      memory.isRemoved = count.removals > failures
      return { isComplete: memory.isRemoved, happened: [] }
    },
  }
  const controller = createTaskScheduleController({
    engine,
    client: {
      async applyStatus(_: unknown, object: TaskSchedule) {
        written.push(object.status ?? { observedGeneration: -1 })
        return object
      },
    },
    schedules: { get: () => there.object },
    tracking: { untrack: () => undefined, acknowledged: () => undefined },
    directory: { get: () => ({ kind: 'Unknown' }) },
    events: { event: () => undefined },
    log: silentLogger,
    configMaps: { follow: () => new Map() },
    whereabouts: { forget: () => undefined },
    groups: { forget: () => undefined },
    jobSchedulers: { watch: () => undefined, forget: () => undefined },
    orphanedData: { lookAgain: () => void count.sweeps++ },
    metrics: createMetrics({ now: () => 0 }),
    clock: fakeClock(),
    onMemoryShort: (handler: () => void) => (short.handler = handler),
    statusBudget: { isClosing: () => there.isClosing, take: () => 0 },
    installation: 'default',
  } as unknown as TaskScheduleDeps)
  return {
    count,
    there,
    memories,
    written,
    next,
    runShortOfMemory: () => short.handler?.(),
    async see(object: TaskSchedule | undefined) {
      there.object = object
      return controller.reconcile(key, context)
    },
  }
}

test('a schedule that is being deleted leaves the broker at once, and asks no broker when it is gone at last', async () => {
  const { see, count } = setup()
  expect(await see(terminating)).toEqual({})
  expect(count).toEqual({ removals: 1, sweeps: 0 })
  await see(terminating)
  await see(undefined)
  expect(count).toEqual({ removals: 1, sweeps: 0 })
})

test('while the broker is away the removal of a schedule that is being deleted is tried again; what is left at the end is orphaned', async () => {
  const { see, count } = setup(2)
  expect(await see(terminating)).toEqual({ requeueAfterMs: 2_000 })
  await see(undefined)
  expect(count).toEqual({ removals: 2, sweeps: 1 })
})

test('a schedule that was deleted before this process knew where its ledger is leaves orphaned data', async () => {
  const { see, count } = setup()
  await see(undefined)
  expect(count).toEqual({ removals: 0, sweeps: 1 })
})

test('a schedule in a namespace that is being deleted waits for its own deletion', async () => {
  const { see, there, count, memories } = setup()
  there.isClosing = true
  expect(await see(schedule)).toEqual({ requeueAfterMs: 60_000 })
  expect([count.removals, memories]).toEqual([0, []])
  await see(terminating)
  expect(count).toEqual({ removals: 1, sweeps: 0 })
})

test('when memory is short, ledgers and plans are dropped: they can be read and compiled again', async () => {
  const { see, memories, runShortOfMemory } = setup(1)
  await see(terminating)
  const [memory = {}] = memories
  Object.assign(memory, { record: { ledger: {} }, shown: {}, calendars: {} })
  expect(memory.understood).toMatchObject({ ok: true })
  runShortOfMemory()
  expect(memory).toMatchObject({ record: undefined, shown: undefined, understood: undefined, calendars: undefined })
  await see(terminating)
  expect(memories).toHaveLength(1)
  expect(memory.understood).toMatchObject({ ok: true })
})

const ledger: Ledger = {
  v: 1,
  timing: { everySeconds: 60, suspended: false },
  cursor: 60,
  open: [],
  active: [],
  dispatched: 1,
  lastDispatched: { slot: 60, atMs: 60_000 },
  consecutiveFailures: 0,
  missed: {},
}
const dispatched: SlotHappening = { kind: 'Recorded', changes: [{ kind: 'Dispatched', slot: 60, dueAt: 60, atMs: 60_000 }], ledger }
const driven = { situation: { kind: 'Driven' }, isWaiting: true } as const

test('after work at the broker the status waits for what is due, and once only', async () => {
  const { see, next, written, memories } = setup()
  Object.assign(next, { record: { ledger }, acted: { ...driven, happened: [dispatched] } })
  areOthers.due = true
  expect(await see(schedule)).toEqual({ requeueAfterMs: 0 })
  // A broker that is restored meanwhile, to before that, is found out.
  expect([written, memories[0]?.shown]).toEqual([[], ledger])
  await see(schedule)
  expect(written).toMatchObject([{ lastScheduleTime: '1970-01-01T00:01:00Z' }])
})

test.each([
  ['nothing else is due', { ...driven, happened: [dispatched] }, false],
  ['nothing was done', { ...driven, happened: [] }, true],
  ['something prevents the slots', { situation: { kind: 'Unreachable', message: 'away' }, happened: [dispatched] }, true],
] as const)('the status is written at once when %s', async (_, acted, due) => {
  const { see, next, written } = setup()
  Object.assign(next, { record: { ledger }, acted })
  areOthers.due = due
  await see(schedule)
  expect(written).toHaveLength(1)
})

test('a slot that was dispatched before a failure is known, although the ledger is in doubt', async () => {
  const { see, next, memories } = setup()
  const failed = { situation: { kind: 'Failed', error: new Error('away') }, happened: [dispatched] }
  Object.assign(next, { record: undefined, acted: failed })
  await expect(see(schedule)).rejects.toThrow('away')
  expect(memories[0]?.shown).toEqual(ledger)
})
