import { expect, it } from 'vitest'
import type { CronJob, TaskSchedule } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { annotations } from '../../contract/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { understandSchedule } from '../../plans/index.ts'
import type { Followed, SchedulePlan } from '../../scheduling/index.ts'
import { createConcurrencyGroups } from '../../services/slots/index.ts'
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
    cronJobs: { get: () => undefined },
    jobSchedulers: { watch: () => undefined, forget: () => undefined },
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
      await act(deps, 'team/nightly', memory, { decision: { kind: 'Plan', plan, start, heldBy: undefined }, group: undefined }, context)
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

it('what is read of a CronJob settles its slots by the clock of the broker, also where that is ahead', async () => {
  const job = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } } } }
  const { task: _, ...spec } = scheduleWithout(undefined).spec
  const schedule = { ...scheduleWithout(undefined), spec: { ...spec, engine: 'CronJob', job } } as unknown as TaskSchedule
  const understood = understandSchedule(schedule)
  if (!understood.ok) throw new Error('has faults')
  const { plan, start } = understood
  const memory = { schedule } as unknown as Memory
  const clock = fakeClock()
  // The slot of 01:00 is settled by that of the next day, 10 s after this was due.
  const brokerNowMs = Date.parse('2026-11-30T01:00:12Z')
  await clock.advance(brokerNowMs - 5_000 - clock.now())
  const ledger = { timing: { ...plan.timing, suspended: false }, cursor: 0, open: [], active: [] }
  const seen: unknown[] = []
  type Seen = { readonly knowledge: { readonly followed: Followed } }
  type Driven = { observe(record: object): Promise<Seen>; act(observed: Seen, action: object): Promise<unknown> }
  const deps = {
    engine: {
      leaseAt: () => ({ kind: 'Pending' }),
      async drive(_memory: unknown, _key: string, kindAt: (site: object) => Driven) {
        const kind = kindAt({ broker: {}, proof: { epoch: 7 }, signal: new AbortController().signal })
        const observed = await kind.observe({ revision: 1, ledger })
        await kind.act(observed, { kind: 'Follow', act: 'Survey', engine: 'CronJob', after: 0 })
        const { settledUntil, surveyedUntil } = (await kind.observe({ revision: 1, ledger })).knowledge.followed
        seen.push(surveyedUntil - settledUntil)
        return { situation: { kind: 'Driven' }, happened: [] }
      },
    },
    schedules: { get: () => schedule },
    tracking: { untrack: () => undefined, ended: () => [] },
    executions: { byIndex: () => [] },
    jobs: { startedBy: () => [] },
    cronJobs: { get: () => undefined },
    jobSchedulers: { watch: () => undefined, forget: () => undefined },
    whereabouts: { of: () => new Map() },
    brokerClock: { now: () => brokerNowMs },
    client: { list: async () => ({ items: [], resourceVersion: '1' }) },
    clock,
    installation: 'default',
  } as unknown as TaskScheduleDeps
  const context = { signal: new AbortController().signal, log: silentLogger }
  await act(deps, 'team/nightly', memory, { decision: { kind: 'Plan', plan, start, heldBy: undefined }, group: undefined }, context)
  expect(seen).toEqual([0])
})

it('a cluster that stands by suspends the CronJob of a schedule, once', async () => {
  const job = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } } } }
  const { task: _, ...spec } = scheduleWithout(undefined).spec
  const schedule = { ...scheduleWithout(undefined), spec: { ...spec, engine: 'CronJob', job } } as unknown as TaskSchedule
  const id = 'tm/default/team/nightly/cron-job'
  let cronJob = {
    metadata: { name: 'nightly', uid: 'u1', annotations: { [annotations.jobId]: id } },
    spec: { suspend: false },
  } as unknown as CronJob
  let writes = 0
  const deps = {
    engine: { leaseAt: () => ({ kind: 'Standby' }), drive: async () => ({ situation: { kind: 'Standby' }, happened: [] }) },
    tracking: { untrack: () => undefined },
    jobSchedulers: { watch: () => undefined, forget: () => undefined },
    cronJobs: { get: () => cronJob },
    client: {
      get: async () => cronJob,
      async update(_resource: unknown, object: CronJob) {
        writes += 1
        return (cronJob = object)
      },
    },
    clock: fakeClock(),
    installation: 'default',
  } as unknown as TaskScheduleDeps
  const understood = understandSchedule(schedule)
  if (!understood.ok) throw new Error('has faults')
  const { plan, start } = understood
  const context = { signal: new AbortController().signal, log: silentLogger }
  for (const memory of [{ schedule }, { schedule }] as unknown as Memory[]) {
    await act(deps, 'team/nightly', memory, { decision: { kind: 'Plan', plan, start, heldBy: undefined }, group: undefined }, context)
  }
  expect(cronJob.spec.suspend).toBe(true)
  expect(writes).toBe(1)
})

it.each([
  { name: 'has a ledger that cannot be read', situation: { kind: 'Unreadable', message: 'v is 4' }, left: undefined, runs: 1 },
  { name: 'has a run that has just ended', situation: { kind: 'Postponed', message: 'exceeded quota' }, left: 0, runs: 0 },
])('a schedule that cannot start and $name holds up nobody in its group', async ({ situation, left, runs }) => {
  const groups = createConcurrencyGroups({ clock: fakeClock() })
  const memory = { schedule: scheduleWithout(undefined), shown: { active: [{ slot: 1 }] } } as unknown as Memory
  const keys = ['team/nightly', 'team/other']
  const memberOf = (key: string) => ({ group: 'team/default/g', key, members: () => keys, limit: 2 })
  groups.place(memberOf('team/nightly'), 7).mayStart({ head: 1, runs: 1 })
  const deps = {
    groups,
    engine: {
      leaseAt: () => ({ kind: 'Held', endpoint: {}, proof: { epoch: 7 } }),
      async drive() {
        Object.assign(memory, { record: left === undefined ? undefined : { ledger: { active: [], timing: {} } } })
        return { situation, happened: [] }
      },
    },
    tracking: { track: () => undefined },
    jobSchedulers: { watch: () => undefined, forget: () => undefined },
    installation: 'default',
  } as unknown as TaskScheduleDeps
  const understood = understandSchedule(memory.schedule)
  if (!understood.ok) throw new Error('has faults')
  const { plan, start } = understood
  const membership = { ...memberOf('team/nightly'), name: 'g', ownLimit: 2, lowestIn: 'nightly' }
  const context = { signal: new AbortController().signal, log: silentLogger }
  await act(deps, 'team/nightly', memory, { decision: { kind: 'Plan', plan, start, heldBy: undefined }, group: membership }, context)
  const view = groups.show(memberOf('team/other'))
  expect(view.running).toEqual(runs === 0 ? [] : [{ key: 'team/nightly', runs }])
  expect(view.first).toBeUndefined()
  expect(groups.place(memberOf('team/other'), 7).mayStart({ head: 2, runs: 0 })).toBe(true)
})
