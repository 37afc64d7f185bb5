import { expect, it } from 'vitest'
import { findCondition, type TaskQueue, type TaskQueueStatus } from '../../api/index.ts'
import type { QueueReading } from '../../broker/index.ts'
import { transitionEvents } from './events.ts'
import { statusOf, transitionOf } from './status.ts'
import type { QueueSituation, World } from './gather.ts'

const nowMs = Date.UTC(2026, 10, 29, 3)
const queue: TaskQueue = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'TaskQueue',
  metadata: { name: 'mail', namespace: 'acme', uid: 'u', generation: 2 },
  spec: { brokerRef: { name: 'default' }, queueName: 'email_tasks', suspend: false },
}
const reading: QueueReading = {
  queue: 'email_tasks',
  waiting: 10,
  prioritized: 3,
  delayed: 7,
  dueDelayed: 2,
  active: 4,
  failed: 1,
  waitingChildren: 0,
  added: 500,
  paused: false,
  streamId: '0-0',
  brokerTimeMs: nowMs,
}
const applied: QueueSituation = { kind: 'Applied', paused: false, pausedByUs: false }

function statusFor(part: Partial<World> = {}): TaskQueueStatus {
  return statusOf({
    queue,
    status: undefined,
    situation: applied,
    suspension: { isSuspended: false },
    reading,
    rates: undefined,
    nowMs,
    ...part,
  })
}
const facts = (status: TaskQueueStatus) => status.conditions?.map(({ type, status: holds, reason }) => `${type} ${holds} ${reason}`)
const readyOf = (status: TaskQueueStatus) => findCondition(status.conditions, 'Ready')?.message

it('due delayed jobs are ready ones, and no delayed ones any more', () => {
  expect(statusFor()).toMatchObject({ ready: 15, delayed: 5, active: 4, failed: 1 })
})

it('counts and rates are rounded to three digits, the number of active jobs is exact', () => {
  const many = { ...reading, waiting: 123_456, prioritized: 0, dueDelayed: 0, delayed: 98_765, active: 12_345, failed: 1_999 }
  expect(statusFor({ reading: many, rates: { arrivalsPerMinute: 1_234, departuresPerMinute: 5 } })).toMatchObject({
    ready: 123_000,
    delayed: 98_800,
    active: 12_345,
    failed: 2_000,
    arrivalsPerMinute: 1_230,
    departuresPerMinute: 5,
  })
})

it('there is no limit, no age and no rate where there is none', () => {
  for (const field of ['limit', 'oldestJobTime', 'arrivalsPerMinute', 'departuresPerMinute']) expect(statusFor()).not.toHaveProperty(field)
})

it('a queue that cannot be read keeps its numbers', () => {
  const before = statusFor({ reading: { ...reading, concurrency: 4 } })
  const { conditions: _, ...numbers } = before
  expect(statusFor({ status: before, reading: undefined, situation: { kind: 'Unreachable', message: 'gone' } })).toMatchObject(numbers)
})

it.each<[string, Partial<World>]>([
  ['No', {}],
  ['Yes', { situation: { kind: 'Applied', paused: true, pausedByUs: true }, suspension: { isSuspended: true } }],
  [
    'Override',
    {
      situation: { kind: 'Applied', paused: true, pausedByUs: true },
      suspension: { isSuspended: true, override: 'suspended until 2026-11-29T04:00:00Z' },
    },
  ],
  ['ByOthers', { situation: { kind: 'Applied', paused: true, pausedByUs: false } }],
  // Where nothing was asked of the broker, what is declared says whose pause it is.
  ['ByOthers', { situation: { kind: 'Pending' } }],
  ['Yes', { situation: { kind: 'Pending' }, suspension: { isSuspended: true } }],
])('a queue is suspended: %s', (suspended, part) => {
  expect(statusFor({ reading: { ...reading, paused: suspended !== 'No' }, ...part }).suspended).toBe(suspended)
})

it.each<[string, QueueSituation, readonly string[], string]>([
  ['nothing is wrong', applied, ['Ready True Applied', 'Drifted False AsDeclared'], 'the declared settings are applied'],
  [
    'a user paused it',
    { kind: 'Applied', paused: true, pausedByUs: false },
    ['Ready True Applied', 'Drifted True PausedByOthers'],
    'the declared settings are applied',
  ],
  [
    'there is no broker',
    { kind: 'NoBroker' },
    ['Ready False BrokerNotFound', 'Reconciling True WaitingForBroker'],
    'TaskBroker "default" does not exist in this namespace. Next: create it',
  ],
  [
    'its Secret is wrong',
    { kind: 'NotUsable', message: 'Secret "redis" is missing' },
    ['Ready False BrokerNotUsable', 'Reconciling True WaitingForBroker'],
    'Secret "redis" is missing',
  ],
  [
    'it does not answer',
    { kind: 'Unreachable', message: 'connect ECONNREFUSED' },
    ['Ready False BrokerUnreachable', 'Reconciling True WaitingForBroker'],
    'nothing can be applied: connect ECONNREFUSED. Next: kubectl describe taskbroker default',
  ],
  [
    'nobody holds the dispatch lease yet',
    { kind: 'Pending' },
    ['Ready Unknown WaitingForDispatch', 'Reconciling True WaitingForDispatch'],
    'the operator is claiming the dispatch lease of this namespace at the broker',
  ],
  ['another cluster has it', { kind: 'Standby', heldBy: 'blue' }, ['Ready True Standby'], 'another cluster holds the dispatch lease: blue'],
  [
    'this one is not to have it',
    { kind: 'Standby', heldBy: undefined },
    ['Ready True Standby'],
    'spec.dispatch of TaskBroker "default" is Standby: this cluster applies nothing',
  ],
  [
    'another one decides',
    { kind: 'Conflict', owner: 'TaskQueue "post" of namespace "acme"' },
    ['Ready False PolicyConflict', 'Stalled True PolicyConflict'],
    'TaskQueue "post" of namespace "acme" configures queue "email_tasks", so nothing of this one is applied. Next: delete one of the two',
  ],
  [
    'a later version was here',
    { kind: 'Unreadable', message: 'what was applied to the queue was recorded by a later version' },
    ['Ready False SettingsUnreadable', 'Stalled True SettingsUnreadable'],
    'what was applied to the queue was recorded by a later version. The operator does not overwrite it. Next: run that version',
  ],
])('its conditions when %s', (_, situation, conditions, message) => {
  const status = statusFor({ situation })
  expect([facts(status), readyOf(status)]).toEqual([conditions, message])
})

it('a suspended queue is ready, and says why it rests', () => {
  const situation: QueueSituation = { kind: 'Applied', paused: true, pausedByUs: true }
  expect(readyOf(statusFor({ situation, suspension: { isSuspended: true } }))).toBe(
    'spec.suspend is true: running jobs end, no other job starts',
  )
  const override = 'suspended until 2026-11-29T04:00:00Z by oncall'
  const overridden = statusFor({ situation, suspension: { isSuspended: true, override } })
  expect(facts(overridden)).toEqual(['Ready True Suspended', 'Drifted False AsDeclared', 'Overridden True OverrideActive'])
  expect(readyOf(overridden)).toBe(`spec.override: ${override}: running jobs end, no other job starts`)
})

it('numbers that move are no reason to write at once, and a limit or a pause is', () => {
  const of = (part: Partial<QueueReading>) => transitionOf(statusFor({ reading: { ...reading, ...part } }))
  expect(of({ waiting: 9_999, active: 5, failed: 7, oldestReadyAtMs: 1 })).toEqual(of({}))
  expect(of({ concurrency: 4 })).not.toEqual(of({}))
  expect(of({ paused: true })).not.toEqual(of({}))
})

it('a pause by others stays, and is told once, while the broker is away; another cluster or TaskQueue decides about it otherwise', () => {
  const paused = statusFor({ situation: { kind: 'Applied', paused: true, pausedByUs: false } })
  const drifted = (status: TaskQueueStatus) => findCondition(status.conditions, 'Drifted')
  const later = (situation: QueueSituation) => statusFor({ situation, status: paused, reading: undefined })
  for (const situation of [{ kind: 'Unreachable', message: 'away' }, { kind: 'Pending' }, { kind: 'NoBroker' }] as const) {
    expect(drifted(later(situation))).toEqual(drifted(paused))
    expect(transitionEvents(later(situation), paused).filter(({ reason }) => reason === 'PausedByOthers')).toEqual([])
  }
  for (const situation of [
    { kind: 'Standby', heldBy: 'b' },
    { kind: 'Conflict', owner: 'tq/b' },
  ] as const)
    expect(drifted(later(situation))).toBeUndefined()
  expect(drifted(statusFor({ status: paused }))?.reason).toBe('AsDeclared')
})
