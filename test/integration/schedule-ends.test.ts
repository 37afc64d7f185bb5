/**
 * From when and until when a schedule runs, through a real broker: maxRuns, single times, startTime and endTime, and the clock changes of a time
 * zone. What has ended stays ended for the next operator, and continues from now on when it is edited.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { findCondition, taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { slotTime } from '../../src/contract/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createSchedule } from '../support/manifests.ts'
import { type Consumer, messageOf, reasonOf, scheduleHome, type ScheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-ends')
})

afterAll(() => home?.stop())

const task = (queue: string) => ({ type: 'x', queue })
const create = (name: string, spec: Parameters<typeof createSchedule>[3]): Promise<TaskSchedule> =>
  createSchedule(home.client, home.namespace, name, spec)
const consume = (queue: string): Consumer => home.consume(queue, () => Promise.resolve())
const isCompleted = (reason: string) => (each: TaskSchedule) => findCondition(each.status?.conditions, 'Completed')?.reason === reason
/** So many seconds from now, as a slot. */
const inSeconds = (seconds: number): number => Math.ceil(Date.now() / 1_000) + seconds
const createdAt = ({ metadata }: TaskSchedule): number => Date.parse(metadata.creationTimestamp ?? '') / 1_000
const oneByOne = (from: number, to: number): readonly number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

/** Resolves with the object that was changed, once the operator has seen the change. */
async function edit(name: string, spec: object): Promise<TaskSchedule> {
  const place = { namespace: home.namespace, name }
  const { metadata } = await home.client.patch(taskSchedules, { metadata: place, spec }, { fieldManager: 'test' })
  const seen = await observe(home.client, taskSchedules, place, (object) => object?.status?.observedGeneration === metadata.generation)
  if (seen === undefined) throw new Error(`${name} is gone`)
  return seen
}

async function untilEvents(name: string, reason: string, count: number): Promise<void> {
  await vi.waitFor(async () => expect(await home.eventsOf(name, reason)).toHaveLength(count), { timeout: 20_000, interval: 100 })
}

describe.concurrent('maxRuns', () => {
  it.each([
    ['placed ahead', 'most-ahead', 'Allow'],
    ['one at a time', 'most-alone', 'Forbid'],
    ['in line', 'most-in-line', 'Queue'],
  ] as const)('ends a schedule whose slots are %s, and a higher one continues it from then on', async (_, name, concurrencyPolicy) => {
    const consumer = consume(name)
    await create(name, { everySeconds: 1, concurrencyPolicy, maxRuns: 3, task: task(name) })
    const ended = await home.schedule(name, (each) => isCompleted('MaxRunsReached')(each) && each.status?.activeRuns === 0)
    expect(messageOf(ended, 'Completed')).toBe(
      'all 3 runs of maxRuns were dispatched. Next: raise it to continue, or delete this TaskSchedule',
    )
    expect(ended.status).toMatchObject({ dispatchedRuns: 3, reason: 'Completed' })
    expect(ended.status).not.toHaveProperty('nextRuns')
    expect(consumer.runs).toHaveLength(3)
    await untilEvents(name, 'Completed', 1)

    const before = inSeconds(-1)
    await edit(name, { maxRuns: 5 })
    const again = await home.schedule(name, (each) => isCompleted('MaxRunsReached')(each) && each.status?.dispatchedRuns === 5)
    await consumer.ran(5)
    const slots = slotsOf(consumer)
    expect(new Set(slots).size).toBe(5)
    expect(slots.slice(3).every((slot) => slot >= before)).toBe(true)
    // No slot between the third and the edit was due.
    expect(again.status?.missedRuns?.filter(({ reason }) => reason !== 'Overlap' && reason !== 'Superseded') ?? []).toEqual([])
  })
})

describe.concurrent('single times', () => {
  it('run once each, those before the creation never, and the schedule is Completed after the last', async () => {
    const consumer = consume('single')
    const times = [inSeconds(-3_600), inSeconds(5), inSeconds(8)]
    const created = await create('single', { at: times.map(slotTime), task: task('single') })
    const ended = await home.schedule('single', (each) => isCompleted('LastTimePassed')(each) && each.status?.activeRuns === 0)
    const future = times.filter((slot) => slot > createdAt(created))
    expect(slotsOf(consumer)).toEqual(future)
    expect(messageOf(ended, 'Completed')).toContain(
      `has passed; ${3 - future.length} of 3 times had passed when this TaskSchedule was created, and did not run. Next: add later ones`,
    )
    expect(ended.status?.missedRuns ?? []).toEqual([])

    // Of two more, one has passed.
    const later = [inSeconds(-2), inSeconds(5)]
    await edit('single', { at: [...times, ...later].map(slotTime) })
    await consumer.ran(future.length + 1)
    await home.schedule('single', isCompleted('LastTimePassed'))
    expect(slotsOf(consumer)).toEqual([...future, later[1]])
  })
})

describe.concurrent('startTime and endTime', () => {
  it('are the first and the last moment of a slot, and a later end continues from then on', async () => {
    const consumer = consume('bounded')
    const [start, end] = [inSeconds(4), inSeconds(7)]
    const bounds = { startTime: slotTime(start), endTime: slotTime(end) }
    const created = await create('bounded', { schedules: ['* * * * * *'], ...bounds, task: task('bounded') })
    const ended = await home.schedule('bounded', (each) => isCompleted('EndTimePassed')(each) && each.status?.activeRuns === 0)
    const due = oneByOne(start, end).filter((slot) => slot > createdAt(created))
    expect(slotsOf(consumer)).toEqual(due)
    expect(messageOf(ended, 'Completed')).toBe(
      `no slot is left up to endTime ${slotTime(end)}. Next: set a later one to continue, or delete this TaskSchedule`,
    )
    expect(ended.status?.missedRuns ?? []).toEqual([])

    const before = inSeconds(-1)
    const lastEnd = inSeconds(6)
    await edit('bounded', { endTime: slotTime(lastEnd) })
    await home.schedule('bounded', (each) => isCompleted('EndTimePassed')(each) && each.status?.lastScheduleTime === slotTime(lastEnd))
    const more = slotsOf(consumer).slice(due.length)
    expect(more.every((slot) => slot >= before)).toBe(true)
    expect(more).toEqual(oneByOne(more[0] ?? 0, lastEnd))
  })
})

describe.concurrent('the clock changes of a time zone', () => {
  const nextOf = ({ status }: TaskSchedule) => status?.nextRuns?.slice(0, 2)
  const inBerlin = { timeZone: 'Europe/Berlin', startTime: '2027-01-01T00:00:00Z', task: task('nobody') }

  it('a skipped time of day is due after the gap, and in the year after if that says so', async () => {
    await create('gap', { schedules: ['30 2 28 3 *'], ...inBerlin })
    const first = await home.schedule('gap', (each) => nextOf(each) !== undefined)
    expect(nextOf(first)).toEqual(['2027-03-28T01:00:00Z', '2028-03-28T00:30:00Z'])
    expect(nextOf(await edit('gap', { dst: { gap: 'Skip' } }))).toEqual(['2028-03-28T00:30:00Z', '2029-03-28T00:30:00Z'])
    expect(nextOf(await edit('gap', { dst: { gap: 'RunAfterGap' } }))?.[0]).toBe('2027-03-28T01:00:00Z')
  })

  it('a time of day that clocks show twice is due once, and twice if that says so', async () => {
    await create('overlap', { schedules: ['30 2 31 10 *'], ...inBerlin })
    const first = await home.schedule('overlap', (each) => nextOf(each) !== undefined)
    expect(nextOf(first)).toEqual(['2027-10-31T00:30:00Z', '2028-10-31T01:30:00Z'])
    expect(nextOf(await edit('overlap', { dst: { overlap: 'Both' } }))).toEqual(['2027-10-31T00:30:00Z', '2027-10-31T01:30:00Z'])
  })

  it('an edit of what they do fires nothing of the past, and leaves out no slot', async () => {
    const consumer = consume('every-second')
    await create('every-second', { schedules: ['* * * * * *'], timeZone: 'Europe/Berlin', task: task('every-second') })
    for (const dst of [{ gap: 'Skip', overlap: 'Both' }, { gap: 'Skip' }, null]) {
      await consumer.ran(consumer.runs.length + 2)
      await edit('every-second', { dst })
    }
    await consumer.ran(consumer.runs.length + 2)
    const slots = slotsOf(consumer)
    const missed = (await home.schedule('every-second', () => true)).status?.missedRuns ?? []
    const left = oneByOne(slots[0] ?? 0, slots.at(-1) ?? 0).filter((slot) => !slots.includes(slot))
    expect(slots).toEqual(slots.toSorted((a, b) => a - b))
    expect(new Set(slots).size).toBe(slots.length)
    // A slot that is due in the very moment of an edit is missed for it.
    expect(missed.filter(({ reason }) => reason !== 'ScheduleChanged')).toEqual([])
    expect(left.length).toBe(missed.reduce((sum, { count }) => sum + count, 0))
  })
})

it('another operator finds what has ended as it was', async () => {
  const names = ['most-ahead', 'most-alone', 'most-in-line', 'single', 'bounded']
  const read = () => Promise.all(names.map((name) => home.schedule(name, () => true)))
  const before = await read()
  await home.operator.stop()
  const operator = home.startOperator()
  await operator.logged('leading')
  // It has looked at all of them when it has dispatched what comes after.
  const consumer = consume('after')
  await create('after', { everySeconds: 1, maxRuns: 2, task: task('after') })
  await consumer.ran(2)
  const after = await read()
  expect(after.map(({ status }) => [status?.reason, status?.dispatchedRuns, status?.lastScheduleTime])).toEqual(
    before.map(({ status }) => [status?.reason, status?.dispatchedRuns, status?.lastScheduleTime]),
  )
  expect(after.map((each) => reasonOf(each, 'Completed'))).toEqual([
    'MaxRunsReached',
    'MaxRunsReached',
    'MaxRunsReached',
    'LastTimePassed',
    'EndTimePassed',
  ])
})
