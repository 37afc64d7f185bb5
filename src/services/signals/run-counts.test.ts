import { describe, expect, it } from 'vitest'
import type { Broker, BrokerEndpoint, CountRequest } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokers } from '../brokers/index.ts'
import { createRunCounts, type CountsSubscription } from './run-counts.ts'

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }
const start = Date.parse('2026-11-29T03:00:20Z')

/** A broker with these ends, by `namespace/kind/name`, each with its minute. */
function home() {
  const clock = fakeClock(start)
  const ends: { readonly subject: string; readonly minute: number; readonly outcome: 'succeeded' | 'failed' }[] = []
  const calls: (readonly CountRequest[])[] = []
  const state = { failure: undefined as Error | undefined, aheadMs: 0, closed: 0 }
  const broker = {
    async readCounts(_: string, requests: readonly CountRequest[]) {
      calls.push(requests)
      if (state.failure !== undefined) throw state.failure
      const counts = requests.map(({ namespace, subjectKind, subject, fromMinute, toMinute }) => {
        const own = ends.filter(
          (end) => end.subject === `${namespace}/${subjectKind}/${subject}` && end.minute >= fromMinute && end.minute <= toMinute,
        )
        const of = (outcome: string): number => own.filter((end) => end.outcome === outcome).length
        return { succeeded: of('succeeded'), failed: of('failed'), missed: 0 }
      })
      return { counts, brokerTimeMs: clock.now() + state.aheadMs }
    },
    close: async () => void state.closed++,
  } as unknown as Broker
  const counts = createRunCounts({ brokers: createBrokers({ connect: () => broker }), installation: 'default', clock, log: silentLogger })
  const announced: string[] = []
  counts.changesOf('TaskAlert').onChange((key) => announced.push(key))
  const subscriber = (key: string) => ({ kind: 'TaskAlert', key })
  const snapshot = (key: string) => counts.snapshot(subscriber(key))
  const ask = (key: string, subject = 'mail', change: Partial<CountsSubscription> = {}) => {
    const own = { subjects: [{ subjectKind: 'Queue' as const, subject }], windowSeconds: 300, ...change }
    counts.subscribe({ subscriber: subscriber(key), endpoint, namespace: 'acme', ...own })
  }
  const end = (subject: string, outcome: 'succeeded' | 'failed', minutesAgo = 0) =>
    ends.push({ subject: `acme/Queue/${subject}`, minute: Math.floor((clock.now() + state.aheadMs) / 60_000) - minutesAgo, outcome })
  const recorded = (namespace: string, subject: string) =>
    counts.recorded(namespace, [{ subjectKind: 'Queue', subject, outcome: 'Failed' }])
  return { clock, counts, recorded, subscriber, snapshot, announced, calls, state, ask, end, forget: () => ends.splice(0) }
}

describe('counts of runs', () => {
  it('are read at once, and again when the windows move', async () => {
    const { clock, announced, calls, ask, end, snapshot } = home()
    end('mail', 'failed', 5)
    end('mail', 'succeeded', 0)
    end('mail', 'succeeded', 6)
    ask('a')
    expect(snapshot('a')).toEqual({ kind: 'Pending' })
    await clock.advance(0)
    expect(snapshot('a')).toEqual({ kind: 'Read', succeeded: 1, failed: 1, missed: 0 })
    expect(announced).toEqual(['a'])
    await clock.advance(39_999)
    expect(calls).toHaveLength(1)
    await clock.advance(1)
    expect(calls).toHaveLength(2)
    expect([snapshot('a'), announced.length]).toEqual([{ kind: 'Read', succeeded: 1, failed: 0, missed: 0 }, 2])
  })

  it('cost one round trip a pass for all subscribers, and announce only those whose numbers changed', async () => {
    const { clock, announced, calls, ask, end } = home()
    for (let index = 0; index < 200; index++) ask(`alert-${index}`, `queue-${index % 20}`)
    await clock.advance(0)
    expect(calls.flat()).toHaveLength(20)
    const first = calls.length
    announced.length = 0
    end('queue-7', 'failed')
    await clock.advance(60_000)
    expect(calls).toHaveLength(first + 1)
    expect(calls.at(-1)).toHaveLength(20)
    expect(announced).toEqual(Array.from({ length: 10 }, (_, index) => `alert-${7 + index * 20}`))
    await clock.advance(60_000)
    expect(announced).toHaveLength(10)
  })

  it('that the broker has lost make all windows that contain the loss lower bounds, until they end', async () => {
    const { clock, announced, ask, end, forget, snapshot, recorded } = home()
    for (const minutesAgo of [0, 4]) end('mail', 'failed', minutesAgo)
    ask('a')
    ask('other', 'quiet')
    await clock.advance(0)
    expect(snapshot('a')).toEqual({ kind: 'Read', succeeded: 0, failed: 2, missed: 0 })
    ask('long', 'quiet', { windowSeconds: 3600 })
    // What leaves the window is not lost.
    await clock.advance(120_000)
    expect(snapshot('a')).toEqual({ kind: 'Read', succeeded: 0, failed: 1, missed: 0 })
    forget()
    end('mail', 'succeeded')
    announced.length = 0
    recorded('acme', 'mail')
    await clock.advance(50)
    const lostUntilMs = clock.now() + 360_000
    expect(snapshot('a')).toEqual({ kind: 'Read', succeeded: 1, failed: 0, missed: 0, lostUntilMs })
    expect(snapshot('other')).toEqual({ kind: 'Read', succeeded: 0, failed: 0, missed: 0, lostUntilMs })
    expect(announced.toSorted()).toEqual(['a', 'long', 'other'])
    announced.length = 0
    await clock.advance(420_000)
    expect(snapshot('a')).toEqual({ kind: 'Read', succeeded: 0, failed: 0, missed: 0 })
    expect(announced).toContain('other')
    expect(snapshot('long')).toHaveProperty('lostUntilMs')
  })

  it('are read within 50 ms after a recorded end, only for its subject; a flood of ends is one read', async () => {
    const { clock, announced, calls, ask, end, snapshot, recorded } = home()
    ask('a')
    ask('b', 'other')
    await clock.advance(0)
    announced.length = 0
    calls.length = 0
    for (let index = 0; index < 30; index++) {
      end('mail', 'failed')
      recorded('acme', 'mail')
    }
    recorded('elsewhere', 'other')
    await clock.advance(50)
    expect(calls.map((requests) => requests.map(({ subject }) => subject))).toEqual([['mail']])
    expect([announced, snapshot('a')]).toEqual([['a'], { kind: 'Read', succeeded: 0, failed: 30, missed: 0 }])
  })

  it("follow the minutes of the broker's clock, not of the operator's", async () => {
    const { clock, state, ask, end, snapshot, recorded } = home()
    state.aheadMs = 90_000
    ask('a')
    await clock.advance(0)
    end('mail', 'failed')
    recorded('acme', 'mail')
    await clock.advance(50)
    expect(snapshot('a')).toMatchObject({ failed: 1 })
  })

  it('that cannot be read are Unreadable, not zero, and are read again by themselves', async () => {
    const { clock, announced, calls, state, ask, snapshot } = home()
    ask('a')
    await clock.advance(0)
    state.failure = new Error('ECONNREFUSED')
    await clock.advance(40_000)
    expect(snapshot('a')).toEqual({ kind: 'Unreadable', message: 'ECONNREFUSED', sinceMs: start + 40_000 })
    const tellings = announced.length
    await clock.advance(10_000)
    expect(announced).toHaveLength(tellings)
    state.failure = undefined
    await clock.advance(2_000)
    expect(snapshot('a')).toMatchObject({ kind: 'Read' })
    const readings = calls.length
    await clock.advance(2_000)
    expect(calls).toHaveLength(readings)
  })

  it('of several queues are added up, and stay Pending until all are read', async () => {
    const { clock, ask, end, snapshot } = home()
    end('mail', 'failed')
    end('sms', 'succeeded')
    const subjects = ['mail', 'sms'].map((subject) => ({ subjectKind: 'Queue' as const, subject }))
    ask('a', 'mail')
    await clock.advance(0)
    ask('a', 'mail', { subjects })
    expect(snapshot('a')).toEqual({ kind: 'Pending' })
    await clock.advance(0)
    expect(snapshot('a')).toEqual({ kind: 'Read', succeeded: 1, failed: 1, missed: 0 })
  })

  it('cost nothing after the last subscriber has left', async () => {
    const { clock, counts, calls, state, ask, subscriber } = home()
    ask('a')
    await clock.advance(0)
    ask('a')
    await clock.advance(0)
    expect(calls).toHaveLength(1)
    counts.unsubscribe(subscriber('a'))
    await clock.advance(600_000)
    expect([calls.length, state.closed, clock.pending()]).toEqual([1, 1, []])
    ask('b')
    await counts.stop()
    expect([state.closed, clock.pending()]).toEqual([2, []])
  })
})
