/**
 * Schedules with the engine BullMQ: a real operator, a real Redis, plain BullMQ workers that serve the job schedulers. Each test has a schedule and a
 * queue of its own: they run at the same time.
 */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { schedulerJobId } from '../../src/contract/index.ts'
import type { Ledger } from '../../src/scheduling/index.ts'
import { createSchedule } from '../support/manifests.ts'
import { type Consumer, messageOf, reasonOf, scheduleHome, type ScheduleHome } from './schedule-home.ts'

let home: ScheduleHome
const queues: Queue[] = []

beforeAll(async () => {
  home = await scheduleHome('job-schedulers')
})
afterAll(async () => {
  await Promise.all(queues.map((queue) => queue.close()))
  await home?.stop()
})

const soon = <T>(what: () => T | Promise<T>): Promise<T> => vi.waitFor(what, { timeout: 40_000, interval: 100 })
type Spec = Parameters<typeof createSchedule>[3]
const create = (name: string, spec: Spec): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, { engine: 'BullMQ', ...spec })

function queueOf(name: string): Queue {
  const queue = new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } })
  queue.on('error', () => undefined)
  queues.push(queue)
  return queue
}

async function edit(name: string, change: object, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
  const path = `/apis/taskmill.dev/v1alpha1/namespaces/${home.namespace}/taskschedules/${name}`
  await soon(async () => {
    const { spec, metadata, ...object } = await home.schedule(name, () => true)
    const body = {
      ...object,
      metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
      spec: { ...spec, ...change },
    }
    const answer = await home.cluster.request('PUT', `${path}?fieldValidation=Strict`, body)
    expect(answer.status).toBe(200)
  })
}

async function ledgerOf(name: string): Promise<Ledger | undefined> {
  const text = await home.commands.hget(`bull:.taskmill:ledger:default/${home.namespace}/${name}`, 'document')
  return text === null ? undefined : (JSON.parse(text) as Ledger)
}

const missedCount = (object: TaskSchedule): number => object.status?.missedRuns?.reduce((sum, { count }) => sum + count, 0) ?? 0
/** The seconds of runs, whoever has dispatched them. */
const secondsOf = ({ runs }: Consumer): readonly number[] =>
  runs.map(({ id }) => {
    const ofScheduler = /^repeat:.*:(\d+)$/u.exec(id)?.[1]
    return ofScheduler === undefined
      ? Date.parse(id.replace(/^.*\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z')) / 1000
      : Number(ofScheduler) / 1000
  })

describe.concurrent('a schedule with the engine BullMQ', () => {
  it('has a job scheduler of its name, and the runs of its jobs are followed into the status', async () => {
    const queue = queueOf('followed')
    const consumer = home.consume('followed', async ({ data }) => {
      if ((data as { readonly n?: number }).n === 2) throw new Error('no paper')
      return { pages: 3 }
    })
    await create('followed', { everySeconds: 2, task: { type: 'report', queue: 'followed', payload: { n: 1 } } })
    await consumer.ran(3)
    expect(await queue.getJobScheduler('followed')).toMatchObject({
      key: 'followed',
      name: 'report',
      every: 2000,
      template: { data: { n: 1 } },
    })
    const fine = await home.schedule(
      'followed',
      (each) => (each.status?.dispatchedRuns ?? 0) >= 3 && reasonOf(each, 'LastRunSucceeded') === 'Succeeded',
    )
    expect(reasonOf(fine, 'Ready')).toBe('SlotScheduled')
    await soon(async () => expect((await ledgerOf('followed'))?.lastSuccess?.result).toBe('{"pages":3}'))
    // Of what was due before the operator was up, the newest slot runs.
    const missedAtFirst = fine.status?.missedRuns ?? []
    for (const { lastSlotTime } of missedAtFirst) expect(Date.parse(lastSlotTime ?? '') / 1000).toBeLessThan(secondsOf(consumer)[0] ?? 0)

    await edit('followed', { task: { type: 'report', queue: 'followed', payload: { n: 2 } } })
    const failed = await home.schedule('followed', (each) => reasonOf(each, 'LastRunSucceeded') === 'AttemptsExhausted')
    expect(messageOf(failed, 'LastRunSucceeded')).toContain('no paper')
    expect(failed.status?.missedRuns ?? []).toEqual(missedAtFirst)
    const seconds = secondsOf(consumer)
    expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + 2 * index))
    expect(consumer.runs.map(({ id }) => id)).toEqual(seconds.map((second) => schedulerJobId('followed', second * 1000)))

    await home.client.delete(taskSchedules, home.namespace, 'followed')
    await soon(async () => expect(await queue.getJobScheduler('followed')).toBeUndefined())
    await soon(async () => expect(await home.commands.keys(`bull:.taskmill:ledger:*/followed`)).toEqual([]))
    expect(await home.commands.hget('bull:.taskmill:schedulers:followed', 'followed')).toBeNull()
  })

  it('repairs an edit of its job scheduler, and one that a person removed, and says so', async () => {
    const queue = queueOf('edited')
    await create('edited', { schedules: ['0 3 1 1 *'], task: { type: 'report', queue: 'edited' } })
    await soon(async () => expect(await queue.getJobScheduler('edited')).toMatchObject({ pattern: '0 3 1 1 *', tz: 'UTC' }))
    await queue.upsertJobScheduler('edited', { pattern: '0 4 1 1 *', tz: 'UTC' }, { name: 'report' })
    await soon(async () => expect(await queue.getJobScheduler('edited')).toMatchObject({ pattern: '0 3 1 1 *' }))
    await soon(async () => {
      const [event] = await home.eventsOf('edited', 'Repaired')
      expect(event?.note).toContain('the job scheduler "edited" of queue "edited": it had been edited: ')
      expect(event?.note).toContain('pattern is "0 4 1 1 *", not "0 3 1 1 *"')
    })
    await queue.removeJobScheduler('edited')
    await soon(async () => expect(await queue.getJobScheduler('edited')).toMatchObject({ pattern: '0 3 1 1 *' }))
    expect(await home.commands.zcard('bull:edited:delayed')).toBe(1)
  })

  it('only reports an edit with driftPolicy Report, until that is changed', async () => {
    const queue = queueOf('reported')
    await create('reported', { schedules: ['0 3 1 1 *'], driftPolicy: 'Report', task: { type: 'report', queue: 'reported' } })
    await soon(async () => expect(await queue.getJobScheduler('reported')).toBeDefined())
    await queue.upsertJobScheduler('reported', { pattern: '0 4 1 1 *', tz: 'UTC' }, { name: 'report', data: { secret: 'x' } })
    const drifted = await home.schedule('reported', (each) => reasonOf(each, 'Drifted') === 'Edited')
    expect(messageOf(drifted, 'Drifted')).toContain('pattern is "0 4 1 1 *", not "0 3 1 1 *"')
    expect(messageOf(drifted, 'Drifted')).not.toContain('secret')
    expect(messageOf(drifted, 'Drifted')).toContain('kubectl patch tsch reported')
    expect([reasonOf(drifted, 'Ready'), await queue.getJobScheduler('reported')]).toMatchObject(['SlotScheduled', { pattern: '0 4 1 1 *' }])
    await edit('reported', { driftPolicy: 'Repair' })
    await home.schedule('reported', (each) => reasonOf(each, 'Drifted') === undefined)
    expect(await queue.getJobScheduler('reported')).toMatchObject({ pattern: '0 3 1 1 *' })
  })

  it('leaves a job scheduler that was there before alone, shows what would change, and takes it over when that is confirmed', async () => {
    const queue = queueOf('adopted')
    await queue.upsertJobScheduler('adopted', { pattern: '0 4 1 1 *', tz: 'Europe/Berlin' }, { name: 'report' })
    await create('adopted', { schedules: ['0 3 1 1 *'], task: { type: 'report', queue: 'adopted' } })
    const taken = await home.schedule('adopted', (each) => reasonOf(each, 'Stalled') === 'NameTaken')
    expect(messageOf(taken, 'Stalled')).toContain('taskmill.dev/adopt=DryRun')
    await edit('adopted', {}, { 'taskmill.dev/adopt': 'DryRun' })
    const shown = await home.schedule('adopted', (each) => reasonOf(each, 'Stalled') === 'AdoptionDryRun')
    expect(messageOf(shown, 'Stalled')).toContain('pattern is "0 4 1 1 *", not "0 3 1 1 *"; tz is "Europe/Berlin", not "UTC"')
    expect(await queue.getJobScheduler('adopted')).toMatchObject({ pattern: '0 4 1 1 *' })
    await edit('adopted', {}, { 'taskmill.dev/adopt': 'Confirm' })
    await home.schedule('adopted', (each) => reasonOf(each, 'Stalled') === undefined && reasonOf(each, 'Ready') === 'SlotScheduled')
    await soon(async () => expect(await queue.getJobScheduler('adopted')).toMatchObject({ pattern: '0 3 1 1 *', tz: 'UTC' }))
    await soon(async () => expect(await home.eventsOf('adopted', 'Adopted')).toHaveLength(1))
    expect((await ledgerOf('adopted'))?.missed).toEqual({})
  })

  it('changes its engine back and forth, and each second runs once or is missed with a reason', async () => {
    const consumer = home.consume('changing', () => Promise.resolve())
    const task = { type: 'report', queue: 'changing' }
    await create('changing', { engine: 'Taskmill', everySeconds: 1, missedRuns: 'Latest', task })
    for (const engine of ['BullMQ', 'Taskmill', 'BullMQ', 'Taskmill']) {
      const before = consumer.runs.length
      await consumer.ran(before + 4)
      await edit('changing', { engine })
      await soon(async () => expect((await ledgerOf('changing'))?.timing.engine).toBe(engine === 'Taskmill' ? undefined : engine))
    }
    await consumer.ran(consumer.runs.length + 3)
    await edit('changing', { suspend: true })
    const ended = await home.schedule('changing', (each) => reasonOf(each, 'Ready') === 'Suspended' && each.status?.activeRuns === 0)
    await soon(async () => expect((await ledgerOf('changing'))?.active).toEqual([]))
    const seconds = secondsOf(consumer)
    expect(new Set(seconds).size).toBe(seconds.length)
    const ids = consumer.runs.map(({ id }) => id)
    expect(ids.some((id) => id.startsWith('repeat:')) && ids.some((id) => id.startsWith('tm/'))).toBe(true)
    const ledger = await ledgerOf('changing')
    const missed = Object.values(ledger?.missed ?? {}).reduce((sum, { count }) => sum + count, 0)
    const [first, last] = [Math.min(...seconds), ledger?.cursor ?? 0]
    expect(ledger?.dispatched).toBe(seconds.length)
    // Every second from the first run to the cursor.
    expect(seconds.length + missed).toBe(last - first + 1)
    expect(ended.status?.dispatchedRuns).toBe(seconds.length)
  })

  it('starts nothing while it is suspended, and is resumed without the past', async () => {
    const queue = queueOf('paused')
    const consumer = home.consume('paused', () => Promise.resolve())
    await create('paused', { everySeconds: 1, task: { type: 'report', queue: 'paused' } })
    await consumer.ran(2)
    await edit('paused', { suspend: true })
    await home.schedule('paused', (each) => reasonOf(each, 'Ready') === 'Suspended')
    await soon(async () => expect(await queue.getJobScheduler('paused')).toBeUndefined())
    const until = (await ledgerOf('paused'))?.cursor ?? 0
    await soon(() => expect(Date.now() / 1000).toBeGreaterThan(until + 4))
    const before = secondsOf(consumer)
    expect(Math.max(...before)).toBeLessThanOrEqual(until)
    await edit('paused', { suspend: false })
    await consumer.ran(before.length + 2)
    expect(secondsOf(consumer)[before.length]).toBeGreaterThan(until + 3)
    const resumed = await home.schedule('paused', (each) => each.status?.missedRuns?.some(({ reason }) => reason === 'Suspended') === true)
    expect(resumed.status?.missedRuns?.map(({ reason }) => reason)).toEqual(['Suspended'])
  })

  it('moves to another queue, and leaves nothing in the one before', async () => {
    const [from, to] = [queueOf('before'), queueOf('after')]
    await create('moved', { schedules: ['0 3 1 1 *'], task: { type: 'report', queue: 'before' } })
    await soon(async () => expect(await from.getJobScheduler('moved')).toBeDefined())
    await edit('moved', { task: { type: 'report', queue: 'after' } })
    await soon(async () => expect(await to.getJobScheduler('moved')).toBeDefined())
    expect(await from.getJobScheduler('moved')).toBeUndefined()
    expect(await home.commands.keys('bull:before:repeat*')).toEqual([])
  })

  it('goes on without a worker: the due job waits, and the seconds after it are missed with a reason once it runs', async () => {
    await create('idle', { everySeconds: 1, task: { type: 'report', queue: 'idle' } })
    await soon(async () => expect((await ledgerOf('idle'))?.dispatched).toBe(1))
    const first = (await ledgerOf('idle'))?.lastDispatched?.slot ?? 0
    await soon(() => expect(Date.now() / 1000).toBeGreaterThan(first + 4))
    expect((await ledgerOf('idle'))?.dispatched).toBe(1)
    const consumer = home.consume('idle', () => Promise.resolve())
    await consumer.ran(3)
    expect(secondsOf(consumer)[0]).toBe(first)
    const object = await home.schedule('idle', (each) => missedCount(each) > 2)
    // By what is seen first: that the scheduler has moved on, or the run to which it has.
    for (const { reason } of object.status?.missedRuns ?? []) expect(['NotCreated', 'Superseded']).toContain(reason)
  })
})

it('a schedule that is deleted while no operator runs leaves no job scheduler behind, and no job that was due and has not started', async () => {
  const [queue, due] = [queueOf('orphaned'), queueOf('orphaned-due')]
  await create('orphaned', { schedules: ['0 3 1 1 *'], task: { type: 'report', queue: 'orphaned' } })
  // Due while no operator runs: nobody has recorded it.
  const slot = Math.ceil(Date.now() / 1000) + 15
  await create('orphaned-due', { everySeconds: 3600, offsetSeconds: slot % 3600, task: { type: 'report', queue: 'orphaned-due' } })
  await soon(async () => expect(await queue.getJobScheduler('orphaned')).toBeDefined())
  await soon(async () => expect(await due.getJob(schedulerJobId('orphaned-due', slot * 1000))).toBeDefined())
  await home.operator.stop()
  await soon(() => expect(Date.now()).toBeGreaterThan(slot * 1000))
  expect((await ledgerOf('orphaned-due'))?.dispatched).toBe(0)
  await Promise.all(['orphaned', 'orphaned-due'].map((name) => home.client.delete(taskSchedules, home.namespace, name)))
  home.startOperator()
  await soon(async () => expect(await queue.getJobScheduler('orphaned')).toBeUndefined())
  expect(await home.commands.zcard('bull:orphaned:delayed')).toBe(0)
  // It goes last: until then it says what is left to remove.
  await soon(async () => expect([await ledgerOf('orphaned'), await ledgerOf('orphaned-due')]).toEqual([undefined, undefined]))
  expect(await due.getJob(schedulerJobId('orphaned-due', slot * 1000))).toBeUndefined()
})
