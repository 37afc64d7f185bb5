/** Schedules while something is away: the broker, the ledger, the namespace, the dispatch lease; of the operator see schedule-missed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Condition,
  findCondition,
  taskBrokers,
  type TaskExecution,
  taskExecutions,
  taskSchedules,
  type TaskSchedule,
} from '../../src/api/index.ts'
import { namespaces, observe } from '../support/cluster-client.ts'
import { createBroker, createExecution, createSchedule } from '../support/manifests.ts'
import { messageOf, reasonOf, scheduleHome, type ScheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-outage', { others: ['gone'], redis: { appendonly: 'always' } })
})

afterAll(() => home?.stop())

const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, spec)
const remove = (name: string): Promise<unknown> => home.client.delete(taskSchedules, home.namespace, name)
const ledgerKey = (namespace: string, name: string): string => `bull:.taskmill:ledger:default/${namespace}/${name}`

async function restartOperator(meanwhile: () => Promise<void>): Promise<void> {
  await home.operator.stop()
  await meanwhile()
  home.startOperator()
}

describe('a broker that is away', () => {
  it('is said to be, also that a slot is overdue, and afterwards things go on', async () => {
    const consumer = home.consume('away', async () => undefined)
    await create('away', { everySeconds: 5, concurrencyPolicy: 'Forbid', task: { type: 'x', queue: 'away' } })
    await consumer.ran(1)
    await home.schedule('away', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    await home.redis.kill()
    // Killed while this one ran, its worker could not say that it had ended: then it runs again.
    const interrupted = slotsOf(consumer).at(-1)
    const object = await home.schedule('away', (each) => reasonOf(each, 'Ready') === 'BrokerUnreachable')
    expect(reasonOf(object, 'Reconciling')).toBe('WaitingForBroker')
    expect(messageOf(object, 'Ready')).toContain('Next: kubectl describe taskbroker default')
    const late = await home.schedule('away', (each) => reasonOf(each, 'Late') === 'SlotOverdue')
    expect(late.status?.reason).toBe('BrokerUnreachable')
    const before = consumer.runs.length
    await home.redis.restart()
    await consumer.ran(before + 2)
    await home.schedule('away', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    const slots = slotsOf(consumer).filter((slot) => slot !== interrupted)
    expect(new Set(slots).size).toBe(slots.length)
    await remove('away')
  })
})

describe('what is said of a run that is blocked', () => {
  const overlaps = ({ status }: TaskSchedule) => status?.missedRuns?.find(({ reason }) => reason === 'Overlap')?.count ?? 0
  const blockedIn = (object: TaskSchedule | TaskExecution) => findCondition<Condition>(object.status?.conditions, 'Blocked')
  const observeRun = (holds: (object: TaskExecution) => boolean) =>
    observe(home.client, taskExecutions, { namespace: home.namespace, name: 'held' }, (object) => object !== undefined && holds(object))

  it('stays through a restart of the operator and an outage of the broker, and is told once', async () => {
    const queue = new Queue('held', { connection: { host: home.redis.host, port: home.redis.port } })
    queue.on('error', () => undefined)
    await queue.pause()
    const task = { type: 'x', queue: 'held' }
    await create('held', { everySeconds: 2, concurrencyPolicy: 'Forbid', task })
    await createExecution(home.client, home.namespace, 'held', { task })
    const before = blockedIn(await home.schedule('held', (each) => reasonOf(each, 'Blocked') === 'QueuePaused'))
    const ofRun = await observeRun((run) => blockedIn(run)?.reason === 'QueuePaused')

    /** The schedule, after the operator has looked at some slots more. */
    const later = async (slots: number): Promise<TaskSchedule> => {
      const count = overlaps(await home.schedule('held', () => true))
      return home.schedule('held', (each) => overlaps(each) >= count + slots && reasonOf(each, 'Ready') === 'SlotScheduled')
    }
    await restartOperator(async () => undefined)
    expect(blockedIn(await later(4))).toEqual(before)

    await home.redis.kill()
    const away = await home.schedule('held', (each) => reasonOf(each, 'Ready') === 'BrokerUnreachable')
    expect(blockedIn(away)).toEqual(before)
    await home.redis.restart()
    expect(blockedIn(await later(4))).toEqual(before)
    const run = await observeRun(() => true)
    expect(run && blockedIn(run)).toEqual(ofRun && blockedIn(ofRun))
    const told = (await home.eventsOf('held', 'RunBlocked')).map(({ regarding, series }) => `${regarding.kind} ${series?.count ?? 1}`)
    expect(told.toSorted()).toEqual(['TaskExecution 1', 'TaskSchedule 1'])

    await queue.resume()
    const consumer = home.consume('held', async () => undefined)
    await consumer.ran(2)
    await home.schedule('held', (each) => reasonOf(each, 'Blocked') === undefined)
    await queue.close()
    await remove('held')
    await home.client.delete(taskExecutions, home.namespace, 'held')
    // The tests after it look at all that is left.
    await expect.poll(() => home.commands.hkeys('bull:.taskmill:owners:default').then(String), { timeout: 30_000 }).not.toContain('held')
  })
})

describe('a ledger that is lost', () => {
  it('fires nothing again, and says so', async () => {
    const consumer = home.consume('lost', async () => undefined)
    await create('lost', { everySeconds: 2, task: { type: 'x', queue: 'lost' } })
    await consumer.ran(4)
    await home.schedule('lost', (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded' && each.status?.lastScheduleTime !== undefined)
    await home.commands.del(ledgerKey(home.namespace, 'lost'))
    const object = await home.schedule('lost', (each) => reasonOf(each, 'LedgerRegressed') === 'LedgerBehind')
    expect(reasonOf(object, 'Ready')).toBe('SlotScheduled')
    const before = consumer.runs.length
    await consumer.ran(before + 3)
    const slots = slotsOf(consumer)
    expect(new Set(slots).size).toBe(slots.length)
    await expect.poll(() => home.eventsOf('lost', 'LedgerRegressed').then((found) => found.length), { timeout: 20_000 }).toBe(1)
    await remove('lost')
  })
})

describe('a ledger that cannot be read', () => {
  it('is not overwritten, and the schedule is Stalled with the reason', async () => {
    const document = JSON.stringify({ v: 4, surprise: true })
    await home.commands.hset(ledgerKey(home.namespace, 'newer'), { revision: '7', document })
    await create('newer', { everySeconds: 2, task: { type: 'x', queue: 'newer' } })
    const object = await home.schedule('newer', (each) => reasonOf(each, 'Stalled') === 'LedgerUnreadable')
    expect(messageOf(object, 'Ready')).toContain('v is 4, but only 1 to 3 are supported')
    expect(await home.commands.hget(ledgerKey(home.namespace, 'newer'), 'document')).toBe(document)
    await home.commands.del(ledgerKey(home.namespace, 'newer'))
    await home.schedule('newer', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    await remove('newer')
  })
})

describe('deletions while the operator is stopped', () => {
  it('leave data that the next operator removes: of a schedule, and of a namespace with its broker', async () => {
    const [namespace = ''] = home.others
    await createBroker(home.client, namespace, home.redis.address)
    const task = { type: 'x', queue: 'gone' }
    await createSchedule(home.client, namespace, 'in-namespace', { everySeconds: 30, task })
    await create('alone', { everySeconds: 30, task })
    await create('kept', { everySeconds: 30, deletionPolicy: 'Orphan', task })
    const places = [ledgerKey(namespace, 'in-namespace'), ledgerKey(home.namespace, 'alone'), ledgerKey(home.namespace, 'kept')] as const
    await expect.poll(() => home.commands.exists([...places]), { timeout: 20_000 }).toBe(3)
    await expect.poll(() => home.commands.zcard('bull:gone:delayed'), { timeout: 20_000 }).toBeGreaterThanOrEqual(3)
    await restartOperator(async () => {
      await Promise.all([remove('alone'), remove('kept')])
      await home.client.delete(namespaces, undefined, namespace)
      await observe(home.client, namespaces, { name: namespace }, (object) => object === undefined)
    })
    await expect.poll(() => home.commands.exists([...places]), { timeout: 60_000 }).toBe(1)
    // Of a namespace that is gone not even the dispatch lease stays.
    await expect
      .poll(async () => (await home.commands.hkeys('bull:.taskmill:owners:default')).toSorted(), { timeout: 60_000 })
      .toEqual([`default/${home.namespace}`, `default/${home.namespace}/kept`])
    expect(await home.commands.exists(`bull:.taskmill:dispatcher:default/${namespace}`)).toBe(0)
    const delayed = await home.commands.zrange('bull:gone:delayed', '0', '-1')
    expect(delayed.every((id) => id.startsWith(`tm/default/${home.namespace}/kept/`))).toBe(true)
    await home.commands.del([ledgerKey(home.namespace, 'kept'), 'bull:.taskmill:owners:default'])
  })
})

describe('Standby', () => {
  it('dispatches nothing, and continues where it was when it is Active again', async () => {
    const setDispatch = (dispatch: 'Active' | 'Standby') => {
      const broker = {
        metadata: { namespace: home.namespace, name: 'default' },
        spec: { standalone: { address: home.redis.address }, dispatch },
      }
      return home.client.apply(taskBrokers, broker, { fieldManager: 'test', force: true })
    }
    const consumer = home.consume('waiting', async () => undefined)
    await create('waiting', { everySeconds: 3, concurrencyPolicy: 'Forbid', task: { type: 'x', queue: 'waiting' } })
    await consumer.ran(1)
    await setDispatch('Standby')
    const object = await home.schedule('waiting', (each) => reasonOf(each, 'Ready') === 'Standby')
    expect(object.status?.reason).toBe('Standby')
    const before = consumer.runs.length
    await sleep(7000)
    expect(consumer.runs.length).toBe(before)
    await setDispatch('Active')
    await consumer.ran(before + 2)
    await home.schedule('waiting', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    const slots = slotsOf(consumer)
    expect(new Set(slots).size).toBe(slots.length)
    await remove('waiting')
  })
})
