import { describe, expect, it } from 'vitest'
import { findCondition, type TaskSchedule, type TaskScheduleStatus } from '../../api/index.ts'
import { timingOf } from '../../plans/index.ts'
import { type Ledger, parseTiming } from '../../scheduling/index.ts'
import { outcomeOf, statusOf, transitionOf } from './status.ts'
import { transitionEvents } from './events.ts'
import { type Blockage, type RunDetail, suspensionOf, type World } from './gather.ts'

const nowMs = Date.UTC(2026, 10, 28, 12)
const slotAt = (time: string): number => Date.parse(time) / 1000

function scheduleOf(spec: Partial<TaskSchedule['spec']> = {}): TaskSchedule {
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { name: 'bkup', namespace: 'acme', uid: 'u', generation: 3 },
    spec: {
      brokerRef: { name: 'default' },
      schedules: ['0 1 * * 0'],
      timeZone: 'Europe/Berlin',
      suspend: false,
      concurrencyPolicy: 'Allow',
      missedRuns: 'Latest',
      missedRunsLimit: 10,
      deletionPolicy: 'Delete',
      engine: 'Taskmill',
      task: { type: 'backup', queue: 'files', retry: { maxRetries: 0, initialDelaySeconds: 10 } },
      ...spec,
    },
  }
}

const ledger: Ledger = {
  v: 1,
  timing: { schedules: ['0 1 * * 0'], timeZone: 'Europe/Berlin', suspended: false },
  cursor: slotAt('2026-11-22T00:00:00Z'),
  open: [],
  active: [],
  dispatched: 9,
  lastDispatched: { slot: slotAt('2026-11-22T00:00:00Z'), atMs: Date.parse('2026-11-22T00:00:00.100Z') },
  consecutiveFailures: 0,
  missed: {},
}

function statusFor(part: Partial<World> = {}, spec: Partial<TaskSchedule['spec']> = {}): TaskScheduleStatus {
  const schedule = scheduleOf(spec)
  const parsed = parseTiming(timingOf(schedule))
  if (!parsed.ok) throw new Error(parsed.message)
  const suspension = suspensionOf(schedule, nowMs)
  const driven = {
    situation: { kind: 'Driven' },
    warnings: [],
    status: undefined,
    blockages: { blocked: [], unknown: new Set<number>() },
    drift: undefined,
    details: new Map(),
    group: undefined,
  } as const
  return statusOf({
    schedule,
    ...driven,
    suspension,
    due: { timing: timingOf(schedule), slots: parsed.slots, seed: 'acme/bkup' },
    ledger,
    nowMs,
    ...part,
  })
}
const facts = (status: TaskScheduleStatus) => status.conditions?.map(({ type, status: holds, reason }) => `${type} ${holds} ${reason}`)
const messageOf = (status: TaskScheduleStatus, type: string) => findCondition(status.conditions, type)?.message

const endedBy = 'kubectl delete job/x'
it.each([
  [{ hasBegun: false, endedBy }, 'an edit of the template starts it anew'],
  [{ hasBegun: true, endedBy }, 'it has begun, so an edit does not change it. Next, to end it: kubectl delete job/x'],
  [{ hasBegun: true }, 'it has begun, so an edit does not change it'],
])('says what keeps a run, in REASON too, and what that means with Forbid: %o', (run, how) => {
  const blockage = {
    slot: slotAt('2026-11-22T00:00:00Z'),
    reason: 'PodFailing',
    message: 'job/x: pod p: ImagePullBackOff. Next: …',
    ...run,
  } as const
  const status = statusFor({ blockages: { blocked: [blockage], unknown: new Set() } }, { concurrencyPolicy: 'Forbid' })
  expect(status.reason).toBe('PodFailing')
  expect(messageOf(status, 'Blocked')).toBe(
    `run of slot 2026-11-22T00:00Z: job/x: pod p: ImagePullBackOff. Next: …. With Forbid, slots are missed until that run ends; ${how}`,
  )
  expect(facts(statusFor())).not.toContainEqual(expect.stringContaining('Blocked'))
})

const blockedAt = (slot: string, reason: Blockage['reason'] = 'NoPool'): Blockage => ({
  slot: slotAt(slot),
  reason,
  message: 'its job is queued in q',
  hasBegun: false,
})

it('of several runs says what keeps the oldest, and how many more there are', () => {
  const [first, second, third] = [
    blockedAt('2026-11-22T00:00:00Z'),
    blockedAt('2026-11-23T00:00:00Z', 'PodFailing'),
    blockedAt('2026-11-24T00:00:00Z'),
  ]
  const of = (...blocked: Blockage[]) => messageOf(statusFor({ blockages: { blocked, unknown: new Set() } }), 'Blocked')
  expect(of(first)).toBe('run of slot 2026-11-22T00:00Z: its job is queued in q')
  expect(of(first, second)).toBe('run of slot 2026-11-22T00:00Z and 1 more run: its job is queued in q')
  expect(of(first, second, third)).toBe('run of slot 2026-11-22T00:00Z and 2 more runs: its job is queued in q')
})

describe('what was said of a run that was not looked at yet', () => {
  const [first, second] = [blockedAt('2026-11-22T00:00:00Z'), blockedAt('2026-11-23T00:00:00Z')]
  const former = statusFor({ blockages: { blocked: [first, second], unknown: new Set() } })
  const after = (blockages: World['blockages'], part: Partial<World> = {}) => statusFor({ status: former, blockages, ...part })

  it.each<[string, World['blockages'], Partial<World>]>([
    ['the ledger was not read', { blocked: [], unknown: 'All' }, { ledger: undefined, situation: { kind: 'Pending' } }],
    ['the broker is away', { blocked: [], unknown: 'All' }, { situation: { kind: 'Unreachable', message: 'away' } }],
    ['the run was not looked at', { blocked: [], unknown: new Set([first.slot]) }, {}],
    ['another run was looked at', { blocked: [second], unknown: new Set([first.slot]) }, {}],
  ])('stays while %s', (_, blockages, part) => {
    const status = after(blockages, part)
    expect(findCondition(status.conditions, 'Blocked')).toEqual(findCondition(former.conditions, 'Blocked'))
    expect(transitionEvents(former, status).filter(({ reason }) => reason === 'RunBlocked')).toEqual([])
  })

  it.each<[string, World['blockages'], Partial<World>]>([
    ['the run goes on', { blocked: [], unknown: new Set() }, {}],
    ['that run has ended, and only another one was not looked at', { blocked: [], unknown: new Set([second.slot]) }, {}],
    ['another cluster dispatches', { blocked: [], unknown: 'All' }, { ledger: undefined, situation: { kind: 'Standby', heldBy: 'b' } }],
  ])('goes when %s', (_, blockages, part) => {
    expect(findCondition(after(blockages, part).conditions, 'Blocked')).toBeUndefined()
  })
})

it('says when it is due next, as people read it', () => {
  const status = statusFor()
  expect(messageOf(status, 'Ready')).toBe('next 2026-11-29T00:00Z (01:00 Europe/Berlin)')
  expect(status).toMatchObject({
    schedule: '0 1 * * 0',
    timeZone: 'Europe/Berlin',
    next: '2026-11-29T00:00Z',
    lastScheduleTime: '2026-11-22T00:00:00Z',
    reason: 'SlotScheduled',
  })
  expect(status.nextRuns).toHaveLength(5)
  expect(facts(status)).toEqual(['Ready True SlotScheduled', 'Late False InTime'])
})

it('is Ready after a failure, which has its own condition and the REASON column', () => {
  const slot = slotAt('2026-11-22T00:00:00Z')
  const run = {
    slot,
    succeeded: false,
    reason: 'AttemptsExhausted',
    message: 'timeout',
    attemptsMade: 4,
    attempts: 4,
    worker: 'file-7d9c-x2',
    finishedAtMs: nowMs,
  } as const
  const status = statusFor({ ledger: { ...ledger, lastRun: run, lastFailure: run, consecutiveFailures: 3 } })
  expect(facts(status)).toEqual(['Ready True SlotScheduled', 'LastRunSucceeded False AttemptsExhausted', 'Late False InTime'])
  expect(messageOf(status, 'LastRunSucceeded')).toBe(
    'slot 2026-11-22T00:00Z, 4/4 attempts: "timeout" on file-7d9c-x2. Next: correct the cause; taskmill run tsch/bkup runs it once more',
  )
  expect(status).toMatchObject({
    lastResult: 'Failed',
    lastFailureReason: 'AttemptsExhausted',
    lastFailureMessage: 'timeout',
    consecutiveFailures: 3,
    reason: 'AttemptsExhausted',
  })
})

it.each<[World['situation'], readonly string[]]>([
  [{ kind: 'NoBroker' }, ['Ready False BrokerNotFound', 'Reconciling True WaitingForBroker']],
  [{ kind: 'NotUsable', message: 'm' }, ['Ready False BrokerNotUsable', 'Reconciling True WaitingForBroker']],
  [{ kind: 'Unreachable', message: 'm' }, ['Ready False BrokerUnreachable', 'Reconciling True WaitingForBroker']],
  [{ kind: 'Pending' }, ['Ready Unknown WaitingForDispatch', 'Reconciling True WaitingForDispatch']],
  [{ kind: 'Standby', heldBy: 'other' }, ['Ready True Standby']],
  [
    { kind: 'Invalid', fault: { reason: 'InvalidSchedule', message: 'm' } },
    ['Ready False InvalidSchedule', 'Stalled True InvalidSchedule'],
  ],
])('says what keeps it: %j', (situation, expected) => {
  const status = statusFor({ situation })
  expect(facts(status)?.slice(0, expected.length)).toEqual(expected)
  expect(status.reason).toBe(expected[0]?.split(' ')[2])
})

it.each<[Partial<TaskSchedule['spec']>, string]>([
  [{ schedules: ['0 1 * * 0', '@daily'] }, '0 1 * * 0; @daily'],
  [{ schedules: ['H 2 * * *', '0 3 * * THU'] }, '14 2 * * *; 0 3 * * THU'],
  [{ everySeconds: 900 }, 'every 900s'],
  [{ everySeconds: 900, offsetSeconds: 60 }, 'every 900s + 60s'],
  [{ everySeconds: 900, jitterSeconds: 120 }, 'every 900s, jitter 120s'],
  [{ at: ['2026-12-24T18:00:00+01:00'] }, 'at 2026-12-24T17:00Z'],
])('shows what %j means as %s', (spec, text) => {
  const timing = spec.schedules === undefined ? { schedules: undefined as never } : {}
  expect(statusFor({}, { ...timing, ...spec }).schedule).toBe(text)
})

const without = { schedules: undefined as never, timeZone: 'UTC' }
const completed = (status: TaskScheduleStatus) => {
  const { nextRuns, next, reason } = status
  return {
    facts: facts(status)?.slice(0, 2),
    message: messageOf(status, 'Completed'),
    ready: messageOf(status, 'Ready'),
    nextRuns,
    next,
    reason,
  }
}

it.each<[string, Partial<TaskSchedule['spec']>, string, string]>([
  [
    'endTime',
    { endTime: '2026-11-28T00:00:00Z' },
    'EndTimePassed',
    'no slot is left up to endTime 2026-11-28T00:00:00Z. Next: set a later one to continue, or delete this TaskSchedule',
  ],
  [
    'maxRuns',
    { maxRuns: 9 },
    'MaxRunsReached',
    'all 9 runs of maxRuns were dispatched. Next: raise it to continue, or delete this TaskSchedule',
  ],
  [
    'a maxRuns that is lower than what was dispatched',
    { maxRuns: 1 },
    'MaxRunsReached',
    'the one run of maxRuns was dispatched. Next: raise it to continue, or delete this TaskSchedule',
  ],
  [
    'at',
    { ...without, at: ['2026-11-27T18:00:00+01:00', '2026-11-20T00:00:00Z'] },
    'LastTimePassed',
    'the last time of at, 2026-11-27T18:00:00+01:00, has passed; 1 of 2 times had passed when this TaskSchedule was created, and did not run. ' +
      'Next: add later ones to continue, or delete this TaskSchedule',
  ],
])('is Completed by %s', (_, spec, reason, message) => {
  const metadata = { ...scheduleOf().metadata, creationTimestamp: '2026-11-21T00:00:00Z' }
  const schedule = { ...scheduleOf(spec), metadata }
  const status = statusFor({ schedule, ledger: { ...ledger, cursor: nowMs / 1000 } }, spec)
  expect(completed(status)).toEqual({
    facts: ['Ready True Completed', `Completed True ${reason}`],
    message,
    ready: message,
    reason: 'Completed',
  })
  expect(facts(status)).toContain('Late False InTime')
})

it('says how many runs and times are left', () => {
  const counted = statusFor({}, { maxRuns: 11 })
  expect(counted.nextRuns).toEqual(['2026-11-29T00:00:00Z', '2026-12-06T00:00:00Z'])
  expect(messageOf(counted, 'Ready')).toBe('next 2026-11-29T00:00Z (01:00 Europe/Berlin); 9 of 11 runs dispatched')
  expect(counted).toMatchObject({ dispatchedRuns: 9 })
  const metadata = { ...scheduleOf().metadata, creationTimestamp: '2026-11-21T00:00:00Z' }
  const spec = { ...without, at: ['2026-12-24T17:00:00Z', '2026-11-20T00:00:00Z', '2026-11-29T03:00:00+01:00'] }
  const single = statusFor({ schedule: { ...scheduleOf(spec), metadata } }, spec)
  expect(single).toMatchObject({ next: '2026-11-29T02:00Z', schedule: 'at 2026-11-20T00:00Z and 2 more' })
  expect(single).not.toHaveProperty('timeZone')
  const words = 'next 2026-11-29T02:00Z; 1 of 3 times had passed when this TaskSchedule was created, and did not run'
  expect(messageOf(single, 'Ready')).toBe(words)
})

it('names no slot to come while it is suspended, which is a condition', () => {
  const status = statusFor({}, { suspend: true })
  expect(facts(status)).toEqual(['Ready True Suspended', 'Suspended True BySpec', 'Late False InTime'])
  expect(messageOf(status, 'Suspended')).toBe('spec.suspend is true: slots are not dispatched. Next: set it to false')
  expect(facts(statusFor())).not.toContain('Suspended True BySpec')
  expect(status).not.toHaveProperty('next')
})

it('is late when a slot is due for longer than 30 s, or was dispatched so late', () => {
  const due = Date.parse('2026-11-29T00:00:00Z')
  expect(facts(statusFor({ nowMs: due + 30_000 }))).toContain('Late False InTime')
  expect(facts(statusFor({ nowMs: due + 31_000 }))).toContain('Late True SlotOverdue')
  const late = { ...ledger, lastDispatched: { slot: ledger.cursor, atMs: ledger.cursor * 1000 + 90_000 } }
  expect(messageOf(statusFor({ ledger: late }), 'Late')).toMatch(/^slot 2026-11-22T00:00Z was dispatched 90 s after it was due\. Next: /u)
})

it('shows when delayed runs are due, and is late only after that', () => {
  // The slot of 2026-11-29T00:00:00Z, and its delay by the name of the schedule.
  const spec = { jitterSeconds: 3_600 }
  const due = Date.parse('2026-11-29T00:36:27Z')
  const status = statusFor({}, spec)
  expect(status).toMatchObject({ next: '2026-11-29T00:36:27Z' })
  expect(status.nextRuns?.[0]).toBe('2026-11-29T00:36:27Z')
  expect(messageOf(status, 'Ready')).toBe('next 2026-11-29T00:36:27Z (01:36 Europe/Berlin), slot 2026-11-29T00:00Z')
  expect(statusFor({ nowMs: due - 1_000 }, spec).nextRuns?.[0]).toBe('2026-11-29T00:36:27Z')
  expect(facts(statusFor({ nowMs: due + 30_000 }, spec))).toContain('Late False InTime')
  expect(facts(statusFor({ nowMs: due + 31_000 }, spec))).toContain('Late True SlotOverdue')
  const dueAt = ledger.cursor + 900
  const dispatched = (seconds: number) => ({ ...ledger, lastDispatched: { slot: ledger.cursor, dueAt, atMs: (dueAt + seconds) * 1000 } })
  expect(facts(statusFor({ ledger: dispatched(30) }, spec))).toContain('Late False InTime')
  expect(messageOf(statusFor({ ledger: dispatched(90) }, spec), 'Late')).toMatch(/was dispatched 90 s after it was due/u)
})

describe('active runs', () => {
  const generation = 'h/files'
  const runAt = (index: number) => ({ slot: ledger.cursor + index, generation, dispatchedAtMs: (ledger.cursor + index) * 1000 })
  const withRuns = (count: number): Ledger => ({ ...ledger, active: Array.from({ length: count }, (_, index) => runAt(index)) })
  const [first, second] = [runAt(0), runAt(1)]

  it('are listed with what each waits for, as far as it is known', () => {
    const details = new Map<number, RunDetail>([
      [first.slot, { run: 'tex/bkup-1a2b', isStarted: true, startedAtMs: nowMs }],
      [second.slot, { isStarted: false, waitingFor: 'queued in files (no pool)' }],
    ])
    const status = statusFor({ ledger: withRuns(3), details })
    expect(status.activeRuns).toBe(3)
    expect(status.active).toEqual([
      { slotTime: '2026-11-22T00:00:00Z', run: 'tex/bkup-1a2b', startedTime: '2026-11-28T12:00:00Z' },
      { slotTime: '2026-11-22T00:00:01Z', waitingFor: 'queued in files (no pool)' },
      { slotTime: '2026-11-22T00:00:02Z' },
    ])
  })

  it('are counted all, and the oldest ten are listed', () => {
    const status = statusFor({ ledger: withRuns(12) })
    expect([status.activeRuns, status.active?.length, status.active?.[0]?.slotTime]).toEqual([12, 10, '2026-11-22T00:00:00Z'])
    expect(statusFor()).not.toHaveProperty('active')
  })

  it('do not count before their slots are dispatched for good', () => {
    const open = [{ slot: second.slot, state: 'Placed', generation, epoch: 1 }] as const
    expect(statusFor({ ledger: { ...withRuns(2), open } }).active).toEqual([{ slotTime: '2026-11-22T00:00:00Z' }])
  })

  it('overlap when there is more than one', () => {
    expect(facts(statusFor({ ledger: withRuns(1) }))).not.toContain('Overlapping True RunsOverlap')
    const status = statusFor({ ledger: withRuns(2) })
    expect(facts(status)).toContain('Overlapping True RunsOverlap')
    expect(messageOf(status, 'Overlapping')).toMatch(/^2 runs are active, the oldest of slot 2026-11-22T00:00Z\./u)
  })

  it('are late when nothing has started one of them within 5 minutes', () => {
    const waiting: RunDetail = { isStarted: false, waitingFor: 'queued in files' }
    const at = (seconds: number, detail: RunDetail | undefined) =>
      statusFor({
        ledger: withRuns(1),
        nowMs: first.dispatchedAtMs + seconds * 1000,
        details: new Map(detail && [[first.slot, detail]]),
      })
    expect(facts(at(299, waiting))).toContain('Late False InTime')
    expect(facts(at(300, waiting))).toContain('Late True NotStarted')
    expect(messageOf(at(300, waiting), 'Late')).toBe(
      'the run of slot 2026-11-22T00:00Z was dispatched at 2026-11-22T00:00:00Z, and nothing has started it; its job waits: queued in files. ' +
        'Next: see whether a pool of its queue has free workers: kubectl get wp',
    )
    expect(messageOf(at(300, { ...waiting, run: 'job/b', waitingFor: 'a pod' }), 'Late')).toMatch(
      /; job\/b waits: a pod\. Next: kubectl describe job\/b$/u,
    )
    // Started, or not known yet.
    for (const detail of [{ isStarted: true }, {}, undefined]) expect(facts(at(300, detail))).toContain('Late False InTime')
  })
})

it('shows the last ten runs, and what the last success returned', () => {
  const slot = ledger.cursor
  const lastSuccess = { slot, succeeded: true, reason: 'Succeeded', result: '{"items":3}', finishedAtMs: slot * 1000 + 91_000 } as const
  const recent = `${slot} Succeeded 91000 400 2;${slot + 60} TimedOut 39000 - -`
  const status = statusFor({ ledger: { ...ledger, lastSuccess, recent } })
  expect(status.recentRuns).toEqual([
    { slotTime: '2026-11-22T00:01:00Z', result: 'Failed', reason: 'TimedOut', finishTime: '2026-11-22T00:01:39Z' },
    { slotTime: '2026-11-22T00:00:00Z', result: 'Succeeded', finishTime: '2026-11-22T00:01:31Z', durationSeconds: 91, attempts: 2 },
  ])
  expect(status.lastSuccessResult).toBe('{"items":3}')
  expect(statusFor()).not.toHaveProperty('recentRuns')
})

it('a run that ends otherwise than the one before is an outcome, and no transition of the schedule', () => {
  const run = { slot: ledger.cursor, finishedAtMs: nowMs } as const
  const good = statusFor({ ledger: { ...ledger, lastRun: { ...run, succeeded: true, reason: 'Succeeded' } } })
  const bad = statusFor({ ledger: { ...ledger, lastRun: { ...run, succeeded: false, reason: 'Failed' } } })
  expect(transitionOf(good)).toEqual(transitionOf(bad))
  expect(outcomeOf(good)).not.toEqual(outcomeOf(bad))
  const suspended = statusFor({}, { suspend: true })
  expect(transitionOf(suspended)).not.toEqual(transitionOf(statusFor()))
})

it('each slot and each end of a run is an outcome: they are shown in time however many schedules are due', () => {
  const slot = ledger.cursor + 60
  const run = { slot, generation: 'g', dispatchedAtMs: slot * 1000 }
  const dispatched = { ...ledger, lastDispatched: { slot, atMs: slot * 1000 } }
  const statuses = [ledger, { ...dispatched, active: [run] }, dispatched].map((each) => statusFor({ ledger: each }))
  expect(new Set(statuses.map((status) => JSON.stringify(outcomeOf(status)))).size).toBe(3)
  expect(new Set(statuses.map((status) => JSON.stringify(transitionOf(status)))).size).toBe(1)
})

it('tells for a day that the ledger had regressed', () => {
  const regressed = { ...ledger, regressedAtMs: nowMs - 86_000_000 }
  expect(facts(statusFor({ ledger: regressed }))).toContain('LedgerRegressed True LedgerBehind')
  expect(facts(statusFor({ ledger: { ...regressed, regressedAtMs: nowMs - 87_000_000 } }))).not.toContain(
    'LedgerRegressed True LedgerBehind',
  )
})

it('keeps what it knew while no ledger can be read', () => {
  const before = statusFor()
  const status = statusFor({ status: before, ledger: undefined, situation: { kind: 'Unreachable', message: 'm' } })
  expect(status).toMatchObject({ lastScheduleTime: '2026-11-22T00:00:00Z', activeRuns: 0 })
  expect(facts(status)).toContain('Late False InTime')
})

it('does not take the passing of slots for a transition', () => {
  const later = statusFor({ nowMs: nowMs + 7 * 86_400_000, ledger: { ...ledger, cursor: slotAt('2026-11-29T00:00:00Z'), dispatched: 10 } })
  expect(transitionOf(later)).toEqual(transitionOf(statusFor()))
})

it('describes an override: its effect, its end, its author and its reason', () => {
  const override = { until: '2026-11-28T13:00:00Z', by: 'oncall', reason: 'the source is down' }
  const suspended = statusFor({}, { override: { ...override, suspend: true } })
  expect(facts(suspended)).toEqual([
    'Ready True Suspended',
    'Suspended True ByOverride',
    'Overridden True OverrideActive',
    'Late False InTime',
  ])
  expect(messageOf(suspended, 'Overridden')).toBe('suspended until 2026-11-28T13:00:00Z by oncall: "the source is down"')
  expect(messageOf(suspended, 'Ready')).toBe(
    'spec.override: suspended until 2026-11-28T13:00:00Z by oncall: "the source is down": slots are not dispatched. ' +
      'Next: taskmill resume tsch/bkup ends it earlier',
  )
  expect(suspended).toMatchObject({ reason: 'OverrideActive' })
  expect(suspended).not.toHaveProperty('nextRuns')
  const resumed = statusFor({}, { suspend: true, override: { ...override, suspend: false } })
  expect(facts(resumed)).toEqual(['Ready True SlotScheduled', 'Overridden True OverrideActive', 'Late False InTime'])
  expect(resumed).toMatchObject({ reason: 'OverrideActive', next: '2026-11-29T00:00Z' })
  const over = statusFor({}, { override: { ...override, until: '2026-11-28T11:00:00Z', suspend: true } })
  expect(facts(over)).toEqual(['Ready True SlotScheduled', 'Late False InTime'])
})

it('a graph that is missing stalls it, and no slot is announced', () => {
  const status = statusFor({ situation: { kind: 'NoDependency', name: 'summary' } })
  expect(facts(status)).toContain('Stalled True DependencyNotFound')
  expect(facts(status)).toContain('Ready False DependencyNotFound')
  expect(messageOf(status, 'Ready')).toContain('TaskDependency "summary" does not exist in this namespace')
  expect(status).not.toHaveProperty('next')
})

it("a start that the API server refuses for now is StartPostponed with the server's words, and is retried", () => {
  const status = statusFor({ situation: { kind: 'Postponed', message: 'exceeded quota' } })
  expect(facts(status)).toContain('Ready False StartPostponed')
  expect(facts(status)).toContain('Reconciling True StartPostponed')
  expect(messageOf(status, 'Ready')).toBe('a due slot waits: exceeded quota')
})

it('a warning of the API server follows the next slot in the message of Ready', () => {
  const status = statusFor({ warnings: ['would violate PodSecurity'] })
  expect(messageOf(status, 'Ready')).toBe('next 2026-11-29T00:00Z (01:00 Europe/Berlin). The API server warns: would violate PodSecurity')
})

it('says how many slots wait, and for what', () => {
  const waits = (...times: readonly string[]): Ledger['open'] =>
    times.map((time) => ({ slot: slotAt(time), state: 'Waiting', generation: 'a/files', epoch: 1 }))
  const active = [{ slot: slotAt('2026-11-22T00:00:00Z'), generation: 'a/files', dispatchedAtMs: 0 }]
  const one = statusFor({ ledger: { ...ledger, active, open: waits('2026-11-23T00:00:00Z') } })
  expect(one.waitingSlots).toBe(1)
  expect(messageOf(one, 'Ready')).toMatch(/; slot 2026-11-23T00:00Z waits for run 2026-11-22T00:00Z$/u)
  const two = statusFor({ ledger: { ...ledger, active, open: waits('2026-11-23T00:00:00Z', '2026-11-24T00:00:00Z') } })
  expect(messageOf(two, 'Ready')).toMatch(/; 2 slots wait for run 2026-11-22T00:00Z, the first is 2026-11-23T00:00Z$/u)
  expect(statusFor()).not.toHaveProperty('waitingSlots')
})

it('says that a slot waits for room in its concurrency group, and that another limit counts', () => {
  const open: Ledger['open'] = [{ slot: slotAt('2026-11-23T00:00:00Z'), state: 'Waiting', generation: 'a/files', epoch: 1 }]
  const group: World['group'] = {
    group: 'acme/default/store',
    key: 'acme/bkup',
    members: () => [],
    name: 'store',
    limit: 1,
    ownLimit: 3,
    lowestIn: 'other',
    running: [{ key: 'acme/other', runs: 1 }],
    first: undefined,
  }
  const waiting = statusFor({ group, ledger: { ...ledger, open } })
  expect(messageOf(waiting, 'Ready')).toMatch(/; slot 2026-11-23T00:00Z waits for group store \(1 of 1 run: other\)$/u)
  expect(facts(waiting)).toContain('GroupLimitDiffers True LowestCounts')
  // Its own run comes first.
  const active = [{ slot: slotAt('2026-11-22T00:00:00Z'), generation: 'a/files', dispatchedAtMs: 0 }]
  expect(messageOf(statusFor({ group, ledger: { ...ledger, open, active } }), 'Ready')).toMatch(/ waits for run 2026-11-22T00:00Z$/u)
  expect(messageOf(statusFor({ group }), 'Ready')).not.toContain('group')
})

it('says where the number of missed slots is a minimum', () => {
  const missed = { Superseded: { count: 99, lastSlot: ledger.cursor, isLowerBound: true }, Overlap: { count: 1, lastSlot: 0 } } as const
  expect(statusFor({ ledger: { ...ledger, missed } }).missedRuns).toEqual([
    { reason: 'Overlap', count: 1, lastSlotTime: '1970-01-01T00:00:00Z' },
    { reason: 'Superseded', count: 99, lowerBound: true, lastSlotTime: '2026-11-22T00:00:00Z' },
  ])
  const lost = { LedgerRegressed: { count: 100, lastSlot: ledger.cursor, isLowerBound: true } } as const
  const regressed = statusFor({ ledger: { ...ledger, regressedAtMs: nowMs, missed: lost } })
  expect(messageOf(regressed, 'LedgerRegressed')).toContain(': at least 100 slots are missed, ')
})

it('a replaced run is neither a success nor a failure', () => {
  const run = { slot: ledger.cursor, succeeded: false, reason: 'Replaced', message: 'replaced by …', finishedAtMs: nowMs } as const
  const status = statusFor({ ledger: { ...ledger, lastRun: run } })
  expect(facts(status)).toContain('LastRunSucceeded Unknown Replaced')
  expect(status).toMatchObject({ lastResult: 'Replaced', consecutiveFailures: 0 })
  expect(status).not.toHaveProperty('lastFailureTime')
})

it('says which failed run keeps slots waiting with dependsOnPast, and how they continue', () => {
  const run = { slot: ledger.cursor, succeeded: false, reason: 'AttemptsExhausted', finishedAtMs: nowMs - 60_000 } as const
  const open: Ledger['open'] = [{ slot: slotAt('2026-11-23T00:00:00Z'), state: 'Waiting', generation: 'a/files', epoch: 1 }]
  const failed = { ...ledger, open, lastRun: run, lastFailure: run, consecutiveFailures: 1 }
  const spec = { concurrencyPolicy: 'Queue', dependsOnPast: true } as const
  const status = statusFor({ ledger: failed }, spec)
  expect(messageOf(status, 'Blocked')).toBe(
    'run of slot 2026-11-22T00:00Z: it did not succeed (AttemptsExhausted), and with dependsOnPast no later slot starts. Next: correct the cause, ' +
      'then taskmill run tsch/bkup; when that run has succeeded, the slots continue. Or set dependsOnPast: false',
  )
  expect(messageOf(status, 'Ready')).toMatch(/; slot 2026-11-23T00:00Z waits for run 2026-11-22T00:00Z, which failed$/u)
  const typesOf = (change: Partial<Ledger>) => statusFor({ ledger: { ...failed, ...change } }, spec).conditions?.map(({ type }) => type)
  expect(typesOf({ settledAtMs: nowMs })).not.toContain('Blocked')
  expect(typesOf({ lastRun: { ...run, succeeded: true, reason: 'Succeeded' } })).not.toContain('Blocked')
  expect(statusFor({ ledger: failed }, { concurrencyPolicy: 'Queue' }).conditions?.map(({ type }) => type)).not.toContain('Blocked')
})
