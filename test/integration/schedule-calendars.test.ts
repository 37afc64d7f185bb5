/** Calendars in ConfigMaps: watched by name, missing, wrong, edited, deleted, and what the slots make of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { configMaps, taskAlerts, taskSchedules, type TaskAlert, type TaskSchedule } from '../../src/api/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createSchedule } from '../support/manifests.ts'
import { messageOf, reasonOf, type ScheduleHome, scheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-calendars')
})

afterAll(() => home?.stop())

const by = { fieldManager: 'test' }
const today = (): string => new Date().toISOString().slice(0, 10)
const always = '01-01/12-31'
/** Leaves nothing of some years, and so leaves the schedule with slots of the past. */
const thisDecade = '2026-01-01/2035-12-31'

async function write(name: string, data: Readonly<Record<string, string>>): Promise<void> {
  await home.client.apply(configMaps, { metadata: { name, namespace: home.namespace }, data }, { ...by, force: true })
}

const remove = (name: string): Promise<void> => home.client.delete(configMaps, home.namespace, name)

function create(name: string, configMap: string, key = 'dates', list: 'exclude' | 'include' = 'exclude'): Promise<TaskSchedule> {
  return createSchedule(home.client, home.namespace, name, {
    everySeconds: 1,
    concurrencyPolicy: 'Forbid',
    calendars: { [list]: [{ name: 'file', configMapRef: { name: configMap, key } }] },
    task: { type: 'work', queue: name },
  })
}

const isReady = (object: TaskSchedule): boolean => reasonOf(object, 'Ready') === 'SlotScheduled'
const missed = (object: TaskSchedule, reason: string): number =>
  object.status?.missedRuns?.find((each) => each.reason === reason)?.count ?? 0

it('a schedule that comes before its ConfigMap waits for it, and its slots are made up for', async () => {
  const consumer = home.consume('early', async () => undefined)
  const created = await create('early', 'early-holidays')
  const held = await home.schedule('early', (each) => reasonOf(each, 'Stalled') === 'CalendarNotFound')
  expect(messageOf(held, 'Ready')).toBe(
    'spec.calendars.exclude[0]: ConfigMap "early-holidays" does not exist in this namespace, so no slot is dispatched. Next: create it',
  )
  expect(held.status).not.toHaveProperty('nextRuns')
  await expect.poll(() => home.eventsOf('early', 'CalendarNotFound').then((found) => found.length), { timeout: 20_000 }).toBe(1)
  // Slots that are at most 5 s late would all be on time.
  await sleep(8000)
  expect(consumer.runs).toEqual([])
  await write('early-holidays', { dates: '# none yet\n' })
  await consumer.ran(2)
  const free = await home.schedule('early', (each) => isReady(each) && missed(each, 'Superseded') > 0)
  expect(reasonOf(free, 'Stalled')).toBeUndefined()
  expect(missed(free, 'ScheduleChanged')).toBe(0)
  expect(Math.min(...slotsOf(consumer))).toBeGreaterThan(Date.parse(created.metadata.creationTimestamp ?? '') / 1000)
  await home.client.delete(taskSchedules, home.namespace, 'early')
})

it('an edit of the ConfigMap takes effect at once, and fires nothing of the past', async () => {
  await write('edited', { dates: '' })
  const consumer = home.consume('edited', async () => undefined)
  await create('edited', 'edited')
  await consumer.ran(2)
  await write('edited', { dates: thisDecade })
  const none = await home.schedule('edited', (each) => Date.parse(each.status?.nextRuns?.[0] ?? '') >= Date.UTC(2036, 0))
  expect(none.status?.next).toBe('2036-01-01T00:00Z')
  const lastBefore = Math.max(...slotsOf(consumer))
  // For the time of four slots.
  await sleep(4000)
  expect(Math.max(...slotsOf(consumer))).toBe(lastBefore)
  const editedAt = Math.floor(Date.now() / 1000)
  await write('edited', { dates: '01-01/01-02' })
  await home.schedule('edited', (each) => isReady(each) && Date.parse(each.status?.nextRuns?.[0] ?? '') < Date.UTC(2030, 0))
  await consumer.ran(consumer.runs.length + 2)
  const after = slotsOf(consumer).filter((slot) => slot > lastBefore)
  expect(Math.min(...after)).toBeGreaterThanOrEqual(editedAt - 1)
  // What the calendar left out was never due. A slot that was being decided at the first edit is missed.
  const done = await home.schedule('edited', isReady)
  expect(missed(done, 'ScheduleChanged')).toBe(missed(none, 'ScheduleChanged'))
  await home.client.delete(taskSchedules, home.namespace, 'edited')
})

it('an iCalendar file is read, a wrong one is named with its line, and a deleted one holds the slots', async () => {
  const day = today().replaceAll('-', '')
  const event = (lines: string): string =>
    `BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//acme//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Shift\r\n${lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`
  await write('shifts', { 'shifts.ics': event(`DTSTART;VALUE=DATE:${day}\r\nRRULE:FREQ=DAILY`) })
  const consumer = home.consume('shifts', async () => undefined)
  await create('shifts', 'shifts', 'shifts.ics', 'include')
  await consumer.ran(2)

  await write('shifts', { 'shifts.ics': event(`DTSTART;VALUE=DATE:${day}\r\nRRULE:FREQ=HOURLY`) })
  const wrong = await home.schedule('shifts', (each) => reasonOf(each, 'Stalled') === 'InvalidCalendar')
  expect(messageOf(wrong, 'Ready')).toBe(
    'spec.calendars.include[0]: ConfigMap "shifts", key "shifts.ics", line 4: event "Shift": RRULE "FREQ=HOURLY" recurs within a day, which is not read; write windows instead',
  )
  await remove('shifts')
  await home.schedule('shifts', (each) => reasonOf(each, 'Stalled') === 'CalendarNotFound')
  await write('shifts', { other: 'x' })
  const noKey = await home.schedule('shifts', (each) => messageOf(each, 'Ready')?.includes('has no key') === true)
  expect(messageOf(noKey, 'Ready')).toContain('ConfigMap "shifts" has no key "shifts.ics", so no slot is dispatched: it has only "other"')
  const count = consumer.runs.length
  // For the time of two slots.
  await sleep(2000)
  expect(consumer.runs).toHaveLength(count)

  await write('shifts', { 'shifts.ics': event(`DTSTART;VALUE=DATE:${day}\r\nRRULE:FREQ=DAILY`) })
  await consumer.ran(count + 2)
  await home.schedule('shifts', isReady)
  await home.client.delete(taskSchedules, home.namespace, 'shifts')
})

it('a calendar that leaves no slot at all is refused with words, and an alert waits for no slot that one leaves out', async () => {
  await write('nothing', { dates: always })
  await create('nothing', 'nothing')
  const refused = await home.schedule('nothing', (each) => reasonOf(each, 'Stalled') === 'InvalidCalendar')
  expect(messageOf(refused, 'Ready')).toBe(
    'spec.calendars: exclude leaves no slot of this schedule; correct exclude, or the times of the schedule',
  )

  await write('nothing', { dates: thisDecade })
  await home.schedule('nothing', isReady)
  await home.client.create(
    taskAlerts,
    {
      metadata: { name: 'quiet', namespace: home.namespace },
      spec: { target: { kind: 'TaskSchedule', name: 'nothing' }, noSuccess: {}, windowSeconds: 60 },
    } as TaskAlert,
    by,
  )
  const quiet = await observe(home.client, taskAlerts, { namespace: home.namespace, name: 'quiet' }, (alert) =>
    JSON.stringify(alert?.status ?? {}).includes('next expected by 2036-01-01'),
  )
  expect(quiet?.status?.state).toBe('Inactive')
})

it('another leader knows the calendar before it decides a slot', async () => {
  await write('leader', { dates: thisDecade })
  const consumer = home.consume('leader', async () => undefined)
  await create('leader', 'leader')
  await home.schedule('leader', isReady)
  await home.operator.stop()
  home.startOperator()
  await create('leads', 'edited')
  await home.schedule('leads', isReady)
  // For the time of two slots.
  await sleep(2000)
  expect(consumer.runs).toEqual([])
})
