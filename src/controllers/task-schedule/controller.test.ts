import { expect, test } from 'vitest'
import type { TaskSchedule } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { createMetrics, silentLogger } from '../../observability/index.ts'
import type { Engine } from '../../services/engine/index.ts'
import { createTaskScheduleController } from './controller.ts'
import type { TaskScheduleDeps } from './gather.ts'

const key = 'team/report'
const context = { signal: new AbortController().signal, log: silentLogger }
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
  const engine: Partial<Engine> = {
    remember() {
      const memory = { record: undefined, connection: {} }
      memories.push(memory)
      return memory as never
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
    schedules: { get: () => there.object },
    tracking: { untrack: () => undefined },
    configMaps: { follow: () => new Map() },
    whereabouts: { forget: () => undefined },
    orphanedData: { lookAgain: () => void count.sweeps++ },
    metrics: createMetrics({ now: () => 0 }),
    clock: fakeClock(),
    onMemoryShort: (handler: () => void) => (short.handler = handler),
    statusBudget: { isClosing: () => there.isClosing },
    installation: 'default',
  } as unknown as TaskScheduleDeps)
  return {
    count,
    there,
    memories,
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
