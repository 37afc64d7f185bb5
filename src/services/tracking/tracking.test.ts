import { expect, test, vi } from 'vitest'
import type { Broker, BrokerEndpoint, DispatchProof, EndedJob } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokers } from '../brokers/index.ts'
import type { Signals } from '../signals/index.ts'
import { createTracking } from './tracking.ts'

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }
const doneQueue = '.taskmill-done/default/shop'
const endOf = (owner: string, slot: number): EndedJob => ({
  kind: 'Slot',
  owner,
  slot,
  id: `tm/${owner}/${slot}`,
  doneQueue,
  outcome: 'Succeeded',
})

const held: DispatchProof = { dispatcher: 'default/shop', epoch: 7, holder: 'c/ns/lease' }

/** Tries until it does not throw: these tests run while others have the processors. */
const soon = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 60_000 })

/** A done queue in memory, read in pages of 100, and a tracking of it. */
function world(
  queue: EndedJob[],
  isGone: (owner: string) => boolean = () => false,
  proof: { readonly current: DispatchProof | undefined } = { current: held },
) {
  let change: () => void = () => undefined
  let reads = 0
  const broker: Partial<Broker> = {
    async readEnded(_queues, from = 0) {
      reads++
      return { ended: queue.slice(from, from + 100), ...(queue.length > from + 100 ? { next: from + 100 } : {}) }
    },
    async readLedgers(ledgers) {
      return { stored: ledgers.map(() => undefined), brokerTimeMs: 0 }
    },
    async acknowledgeEnded(refs, { epoch }) {
      if (epoch !== held.epoch) return 'Fenced'
      const gone = new Set(refs.map(({ id }) => id))
      queue.splice(0, queue.length, ...queue.filter(({ id }) => !gone.has(id)))
      return 'Done'
    },
    close: async () => undefined,
  }
  const handlers = new Set<(key: string) => void>()
  const signals: Pick<Signals, 'subscribe' | 'unsubscribe' | 'changesOf'> = {
    subscribe({ subscriber: { kind, key } }) {
      change = () => handlers.forEach((handler) => (kind === 'DoneQueue' ? handler(key) : undefined))
    },
    unsubscribe: () => undefined,
    changesOf: () => ({
      onChange(handler) {
        handlers.add(handler)
        return () => void handlers.delete(handler)
      },
    }),
  }
  const tracking = createTracking({
    brokers: createBrokers({ connect: () => broker as Broker }),
    signals,
    clock: fakeClock(),
    log: silentLogger,
    isGone,
    proofIn: () => proof.current,
  })
  return { tracking, queue, change: () => change(), reads: () => reads }
}

const many = (owner: string, count: number) => Array.from({ length: count }, (_, slot) => endOf(owner, slot))

test('ends of untracked owners hide no end of a tracked owner', async () => {
  const { tracking } = world([...many('default/shop/invalid', 250), endOf('default/shop/nightly', 1)])
  tracking.track({ owner: 'default/shop/nightly', doneQueue, endpoint })
  await soon(() => expect(tracking.ended('default/shop/nightly')).toHaveLength(1))
  await tracking.stop()
})

test('of very many tracked ends one page is read, and the next after those are acknowledged', async () => {
  const { tracking, queue, reads } = world(many('default/shop/nightly', 250))
  tracking.track({ owner: 'default/shop/nightly', doneQueue, endpoint })
  await soon(() => expect(tracking.ended('default/shop/nightly')).toHaveLength(100))
  expect(reads(), 'one page each, of the two reads that tracking begins with at most').toBeLessThanOrEqual(2)
  const ids = tracking.ended('default/shop/nightly').map(({ id }) => id)
  queue.splice(0, 100)
  tracking.acknowledged('default/shop/nightly', ids)
  await soon(() => expect(tracking.ended('default/shop/nightly')[0]?.id).toBe('tm/default/shop/nightly/100'))
  await tracking.stop()
})

test('an end is announced once when it comes, and stays until it is acknowledged', async () => {
  const { tracking, queue, change } = world([])
  const announced: string[] = []
  tracking.changesOf('TaskSchedule').onChange((key) => announced.push(key))
  tracking.track({ owner: 'default/shop/nightly', doneQueue, endpoint })
  queue.push(endOf('default/shop/nightly', 1))
  change()
  await soon(() => expect(announced).toEqual(['shop/nightly']))
  change()
  await soon(() => expect(tracking.ended('default/shop/nightly')).toHaveLength(1))
  queue.length = 0
  tracking.acknowledged('default/shop/nightly', ['tm/default/shop/nightly/1'])
  expect([announced, tracking.ended('default/shop/nightly')]).toEqual([['shop/nightly'], []])
  await tracking.stop()
})

test('ends of a schedule that is gone with its ledger are removed, also behind the first page', async () => {
  const { tracking, queue } = world([...many('default/shop/invalid', 120), ...many('default/shop/gone', 5)], (owner) =>
    owner.endsWith('gone'),
  )
  tracking.watch('shop/default', { doneQueue, endpoint })
  await soon(() => expect(queue.map(({ owner }) => owner)).toEqual(Array.from({ length: 120 }, () => 'default/shop/invalid')))
  await tracking.stop()
})

test.each<[string, DispatchProof | undefined]>([
  ['does not hold the dispatch lease', undefined],
  ['was frozen, and whose proof is not the newest any more', { ...held, epoch: 6 }],
])('a process that %s removes no end', async (_, proof) => {
  const { tracking, queue, reads, change } = world([endOf('default/shop/gone', 1)], () => true, { current: proof })
  tracking.watch('shop/default', { doneQueue, endpoint })
  await soon(() => expect(reads()).toBeGreaterThan(0))
  change()
  await soon(() => expect(reads()).toBeGreaterThan(1))
  await tracking.stop()
  expect(queue).toHaveLength(1)
})

test('untracked ends are announced while their object exists, and kept for it', async () => {
  const { tracking } = world([endOf('default/shop/nightly', 1), endOf('default/shop/gone', 1)], (owner) => owner.endsWith('gone'))
  const announced: string[] = []
  tracking.changesOf('TaskSchedule').onChange((key) => announced.push(key))
  tracking.watch('shop/default', { doneQueue, endpoint })
  await soon(() => expect(announced).toEqual(['shop/nightly']))
  expect(['default/shop/nightly', 'default/shop/other'].map(tracking.hasUnclaimed)).toEqual([true, false])
  tracking.track({ owner: 'default/shop/nightly', doneQueue, endpoint })
  expect([tracking.hasUnclaimed('default/shop/nightly'), tracking.ended('default/shop/nightly').length]).toEqual([false, 1])
  await tracking.stop()
})
