/** Concurrency groups of schedules, with real operators and plain BullMQ workers whose handlers count their own concurrency. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findCondition, taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { createSchedule } from '../support/manifests.ts'
import { messageOf, reasonOf, scheduleHome, type ScheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-groups')
})

afterAll(() => home?.stop())

const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, { concurrencyPolicy: 'Queue', ...spec })
const remove = (name: string): Promise<unknown> => home.client.delete(taskSchedules, home.namespace, name)
const suspend = (name: string): Promise<unknown> =>
  home.client.patch(
    taskSchedules,
    { metadata: { namespace: home.namespace, name }, spec: { suspend: true } },
    {
      fieldManager: 'test',
    },
  )
const groupKey = () => `bull:.taskmill:groups:default/${home.namespace}`

/** A queue whose handlers take this long, and how many of them were at work at once. */
function countingConsumer(queue: string, work: () => Promise<unknown>) {
  const seen = { now: 0, most: 0 }
  const consumer = home.consume(queue, async () => {
    seen.most = Math.max(seen.most, ++seen.now)
    await work()
    seen.now--
  })
  return { seen, consumer }
}

it('five schedules with limit 2: never three runs at once, the oldest slot first, no slot twice, also when the operator is killed', async () => {
  const { seen, consumer } = countingConsumer('warehouse', () => new Promise((resolve) => setTimeout(resolve, 400)))
  const names = ['a', 'b', 'c', 'd', 'e']
  const spec = { everySeconds: 4, missedRuns: 'All', concurrencyGroup: { name: 'warehouse', limit: 2 } } as const
  await Promise.all(names.map((name) => create(name, { ...spec, task: { type: 'load', queue: 'warehouse' } })))
  await consumer.ran(12)
  // Two runs are under way, and others wait for their room.
  await home.operator.kill()
  const before = consumer.runs.length
  home.startOperator()
  await consumer.ran(before + 20)
  await Promise.all(names.map((name) => suspend(name)))
  await Promise.all(
    names.map((name) => home.schedule(name, ({ status }) => status?.reason === 'Suspended' && (status.activeRuns ?? 0) === 0)),
  )

  expect(seen.most).toBe(2)
  const ids = consumer.runs.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  // Two slots may start in the same moment, in either order.
  const slots = slotsOf(consumer)
  const overtaken = slots.flatMap((slot, at) => slots.slice(0, Math.max(0, at - 1)).filter((earlier) => earlier > slot))
  expect(overtaken).toEqual([])
  // No schedule is left out.
  for (const name of names) expect(ids.filter((id) => id.includes(`/${name}/`)).length, name).toBeGreaterThanOrEqual(4)
  const ended = await Promise.all(names.map((name) => home.schedule(name, () => true)))
  expect(ended.flatMap(({ status }) => status?.missedRuns ?? []).filter(({ reason }) => reason !== 'Suspended')).toEqual([])
  expect(await home.commands.exists(groupKey())).toBe(0)
  await Promise.all(names.map(remove))
})

it('says which schedules have the room and whose limit counts; the room of a schedule that is deleted is free at once', async () => {
  const gate = Promise.withResolvers<void>()
  const held = countingConsumer('held', () => gate.promise)
  const free = countingConsumer('free', () => Promise.resolve())
  await create('holder', { everySeconds: 2, concurrencyGroup: { name: 'store', limit: 1 }, task: { type: 'x', queue: 'held' } })
  await held.consumer.ran(1)
  await create('waiter', { everySeconds: 2, concurrencyGroup: { name: 'store', limit: 5 }, task: { type: 'x', queue: 'free' } })
  const waits = await home.schedule('waiter', (each) => messageOf(each, 'Ready')?.includes('for group') === true)
  expect(messageOf(waits, 'Ready')).toMatch(/wait(s)? for group store \(1 of 1 run: holder\)/u)
  expect(waits.status?.activeRuns).toBe(0)
  expect(messageOf(waits, 'GroupLimitDiffers')).toBe(
    'concurrencyGroup store has limit 5 here and limit 1 in tsch/holder: the lowest, 1, counts. Next: write the same limit in all schedules of ' +
      'the group',
  )
  expect(findCondition((await home.schedule('holder', () => true)).status?.conditions, 'GroupLimitDiffers')).toBeUndefined()
  expect(free.consumer.runs).toEqual([])
  await remove('holder')
  await free.consumer.ran(1)
  await home.schedule('waiter', (each) => reasonOf(each, 'GroupLimitDiffers') === undefined)
  gate.resolve()
  await remove('waiter')
})

it('room that is counted for a schedule that nobody has any more is given up', async () => {
  const { consumer } = countingConsumer('ghost', () => Promise.resolve())
  await home.commands.hset(groupKey(), `default/${home.namespace}/ghost`, `1 ${home.namespace}/default/haunted`)
  await create('living', { everySeconds: 2, concurrencyGroup: { name: 'haunted', limit: 1 }, task: { type: 'x', queue: 'ghost' } })
  await consumer.ran(2)
  expect(await home.commands.hexists(groupKey(), `default/${home.namespace}/ghost`)).toBe(0)
  await remove('living')
})

it('a broker that has lost everything keeps no group from its next slots', async () => {
  const gate = Promise.withResolvers<void>()
  let isHeld = true
  const { consumer } = countingConsumer('lost', () => (isHeld ? gate.promise : Promise.resolve()))
  const spec = { everySeconds: 2, concurrencyGroup: { name: 'lost', limit: 1 }, task: { type: 'x', queue: 'lost' } } as const
  await Promise.all(['one', 'two'].map((name) => create(name, spec)))
  await consumer.ran(1)
  await home.schedule('one', ({ status }) => status?.waitingSlots !== undefined)
  await home.schedule('two', ({ status }) => status?.waitingSlots !== undefined)
  await home.commands.flushall()
  isHeld = false
  gate.resolve()
  const runs = (name: string) => consumer.runs.filter(({ id }) => id.includes(`/${name}/`)).length
  const [one, two] = [runs('one'), runs('two')]
  await expect.poll(() => runs('one') > one && runs('two') > two, { timeout: 30_000 }).toBe(true)
  await Promise.all(['one', 'two'].map(remove))
})
