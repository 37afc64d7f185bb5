import { expect, test } from 'vitest'
import type { Broker, BrokerEndpoint, QueueReading } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokers } from '../brokers/index.ts'
import { createSignals, type WatchMode } from './index.ts'

/** A broker in memory that counts round trips; a test sets what its queues hold. */
function fakeBroker(now: () => number) {
  const queues = new Map<string, Partial<QueueReading>>()
  const calls: string[][] = []
  const confirmations: string[][] = []
  const limitsRead: string[][] = []
  const counts: string[][] = []
  const watchers = new Set<(queue: string) => void>()
  const state = {
    failure: undefined as Error | undefined,
    refused: new Set<string>(),
    orphans: new Map<string, number>(),
    watched: [] as string[],
    closed: false,
  }
  const broker: Pick<Broker, 'readQueues' | 'findChangedQueues' | 'findChangedLimits' | 'watchQueues' | 'countOrphans' | 'close'> = {
    async readQueues(names) {
      calls.push([...names])
      if (state.failure !== undefined) throw state.failure
      if (names.some((name) => state.refused.has(name))) throw taskmillError('TM_BROKER_COMMAND_FAILED', 'WRONGTYPE')
      return names.map((queue) => ({
        queue,
        waiting: 0,
        prioritized: 0,
        delayed: 0,
        dueDelayed: 0,
        active: 0,
        failed: 0,
        waitingChildren: 0,
        added: 0,
        paused: false,
        streamId: '0-0',
        brokerTimeMs: now() + 7_000,
        ...queues.get(queue),
      }))
    },
    async findChangedQueues(readings) {
      confirmations.push(readings.map(({ queue }) => queue))
      if (state.failure !== undefined) throw state.failure
      const isChanged = (reading: QueueReading) =>
        Object.entries(queues.get(reading.queue) ?? {}).some(
          ([field, value]) => field !== 'concurrency' && reading[field as keyof QueueReading] !== value,
        )
      return readings.filter(isChanged).map(({ queue }) => queue)
    },
    async findChangedLimits(readings) {
      limitsRead.push(readings.map(({ queue }) => queue))
      if (state.failure !== undefined) throw state.failure
      return readings.filter(({ queue, concurrency }) => queues.get(queue)?.concurrency !== concurrency).map(({ queue }) => queue)
    },
    watchQueues: (cursors, _blockMs, signal) =>
      new Promise((resolve, reject) => {
        state.watched = [...cursors.keys()]
        const end = (action: () => void) => {
          watchers.delete(wake)
          signal.removeEventListener('abort', onAbort)
          state.watched = []
          action()
        }
        const onAbort = () => end(() => reject(signal.reason))
        const wake = (queue: string) => {
          if (cursors.has(queue)) end(() => resolve(new Map([[queue, '1-0']])))
        }
        signal.addEventListener('abort', onAbort)
        watchers.add(wake)
      }),
    async countOrphans(names) {
      counts.push([...names])
      return new Map(names.map((name) => [name, state.orphans.get(name) ?? 0]))
    },
    async close() {
      state.closed = true
    },
  }
  return {
    broker: broker as Broker,
    calls,
    confirmations,
    limitsRead,
    counts,
    state,
    set: (queue: string, what: Partial<QueueReading>) => queues.set(queue, what),
    emit: (queue: string) => [...watchers].forEach((wake) => wake(queue)),
  }
}

function world() {
  const clock = fakeClock()
  const fake = fakeBroker(() => clock.now())
  let connections = 0
  const brokers = createBrokers({ connect: () => (connections++, fake.broker) })
  const signals = createSignals({ brokers, clock, log: silentLogger })
  const announced: string[] = []
  signals.changesOf('WorkerPool').onChange((key) => announced.push(key))
  const subscriber = (key: string) => ({ kind: 'WorkerPool', key })
  const subscribe = (key: string, queues: string[], watch: WatchMode = 'Never', at: BrokerEndpoint = endpoint) =>
    signals.subscribe({ subscriber: subscriber(key), endpoint: at, queues, watch })
  const unsubscribe = (key: string) => signals.unsubscribe(subscriber(key))
  const snapshot = (key: string) => signals.snapshot(subscriber(key))
  return { clock, ...fake, signals, subscribe, unsubscribe, snapshot, announced, connections: () => connections }
}
const endpoint = { address: 'redis:6379', keyPrefix: 'bull' }

test('one round trip per pass for all pools of a broker, each queue once', async () => {
  const { clock, signals, subscribe, calls, connections } = world()
  subscribe('ns/a', ['mail', 'push'])
  subscribe('ns/b', ['mail', 'video'])
  await clock.advance(0)
  calls.length = 0
  await clock.advance(3_000)
  expect(calls).toEqual(Array.from({ length: 3 }, () => ['mail', 'push', 'video']))
  expect(connections()).toBe(1)
  await signals.stop()
})

test('only changes that a decision may depend on are announced', async () => {
  const { clock, signals, subscribe, set, announced, snapshot } = world()
  subscribe('ns/a', ['mail'])
  subscribe('ns/b', ['push'])
  expect(snapshot('ns/a').size).toBe(0)
  await clock.advance(0)
  expect(announced.splice(0)).toEqual(['ns/a', 'ns/b'])
  set('mail', { streamId: '5-0' })
  await clock.advance(5_000)
  expect(announced).toEqual([])
  set('mail', { active: 1 })
  await clock.advance(1_000)
  expect(announced).toEqual(['ns/a'])
  expect(snapshot('ns/a').get('mail')).toMatchObject({ ok: true, reading: { active: 1 } })
  await signals.stop()
})

test('an unreadable queue keeps its last reading and says since when', async () => {
  const { clock, signals, subscribe, set, announced, state, snapshot } = world()
  set('mail', { waiting: 3 })
  subscribe('ns/a', ['mail'])
  await clock.advance(1_500)
  announced.length = 0
  state.failure = taskmillError('TM_BROKER_UNREACHABLE', 'gone')
  await clock.advance(5_000)
  expect(announced).toEqual(['ns/a'])
  expect(snapshot('ns/a').get('mail')).toMatchObject({
    ok: false,
    error: { code: 'TM_BROKER_UNREACHABLE' },
    sinceMs: clock.now() - 4_500,
    lastReading: { waiting: 3 },
  })
  state.failure = undefined
  await clock.advance(1_000)
  expect(announced).toEqual(['ns/a', 'ns/a'])
  expect(snapshot('ns/a').get('mail')).toMatchObject({ ok: true, reading: { waiting: 3 } })
  await signals.stop()
})

test('one queue that cannot be read does not make the others unreadable', async () => {
  const { clock, signals, subscribe, state, snapshot } = world()
  state.refused.add('broken')
  subscribe('ns/a', ['mail', 'broken'])
  await clock.advance(0)
  expect(snapshot('ns/a').get('mail')).toMatchObject({ ok: true })
  expect(snapshot('ns/a').get('broken')).toMatchObject({ ok: false, error: { code: 'TM_BROKER_COMMAND_FAILED' } })
  await signals.stop()
})

test('a pool at zero sees the first job by the stream, without a pass, and reads only that queue', async () => {
  const { clock, signals, subscribe, set, emit, announced, calls, state } = world()
  subscribe('ns/a', ['mail', 'push'], 'WhenEmpty')
  subscribe('ns/b', ['busy'])
  await clock.advance(0)
  expect(state.watched).toEqual(['mail', 'push'])
  calls.length = announced.length = 0
  set('push', { waiting: 1 })
  emit('push')
  await clock.advance(0)
  expect(calls).toEqual([['push']])
  expect(announced).toEqual(['ns/a'])
  await clock.advance(50)
  expect(state.watched).toEqual(['mail']) // push has demand now: the pass is enough
  subscribe('ns/a', ['mail', 'push'], 'Never')
  await clock.advance(0)
  expect(state.watched).toEqual([])
  await signals.stop()
})

test('a flood of events costs a bounded number of reads', async () => {
  const { clock, signals, subscribe, emit, calls } = world()
  subscribe('ns/a', ['mail'], 'WhenEmpty')
  await clock.advance(0)
  calls.length = 0
  for (let ms = 0; ms < 1_000; ms++) {
    emit('mail')
    await clock.advance(1)
  }
  expect(calls.length).toBeLessThanOrEqual(22)
  await signals.stop()
})

test('a burst is read again while it arrives, although the watch ended when its pool woke up', async () => {
  const { clock, signals, subscribe, set, emit, announced, calls } = world()
  subscribe('ns/a', ['mail'], 'WhenEmpty')
  await clock.advance(0)
  announced.length = 0
  set('mail', { waiting: 20 })
  emit('mail')
  await clock.advance(1)
  expect(announced.splice(0)).toEqual(['ns/a'])
  subscribe('ns/a', ['mail'], 'Never')
  set('mail', { waiting: 500 })
  calls.length = 0
  await clock.advance(100)
  expect(announced).toEqual(['ns/a'])
  await clock.advance(800)
  expect(calls).toHaveLength(3)
  await signals.stop()
})

test('a queue with watch Always stays watched while it holds jobs, and a job that replaces another is announced', async () => {
  const { clock, signals, announced, set, emit, state, calls, subscribe } = world()
  subscribe('done', ['done'], 'Always')
  await clock.advance(0)
  announced.length = 0
  set('done', { waiting: 1, streamId: '1-0' })
  emit('done')
  await clock.advance(0)
  expect(announced).toEqual(['done'])
  await clock.advance(10)
  expect(state.watched).toEqual(['done'])
  set('done', { waiting: 1, streamId: '2-0' })
  emit('done')
  await clock.advance(0)
  expect(announced).toEqual(['done', 'done'])
  // Something happened in it, and it is empty: no subscriber re-reads it.
  set('done', { waiting: 0, streamId: '2-0' })
  await clock.advance(1_000)
  announced.length = 0
  set('done', { streamId: '3-0' })
  emit('done')
  await clock.advance(10)
  expect(announced).toEqual([])
  // A flood: at most a hundred reads a second, beside the pass.
  await clock.advance(990)
  calls.length = 0
  for (let ms = 0; ms < 1_000; ms++) {
    set('done', { waiting: 1, streamId: `4-${ms}` })
    emit('done')
    await clock.advance(1)
  }
  expect(calls.length).toBeGreaterThan(50)
  expect(calls.length).toBeLessThanOrEqual(102)
  await signals.stop()
})

test('a pool at zero is announced when its next delayed job is due by the clock of the broker', async () => {
  const { clock, signals, subscribe, set, announced } = world()
  set('mail', { delayed: 1, nextDueAtMs: clock.now() + 7_000 + 300 })
  subscribe('ns/a', ['mail'], 'WhenEmpty')
  await clock.advance(0)
  announced.length = 0
  set('mail', { delayed: 1, dueDelayed: 1 })
  await clock.advance(299)
  expect(announced).toEqual([])
  await clock.advance(2)
  expect(announced).toEqual(['ns/a'])
  await signals.stop()
})

test('the broker closes with its last subscriber, and no timer stays', async () => {
  const { clock, signals, subscribe, state, calls, unsubscribe } = world()
  subscribe('ns/a', ['mail'], 'WhenEmpty')
  subscribe('ns/b', ['mail'])
  await clock.advance(100)
  unsubscribe('ns/a')
  expect(state.closed).toBe(false)
  unsubscribe('ns/b')
  await signals.stop()
  expect(state.closed).toBe(true)
  calls.length = 0
  await clock.advance(10_000)
  expect(calls).toEqual([])
  expect(clock.pending()).toEqual([])
})

test('a pool that moves to another broker takes its queues along', async () => {
  const { clock, signals, subscribe, connections, state, snapshot } = world()
  subscribe('ns/a', ['mail'])
  await clock.advance(0)
  subscribe('ns/a', ['mail'], 'Never', { ...endpoint, address: 'other:6379' })
  await clock.advance(0)
  expect(connections()).toBe(2)
  expect(state.closed).toBe(true)
  expect(snapshot('ns/a').get('mail')).toMatchObject({ ok: true })
  await signals.stop()
})

test('orphans are counted in watched queues with active jobs, once a pass, until they are gone', async () => {
  const { clock, signals, subscribe, set, counts, announced, emit, state, snapshot } = world()
  set('busy', { active: 4 })
  subscribe('ns/busy', ['busy'])
  subscribe('ns/zero', ['mail'], 'WhenEmpty')
  await clock.advance(3_000)
  expect(counts).toEqual([])

  set('mail', { active: 2 })
  state.orphans.set('mail', 2)
  await clock.advance(1_000)
  expect(counts.splice(0)).toEqual([['mail']])
  expect(snapshot('ns/zero').get('mail')).toMatchObject({ ok: true, orphaned: 2, reading: { active: 2 } })
  expect(announced).toContain('ns/zero')

  // News is read at once, and costs no other look at the locks.
  emit('mail')
  await clock.advance(100)
  expect(counts).toEqual([])
  expect(snapshot('ns/zero').get('mail')).toMatchObject({ orphaned: 2 })

  // No longer at zero: the replica that was woken has not given them back yet.
  subscribe('ns/zero', ['mail'], 'Never')
  await clock.advance(2_000)
  expect(counts.splice(0)).toEqual([['mail'], ['mail']])
  state.orphans.delete('mail')
  await clock.advance(3_000)
  expect(counts).toEqual([['mail']])
  expect(snapshot('ns/zero').get('mail')).toMatchObject({ orphaned: 0, reading: { active: 2 } })
  await signals.stop()
})

test('if all of the jobs looked at are orphans, so are the others', async () => {
  const { clock, signals, subscribe, set, state, snapshot } = world()
  set('mail', { active: 900 })
  state.orphans.set('mail', 100)
  subscribe('ns/zero', ['mail'], 'WhenEmpty')
  await clock.advance(0)
  expect(snapshot('ns/zero').get('mail')).toMatchObject({ orphaned: 900 })
  await signals.stop()
})

const manyAtZero = Array.from({ length: 300 }, (_, index) => `queue-${index}`)

test('while nothing happens a pass confirms an even share of the queues at zero, and reads none', async () => {
  const { clock, signals, subscribe, calls, confirmations } = world()
  for (const queue of manyAtZero) subscribe(`ns/${queue}`, [queue], 'WhenEmpty')
  await clock.advance(100)
  calls.length = confirmations.length = 0
  await clock.advance(30_000)
  expect(calls).toEqual([])
  expect(confirmations).toHaveLength(30)
  expect(Math.max(...confirmations.map(({ length }) => length))).toBeLessThanOrEqual(11)
  expect(new Set(confirmations.flat())).toEqual(new Set(manyAtZero))
  await signals.stop()
})

test.each(['WhenEmpty', 'Never'] as const)('a job that the stream does not announce is found within 30 s (watch %s)', async (watch) => {
  const { clock, signals, subscribe, set, announced } = world()
  for (const queue of manyAtZero) subscribe(`ns/${queue}`, [queue], watch)
  await clock.advance(90_000)
  announced.length = 0
  for (const queue of manyAtZero) set(queue, { waiting: 1, added: 1 })
  await clock.advance(30_000)
  expect(new Set(announced)).toEqual(new Set(manyAtZero.map((queue) => `ns/${queue}`)))
  await signals.stop()
})

test('a limit that another client sets on a queue at rest is found in turn, 20 queues a pass', async () => {
  const { clock, signals, subscribe, set, announced, limitsRead, snapshot } = world()
  for (const queue of manyAtZero) subscribe(`ns/${queue}`, [queue], 'WhenEmpty')
  await clock.advance(5_000)
  announced.length = limitsRead.length = 0
  for (const queue of manyAtZero) set(queue, { concurrency: 3 })
  await clock.advance(15_000)
  expect(limitsRead.map(({ length }) => length)).toEqual(Array.from({ length: 15 }, () => 20))
  expect(new Set(announced)).toEqual(new Set(manyAtZero.map((queue) => `ns/${queue}`)))
  expect(snapshot('ns/queue-7').get('queue-7')).toMatchObject({ reading: { concurrency: 3 } })
  await signals.stop()
})

test('a queue that workers serve is read each pass for a minute after its last change, and again from its next event on', async () => {
  const { clock, signals, subscribe, set, emit, calls, state, announced } = world()
  subscribe('ns/a', ['mail'])
  set('mail', { streamId: '1-0' })
  await clock.advance(58_900)
  expect(calls).toHaveLength(59)
  set('mail', { active: 1 })
  await clock.advance(1_000)
  set('mail', { active: 0 })
  await clock.advance(61_100)
  expect(state.watched).toEqual(['mail'])
  calls.length = announced.length = 0
  await clock.advance(10_000)
  expect(calls).toEqual([])

  // Another kind of pool would have it read at once; workers take this job themselves.
  set('mail', { active: 1, streamId: '2-0' })
  emit('mail')
  await clock.advance(1_000)
  expect(announced).toEqual(['ns/a'])
  await clock.advance(5_000)
  expect(calls).toHaveLength(6)
  await signals.stop()
})

test('queues at rest become unreadable together when the broker is away, and readable again', async () => {
  const { clock, signals, subscribe, state, snapshot } = world()
  subscribe('ns/a', manyAtZero, 'WhenEmpty')
  await clock.advance(5_000)
  state.failure = taskmillError('TM_BROKER_UNREACHABLE', 'gone')
  await clock.advance(1_000)
  expect([...snapshot('ns/a').values()].filter(({ ok }) => !ok)).toHaveLength(300)
  state.failure = undefined
  await clock.advance(1_000)
  expect([...snapshot('ns/a').values()].filter(({ ok }) => ok)).toHaveLength(300)
  await signals.stop()
})

test('when a delayed job is due, only its queue is read', async () => {
  const { clock, signals, subscribe, set, calls } = world()
  for (const queue of manyAtZero) subscribe(`ns/${queue}`, [queue], 'WhenEmpty')
  set('queue-7', { delayed: 1, nextDueAtMs: clock.now() + 7_000 + 5_300 })
  await clock.advance(5_000)
  calls.length = 0
  set('queue-7', { delayed: 1, dueDelayed: 1 })
  await clock.advance(299)
  expect(calls).toEqual([])
  await clock.advance(2)
  expect(calls).toEqual([['queue-7']])
  await signals.stop()
})

test('the reading of a queue at rest is of this moment', async () => {
  const { clock, signals, subscribe, snapshot } = world()
  subscribe('ns/a', ['mail'], 'WhenEmpty')
  await clock.advance(20_500)
  const mail = snapshot('ns/a').get('mail')
  expect(mail).toMatchObject({ ok: true, reading: { brokerTimeMs: clock.now() + 7_000 } })
  await signals.stop()
})
