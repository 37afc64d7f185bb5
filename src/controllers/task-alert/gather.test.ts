import { expect, it } from 'vitest'
import type { AlertCondition, Facts } from '../../alerting/index.ts'
import type { TaskAlert, TaskBroker, TaskQueue, TaskSchedule, WorkerPool } from '../../api/index.ts'
import type { ConfigMapReading } from '../../plans/index.ts'
import { dueAt } from '../../scheduling/index.ts'
import type { QueueSnapshot, RunCounts, Signals } from '../../services/signals/index.ts'
import { createGather, gatherFacts, type FactsDeps, type Gathered, type GatherDeps } from './gather.ts'
import { poolTarget, scheduleTarget } from './target.ts'

const now = Date.parse('2026-11-29T03:00:00Z')
const later = '2026-11-29T04:00:00Z'
const condition: AlertCondition = { kind: 'queueBacklog', above: 1 }
const brokerRef = { name: 'default' }

const read = (waiting: number, oldestReadyAtMs?: number): QueueSnapshot =>
  ({ ok: true, reading: { waiting, prioritized: 1, dueDelayed: 0, oldestReadyAtMs } }) as unknown as QueueSnapshot
const away = { ok: false, error: { message: 'ECONNREFUSED' } } as unknown as QueueSnapshot

function taskQueue(queueName: string, more: object, namespace = 'acme', reason = 'Applied'): TaskQueue {
  const status = { conditions: [{ type: 'Ready', status: 'True', reason }] }
  return {
    kind: 'TaskQueue',
    metadata: { namespace, name: queueName },
    spec: { brokerRef, queueName, ...more },
    status,
  } as unknown as TaskQueue
}

/** A pool with the queues `mail` and `files`. */
function gathered(queues: Readonly<Record<string, QueueSnapshot>>, taskQueues: readonly TaskQueue[], override?: object): Gathered {
  const pool = {
    kind: 'WorkerPool',
    metadata: { namespace: 'acme', name: 'email' },
    spec: { brokerRef, queues: [{ name: 'mail' }, { name: 'files' }], override },
  }
  const signals = { subscribe: () => undefined, unsubscribe: () => undefined, snapshot: () => new Map(Object.entries(queues)) }
  const deps: FactsDeps = {
    taskBroker: () => ({}) as TaskBroker,
    taskQueues: (queue) => taskQueues.filter(({ spec }) => spec.queueName === queue),
    directory: { get: () => ({ kind: 'Known', endpoint: { address: 'redis:6379', keyPrefix: 'bull' } }) as never },
    signals: signals as unknown as Signals,
    counts: { unsubscribe: () => undefined } as unknown as RunCounts,
    now: () => now,
  }
  const alert = { spec: { target: { kind: 'WorkerPool', name: 'email' } } } as TaskAlert
  const target = poolTarget(pool as unknown as WorkerPool)
  return gatherFacts(deps, { key: 'acme/backlog', alert, condition, target })
}

it('compiles the message of an alert once, and again when memory was short', () => {
  const none = { unsubscribe: () => undefined }
  const deps = {
    signals: none,
    counts: none,
    targetOf: () => undefined,
    configMaps: { follow: () => new Map() },
    notifier: { delivery: () => undefined },
    now: () => now,
  }
  const { gather, dropPlans } = createGather(deps as unknown as GatherDeps)
  const spec = { target: { kind: 'WorkerPool', name: 'email' }, severity: 'Info', queueBacklog: { above: 1 }, message: '$(value) jobs' }
  const alert = { metadata: { namespace: 'acme', name: 'backlog', uid: 'u1', generation: 1 }, spec } as unknown as TaskAlert
  const look = () => gather('acme/backlog', alert, undefined).understood
  const before = look()
  expect(before).toMatchObject({ ok: true })
  expect(look()).toBe(before)
  dropPlans()
  expect(look()).not.toBe(before)
  expect(look()).toMatchObject({ ok: true })
})

const both = { mail: read(4, now - 9_000), files: read(2, now - 5_000) }
const words = (name: string, by: string): string => `TaskQueue "${name}" is suspended ${by}`

it.each<[string, readonly TaskQueue[], Facts]>([
  ['all of it counts', [], { kind: 'Backlog', jobs: 8, oldestReadyAtMs: now - 9_000 }],
  [
    'jobs that wait in a suspended queue are counted apart',
    [taskQueue('mail', { suspend: true })],
    {
      kind: 'Backlog',
      jobs: 3,
      oldestReadyAtMs: now - 5_000,
      suspended: { jobs: 5, oldestReadyAtMs: now - 9_000, words: words('mail', '(spec.suspend)') },
    },
  ],
  [
    'and so in both',
    [taskQueue('mail', { override: { suspend: true, until: later } }), taskQueue('files', { suspend: true })],
    { kind: 'Backlog', jobs: 0, suspended: { jobs: 8, oldestReadyAtMs: now - 9_000, words: words('mail', `until ${later}`) } },
  ],
  [
    'a TaskQueue of another namespace, or one that decides nothing, suspends nothing',
    [taskQueue('mail', { suspend: true }, 'other'), taskQueue('files', { suspend: true }, 'acme', 'PolicyConflict')],
    { kind: 'Backlog', jobs: 8, oldestReadyAtMs: now - 9_000 },
  ],
])('of two queues %s', (_, taskQueues, facts) => {
  expect(gathered(both, taskQueues).facts).toEqual(facts)
})

it('a queue that cannot be read, or was not read yet, makes the sum unknown', () => {
  expect(gathered({ mail: away, files: read(9) }, []).facts).toMatchObject({ kind: 'Unknown', reason: 'BrokerUnreachable' })
  expect(gathered({ mail: read(9) }, []).facts).toMatchObject({ kind: 'Unknown', reason: 'NotReadYet' })
})

it('is to be looked at again when an override of the target, or of one of its queues, ends', () => {
  const until = '2026-11-29T03:30:00Z'
  const [endsAtMs, queueEndsAtMs] = [Date.parse(until), Date.parse(later)]
  const queue = taskQueue('mail', { override: { suspend: true, until: later } })
  expect(gathered(both, [queue]).suspension).toEqual({ changesAtMs: queueEndsAtMs })
  expect(gathered(both, [queue], { suspend: true, until }).suspension).toEqual({
    suspended: { words: `WorkerPool "email" is suspended until ${until}` },
    changesAtMs: endsAtMs,
  })
  expect(gathered(both, []).suspension).toEqual({})
})

it('while the calendars of a schedule are being read, noSuccess keeps its state', () => {
  let reading: ConfigMapReading = { kind: 'Unread' }
  const calendars = { exclude: [{ name: 'holidays', configMapRef: { name: 'holidays', key: 'dates' } }] }
  const task = { type: 'backup', queue: 'files' }
  const object = {
    kind: 'TaskSchedule',
    metadata: { namespace: 'acme', name: 'nightly', uid: 'u', generation: 1, creationTimestamp: '2026-11-01T00:00:00Z' },
    spec: { brokerRef, schedules: ['0 1 * * *'], timeZone: 'UTC', suspend: false, calendars, task },
  } as unknown as TaskSchedule
  const none = {
    subscribe: () => undefined,
    unsubscribe: () => undefined,
    snapshot: () => ({ kind: 'Read', succeeded: 0, failed: 0, missed: 0 }),
  }
  const deps = {
    signals: none,
    counts: none,
    taskBroker: () => ({}),
    directory: { get: () => ({ kind: 'Known', endpoint: { address: 'redis:6379', keyPrefix: 'bull' } }) },
    targetOf: () => scheduleTarget(object),
    channelOf: () => undefined,
    configMaps: { follow: () => new Map([['holidays', reading]]) },
    notifier: { delivery: () => undefined },
    now: () => now,
  }
  const { gather } = createGather(deps as unknown as GatherDeps)
  const spec = { target: { kind: 'TaskSchedule', name: 'nightly' }, severity: 'Info', noSuccess: {}, windowSeconds: 3600 }
  const alert = { metadata: { namespace: 'acme', name: 'quiet', uid: 'u1', generation: 1 }, spec } as unknown as TaskAlert
  expect(gather('acme/quiet', alert, undefined)).toMatchObject({ facts: { kind: 'Unknown', reason: 'NotReadYet' }, due: undefined })
  reading = { kind: 'Data', data: { dates: '11-30/12-31' } }
  const world = gather('acme/quiet', alert, undefined)
  expect(world.facts.kind).toBe('Successes')
  expect(world.due?.slots.next(now / 1000)).toBe(Date.parse('2027-01-01T01:00:00Z') / 1000)
})

it('counts how long a run took from the end of its delay', () => {
  const slot = Date.parse('2026-11-29T01:00:00Z') / 1000
  const due = { timing: { jitterSeconds: 3_600 }, slots: { next: () => slot + 86_400, between: () => [] }, seed: 'acme/nightly' }
  const object = {
    kind: 'TaskSchedule',
    metadata: { namespace: 'acme', name: 'nightly', creationTimestamp: '2026-11-01T00:00:00Z' },
    spec: { brokerRef: { name: 'default' }, suspend: false },
    status: { lastSuccessTime: '2026-11-29T02:10:00Z', lastSuccessSlotTime: '2026-11-29T01:00:00Z' },
  } as unknown as TaskSchedule
  const none = {
    subscribe: () => undefined,
    unsubscribe: () => undefined,
    snapshot: () => ({ kind: 'Read', succeeded: 0, failed: 0, missed: 0 }),
  }
  const deps = {
    signals: none,
    counts: none,
    taskBroker: () => ({}),
    directory: { get: () => ({ kind: 'Known', endpoint: { address: 'redis:6379', keyPrefix: 'bull' } }) },
    now: () => now,
  }
  const alert = { spec: { target: { kind: 'TaskSchedule', name: 'nightly' }, windowSeconds: 3_600 } } as TaskAlert
  const asked = {
    key: 'acme/quiet',
    alert,
    condition: { kind: 'noSuccess', windowSeconds: 3_600 } as const,
    target: scheduleTarget(object),
  }
  const factsBy = (more: object) => gatherFacts(deps as unknown as FactsDeps, { ...asked, ...more }).facts
  expect(factsBy({})).toMatchObject({ kind: 'Successes', lastRunSeconds: 4_200 })
  expect(factsBy({ due })).toMatchObject({ kind: 'Successes', lastRunSeconds: 4_200 - (dueAt(due, slot) - slot) })
  expect(dueAt(due, slot)).toBeGreaterThan(slot)
})
