/** Schedules from `kubectl apply` to the runs in plain BullMQ workers, and what people read about them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { taskSchedules } from '../../src/api/index.ts'
import { dueAt, parseTiming } from '../../src/scheduling/index.ts'
import { createSchedule } from '../support/manifests.ts'
import { fetchFrom } from '../support/operator-http.ts'
import { messageOf, reasonOf, scheduleHome, type ScheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-runs')
})

afterAll(() => home?.stop())

/** The operator's metrics with these labels. */
async function metricsOf(labels: string): Promise<ReadonlyMap<string, number>> {
  const { text } = await fetchFrom(home.operator, '/metrics')
  const lines = text.split('\n').filter((line) => line.includes(labels))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

describe('a schedule', () => {
  it('adds one job a slot, on time, with the slot in its payload, and tells of its success', async () => {
    const consumer = home.consume('ticks', async () => ({ items: 3 }))
    await createSchedule(home.client, home.namespace, 'tick', {
      everySeconds: 2,
      task: { type: 'tick', queue: 'ticks', payload: { at: '$(slot)', deep: [{ text: 'for $(slot)' }], n: 1 } },
    })
    await consumer.ran(5)
    const slots = slotsOf(consumer)
    expect(slots.slice(0, 5)).toEqual(Array.from({ length: 5 }, (_, index) => (slots[0] ?? 0) + 2 * index))
    for (const [index, { id, data, name, atMs }] of consumer.runs.entries()) {
      const slot = new Date((slots[index] ?? 0) * 1000).toISOString().replace('.000Z', 'Z')
      expect(name).toBe('tick')
      expect(id).toMatch(/^tm\/default\/schedule-runs-\w+\/tick\/\d{8}T\d{6}Z$/u)
      expect(data).toEqual({ at: slot, deep: [{ text: `for ${slot}` }], n: 1 })
      expect(atMs).toBeGreaterThanOrEqual((slots[index] ?? 0) * 1000)
    }
    const object = await home.schedule('tick', (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded')
    expect(object.status).toMatchObject({
      schedule: 'every 2s',
      observedGeneration: 1,
      consecutiveFailures: 0,
      lastResult: 'Succeeded',
      reason: 'SlotScheduled',
    })
    expect(object.status).not.toHaveProperty('timeZone')
    expect(object.status?.lastSuccessResult).toBe('{"items":3}')
    const later = await home.schedule('tick', ({ status }) => (status?.recentRuns?.length ?? 0) >= 3)
    const [newest, before] = later.status?.recentRuns ?? []
    expect(newest).toEqual({
      slotTime: newest?.slotTime,
      result: 'Succeeded',
      finishTime: newest?.finishTime,
      durationSeconds: 0,
      attempts: 1,
    })
    expect(Date.parse(newest?.slotTime ?? '') - Date.parse(before?.slotTime ?? '')).toBe(2_000)
    expect(object.status?.nextRuns).toHaveLength(5)
    expect(reasonOf(object, 'Ready')).toBe('SlotScheduled')
    expect(reasonOf(object, 'Late')).toBe('InTime')
    await home.client.delete(taskSchedules, home.namespace, 'tick')
  })

  it.each(['Allow', 'Forbid'] as const)(
    'with jitterSeconds runs each slot at the end of its delay, and says when that is: %s',
    async (policy) => {
      const name = `delayed-${policy.toLowerCase()}`
      const timing = { everySeconds: 4, jitterSeconds: 3 }
      const parsed = parseTiming(timing)
      if (!parsed.ok) throw new Error(parsed.message)
      const source = { timing, slots: parsed.slots, seed: `${home.namespace}/${name}` }
      const consumer = home.consume(name, async () => undefined)
      await createSchedule(home.client, home.namespace, name, {
        ...timing,
        concurrencyPolicy: policy,
        task: { type: 'x', queue: name, payload: { at: '$(slot)' } },
      })
      const { status } = await home.schedule(name, (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
      const shown = status?.nextRuns?.map((time) => Date.parse(time) / 1000) ?? []
      expect(shown).toHaveLength(5)
      expect(shown.map((due) => dueAt(source, due - (due % 4)))).toEqual(shown)
      await consumer.ran(4)
      const slots = slotsOf(consumer)
      expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 4 * index))
      for (const [index, { data, atMs }] of consumer.runs.entries()) {
        const slot = slots[index] ?? 0
        expect(data).toEqual({ at: new Date(slot * 1000).toISOString().replace('.000Z', 'Z') })
        expect(atMs).toBeGreaterThanOrEqual(dueAt(source, slot) * 1000)
      }
      // Some slot of four is delayed, whatever the name of the namespace.
      expect(slots.slice(0, 4).some((slot) => dueAt(source, slot) > slot)).toBe(true)
      await home.client.delete(taskSchedules, home.namespace, name)
    },
  )

  it('says when it is due next, in its own time zone', async () => {
    await createSchedule(home.client, home.namespace, 'sunday', {
      schedules: ['0 1 * * 0', '30 2 1 JAN *'],
      timeZone: 'Europe/Berlin',
      task: { type: 'backup', queue: 'files' },
    })
    const { status } = await home.schedule('sunday', (each) => reasonOf(each, 'Ready') === 'SlotScheduled')
    expect(status).toMatchObject({ schedule: '0 1 * * 0; 30 2 1 JAN *', timeZone: 'Europe/Berlin', activeRuns: 0, missedRuns: [] })
    expect(status?.next).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/u)
    expect(status?.nextRuns?.map((run) => run.slice(0, 16))).toContain(status?.next?.slice(0, 16))
    const object = await home.schedule('sunday', () => true)
    expect(messageOf(object, 'Ready')).toMatch(/^next \d{4}-\d\d-\d\dT\d\d:\d\dZ \((01:00|02:30) Europe\/Berlin\)$/u)
  })

  it('tells a failure with its message and its attempts, and is Ready all the same', async () => {
    const consumer = home.consume('failing', () => Promise.reject(new Error('the mailbox is full')))
    await createSchedule(home.client, home.namespace, 'failing', {
      everySeconds: 3,
      task: { type: 'send', queue: 'failing', retry: { maxRetries: 1, initialDelaySeconds: 0 } },
    })
    const object = await home.schedule('failing', (each) => reasonOf(each, 'LastRunSucceeded') === 'AttemptsExhausted')
    expect(messageOf(object, 'LastRunSucceeded')).toMatch(/^slot \S+, 2\/2 attempts: "the mailbox is full"/u)
    expect(object.status).toMatchObject({
      lastResult: 'Failed',
      lastFailureReason: 'AttemptsExhausted',
      lastFailureMessage: 'the mailbox is full',
      recentRuns: expect.arrayContaining([
        expect.objectContaining({ result: 'Failed', reason: 'AttemptsExhausted', attempts: 2 }),
      ]) as unknown,
      reason: 'AttemptsExhausted',
    })
    expect(reasonOf(object, 'Ready')).toBe('SlotScheduled')
    await expect.poll(() => home.eventsOf('failing', 'RunFailed').then((found) => found.length), { timeout: 20_000 }).toBeGreaterThan(0)
    const [event] = await home.eventsOf('failing', 'RunFailed')
    expect(event).toMatchObject({ type: 'Warning', note: expect.stringContaining('AttemptsExhausted: slot') })
    expect(consumer.runs.length).toBeGreaterThanOrEqual(2)
    const labels = `namespace="${home.namespace}",schedule="failing"`
    const series = await metricsOf(labels)
    expect(series.get(`taskmill_schedule_consecutive_failures{${labels}}`)).toBeGreaterThan(0)
    const together = `namespace="${home.namespace}"`
    const ofNamespace = await metricsOf(together)
    expect(ofNamespace.get(`taskmill_schedule_runs_total{${together},outcome="AttemptsExhausted"}`)).toBeGreaterThan(0)
    expect(ofNamespace.get(`taskmill_schedule_dispatch_delay_seconds_count{${together}}`)).toBeGreaterThan(0)
    expect(series.get(`taskmill_schedule_next_run_timestamp_seconds{${labels}}`)).toBeGreaterThan(Date.now() / 1000 - 10)
    expect(series.get(`taskmill_schedule_last_success_timestamp_seconds{${labels}}`)).toBeLessThan(Date.now() / 1000 + 10)
    await home.client.delete(taskSchedules, home.namespace, 'failing')
    await expect.poll(() => metricsOf(labels).then((left) => [...left.keys()]), { timeout: 20_000 }).toEqual([])
  })

  it('lists its active runs with what each waits for, tells that they overlap, and of the first success after failures', async () => {
    const gate = Promise.withResolvers<void>()
    let runs = 0
    const consumer = home.consume('few', () => (runs++ === 0 ? Promise.reject(new Error('not yet')) : gate.promise), 1)
    await createSchedule(home.client, home.namespace, 'few', { everySeconds: 2, task: { type: 'x', queue: 'few' } })
    const object = await home.schedule(
      'few',
      ({ status }) =>
        (status?.active ?? []).some(({ startedTime }) => startedTime !== undefined) &&
        (status?.active ?? []).some(({ waitingFor }) => waitingFor !== undefined),
    )
    const { active = [], activeRuns = 0 } = object.status ?? {}
    expect(activeRuns).toBeGreaterThanOrEqual(2)
    expect(active[0]).toEqual({ slotTime: active[0]?.slotTime, startedTime: expect.stringMatching(/Z$/u) })
    expect(active[1]).toEqual({ slotTime: active[1]?.slotTime, waitingFor: 'queued in few (no pool)' })
    expect(reasonOf(object, 'Overlapping')).toBe('RunsOverlap')
    await home.client.apply(
      taskSchedules,
      { metadata: { namespace: home.namespace, name: 'few' }, spec: { suspend: true } },
      { fieldManager: 'test', force: true },
    )
    expect(reasonOf(await home.schedule('few', (each) => reasonOf(each, 'Suspended') !== undefined), 'Suspended')).toBe('BySpec')
    gate.resolve()
    const over = await home.schedule('few', ({ status }) => status?.activeRuns === 0)
    expect(reasonOf(over, 'Overlapping')).toBeUndefined()
    expect(over.status).not.toHaveProperty('active')
    expect(over.status?.recentRuns?.map(({ slotTime }) => slotTime)).toHaveLength(Math.min(10, consumer.runs.length))
    await expect
      .poll(() => home.eventsOf('few', 'RunRecovered').then((found) => found.map(({ note }) => note)), { timeout: 20_000 })
      .toEqual([expect.stringMatching(/: succeeded after 1 failure$/u)])
  })
})
