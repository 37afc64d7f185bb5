import { describe, expect, it } from 'vitest'
import { findCondition, type TaskExecution, taskExecutions, type TaskExecutionStatus } from '../../api/index.ts'
import { fakeClock, type FakeClock } from '../../clock/index.ts'
import { applyEntry } from '../../graph/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { createStatusWriter, createWriteBudget } from '../../services/status/index.ts'
import type { Whereabout } from '../../services/tracking/index.ts'
import { begunAtMs, ended, executionOf, nodeOf, runOf, started, worldOf } from './fixtures.ts'
import { gaugeIntervalMs, isFinal, statusOf, transitionOf } from './status.ts'
import { blockedEvents } from './events.ts'
import type { ExecutionSituation, World } from './gather.ts'

const facts = ({ conditions = [] }: TaskExecutionStatus) => conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`)
const wordsOf = ({ conditions }: TaskExecutionStatus, type = 'Succeeded') => findCondition(conditions, type)?.message
const chain = [nodeOf('fetch'), nodeOf('send', ['fetch'])]
const finished = (outcome: 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped', afterMs: number, message = 'as it went') =>
  ({ kind: 'Finished', atMs: begunAtMs + afterMs, outcome, reason: outcome, message }) as const

describe('a run that is on its way', () => {
  const run = runOf(chain, [started('fetch'), ended('fetch', 'Succeeded', 4_000), started('send', 4_000)])
  const status = statusOf(worldOf({ run }))

  it('is Running: Succeeded is Unknown and Reconciling is True', () => {
    expect(status.state).toBe('Running')
    expect(facts(status)).toEqual(['Succeeded Unknown Running', 'Reconciling True InProgress'])
  })

  it('says how far it is and what it waits for', () => {
    expect(status).toMatchObject({ progress: '1/2', waitingFor: 'send', startTime: '2026-11-29T04:00:00Z' })
    expect(wordsOf(status)).toBe('1 of 2 nodes are final; waiting for send')
  })

  it('has no end, no duration and no failure', () => {
    for (const field of ['finishTime', 'durationSeconds', 'failureMessage', 'result']) expect(status).not.toHaveProperty(field)
  })

  it('says of a node that waits what for', () => {
    const waiting = statusOf(worldOf({ run: runOf(chain, [started('fetch')]) }))
    expect(waiting.nodes?.[1]).toEqual({ name: 'send', state: 'Pending', message: 'needs fetch' })
  })

  it('names three of many nodes that are waited for, and how many more', () => {
    const upstream = ['a', 'b', 'c', 'd', 'e'].map((name) => nodeOf(name))
    const many = runOf([...upstream, nodeOf('z', ['a', 'b', 'c', 'd', 'e'])])
    expect(statusOf(worldOf({ run: many })).nodes?.[5]?.message).toBe('needs a, b, c and 2 more')
  })

  it('counts what failed beside what is final', () => {
    const failing = runOf(chain, [started('fetch'), ended('fetch', 'Failed', 1_000)])
    expect(statusOf(worldOf({ run: failing })).progress).toBe('1/2, 1 failed')
  })

  it('is paused while that is wanted, and says what still runs', () => {
    const execution = executionOf({ dependencyRef: { name: 'morning' }, desiredState: 'Paused' })
    const paused = statusOf(worldOf({ run, execution }))
    expect(facts(paused)).toEqual(['Succeeded Unknown Paused', 'Reconciling True InProgress'])
    expect(wordsOf(paused)).toBe('1 of 2 nodes are final; waiting for send; nothing new starts. Next: set spec.desiredState to Running')
  })

  it('is being cancelled once that is recorded', () => {
    const cancelling = runOf(chain, [started('fetch'), { kind: 'Cancelling', atMs: begunAtMs }])
    expect(facts(statusOf(worldOf({ run: cancelling })))).toEqual(['Succeeded Unknown Cancelling', 'Reconciling True InProgress'])
  })
})

describe('a run that is blocked', () => {
  const run = runOf([nodeOf('a'), nodeOf('b'), nodeOf('c')], [started('a'), started('b'), started('c')])
  const noPool: Whereabout = { words: 'queued', detail: 'queued in q; no pool', blocked: 'NoPool' }
  const onItsWay: Whereabout = { words: 'running', detail: 'a worker runs it' }
  const blockedBy = (more: Partial<World>) => findCondition(statusOf(worldOf({ run, ...more })).conditions, 'Blocked')

  it('says what keeps the first such node, and how many more there are', () => {
    const messages = [['b'], ['b', 'c'], ['a', 'b', 'c']].map(
      (names) => blockedBy({ whereabouts: new Map([['a', onItsWay], ...names.map((name) => [name, noPool] as const)]) })?.message,
    )
    expect(messages).toEqual([
      'b: queued in q; no pool',
      'b and 1 more node: queued in q; no pool',
      'a and 2 more nodes: queued in q; no pool',
    ])
  })

  const former = statusOf(
    worldOf({
      run,
      whereabouts: new Map([
        ['a', noPool],
        ['b', noPool],
      ]),
    }),
  )

  it.each<[string, Partial<World>]>([
    ['the node was not looked at', { notLookedAt: new Set(['a', 'b']) }],
    [
      'only another node was looked at',
      { notLookedAt: new Set(['a']), whereabouts: new Map([['b', { ...noPool, blocked: 'QueuePaused' }]]) },
    ],
    ['the broker is away', { run: undefined, situation: { kind: 'Unreachable', message: 'away' } }],
    ['the dispatch lease is being claimed', { run: undefined, situation: { kind: 'Pending' } }],
  ])('keeps the condition, and tells it no second time, while %s', (_, more) => {
    const status = statusOf(worldOf({ run, status: former, ...more }))
    expect(findCondition(status.conditions, 'Blocked')).toEqual(findCondition(former.conditions, 'Blocked'))
    expect(blockedEvents(former, status)).toEqual([])
  })

  it('says the same as before until its nodes were looked at, and then what is new', () => {
    const nodes = new Set(['a', 'b', 'c'])
    expect(statusOf(worldOf({ run, status: former, notLookedAt: nodes }))).toEqual(former)
    const away = statusOf(worldOf({ run, status: former, notLookedAt: nodes, situation: { kind: 'Unreachable', message: 'away' } }))
    expect([away.waitingFor, away.nodes]).toEqual(['tmb/default (unreachable)', former.nodes])
    const later = statusOf(worldOf({ run, status: former, whereabouts: new Map([...nodes].map((name) => [name, onItsWay])) }))
    expect(later).toMatchObject({ waitingFor: 'a, b, c running', nodes: [{ message: 'a worker runs it' }, {}, {}] })
    const more = runOf([nodeOf('a'), nodeOf('b'), nodeOf('c')], [started('a'), started('b'), started('c'), ended('b', 'Succeeded', 5_000)])
    const ending = statusOf(worldOf({ run: more, status: former, notLookedAt: new Set(['a', 'c']) }))
    expect(ending).toMatchObject({ progress: '1/3', waitingFor: 'a, c' })
    expect(ending.nodes?.[0]).not.toHaveProperty('message')
  })

  it.each<[string, Partial<World>]>([
    ['the node goes on', { whereabouts: new Map([['a', onItsWay]]) }],
    ['only nodes that began since were not looked at', { whereabouts: new Map([['a', onItsWay]]), notLookedAt: new Set(['c']) }],
    ['another cluster dispatches', { run: undefined, situation: { kind: 'Standby', heldBy: 'b' } }],
  ])('is so no more when %s', (_, more) => {
    expect(blockedBy({ status: former, ...more })).toBeUndefined()
  })
})

describe('a run that has ended', () => {
  const one = (outcome: 'Succeeded' | 'Failed', more: object = {}, message?: string) =>
    statusOf(
      worldOf({
        run: runOf([nodeOf('task')], [started('task'), ended('task', outcome, 90_000, more), finished(outcome, 90_400, message)]),
      }),
    )

  it.each([
    ['Succeeded', ['Succeeded True Succeeded']],
    ['Skipped', ['Succeeded True Skipped']],
    ['Cancelled', ['Succeeded False Cancelled']],
    ['Failed', ['Succeeded False Failed', 'Failed True Failed', 'Stalled True Failed']],
    ['TimedOut', ['Succeeded False TimedOut', 'Failed True TimedOut', 'Stalled True TimedOut']],
  ] as const)('as %s shows in its conditions', (outcome, conditions) => {
    const status = statusOf(worldOf({ run: runOf([nodeOf('task')], [finished(outcome, 1_000)]) }))
    expect([status.state, facts(status)]).toEqual([outcome, conditions])
    expect(wordsOf(status)).toBe('as it went')
  })

  it('says how long it took, from its begin, and how long it was queued', () => {
    const status = one('Succeeded', { startedAtMs: begunAtMs + 2_400, finishedAtMs: begunAtMs + 90_000 })
    expect(status).toMatchObject({ finishTime: '2026-11-29T04:01:30Z', durationSeconds: 90, queueSeconds: 2 })
    expect(status).not.toHaveProperty('waitingFor')
  })

  it('never took less than no time, whatever the clocks of workers say', () => {
    expect(one('Succeeded', { startedAtMs: begunAtMs - 5_000 }).queueSeconds).toBe(0)
  })

  it('counts the attempts of all its nodes', () => {
    const entries = [started('fetch'), ended('fetch', 'Succeeded', 1, { attemptsMade: 2 }), ended('send', 'Failed', 2, { attemptsMade: 3 })]
    expect(statusOf(worldOf({ run: runOf(chain, entries) })).attempts).toBe(5)
  })

  it('shows what a single task returned, as JSON, and nothing of what is too large or nothing', () => {
    expect(one('Succeeded', { result: { items: 3 } }).result).toBe('{"items":3}')
    expect(one('Succeeded', { result: 'x'.repeat(1022) }).result).toHaveLength(1024)
    for (const result of [undefined, null, 'x'.repeat(1023), 'ü'.repeat(512)])
      expect(one('Succeeded', { result })).not.toHaveProperty('result')
  })

  it('shows no result of a graph', () => {
    const entries = [ended('fetch', 'Succeeded', 1, { result: 1 }), ended('send', 'Succeeded', 2, { result: 2 }), finished('Succeeded', 3)]
    expect(statusOf(worldOf({ run: runOf(chain, entries) }))).not.toHaveProperty('result')
  })

  it('that failed says why; one that did not has no failure', () => {
    expect(one('Failed', {}, 'task: AttemptsExhausted, full').failureMessage).toBe('task: AttemptsExhausted, full')
    expect(one('Succeeded')).not.toHaveProperty('failureMessage')
  })

  it('says of each node how it ended, where, and when', () => {
    const more = { attemptsMade: 2, worker: 'email-7d9c', message: 'full', startedAtMs: begunAtMs + 1_000, finishedAtMs: begunAtMs + 5_000 }
    expect(one('Failed', more).nodes).toMatchObject([
      {
        name: 'task',
        state: 'Failed',
        attempt: 2,
        finishTime: '2026-11-29T04:00:05Z',
        worker: 'email-7d9c',
        reason: 'AttemptsExhausted',
        message: 'full',
      },
    ])
  })

  it('has words of a length that fits into the object', () => {
    const status = one('Failed', { message: 'm'.repeat(9_999), worker: 'w'.repeat(999) }, 'f'.repeat(9_999))
    expect([status.failureMessage?.length, status.nodes?.[0]?.message?.length, status.nodes?.[0]?.worker?.length]).toEqual([2048, 256, 253])
  })

  it('by an object of the same name says so', () => {
    const run = runOf([nodeOf('task')], [finished('Succeeded', 1_000)])
    expect(wordsOf(statusOf(worldOf({ run, isContinued: true })))).toBe('as it went; an object of the same name had started it')
  })
})

describe('a run of which nothing can be read', () => {
  it.each<[string, ExecutionSituation, string]>([
    ['SourceNotFound', { kind: 'NoSource', message: 'no such graph' }, 'no such graph'],
    ['BrokerNotFound', { kind: 'NoBroker' }, 'TaskBroker "default" does not exist in this namespace. Next: create it'],
    ['BrokerNotUsable', { kind: 'NotUsable', message: 'no such Secret' }, 'no such Secret'],
    [
      'BrokerUnreachable',
      { kind: 'Unreachable', message: 'refused' },
      'nothing can be dispatched: refused. Next: kubectl describe taskbroker default',
    ],
    [
      'LogUnreadable',
      { kind: 'Unreadable', message: 'version 2' },
      'version 2. The operator does not overwrite it. Next: run the version that wrote it, or delete this TaskExecution',
    ],
    ['WaitingForDispatch', { kind: 'Pending' }, 'the operator is claiming the dispatch lease of this namespace at the broker'],
    ['Standby', { kind: 'Standby', heldBy: 'blue' }, 'another cluster holds the dispatch lease: blue'],
    [
      'Standby',
      { kind: 'Standby', heldBy: undefined },
      'spec.dispatch of TaskBroker "default" is Standby: this cluster dispatches nothing',
    ],
  ])('waits: %s', (reason, situation, message) => {
    const status = statusOf(worldOf({ situation }))
    expect([status.state, facts(status), wordsOf(status)]).toEqual([
      'Pending',
      [`Succeeded Unknown ${reason}`, 'Reconciling True InProgress'],
      message,
    ])
  })

  it('keeps the state, progress, nodes and start of the previous status', () => {
    const before = statusOf(worldOf({ run: runOf(chain, [started('fetch')]) }))
    const { state, progress, nodes, startTime } = statusOf(worldOf({ status: before, situation: { kind: 'Unreachable', message: 'gone' } }))
    expect({ state, progress, nodes, startTime }).toEqual({
      state: 'Running',
      progress: '0/2',
      nodes: before.nodes,
      startTime: '2026-11-29T04:00:00Z',
    })
  })
})

describe('a run that can never be', () => {
  const hopeless: ExecutionSituation = { kind: 'Hopeless', message: 'spec.nodes[0]: a -> b -> a' }

  it('has failed at once, with the words for it', () => {
    const status = statusOf(worldOf({ situation: hopeless }))
    expect(facts(status)).toEqual(['Succeeded False Failed', 'Failed True Failed', 'Stalled True Failed'])
    expect(status).toMatchObject({ state: 'Failed', failureMessage: 'spec.nodes[0]: a -> b -> a', finishTime: '2026-11-29T04:01:00Z' })
  })

  it('keeps when it began, and waits for nothing any more', () => {
    const before = statusOf(worldOf({ run: runOf(chain, [started('fetch')]) }))
    const status = statusOf(worldOf({ status: before, situation: hopeless }))
    expect(status.startTime).toBe('2026-11-29T04:00:00Z')
    expect(status).not.toHaveProperty('waitingFor')
  })

  it('ends once: the moment stays when it is looked at again', () => {
    const before = statusOf(worldOf({ situation: hopeless }))
    const again = statusOf(worldOf({ situation: hopeless, status: before, nowMs: begunAtMs + 600_000 }))
    expect(again).toEqual(before)
  })
})

it.each([
  [{ dependencyRef: { name: 'morning' } }, 'tdep/morning'],
  [{ scheduleRef: { name: 'nightly' } }, 'tsch/nightly'],
  [{ task: { type: 'backup', queue: 'files' } }, 'task/backup'],
])('what %j is a run of', (spec, source) => {
  expect(statusOf(worldOf({ execution: executionOf(spec) })).source).toBe(source)
})

it('a node that ends is no reason to write at once; the state, the broker and the conditions are', () => {
  const of = (entries: Parameters<typeof runOf>[1]) => transitionOf(statusOf(worldOf({ run: runOf(chain, entries) })))
  const begun = of([started('fetch')])
  expect(of([started('fetch'), ended('fetch', 'Succeeded', 1_000), started('send', 1_000)])).toEqual(begun)
  expect(of([started('fetch'), finished('Cancelled', 1_000)])).not.toEqual(begun)
  expect(of([started('fetch'), { kind: 'Cancelling', atMs: begunAtMs }])).not.toEqual(begun)
})

it.each([
  [undefined, false],
  ['Pending', false],
  ['Running', false],
  ['Succeeded', true],
  ['Failed', true],
  ['TimedOut', true],
  ['Cancelled', true],
  ['Skipped', true],
] as const)('%s is final: %s', (state, answer) => {
  expect(isFinal(state)).toBe(answer)
})

type Write = { readonly atMs: number; readonly status: TaskExecutionStatus }

/** A writer as the controller has one, and what it wrote. */
function scribe(clock: FakeClock) {
  const writes: Write[] = []
  const client = {
    async applyStatus(_: unknown, body: TaskExecution) {
      writes.push({ atMs: clock.now() - begunAtMs, status: body.status as never })
      return body
    },
  } as unknown as KubeClient
  const writer = createStatusWriter<TaskExecution>({
    client,
    resource: taskExecutions,
    fieldManager: 'test',
    clock,
    transitionOf,
    budget: createWriteBudget({ clock, perSecond: 10 }),
    gaugeIntervalMs: (status) => gaugeIntervalMs(status, clock.now()),
  })
  return { writer, writes }
}

/** Runs independent nodes that end one after the other, and looks after each, and again when the writer says so. */
async function running(
  count: number,
  everyMs: number,
  { clock, writer }: { clock: FakeClock; writer: ReturnType<typeof scribe>['writer'] },
  key = 'acme/x7k2p',
) {
  const names = Array.from({ length: count }, (_, index) => `n${index}`)
  const run = runOf(
    names.map((name) => nodeOf(name)),
    names.map((name) => started(name)),
  )
  const execution = executionOf()
  const look = async (): Promise<void> => {
    const status = statusOf(worldOf({ run, status: writer.latest(key, execution), nowMs: clock.now() }))
    const { againAfterMs } = await writer.write(key, execution, status)
    if (againAfterMs !== undefined) clock.setTimeout(() => void look(), againAfterMs)
  }
  const end = (name: string, index: number) => {
    const atMs = (index + 1) * everyMs
    clock.setTimeout(() => {
      applyEntry(run, { v: 1, ...ended(name, 'Succeeded', atMs) })
      const isLast = index === count - 1
      if (isLast)
        applyEntry(run, { v: 1, kind: 'Finished', atMs: begunAtMs + atMs, outcome: 'Succeeded', reason: 'Succeeded', message: 'all' })
      void look()
    }, atMs)
  }
  await look()
  names.forEach(end)
  return { totalMs: count * everyMs }
}

describe('how often the status is written, on a clock that stands still', () => {
  it.each<[string, number, number]>([
    ['2 s', 10, 4],
    ['20 s', 100, 20],
    // Every 5 s, and never more often than a node ends.
    ['10 min', 3_000, 128],
    ['an hour', 18_000, 202],
  ])('200 nodes within %s: one every %i ms, is at most %i writes', async (_, everyMs, most) => {
    const clock = fakeClock(begunAtMs)
    const { writer, writes } = scribe(clock)
    const { totalMs } = await running(200, everyMs, { clock, writer })
    await clock.advance(totalMs + 60_000)
    expect(writes.length).toBeLessThanOrEqual(most)
    expect(writes.length).toBeGreaterThan(2)
    // The begin and the end are written at once.
    expect([writes[0]?.atMs, writes.at(-1)?.atMs]).toEqual([0, totalMs])
    expect(writes.at(-1)?.status).toMatchObject({ state: 'Succeeded', progress: '200/200' })
  })

  it('a status is never older than a tenth of the time that the run has taken, or half a minute', async () => {
    const clock = fakeClock(begunAtMs)
    const { writer, writes } = scribe(clock)
    await running(200, 3_000, { clock, writer })
    await clock.advance(700_000)
    const gaps = writes.slice(1).map(({ atMs }, index) => atMs - (writes[index]?.atMs ?? 0))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(33_000)
    expect(gaps[0]).toBeLessThanOrEqual(3_000)
  })

  it('a hundred runs at once share the ten writes a second of the operator, and the begin and the end of each are written', async () => {
    const clock = fakeClock(begunAtMs)
    const { writer, writes } = scribe(clock)
    for (let index = 0; index < 100; index++) await running(20, 1_000, { clock, writer }, `acme/run-${index}`)
    await clock.advance(20_500)
    const table = writes.filter(({ atMs, status }) => atMs > 0 && status.state === 'Running')
    expect(table.length).toBeLessThanOrEqual(10 * 20 + 10)
    expect(table.length).toBeGreaterThan(100)
    expect(writes.filter(({ status }) => status.state === 'Succeeded')).toHaveLength(100)
  })
})
