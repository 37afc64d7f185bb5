import { describe, expect, it } from 'vitest'
import type { Facts } from '../../alerting/index.ts'
import { findCondition, type TaskAlert, type TaskAlertStatus } from '../../api/index.ts'
import { alertConditionOf } from '../../plans/index.ts'
import { dueAt, parseTiming, type SlotSource, type Timing } from '../../scheduling/index.ts'
import { random } from '../../../test/support/random.ts'
import { decide, type Plan } from './decide.ts'
import { transitionEvents } from './events.ts'
import { transitionOf } from './status.ts'
import type { World } from './gather.ts'

const start = Date.parse('2026-11-29T02:50:00Z')
const at = (second: number): number => start + second * 1000
const oncall = { minimumSeverity: 'Warning', sendResolved: true } as const
const bad: Facts = { kind: 'Counts', failed: 69, succeeded: 231, missed: 0 }
const good: Facts = { kind: 'Counts', failed: 6, succeeded: 294, missed: 0 }
const few: Facts = { kind: 'Counts', failed: 3, succeeded: 2, missed: 0 }
const away: Facts = { kind: 'Unknown', reason: 'BrokerUnreachable', message: 'ECONNREFUSED. Next: kubectl describe taskbroker default' }

function alertOf(spec: Partial<TaskAlert['spec']> = {}): TaskAlert {
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskAlert',
    metadata: { namespace: 'acme', name: 'email-failing', uid: 'u', generation: 2 },
    spec: {
      target: { kind: 'WorkerPool', name: 'email' },
      failureRate: { abovePercent: 10, minimumRuns: 20 },
      windowSeconds: 300,
      forSeconds: 60,
      severity: 'Critical',
      cooldownSeconds: 900,
      channelRefs: [{ name: 'oncall' }],
      ...spec,
    },
  }
}

type Look = { readonly second: number; readonly facts: Facts; readonly spec?: Partial<TaskAlert['spec']> } & Partial<
  Pick<World, 'channels' | 'deliveries' | 'faults' | 'suspension' | 'due' | 'timingHash'>
>

/** One look after the other, each by a process that knows only the status. */
function story(looks: readonly Look[]): readonly (Plan & { readonly events: readonly string[] })[] {
  let status: TaskAlertStatus | undefined
  return looks.map(({ second, facts, spec, ...rest }) => {
    const alert = alertOf(spec)
    const world: World = {
      alert,
      status,
      condition: alertConditionOf(alert),
      understood: { ok: true, messageOf: undefined },
      facts,
      due: undefined,
      timingHash: undefined,
      suspension: {},
      faults: [],
      channels: new Map((alert.spec.channelRefs ?? []).map(({ name }) => [name, oncall])),
      deliveries: new Map(),
      nowMs: at(second),
      ...rest,
    }
    const plan = decide(world)
    const events = transitionEvents(status, plan.status, world.condition, plan.transition).map(({ reason, note }) => `${reason}: ${note}`)
    status = JSON.parse(JSON.stringify(plan.status)) as TaskAlertStatus
    return { ...plan, events }
  })
}

const last = <T>(all: readonly T[]): T => {
  const end = all.at(-1)
  if (end === undefined) throw new Error('nothing')
  return end
}
const facts = ({ status }: Plan) => status.conditions?.map(({ type, status: holds, reason }) => `${type} ${holds} ${reason}`)
const words = ({ status }: Plan, type: string) => findCondition(status.conditions, type)?.message

describe('the status', () => {
  it('of an alert that does not fire', () => {
    const plan = last(story([{ second: 0, facts: good }]))
    expect(facts(plan)).toEqual(['Ready True Judged', 'Firing False WithinThreshold'])
    expect(words(plan, 'Ready')).toBe('fires when > 10% in 5m')
    expect(words(plan, 'Firing')).toBe('2% (6/300); fires when > 10% in 5m')
    expect(plan.status).toMatchObject({ state: 'Inactive', target: 'wp/email', value: '2% (6/300)', sequence: 0, observedGeneration: 2 })
    expect(plan.againAfterMs).toBeUndefined()
    expect(plan.events).toEqual([])
  })

  it('of one that is pending, and when it will fire', () => {
    const plan = last(story([{ second: 10, facts: bad }]))
    expect(facts(plan)).toEqual(['Ready True Judged', 'Firing False Pending'])
    expect(words(plan, 'Firing')).toBe('23% (69/300) > 10% in 5m since 02:50:10Z, fires at 02:51:10Z')
    expect(plan).toMatchObject({ againAfterMs: 60_000, status: { state: 'Pending', sinceTime: '2026-11-29T02:50:10Z' } })
  })

  it('of one that fires, and the channels that are being notified', () => {
    const plan = last(story([10, 70].map((second) => ({ second, facts: bad }))))
    expect(facts(plan)).toEqual(['Ready True Judged', 'Firing True ThresholdCrossed', 'Notified Unknown Delivering'])
    expect(words(plan, 'Firing')).toBe('23% (69/300) > 10% in 5m')
    expect(words(plan, 'Notified')).toBe('oncall: being notified that it fires')
    expect(plan.events).toEqual(['AlertFiring: 23% (69/300) > 10% in 5m'])
    expect(plan.status).toMatchObject({
      state: 'Firing',
      sinceTime: '2026-11-29T02:51:10Z',
      sequence: 1,
      transitions: [{ sequence: 1, state: 'Firing', changeTime: '2026-11-29T02:51:10Z', value: '23% (69/300)', amount: '23' }],
      notifications: [{ channel: 'oncall', sequence: 1, state: 'Firing', delivery: 'Pending', firingTime: '2026-11-29T02:51:10Z' }],
    })
  })

  it('of a notification that was taken, refused, given up', () => {
    const firing: readonly Look[] = [10, 70].map((second) => ({ second, facts: bad }))
    const notified = (delivery: World['deliveries'] extends ReadonlyMap<string, infer D> ? D : never) =>
      last(story([...firing, { second: 80, facts: bad, deliveries: new Map([['oncall', delivery]]) }]))
    const taken = notified({ kind: 'Delivered' })
    expect(words(taken, 'Notified')).toBe('oncall: notified that it fires, 2026-11-29T02:51:10Z')
    expect(facts(taken)?.[2]).toBe('Notified True Delivered')
    const refused = notified({ kind: 'Waiting', attempts: 4, message: 'HTTP 500', retryAtMs: at(1325) })
    expect(facts(refused)?.[2]).toBe('Notified False DeliveryFailed')
    expect(words(refused, 'Notified')).toBe('oncall: HTTP 500, attempt 4, retry 03:12:05Z')
    expect(refused.events).toEqual(['NotificationFailed: oncall: HTTP 500, attempt 4, retry 03:12:05Z'])
    const over = notified({ kind: 'GivenUp', attempts: 50, message: 'HTTP 500' })
    expect(facts(over)?.[2]).toBe('Notified False DeliveryGivenUp')
    expect(over.events).toEqual(['NotificationGivenUp: oncall: given up after 50 attempts: HTTP 500'])
  })

  it('of one that fires and cannot be judged any more', () => {
    const plan = last(story([...[10, 70].map((second) => ({ second, facts: bad })), { second: 80, facts: away }]))
    expect(facts(plan)?.slice(0, 3)).toEqual([
      'Ready False BrokerUnreachable',
      'Reconciling True WaitingForBroker',
      'Firing True HeldUnknown',
    ])
    expect(words(plan, 'Firing')).toBe(
      'fires since 2026-11-29T02:51:10Z with 23% (69/300) > 10% in 5m; it cannot be judged now and keeps firing: ECONNREFUSED. Next: kubectl describe taskbroker default',
    )
    expect(plan.status).toMatchObject({ state: 'Firing', value: '23% (69/300)', sequence: 1 })
  })

  it('of one of which nothing is known', () => {
    const plan = last(
      story([
        { second: 0, facts: good },
        { second: 5, facts: few },
      ]),
    )
    expect(facts(plan)).toEqual(['Ready True Judged', 'Firing Unknown TooFewRuns'])
    expect(words(plan, 'Firing')).toBe('5 runs ended, a rate takes 20')
    expect(plan.status.state).toBe('Unknown')
    expect(
      last(
        story([
          { second: 0, facts: few },
          { second: 9, facts: good },
        ]),
      ).status.state,
    ).toBe('Inactive')
  })

  it('of what is missing or wrong, the most important first', () => {
    const missing = last(
      story([
        {
          second: 0,
          facts: good,
          channels: new Map([
            ['oncall', undefined],
            ['mail', undefined],
          ]),
        },
      ]),
    )
    expect(facts(missing)).toEqual(['Ready False ChannelNotFound', 'Reconciling True WaitingForChannel', 'Firing False WithinThreshold'])
    expect(words(missing, 'Ready')).toBe('AlertChannel "oncall", "mail" does not exist in this namespace. Next: create it')
    const faults = [{ reason: 'InvalidMessage', field: 'spec.message', message: 'not closed' }] as const
    const wrong = last(story([{ second: 0, facts: { kind: 'Unknown', reason: 'TargetNotFound', message: 'none' }, faults }]))
    expect(facts(wrong)).toEqual([
      'Ready False TargetNotFound',
      'Stalled True InvalidMessage',
      'Reconciling True WaitingForTarget',
      'Firing Unknown TargetNotFound',
    ])
    expect(wrong.events).toEqual(['TargetNotFound: none'])
  })
})

describe('people', () => {
  const override = { until: '2026-11-29T03:00:00Z', by: 'oncall', reason: 'incident 4711' }
  const acknowledged = { override: { ...override, acknowledge: true } }
  const silenced = { override: { ...override, silence: true } }
  const firing: readonly Look[] = [10, 70].map((second) => ({ second, facts: bad }))

  it('acknowledge: the status names the author, and the override ends by itself', () => {
    const plan = last(story([...firing, { second: 100, facts: bad, spec: acknowledged }]))
    expect(plan.status.ackedBy).toBe('oncall until 2026-11-29T03:00:00Z')
    expect(facts(plan)).toContain('Overridden True OverrideActive')
    expect(plan.events).toEqual(['OverrideStarted: acknowledged until 2026-11-29T03:00:00Z by oncall: "incident 4711"'])
    expect(plan.againAfterMs).toBe(500_000)
    const after = last(
      story([
        { second: 100, facts: bad, spec: acknowledged },
        { second: 600, facts: bad, spec: acknowledged },
      ]),
    )
    expect(after.status).not.toHaveProperty('ackedBy')
    expect(after.events).toContain('OverrideEnded: no longer acknowledged until 2026-11-29T03:00:00Z by oncall: "incident 4711"')
  })

  it('silence: no channel is notified until it ends, and then at once', () => {
    const quiet = last(story([{ second: 10, facts: bad, spec: { ...silenced, forSeconds: 0 } }]))
    expect(quiet.status.notifications).toEqual([])
    expect(facts(quiet)).toContain('Notified False Silenced')
    expect(words(quiet, 'Notified')).toBe('oncall: silenced until 2026-11-29T03:00:00Z by oncall: "incident 4711"')
    expect(quiet.againAfterMs).toBe(590_000)
    const told = last(story([10, 600].map((second) => ({ second, facts: bad, spec: { ...silenced, forSeconds: 0 } }))))
    expect(told.status.notifications).toMatchObject([{ channel: 'oncall', sequence: 1, state: 'Firing' }])
  })
})

describe('a status', () => {
  it('is the same while the same is the case, whatever the time', () => {
    const [first, second] = story([0, 3000].map((moment) => ({ second: moment, facts: good })))
    expect(second?.status).toEqual(first?.status)
  })

  it('is written at once for a transition, and later for numbers', () => {
    const [one, other, fires] = story([
      { second: 0, facts: good, spec: { forSeconds: 0 } },
      { second: 1, facts: { ...good, succeeded: 295 }, spec: { forSeconds: 0 } },
      { second: 2, facts: bad, spec: { forSeconds: 0 } },
    ])
    if (one === undefined || other === undefined || fires === undefined) throw new Error('nothing')
    expect(other.status.value).not.toBe(one.status.value)
    expect(transitionOf(other.status)).toEqual(transitionOf(one.status))
    expect(transitionOf(fires.status)).not.toEqual(transitionOf(one.status))
  })
})

describe('a target that is suspended on purpose', () => {
  const suspension = { suspended: { words: 'WorkerPool "email" is suspended until then' }, changesAtMs: at(900) }

  it('does not fire, says why, and is judged again when the suspension ends', () => {
    const [begun, quiet, resumed, fired] = story([
      { second: 0, facts: bad },
      { second: 120, facts: bad, suspension },
      { second: 900, facts: bad },
      { second: 960, facts: bad },
    ]).map((plan) => ({ ...plan, said: words(plan, 'Firing') }))
    expect(begun?.status.state).toBe('Pending')
    expect(quiet?.status).toMatchObject({ state: 'Unknown', suspendedTime: '2026-11-29T02:52:00Z' })
    expect(quiet?.said).toBe('23% (69/300), but WorkerPool "email" is suspended until then')
    expect(quiet?.againAfterMs).toBe(780_000)
    expect(resumed?.status).toMatchObject({ state: 'Pending', resumedTime: '2026-11-29T03:05:00Z' })
    expect(resumed?.status).not.toHaveProperty('suspendedTime')
    expect(fired?.transition?.to).toBe('Firing')
  })

  it('keeps firing if it fired, and is resolved by a good value', () => {
    const spec = { forSeconds: 0 }
    const plans = story([
      { second: 0, facts: bad, spec },
      { second: 60, facts: bad, spec, suspension },
      { second: 120, facts: good, spec, suspension },
    ])
    expect(plans.map(({ status, transition }) => [status.state, transition?.to])).toEqual([
      ['Firing', 'Firing'],
      ['Firing', undefined],
      ['Inactive', 'Resolved'],
    ])
    expect(plans[1]?.status.conditions).toContainEqual(expect.objectContaining({ type: 'Firing', status: 'True', reason: 'HeldUnknown' }))
  })

  it('has the whole window for a success when the suspension ends', () => {
    const none: Facts = { kind: 'Successes', createdAtMs: at(-90_000), lastSuccessAtMs: at(-7200), counted: 0 }
    const spec = { failureRate: undefined, noSuccess: {}, windowSeconds: 3600, forSeconds: 0 } as unknown as Partial<TaskAlert['spec']>
    const plans = story([
      { second: 0, facts: none, spec, suspension },
      { second: 900, facts: none, spec },
      { second: 4500, facts: none, spec },
      { second: 4501, facts: none, spec },
    ])
    expect(plans.map(({ status }) => status.state)).toEqual(['Unknown', 'Inactive', 'Inactive', 'Firing'])
    expect(plans[1]?.againAfterMs).toBe(3_601_000)
  })
})

describe('missing successes', () => {
  const day = 86_400
  const created = Date.parse('2026-01-01T00:00:00Z') / 1000

  function slotsOf(timing: Timing): SlotSource {
    const parsed = parseTiming(timing)
    if (!parsed.ok) throw new Error(parsed.message)
    return parsed.slots
  }

  type Success = { readonly slot: number; readonly end: number }
  type Change = { readonly at: string; readonly state: string | undefined; readonly value: string | undefined }

  /** The states of the alert while these runs succeed: it is judged at each success, and whenever it asks to be. */
  function states(slots: SlotSource, windowSeconds: number, successes: readonly Success[], until: number): readonly Change[] {
    const alert = alertOf({
      target: { kind: 'TaskSchedule', name: 'backup' },
      noSuccess: {},
      windowSeconds,
      forSeconds: 0,
      channelRefs: [],
    })
    const { failureRate: _, ...spec } = alert.spec
    const changes: Change[] = []
    const ends = successes.toSorted((a, b) => a.end - b.end)
    let status: TaskAlertStatus | undefined
    let newest: Success | undefined
    let index = 0
    for (let now = created; now <= until;) {
      for (let each = ends[index]; each !== undefined && each.end <= now; each = ends[++index]) newest = each
      const seen: Facts = {
        kind: 'Successes',
        createdAtMs: created * 1000,
        lastSuccessAtMs: newest && newest.end * 1000,
        lastRunSeconds: newest && newest.end - newest.slot,
        counted: 0,
      }
      const world = {
        alert: { ...alert, spec },
        status,
        condition: { kind: 'noSuccess', windowSeconds },
        facts: seen,
        due: { timing: {}, slots, seed: 'acme/backup' },
        timingHash: undefined,
        nowMs: now * 1000,
      }
      const rest = {
        understood: { ok: true, messageOf: undefined },
        suspension: {},
        faults: [],
        channels: new Map(),
        deliveries: new Map(),
      }
      const plan = decide({ ...world, ...rest } as World)
      if (plan.status.state !== status?.state) {
        changes.push({ at: new Date(now * 1000).toISOString(), state: plan.status.state, value: plan.status.value })
      }
      status = JSON.parse(JSON.stringify(plan.status)) as TaskAlertStatus
      const again = plan.againAfterMs === undefined ? Infinity : now + Math.max(1, Math.ceil(plan.againAfterMs / 1000))
      now = Math.min(again, ends[index]?.end ?? Infinity)
    }
    return changes
  }

  function runsOf(slots: SlotSource, until: number, seconds: (slot: number, index: number) => number): readonly Success[] {
    const found: Success[] = []
    for (let slot = slots.next(created); slot !== undefined && slot <= until; slot = slots.next(slot)) {
      found.push({ slot, end: slot + seconds(slot, found.length) })
    }
    return found
  }

  const berlin = (...schedules: readonly string[]): Timing => ({ schedules, timeZone: 'Europe/Berlin' })
  const chance = random(20_261_130)
  const between = (least: number, most: number) => (): number => least + Math.floor(chance() * (most - least + 1))

  it.each<[string, Timing, number, (slot: number, index: number) => number]>([
    ['office hours, with a window of two hours', berlin('0 9-17 * * MON-FRI'), 2 * 3600, between(5, 900)],
    ['weekdays, with a window of a day', berlin('0 9 * * MON-FRI'), day, between(60, 1_200)],
    ['each day, with a window of a day', berlin('0 1 * * *'), day, between(600, 2_400)],
    ['at a time that clocks skip and repeat, with a window of a day', berlin('30 2 * * *'), day, between(5, 60)],
    ['twice a day, with a window of half a day', berlin('0 2,14 * * *'), day / 2, between(5, 60)],
    ['each week, with a window of an hour', berlin('0 1 * * 0'), 3600, between(600, 3_000)],
    ['each quarter of an hour, with a window of that', { everySeconds: 900 }, 900, between(5, 300)],
    ['runs longer than their interval', { everySeconds: 3600 }, 2 * 3600, between(3_300, 4_500)],
    [
      'a long run on Sundays',
      berlin('0 1 * * *'),
      day,
      (slot) => (new Date(slot * 1000).getUTCDay() === 0 ? 5 * 3600 : 600) + between(0, 300)(),
    ],
    ['the last day of the month', berlin('0 3 L * *'), 31 * day, between(3_600, 5_400)],
  ])('an alert does not fire while all runs succeed: %s', (_, timing, windowSeconds, seconds) => {
    const until = created + 400 * day
    const slots = slotsOf(timing)
    const first = slots.next(created) ?? 0
    // The longest run comes first: before it was seen, nobody can know of it.
    const long = runsOf(slots, until, seconds).map((run) =>
      run.slot === first && windowSeconds === day ? { ...run, end: run.end + 5 * 3600 } : run,
    )
    expect(states(slots, windowSeconds, long, until).map(({ state }) => state)).toEqual(['Inactive'])
  })

  const without = (runs: readonly Success[], from: string, to: string): readonly Success[] =>
    runs.filter(({ slot }) => slot < Date.parse(from) / 1000 || slot >= Date.parse(to) / 1000)

  it.each<[string, Timing, number, string, string, string]>([
    // The window has been over since Friday: an hour after the slot that brings nothing.
    ['office hours', berlin('0 9-17 * * MON-FRI'), 2 * 3600, '2026-03-09', '2026-03-10', '2026-03-09T09:00:01.000Z'],
    // In the middle of a day it is the window that counts, from the last success on.
    ['office hours, at noon', berlin('0 9-17 * * MON-FRI'), 2 * 3600, '2026-03-10T11:00:00Z', '2026-03-11', '2026-03-10T12:01:01.000Z'],
    ['each day', berlin('0 1 * * *'), 26 * 3600, '2026-03-08T12:00:00Z', '2026-03-12', '2026-03-09T02:01:01.000Z'],
    ['each week', berlin('0 1 * * 0'), 3600, '2026-03-07', '2026-03-09', '2026-03-08T01:00:01.000Z'],
    ['runs that never succeeded', berlin('0 1 * * *'), 26 * 3600, '2025-01-01', '2027-01-01', '2026-01-03T02:00:01.000Z'],
  ])('an alert fires when a success is missing: %s', (_, timing, windowSeconds, from, to, fires) => {
    const until = created + 120 * day
    const slots = slotsOf(timing)
    const runs = without(
      runsOf(slots, until, () => 60),
      from,
      to,
    )
    const [, fired, resolved, ...more] = states(slots, windowSeconds, runs, until)
    expect(fired).toMatchObject({ at: fires, state: 'Firing' })
    expect(more).toEqual([])
    const next = runs.find(({ slot }) => slot >= Date.parse(to) / 1000)
    expect(resolved?.at).toBe(next && new Date(next.end * 1000).toISOString())
  })

  it('an edit of the schedule moves the next slot', () => {
    const looks = (second: number, schedule: Timing, timingHash: string) => ({
      second,
      facts: { kind: 'Successes', createdAtMs: at(-90_000), lastSuccessAtMs: at(-80_000), lastRunSeconds: 10, counted: 0 } as const,
      spec: { failureRate: undefined, noSuccess: {}, windowSeconds: 3600, forSeconds: 0 } as unknown as Partial<TaskAlert['spec']>,
      due: { timing: {}, slots: slotsOf(schedule), seed: 'acme/backup' },
      timingHash,
    })
    // At 02:50; the edit is seen at 03:00, and the first of the new slots is at 04:00.
    const weekly = berlin('0 1 * * 1')
    const plans = story([
      looks(0, weekly, 'weekly'),
      looks(600, { everySeconds: 3600 }, 'hourly'),
      looks(3_600, { everySeconds: 3600 }, 'hourly'),
      looks(7_800, { everySeconds: 3600 }, 'hourly'),
      looks(7_801, { everySeconds: 3600 }, 'hourly'),
    ])
    expect(plans.map(({ status }) => status.state)).toEqual(['Inactive', 'Inactive', 'Inactive', 'Inactive', 'Firing'])
    expect(plans[4]?.status.timing).toEqual({ hash: 'hourly', changeTime: '2026-11-29T03:00:00Z' })
  })

  it('a delayed run is expected at the end of its delay', () => {
    const source = { timing: { jitterSeconds: 3_600 }, slots: slotsOf({ everySeconds: 7_200 }), seed: 'acme/backup' }
    const look = (due: World['due']) => {
      const seen = { kind: 'Successes', createdAtMs: at(-90_000), lastSuccessAtMs: at(0), lastRunSeconds: 10, counted: 0 } as const
      const spec = { failureRate: undefined, noSuccess: {}, windowSeconds: 60, forSeconds: 0 } as unknown as Partial<TaskAlert['spec']>
      return story([{ second: 0, facts: seen, spec, due }])[0]?.status.value
    }
    const slot = source.slots.next(at(0) / 1000) ?? 0
    const expectedBy = (seconds: number) => `next expected by ${new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')}`
    expect(look({ ...source, timing: {} })).toContain(expectedBy(slot + 75))
    expect(look(source)).toContain(expectedBy(dueAt(source, slot) + 75))
    expect(dueAt(source, slot)).toBeGreaterThan(slot + 60)
  })

  it('nothing is missing after the last slot, if that one succeeded', () => {
    const end = created + 9 * day
    const slots = slotsOf({ everySeconds: day, endTime: end })
    const runs = runsOf(slots, created + 120 * day, () => 60)
    expect(runs).toHaveLength(9)
    expect(states(slots, 3600, runs, created + 120 * day).map(({ state }) => state)).toEqual(['Inactive'])
    const [, fired, ...more] = states(slots, 3600, runs.slice(0, -1), created + 120 * day)
    expect([fired?.at, more]).toEqual([new Date((end + 3601) * 1000).toISOString(), []])
  })

  it('the text says until when the next success is expected', () => {
    const slots = slotsOf(berlin('0 9-17 * * MON-FRI'))
    const friday = Date.parse('2026-03-06T16:00:00Z') / 1000
    const [first] = states(slots, 7_200, [{ slot: friday, end: friday + 600 }], friday)
    expect(first?.value).toBe('no success since its creation 2026-01-01T00:00:00Z, next expected by 2026-01-01T10:00:00Z')
  })
})
