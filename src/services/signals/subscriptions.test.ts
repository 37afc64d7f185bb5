import { describe, expect, it } from 'vitest'
import type { Broker, BrokerEndpoint } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokers } from '../brokers/index.ts'
import { createSubscriptions, idOf, type Reader, type ReaderContext, type Subscription } from './subscriptions.ts'

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }
const other: BrokerEndpoint = { ...endpoint, address: 'other:6379' }
const retryMs = 2_000

type Wish = Subscription & { readonly wants: string; readonly part?: string }

/** A book whose reader only notes what it is asked to do; reads take until the test lets them end. */
function world(isSlow = false) {
  const clock = fakeClock()
  const log: string[] = []
  const open = new Set<string>()
  const state = { failure: undefined as Error | undefined, connections: 0 }
  const letEnd: (() => void)[] = []
  const contexts: ReaderContext<Wish>[] = []
  const brokers = createBrokers({
    connect({ address }) {
      state.connections++
      open.add(address)
      return { close: async () => void open.delete(address) } as Partial<Broker> as Broker
    },
  })
  const book = createSubscriptions<Wish, Reader<Wish>>({
    what: 'wishes',
    brokers,
    clock,
    log: silentLogger,
    retryMs,
    isSame: (a, b) => a.wants === b.wants,
    partOf: ({ part = '' }) => part,
    openReader(context) {
      contexts.push(context)
      log.push(`open ${context.endpoint.address}`)
      return {
        update(before, after) {
          log.push(`update ${before?.wants ?? '-'} ${after?.wants ?? '-'}`)
          void context.requestRead()
        },
        async read() {
          log.push(`read ${[...context.subscriptions.values()].map(({ wants }) => wants).join()}`)
          if (isSlow) await new Promise<void>((resolve) => letEnd.push(resolve))
          if (state.failure !== undefined) throw state.failure
          if (!context.isOpen()) log.push('closed meanwhile')
        },
        onFailure: () => void log.push('failed'),
        stop: () => void log.push('stop'),
      }
    },
  })
  const pool = (key: string) => ({ kind: 'WorkerPool', key })
  const subscribe = (key: string, wants: string, more: Partial<Wish> = {}) =>
    book.subscribe({ subscriber: pool(key), endpoint, wants, ...more })
  return { clock, book, pool, subscribe, log, open, state, contexts, letEnd }
}

describe('the book of subscribers', () => {
  it('opens one lease and one reader for all subscribers of a broker, and reads once for those that come together', async () => {
    const { clock, subscribe, log, state } = world()
    for (const key of ['a', 'b', 'c']) subscribe(`ns/${key}`, key)
    subscribe('ns/d', 'd', { endpoint: other })
    await clock.advance(0)
    expect(state.connections).toBe(2)
    expect(log.filter((line) => /^(?:open|read)/u.test(line))).toEqual(['open redis:6379', 'open other:6379', 'read a,b,c', 'read d'])
  })

  it('keeps readers apart where the service wants it, on one connection', async () => {
    const { clock, subscribe, log, state } = world()
    subscribe('ns/a', 'a', { part: 'x' })
    subscribe('ns/b', 'b', { part: 'y' })
    await clock.advance(0)
    expect([state.connections, log.filter((line) => line.startsWith('read'))]).toEqual([1, ['read a', 'read b']])
  })

  it('costs nothing when the same is asked for again, and gives the reader exactly what changed', async () => {
    const { clock, book, pool, subscribe, log } = world()
    subscribe('ns/a', 'x')
    subscribe('ns/b', 'y')
    await clock.advance(0)
    log.length = 0
    subscribe('ns/a', 'x')
    await clock.advance(10_000)
    expect(log).toEqual([])
    subscribe('ns/a', 'z')
    book.unsubscribe(pool('ns/b'))
    book.unsubscribe(pool('ns/b'))
    await clock.advance(0)
    expect(log).toEqual(['update x z', 'update y -', 'read z'])
  })

  it('closes with the last subscriber, and gives the connection back', async () => {
    const { clock, book, pool, subscribe, log, open } = world()
    subscribe('ns/a', 'a')
    subscribe('ns/b', 'b')
    await clock.advance(0)
    book.unsubscribe(pool('ns/a'))
    await clock.advance(0)
    expect(open.size).toBe(1)
    log.length = 0
    book.unsubscribe(pool('ns/b'))
    await clock.advance(10_000)
    expect([log, open.size, book.readers(), clock.pending()]).toEqual([['stop'], 0, [], []])
  })

  it('moves a subscriber to another broker: there it is new, and here it has left', async () => {
    const { clock, book, pool, subscribe, log, open } = world()
    subscribe('ns/a', 'a')
    await clock.advance(0)
    log.length = 0
    subscribe('ns/a', 'a', { endpoint: other })
    await clock.advance(0)
    expect(log).toEqual(['open other:6379', 'stop', 'update - a', 'read a'])
    expect([...open]).toEqual(['other:6379'])
    expect(book.find(pool('ns/a'))?.subscription.endpoint).toBe(other)
  })

  it('opens anew for a subscriber that comes while a former reader still ends', async () => {
    const { clock, book, pool, subscribe, log, open, letEnd } = world(true)
    subscribe('ns/a', 'a')
    await clock.advance(0)
    book.unsubscribe(pool('ns/a'))
    subscribe('ns/a', 'again')
    await clock.advance(0)
    for (const end of letEnd) end()
    await clock.advance(0)
    expect(log).toEqual([
      'open redis:6379',
      'update - a',
      'read a',
      'stop',
      'open redis:6379',
      'update - again',
      'read again',
      'closed meanwhile',
    ])
    expect(open.size).toBe(1)
  })

  it('repeats a read that failed, and says so to the reader', async () => {
    const { clock, subscribe, log, state } = world()
    state.failure = new Error('away')
    subscribe('ns/a', 'a')
    await clock.advance(0)
    log.length = 0
    await clock.advance(retryMs)
    expect(log).toEqual(['read a', 'failed'])
    state.failure = undefined
    await clock.advance(60_000)
    expect(log).toEqual(['read a', 'failed', 'read a'])
  })

  it('announces to the listeners of the kind until they leave; one that throws keeps nothing from the others', async () => {
    const { book, pool, subscribe, contexts } = world()
    const heard: string[] = []
    book.changesOf('WorkerPool').onChange(() => {
      throw new Error('mine')
    })
    const end = book.changesOf('WorkerPool').onChange((key) => heard.push(`pool ${key}`))
    book.changesOf('TaskAlert').onChange((key) => heard.push(`alert ${key}`))
    subscribe('ns/a', 'a')
    expect(heard).toEqual([])
    contexts[0]?.announce(pool('ns/a'))
    contexts[0]?.announce({ kind: 'TaskAlert', key: 'ns/a' })
    end()
    contexts[0]?.announce(pool('ns/a'))
    expect(heard).toEqual(['pool ns/a', 'alert ns/a'])
  })

  it('takes subscribers of the same name apart by their kind', () => {
    const { book, subscribe } = world()
    subscribe('ns/a', 'of the pool')
    book.subscribe({ subscriber: { kind: 'TaskQueue', key: 'ns/a' }, endpoint, wants: 'of the queue' })
    expect(book.find({ kind: 'TaskQueue', key: 'ns/a' })?.subscription.wants).toBe('of the queue')
    expect(new Set(['WorkerPool', 'TaskQueue'].map((kind) => idOf({ kind, key: 'ns/a' }))).size).toBe(2)
  })

  it('opens nothing after its stop', async () => {
    const { clock, book, pool, subscribe, log, open, state } = world()
    subscribe('ns/a', 'a')
    await clock.advance(0)
    await book.stop()
    log.length = 0
    subscribe('ns/a', 'b')
    subscribe('ns/late', 'late')
    book.unsubscribe(pool('ns/a'))
    await clock.advance(60_000)
    expect([log, open.size, state.connections, clock.pending()]).toEqual([[], 0, 1, []])
    expect([book.find(pool('ns/a')), book.find(pool('ns/late')), book.readers()]).toEqual([undefined, undefined, []])
  })

  it('waits at its stop for a read under way', async () => {
    const { clock, book, subscribe, letEnd } = world(true)
    subscribe('ns/a', 'a')
    await clock.advance(0)
    let isStopped = false
    const stopping = book.stop().then(() => (isStopped = true))
    await clock.advance(1_000)
    expect(isStopped).toBe(false)
    for (const end of letEnd) end()
    await stopping
  })
})
