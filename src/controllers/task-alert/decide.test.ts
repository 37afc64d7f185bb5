import { describe, expect, it } from 'vitest'
import type { Facts } from '../../alerting/index.ts'
import { findCondition, type TaskAlert, type TaskAlertStatus } from '../../api/index.ts'
import { alertConditionOf } from '../../plans/index.ts'
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
  Pick<World, 'channels' | 'deliveries' | 'faults' | 'suspension'>
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
