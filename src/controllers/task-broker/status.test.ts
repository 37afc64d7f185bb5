import { describe, expect, it } from 'vitest'
import type { TaskBroker, TaskBrokerStatus } from '../../api/index.ts'
import type { BrokerInfo } from '../../broker/index.ts'
import { transitionEvents } from './events.ts'
import type { Look, World } from './gather.ts'
import { statusOf, transitionOf } from './status.ts'

const broker: TaskBroker = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'TaskBroker',
  metadata: { name: 'default', namespace: 'acme', generation: 2 },
  spec: { standalone: { address: 'redis:6379' }, keyPrefix: 'bull', dispatch: 'Active' },
}
const healthy: BrokerInfo = {
  version: '7.0.15',
  evictionPolicy: 'noeviction',
  usedMemoryBytes: 1.25 * 2 ** 20,
  maxMemoryBytes: 256 * 2 ** 20,
  persistence: 'AOF',
  appendFsync: 'everysec',
  timeMs: 0,
}
type Answer = Extract<Look, { readonly kind: 'Answered' }>
const answer = (info: Partial<BrokerInfo> = {}, more: Partial<Answer> = {}): Answer => ({
  kind: 'Answered',
  info: { ...healthy, ...info },
  skewMs: 0,
  skewErrorMs: 1,
  legacyQueues: [],
  ...more,
})
const away: Look = { kind: 'Failed', reason: 'ConnectionFailed', message: 'connect ECONNREFUSED' }
const active: World['dispatch'] = { kind: 'Active', proof: { dispatcher: 'default/acme', epoch: 7, holder: 'here' } }
const planOf = (look: Look, before?: TaskBrokerStatus, more: Partial<World> = {}) => {
  const status = statusOf({ broker, status: before, look, dispatch: active, installation: 'default', nowMs: 0, ...more })
  return { status, events: transitionEvents(before, status) }
}
const facts = (status: TaskBrokerStatus) => status.conditions?.map(({ type, status: holds, reason }) => `${type} ${holds} ${reason}`)
const messageOf = (status: TaskBrokerStatus, type: string) => status.conditions?.find((each) => each.type === type)?.message

describe('reachability', () => {
  it('says what it reached, once', () => {
    const { status, events } = planOf(answer())
    expect(status).toMatchObject({
      observedGeneration: 2,
      version: '7.0.15',
      evictionPolicy: 'noeviction',
      memory: '1.3Mi/256Mi',
      persistence: 'AOF',
      appendFsync: 'everysec',
      dispatch: 'Active',
    })
    expect(facts(status)).toEqual([
      'Ready True Connected',
      'BrokerReachable True Connected',
      'Degraded False AsExpected',
      'Dispatching True Active',
    ])
    expect(events.map(({ reason }) => reason)).toEqual(['BrokerReachable', 'DispatchStarted'])
    expect(planOf(answer(), status, { nowMs: 60_000 })).toEqual({ status, events: [] })
  })

  it('keeps what it knew of a broker that went away, and says so once', () => {
    const before = planOf(answer({ evictionPolicy: 'allkeys-lru' })).status
    const { status, events } = planOf(away, before, { nowMs: 60_000 })
    expect(status).toMatchObject({ version: '7.0.15', memory: '1.3Mi/256Mi' })
    expect(facts(status)).toEqual([
      'Ready False ConnectionFailed',
      'Reconciling True ConnectionFailed',
      'BrokerReachable False ConnectionFailed',
      'Degraded True UnsafeEvictionPolicy',
      'Dispatching True Active',
    ])
    expect(events).toMatchObject([{ type: 'Warning', reason: 'BrokerUnreachable', note: expect.stringContaining('connect ECONNREFUSED') }])
    expect(planOf(away, status, { nowMs: 90_000 }).events).toEqual([])
  })

  it.each(['AuthenticationFailed', 'TLSFailed'] as const)('shows %s as a reason of its own, and announces it with an Event', (reason) => {
    const before = planOf(away).status
    const { status, events } = planOf({ kind: 'Failed', reason, message: 'no' }, before)
    expect(facts(status)).toContain(`BrokerReachable False ${reason}`)
    expect(facts(status)).toContain(`Reconciling True ${reason}`)
    expect(events.map((event) => event.reason)).toEqual(['BrokerUnreachable'])
  })

  it.each([
    ['SecretNotFound', 'Reconciling'],
    ['SecretForbidden', 'Reconciling'],
    ['SecretInvalid', 'Stalled'],
  ] as const)('does not know whether a broker can be reached when %s, and is %s', (reason, type) => {
    const { status } = planOf({ kind: 'Blocked', reason, message: 'look there' })
    expect(facts(status)).toEqual([
      `Ready False ${reason}`,
      `${type} True ${reason}`,
      `BrokerReachable Unknown ${reason}`,
      'Dispatching True Active',
    ])
    expect(messageOf(status, 'Ready')).toBe('look there')
  })
})

describe('Degraded', () => {
  it.each([
    ['UnsafeEvictionPolicy', answer({ evictionPolicy: 'allkeys-lru' }), /maxmemory-policy is allkeys-lru.*Next: set it to noeviction/u],
    ['NoPersistence', answer({ persistence: 'None' }), /Next: set appendonly yes/u],
    ['ClockSkewed', answer({}, { skewMs: -3_400 }), /3 s behind the operator's/u],
    ['LegacyRepeatables', answer({}, { legacyQueues: ['a', 'b', 'c', 'd'] }), /in "a", "b", "c" and 1 more: .*Next: remove them/u],
  ])('%s', (reason, look, message) => {
    const { status } = planOf(look)
    expect(facts(status)).toContain(`Degraded True ${reason}`)
    expect(messageOf(status, 'Degraded')).toMatch(message)
    expect(facts(status)).toContain('Ready True Connected')
  })

  it('has all that is wrong in its message', () => {
    const { status } = planOf(answer({ evictionPolicy: 'volatile-ttl', persistence: 'None' }, { skewMs: 5_000 }))
    expect(facts(status)).toContain('Degraded True UnsafeEvictionPolicy')
    expect(messageOf(status, 'Degraded')).toMatch(/volatile-ttl.*appendonly.*5 s ahead of/u)
  })

  it('leaves out what the server does not tell', () => {
    const { status } = planOf({ kind: 'Answered', info: { timeMs: 0 }, skewMs: 0, skewErrorMs: 1, legacyQueues: [] })
    expect(facts(status)).toContain('Degraded False AsExpected')
    expect(status).not.toHaveProperty('memory')
    expect(messageOf(status, 'Ready')).toBe('redis:6379 answers: it does not tell its version')
  })

  it('doubts a skew that the time of the answer explains, and keeps one that hardly moves', () => {
    expect(planOf(answer({}, { skewMs: 2_500, skewErrorMs: 600 })).status.clockSkewSeconds).toBe(undefined)
    const { status } = planOf(answer({}, { skewMs: 2_500 }))
    expect(status.clockSkewSeconds).toBe(3)
    expect(planOf(answer({}, { skewMs: 2_100 }), status).status.clockSkewSeconds).toBe(3)
    expect(planOf(answer({}, { skewMs: 1_800 }), status).status.clockSkewSeconds).toBe(2)
    expect(planOf(answer({}, { skewMs: 1_400 }), status).status.clockSkewSeconds).toBe(undefined)
  })
})

describe('memory', () => {
  const memory = (used: number, max: number, before?: string) =>
    planOf(
      answer({ usedMemoryBytes: used * 2 ** 20, maxMemoryBytes: max * 2 ** 20 }),
      before === undefined ? undefined : ({ memory: before } as TaskBrokerStatus),
    ).status.memory

  it.each([
    [0.9, 0, undefined, '922Ki'],
    [150.4, 0, undefined, '150Mi'],
    [3 * 1024, 8 * 1024, undefined, '3Gi/8Gi'],
    [2.2, 256, '1.3Mi/256Mi', '1.3Mi/256Mi'],
    [9.9, 256, '1.3Mi/256Mi', '9.9Mi/256Mi'],
    [1.3, 512, '1.3Mi/256Mi', '1.3Mi/512Mi'],
    [109, 0, '100Mi', '100Mi'],
    [112, 0, '100Mi', '112Mi'],
    [1.3, 0, '1.3Mi/256Mi', '1.3Mi'],
  ])('%f MiB of %i after %s is %s', (used, max, before, text) => {
    expect(memory(used, max, before)).toBe(text)
  })

  it('is no transition', () => {
    const [a, b] = [planOf(answer()).status, planOf(answer({ usedMemoryBytes: 2 ** 30 })).status]
    expect(a).not.toEqual(b)
    expect(transitionOf(a)).toEqual(transitionOf(b))
  })
})

describe('Dispatching', () => {
  it.each([
    [{ kind: 'Pending' }, 'Dispatching Unknown Pending', 'Standby'],
    [{ kind: 'Standby' }, 'Dispatching False Standby', 'Standby'],
    [{ kind: 'Standby', heldBy: 'there/ns/lease' }, 'Dispatching False DispatchedElsewhere', 'Standby'],
    [active, 'Dispatching True Active', 'Active'],
  ] as const)('%o', (dispatch, fact, column) => {
    const { status } = planOf(answer(), undefined, { dispatch })
    expect(facts(status)).toContain(fact)
    expect(status.dispatch).toBe(column)
  })

  it('names the cluster that dispatches instead, once', () => {
    const before = planOf(answer()).status
    const dispatch = { kind: 'Standby', heldBy: 'there/ns/lease' } as const
    const { status, events } = planOf(answer(), before, { dispatch })
    expect(events).toMatchObject([
      { type: 'Normal', reason: 'DispatchStopped', note: expect.stringContaining('there/ns/lease dispatches for default/acme') },
    ])
    expect(planOf(answer(), status, { dispatch }).events).toEqual([])
  })
})
