/** Schedules that start graphs: each slot one TaskExecution, its end in the ledger, under the same policies as a task's. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { taskExecutions, taskSchedules, type TaskExecution, type TaskSchedule } from '../../src/api/index.ts'
import { ledgerName, slotJobId, slotTime } from '../../src/contract/index.ts'
import type { Ledger } from '../../src/scheduling/index.ts'
import { slotObjectName } from '../../src/plans/index.ts'
import { createSchedule } from '../support/manifests.ts'
import { conditionOf, ended, executionHome, type ExecutionHome, nodesOf } from './execution-home.ts'
import { messageOf, reasonOf } from './schedule-home.ts'

let home: ExecutionHome

beforeAll(async () => {
  home = await executionHome('schedule-graphs')
})

afterAll(() => home?.stop())

const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, spec)
const remove = (name: string): Promise<unknown> => home.client.delete(taskSchedules, home.namespace, name)
const patch = (kind: string, name: string, spec: object): Promise<string> =>
  home.kubectl('patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec }))
const task = (queue: string, payload: object = {}) => ({ type: 'work', queue, payload })
const idOf = (schedule: string, slot: number): string => slotJobId(ledgerName('default', home.namespace, schedule), slot)
const missed = (object: TaskSchedule, reason: string): number =>
  object.status?.missedRuns?.find((each) => each.reason === reason)?.count ?? 0

async function runsOf(schedule: string): Promise<readonly TaskExecution[]> {
  const { items } = await home.client.list(taskExecutions, {
    namespace: home.namespace,
    labelSelector: `taskmill.dev/schedule=${schedule}`,
  })
  return items.toSorted((a, b) => ((a.spec.slotTime ?? '') < (b.spec.slotTime ?? '') ? -1 : 1))
}

async function ledgerOf(schedule: string): Promise<Ledger> {
  return JSON.parse((await home.commands.hget(`bull:.taskmill:ledger:default/${home.namespace}/${schedule}`, 'document')) ?? '') as Ledger
}

/** Ends as they were counted by the minute. */
async function counted(kind: string, name: string): Promise<number> {
  const keys = await home.commands.keys(`bull:.taskmill:counts:default/${home.namespace}/${kind}/${name}:*`)
  const values = await Promise.all(keys.map((key) => home.commands.hvals(key)))
  return values.flat().reduce((sum, value) => sum + Number(value), 0)
}

it('a slot runs the graph once, with its parameters, and what became of it is read everywhere', async () => {
  const consumer = home.consume('mornings', async () => ({ items: 3 }))
  await home.graph('summary', {
    parameters: { day: 'never', lines: 5 },
    nodes: [
      { name: 'fetch', task: task('mornings', { day: '$(parameters.day)', lines: '$(parameters.lines)', slot: '$(slot)' }) },
      { name: 'send', dependsOn: [{ name: 'fetch' }], task: task('mornings', { items: '$(nodes.fetch.result.items)' }) },
    ],
  })
  await create('mornings', { everySeconds: 2, missedRuns: 'All', dependencyRef: { name: 'summary' }, parameters: { day: 'day $(slot)' } })
  await consumer.ran(6)
  await patch('tsch', 'mornings', { suspend: true })
  const schedule = await home.schedule('mornings', ({ status }) => status?.reason === 'Suspended' && status.activeRuns === 0)
  expect(schedule.status).toMatchObject({ lastResult: 'Succeeded', consecutiveFailures: 0 })
  expect(reasonOf(schedule, 'LastRunSucceeded')).toBe('Succeeded')

  const runs = await runsOf('mornings')
  const slots = runs.map(({ spec }) => Date.parse(spec.slotTime ?? '') / 1000)
  const [first = 0] = slots
  expect(slots).toEqual(slots.map((_, index) => first + 2 * index))
  const fetched = consumer.runs.filter(({ id }) => id.endsWith('/fetch')).map(({ data }) => data as { slot: string })
  fetched.sort((a, b) => (a.slot < b.slot ? -1 : 1))
  expect(fetched).toEqual(slots.map((slot) => ({ day: `day ${slotTime(slot)}`, lines: 5, slot: slotTime(slot) })))
  expect(consumer.runs.filter(({ id }) => id.endsWith('/send'))).toHaveLength(slots.length)
  for (const [index, { metadata, spec, status }] of runs.entries()) {
    expect(metadata.name).toBe(slotObjectName('mornings', idOf('mornings', slots[index] ?? 0)))
    expect(metadata.ownerReferences).toEqual([
      { apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskSchedule', name: 'mornings', uid: schedule.metadata.uid, controller: true },
    ])
    expect(metadata.annotations).toEqual({ 'taskmill.dev/job-id': idOf('mornings', slots[index] ?? 0), 'taskmill.dev/recorded': 'true' })
    expect(spec.ttlSecondsAfterFinished).toBe(86_400)
    expect(status).toMatchObject({ state: 'Succeeded', source: 'tdep/summary', dependency: 'summary', schedule: 'mornings' })
  }
  // Each end once: the slot for its schedule, the run for its graph, the two jobs for their queue.
  expect(await counted('TaskSchedule', 'mornings')).toBe(runs.length)
  expect(await counted('TaskDependency', 'summary')).toBe(runs.length)
  expect(await counted('Queue', 'mornings')).toBe(2 * runs.length)

  const [, row = ''] = (await home.kubectl('get', 'tsch', 'mornings')).split('\n')
  expect(row).toMatch(/^mornings +every 2s +0 +\d+[smh]\S* +Succeeded +0 +Suspended$/u)
  expect(await home.kubectl('get', 'tex', runs[0]?.metadata.name ?? '')).toMatch(/tdep\/summary +Succeeded +2\/2 /u)
  // On a busy machine several may end in the same second, which is as much as their status tells.
  const endOf = ({ status }: TaskExecution): string => status?.finishTime ?? ''
  const lastEnd = runs.map(endOf).toSorted().at(-1)
  const last = new Set(runs.filter((run) => endOf(run) === lastEnd).map(({ metadata }) => metadata.name))
  await home.dependency('summary', ({ status }) => last.has(status?.lastRunName ?? '') && status?.activeRuns === 0)
  const started = () => home.eventsOf(runs[0]?.metadata.name ?? '', 'Started').then((found) => found.map(({ note }) => note))
  await expect.poll(started, { timeout: 20_000 }).toEqual([`a run of tdep/summary for slot ${slotTime(first)} of tsch/mornings`])
})

describe('a run that ends otherwise', () => {
  it('fails with the node and the words of its graph', async () => {
    home.consume('failing', () => Promise.reject(new Error('the disk is full')))
    await home.graph('failing', { nodes: [{ name: 'write', task: task('failing') }] })
    await create('failing', { everySeconds: 2, dependencyRef: { name: 'failing' } })
    const object = await home.schedule('failing', (each) => reasonOf(each, 'LastRunSucceeded') === 'Failed')
    const [run] = await runsOf('failing')
    expect(object.status).toMatchObject({ lastResult: 'Failed', reason: 'Failed' })
    const words = `tex/${run?.metadata.name}: write: AttemptsExhausted, the disk is full`
    expect(object.status?.lastFailureMessage).toMatch(/^tex\/failing-[0-9a-f]{10}: write: AttemptsExhausted, the disk is full$/u)
    const notes = () => home.eventsOf('failing', 'RunFailed').then((found) => found.map(({ note }) => note).join())
    await expect.poll(notes, { timeout: 20_000 }).toContain(JSON.stringify(words))
    await remove('failing')
  })

  it('fails when a user cancels or deletes it, and frees the schedule; slots that overlap are missed', async () => {
    await home.graph('stuck', { nodes: [{ name: 'wait', task: task('nobody') }] })
    await create('stuck', { everySeconds: 2, concurrencyPolicy: 'Forbid', dependencyRef: { name: 'stuck' } })
    await expect
      .poll(() => ledgerOf('stuck').then(({ missed: { Overlap } }) => Overlap?.count ?? 0), { timeout: 20_000 })
      .toBeGreaterThan(1)
    expect((await ledgerOf('stuck')).active).toHaveLength(1)
    const [first, ...none] = await runsOf('stuck')
    expect(none).toEqual([])
    await patch('tex', first?.metadata.name ?? '', { desiredState: 'Cancelled' })
    const cancelled = await home.schedule('stuck', (each) => reasonOf(each, 'LastRunSucceeded') === 'Cancelled')
    expect(cancelled.status).toMatchObject({ lastResult: 'Failed' })

    await expect.poll(() => runsOf('stuck').then((runs) => runs.filter((run) => !ended(run)).length), { timeout: 20_000 }).toBe(1)
    const second = (await runsOf('stuck')).find((run) => !ended(run))
    await home.client.delete(taskExecutions, home.namespace, second?.metadata.name ?? '')
    const removed = await home.schedule('stuck', (each) => reasonOf(each, 'LastRunSucceeded') === 'ExecutionRemoved')
    expect(messageOf(removed, 'LastRunSucceeded')).toContain(`tex/${second?.metadata.name} was deleted`)
    await remove('stuck')
  })

  it('fails when the API server refuses it, and the next slot tries again', async () => {
    const consumer = home.consume('taken', async () => undefined)
    await home.graph('taken', { nodes: [{ name: 'one', task: task('taken') }] })
    const slot = (Math.floor(Date.now() / 1000 / 6) + 1) * 6
    const name = slotObjectName('taken', idOf('taken', slot))
    await home.execute(name, { task: task('taken-by-another') })
    await create('taken', { everySeconds: 6, dependencyRef: { name: 'taken' } })
    const refused = await home.schedule('taken', (each) => reasonOf(each, 'LastRunSucceeded') === 'Refused')
    expect(messageOf(refused, 'LastRunSucceeded')).toContain(`tex/${name} exists, but does not belong to this slot`)
    await consumer.ran(1)
    await home.schedule('taken', (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded')
    await remove('taken')
  })

  it('is taken back when it does not begin in time', async () => {
    await home.graph('homeless', { brokerRef: { name: 'nowhere' }, nodes: [{ name: 'one', task: task('homeless') }] })
    await create('homeless', {
      everySeconds: 3,
      concurrencyPolicy: 'Forbid',
      pendingDeadlineSeconds: 1,
      dependencyRef: { name: 'homeless' },
    })
    await home.schedule('homeless', (each) => reasonOf(each, 'LastRunSucceeded') === 'PendingDeadlineExceeded')
    await patch('tsch', 'homeless', { suspend: true })
    await home.schedule('homeless', ({ status }) => status?.reason === 'Suspended' && status.activeRuns === 0)
    expect(await runsOf('homeless')).toEqual([])
    await remove('homeless')
  })
})

it('a graph that is missing holds the slots, which are made up for as after an outage', async () => {
  const consumer = home.consume('later', async () => undefined)
  await create('later', { everySeconds: 2, dependencyRef: { name: 'later' } })
  const held = await home.schedule('later', (each) => reasonOf(each, 'Stalled') === 'DependencyNotFound')
  expect(reasonOf(held, 'Ready')).toBe('DependencyNotFound')
  expect(messageOf(held, 'Stalled')).toBe(
    'TaskDependency "later" does not exist in this namespace, so no slot is dispatched. Next: create it',
  )
  expect(held.status).not.toHaveProperty('nextRuns')
  await expect.poll(() => home.eventsOf('later', 'DependencyNotFound').then((found) => found.length), { timeout: 20_000 }).toBe(1)
  // For the time of four slots.
  await sleep(8000)
  expect(await runsOf('later')).toEqual([])
  await home.graph('later', { nodes: [{ name: 'one', task: task('later') }] })
  await consumer.ran(2)
  const free = await home.schedule('later', (each) => reasonOf(each, 'Ready') === 'SlotScheduled' && missed(each, 'Superseded') > 0)
  expect(reasonOf(free, 'Stalled')).toBeUndefined()
  await remove('later')
})

it('another template of another kind takes over from the next slot on, and none is lost or doubled', async () => {
  const before = home.consume('as-task', async () => undefined)
  const after = home.consume('as-graph', async () => undefined)
  await home.graph('changing', { nodes: [{ name: 'one', task: task('as-graph', { slot: '$(slot)' }) }] })
  await create('changing', { everySeconds: 2, missedRuns: 'All', task: task('as-task', { slot: '$(slot)' }) })
  await before.ran(2)
  await patch('tsch', 'changing', { task: null, dependencyRef: { name: 'changing' } })
  await after.ran(2)
  const atTask = before.runs.length
  await patch('tsch', 'changing', { task: task('as-task', { slot: '$(slot)' }), dependencyRef: null })
  await before.ran(atTask + 2)
  const slots = [...before.runs, ...after.runs]
    .map(({ data }) => Date.parse((data as { slot: string }).slot) / 1000)
    .toSorted((a, b) => a - b)
  expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 2 * index))
  await remove('changing')
})

describe('the runs of a deleted schedule', () => {
  it('is kept until its end is recorded', async () => {
    home.consume('kept', async () => undefined)
    await home.graph('kept', { nodes: [{ name: 'one', task: task('kept') }] })
    // No schedule can record anything for it.
    await create('kept', { everySeconds: 3600, brokerRef: { name: 'nowhere' }, dependencyRef: { name: 'kept' } })
    const id = idOf('kept', 3600)
    const metadata = { labels: { 'taskmill.dev/schedule': 'kept' }, annotations: { 'taskmill.dev/job-id': id } }
    const name = slotObjectName('kept', id)
    const spec = { dependencyRef: { name: 'kept' }, ttlSecondsAfterFinished: 0 }
    const object = { metadata: { namespace: home.namespace, name, ...metadata }, spec }
    await home.client.create(taskExecutions, object as unknown as TaskExecution, { fieldManager: 'test' })
    await home.execution(name, ended)
    await sleep(3000)
    await home.execution(name, ended)
    await remove('kept')
    await home.kubectl('wait', '--for=delete', `tex/${name}`, '--timeout=60s')
  })

  it('goes with it, or stays with Orphan', async () => {
    await home.graph('left', { nodes: [{ name: 'one', task: task('nobody') }] })
    for (const [name, deletionPolicy] of [
      ['deleted', 'Delete'],
      ['orphaned', 'Orphan'],
    ] as const)
      await create(name, { everySeconds: 2, concurrencyPolicy: 'Forbid', deletionPolicy, dependencyRef: { name: 'left' } })
    for (const name of ['deleted', 'orphaned']) {
      await expect
        .poll(() => runsOf(name).then((runs) => runs.map(({ status }) => status?.state)), { timeout: 20_000 })
        .toEqual(['Running'])
    }
    const [orphan] = await runsOf('orphaned')
    expect(orphan?.metadata).not.toHaveProperty('ownerReferences')
    await Promise.all([remove('deleted'), remove('orphaned')])
    await expect.poll(() => runsOf('deleted').then((runs) => runs.length), { timeout: 60_000 }).toBe(0)
    expect(await runsOf('orphaned')).toHaveLength(1)
    await expect.poll(() => home.commands.exists(`bull:.taskmill:ledger:default/${home.namespace}/deleted`), { timeout: 20_000 }).toBe(0)
    await home.client.delete(taskExecutions, home.namespace, orphan?.metadata.name ?? '')
  })
})

it('can be run by hand, also while it is suspended', async () => {
  const consumer = home.consume('by-hand', async () => undefined)
  await home.graph('by-hand', { parameters: { a: 1 }, nodes: [{ name: 'one', task: task('by-hand', { all: '$(parameters)' }) }] })
  const parameters = { b: '$(slot)' }
  await create('by-hand', { schedules: ['0 1 1 1 *'], suspend: true, dependencyRef: { name: 'by-hand' }, parameters })
  await home.execute('now', { scheduleRef: { name: 'by-hand' }, slotTime: '2026-11-29T01:00:00Z' })
  const run = await home.execution('now', ended)
  expect(run.status).toMatchObject({ state: 'Succeeded', source: 'tsch/by-hand', dependency: 'by-hand', schedule: 'by-hand' })
  expect(nodesOf(run)).toEqual(['one Succeeded'])
  expect(consumer.runs.map(({ data }) => data)).toEqual([{ all: { a: 1, b: '2026-11-29T01:00:00Z' } }])
  expect([await counted('TaskDependency', 'by-hand'), await counted('TaskSchedule', 'by-hand')]).toEqual([1, 0])
  await home.dependency('by-hand', ({ status }) => status?.lastRunName === 'now')

  await home.execute('with-payload', { scheduleRef: { name: 'by-hand' }, payload: { a: 2 } })
  const refused = await home.execution('with-payload', ended)
  expect(conditionOf(refused, 'Stalled')?.message).toBe(
    'spec.payload: tsch/by-hand starts a graph, which has no payload. Next: create a TaskExecution with dependencyRef and parameters instead',
  )
})
