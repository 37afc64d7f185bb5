/** How often the API server hears of a run whose nodes end all the time, by counts on a clock that stands still. */
import { expect, it } from 'vitest'
import { type TaskExecution, taskExecutions, type TaskExecutionStatus } from '../../api/index.ts'
import { fakeClock, type FakeClock } from '../../clock/index.ts'
import { applyEntry } from '../../graph/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { createStatusWriter, createWriteBudget } from '../../services/status/index.ts'
import { begunAtMs, ended, executionOf, nodeOf, runOf, started, worldOf } from './fixtures.ts'
import { gaugeIntervalMs, statusOf, transitionOf } from './status.ts'

type Write = { readonly atMs: number; readonly status: TaskExecutionStatus }

/** A writer as the controller has one, and what it wrote. */
function scribe(clock: FakeClock) {
  const writes: Write[] = []
  const client = {
    async applyStatus(_: unknown, body: TaskExecution) {
      writes.push({ atMs: clock.now() - begunAtMs, status: body.status as never })
      return body
    },
  } as unknown as KubeClient
  const writer = createStatusWriter<TaskExecution>({
    client,
    resource: taskExecutions,
    fieldManager: 'test',
    clock,
    transitionOf,
    budget: createWriteBudget({ clock, perSecond: 10 }),
    gaugeIntervalMs: (status) => gaugeIntervalMs(status, clock.now()),
  })
  return { writer, writes }
}

/** Runs independent nodes that end one after the other, and looks after each, and again when the writer says so. */
async function running(
  count: number,
  everyMs: number,
  { clock, writer }: { clock: FakeClock; writer: ReturnType<typeof scribe>['writer'] },
  key = 'acme/x7k2p',
) {
  const names = Array.from({ length: count }, (_, index) => `n${index}`)
  const run = runOf(
    names.map((name) => nodeOf(name)),
    names.map((name) => started(name)),
  )
  const execution = executionOf()
  const look = async (): Promise<void> => {
    const status = statusOf(worldOf({ run, status: writer.latest(key, execution), nowMs: clock.now() }))
    const { againAfterMs } = await writer.write(key, execution, status)
    if (againAfterMs !== undefined) clock.setTimeout(() => void look(), againAfterMs)
  }
  const end = (name: string, index: number) => {
    const atMs = (index + 1) * everyMs
    clock.setTimeout(() => {
      applyEntry(run, { v: 1, ...ended(name, 'Succeeded', atMs) })
      const isLast = index === count - 1
      if (isLast)
        applyEntry(run, { v: 1, kind: 'Finished', atMs: begunAtMs + atMs, outcome: 'Succeeded', reason: 'Succeeded', message: 'all' })
      void look()
    }, atMs)
  }
  await look()
  names.forEach(end)
  return { totalMs: count * everyMs }
}

it.each<[string, number, number]>([
  ['2 s', 10, 4],
  ['20 s', 100, 20],
  ['10 min', 3_000, 50],
  ['an hour', 18_000, 130],
])('200 nodes within %s: one every %i ms, is at most %i writes', async (_, everyMs, most) => {
  const clock = fakeClock(begunAtMs)
  const { writer, writes } = scribe(clock)
  const { totalMs } = await running(200, everyMs, { clock, writer })
  await clock.advance(totalMs + 60_000)
  expect(writes.length).toBeLessThanOrEqual(most)
  expect(writes.length).toBeGreaterThan(2)
  // The begin and the end are written at once.
  expect([writes[0]?.atMs, writes.at(-1)?.atMs]).toEqual([0, totalMs])
  expect(writes.at(-1)?.status).toMatchObject({ state: 'Succeeded', progress: '200/200' })
})

it('people never read what is older than a tenth of the time that the run has taken, or half a minute', async () => {
  const clock = fakeClock(begunAtMs)
  const { writer, writes } = scribe(clock)
  await running(200, 3_000, { clock, writer })
  await clock.advance(700_000)
  const gaps = writes.slice(1).map(({ atMs }, index) => atMs - (writes[index]?.atMs ?? 0))
  expect(Math.max(...gaps)).toBeLessThanOrEqual(33_000)
  expect(gaps[0]).toBeLessThanOrEqual(3_000)
})

it('a hundred runs at once share the ten writes a second of the operator, and the begin and the end of each are written', async () => {
  const clock = fakeClock(begunAtMs)
  const { writer, writes } = scribe(clock)
  for (let index = 0; index < 100; index++) await running(20, 1_000, { clock, writer }, `acme/run-${index}`)
  await clock.advance(20_500)
  const table = writes.filter(({ atMs, status }) => atMs > 0 && status.state === 'Running')
  expect(table.length).toBeLessThanOrEqual(10 * 20 + 10)
  expect(table.length).toBeGreaterThan(100)
  expect(writes.filter(({ status }) => status.state === 'Succeeded')).toHaveLength(100)
})
