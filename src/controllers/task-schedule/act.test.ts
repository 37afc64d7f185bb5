import { expect, it } from 'vitest'
import type { TaskSchedule } from '../../api/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { understandSchedule } from '../../plans/index.ts'
import type { SchedulePlan } from '../../scheduling/index.ts'
import { act } from './act.ts'
import type { Memory, TaskScheduleDeps } from './gather.ts'

const scheduleWithout = (date: string | undefined) =>
  ({
    metadata: { namespace: 'team', name: 'nightly', creationTimestamp: '2026-11-28T00:00:00Z' },
    spec: {
      brokerRef: { name: 'default' },
      schedules: ['0 1 * * *'],
      timeZone: 'UTC',
      ...(date === undefined ? {} : { calendars: { exclude: [{ dates: [date] }] } }),
      task: { type: 'report', queue: 'reports', retry: { maxRetries: 0 } },
    },
  }) as unknown as TaskSchedule

/** A broker that adopts each timing, unless it is away. */
function setup() {
  const memory = {} as Memory
  const broker = { isAway: false }
  const plans: SchedulePlan[] = []
  const none = { byIndex: () => [] }
  const deps = {
    engine: {
      leaseAt: () => ({ kind: 'Pending' }),
      async drive(
        _memory: unknown,
        _key: string,
        kindAt: (site: object) => { observe(record: object): Promise<{ readonly plan: SchedulePlan }> },
      ) {
        const { plan } = await kindAt({ broker: {}, proof: { epoch: 7 } }).observe({ revision: 0 })
        plans.push(plan)
        const record = { ledger: { timing: plan.timing } }
        Object.assign(memory, { record: broker.isAway ? undefined : record })
        return { situation: { kind: 'Driven' }, happened: [] }
      },
    },
    schedules: { get: () => memory.schedule },
    tracking: { untrack: () => undefined, ended: () => [] },
    executions: none,
    jobs: { startedBy: () => [] },
    brokerClock: { now: () => 0 },
    installation: 'default',
  } as unknown as TaskScheduleDeps
  return {
    broker,
    /** Returns the plan that the schedule is driven by. */
    async drive(schedule: TaskSchedule) {
      memory.schedule = schedule
      const understood = understandSchedule(schedule)
      if (!understood.ok) throw new Error('has faults')
      const { plan, start } = understood
      const context = { signal: new AbortController().signal, log: silentLogger }
      await act(deps, 'team/nightly', memory, { kind: 'Plan', plan, start, heldBy: undefined }, context)
      return plans.at(-1)
    },
  }
}

it('an edit of the calendars finds those that the slots were decided by before', async () => {
  const { drive } = setup()
  const first = await drive(scheduleWithout('2026-12-24'))
  expect(first?.formerCalendars).toBeUndefined()
  const second = await drive(scheduleWithout('2026-12-31'))
  expect(second?.formerCalendars).toEqual({ version: first?.timing.calendars, cover: first?.calendars })
})

it('calendars that the broker did not hear of are not those of before', async () => {
  const { drive, broker } = setup()
  const first = await drive(scheduleWithout('2026-12-24'))
  broker.isAway = true
  await drive(scheduleWithout('2026-12-31'))
  const third = await drive(scheduleWithout('2027-01-01'))
  expect(third?.formerCalendars?.version).toEqual(first?.timing.calendars)
})

it('calendars that were removed are forgotten', async () => {
  const { drive } = setup()
  await drive(scheduleWithout('2026-12-24'))
  await drive(scheduleWithout(undefined))
  expect((await drive(scheduleWithout('2026-12-31')))?.formerCalendars).toBeUndefined()
})
