/** The dispatch lease on a real Redis: operators of two clusters, and late writes of a former holder. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectBroker } from '../../src/broker/index.ts'
import { systemClock as clock } from '../../src/clock/index.ts'
import { taskmillError } from '../../src/errors/index.ts'
import { silentLogger as log } from '../../src/observability/index.ts'
import { createBrokers, createDispatchLeases, type DispatchLeases, type DispatchState } from '../../src/services/brokers/index.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

const key = 'shop/default'
const record = 'bull:.taskmill:dispatcher:default/shop'
let redis: RedisServer
const operators: Operator[] = []

type Operator = {
  readonly dispatchLeases: DispatchLeases
  readonly brokers: ReturnType<typeof createBrokers>
  readonly epoch: { now: number }
  want(dispatch?: 'Active' | 'Standby'): void
  /** Resolves with the state once it is of that kind. */
  is<K extends DispatchState['kind']>(kind: K): Promise<Extract<DispatchState, { readonly kind: K }>>
  /** Stops in order, or as one that lost its Lease. */
  end(reason?: Error): Promise<void>
}

beforeEach(async () => {
  redis = await redisServer()
})

afterEach(async () => {
  await Promise.all(operators.splice(0).map(async ({ end, brokers }) => (await end(), brokers.close())))
  await redis.stop()
})

function operator(cluster: string, { by = `${cluster}-0`, epoch: first = 1 } = {}): Operator {
  const brokers = createBrokers({ connect: (endpoint) => connectBroker({ ...endpoint, log, clock }) })
  const epoch = { now: first }
  const stop = new AbortController()
  const watchers = new Set<() => void>()
  const dispatchLeases = createDispatchLeases({
    brokers,
    clock,
    log,
    installation: 'default',
    cluster,
    holder: `${cluster}/taskmill-system/taskmill-operator`,
    by,
    epoch: () => epoch.now,
    outbid: (seen) => void (epoch.now = Math.max(epoch.now, seen + 1)),
  })
  dispatchLeases.onChange(() => {
    for (const look of watchers) look()
  })
  dispatchLeases.start(stop.signal)
  const made: Operator = {
    dispatchLeases,
    brokers,
    epoch,
    want: (dispatch = 'Active') =>
      dispatchLeases.want(key, { endpoint: { address: redis.address, keyPrefix: 'bull' }, namespace: 'shop', dispatch }),
    is: (kind) =>
      new Promise((resolve) => {
        const look = () => {
          const state = dispatchLeases.state(key)
          if (state.kind !== kind) return
          watchers.delete(look)
          resolve(state as never)
        }
        watchers.add(look)
        look()
      }),
    async end(reason = new Error('SIGTERM')) {
      stop.abort(reason)
      await dispatchLeases.stopped
    },
  }
  operators.push(made)
  return made
}

test('of two clusters one dispatches; an orderly stop hands over within a few seconds, and what the former one still writes is refused', async () => {
  const [blue, green] = [operator('blue'), operator('green')]
  blue.want()
  const { proof } = await blue.is('Active')
  green.want()
  expect(await green.is('Standby')).toEqual({ kind: 'Standby', heldBy: 'blue/taskmill-system/taskmill-operator' })
  const lease = blue.brokers.acquire({ address: redis.address, keyPrefix: 'bull' })
  const write = (expectedRevision: number, by = proof) =>
    lease.broker.writeLedger({
      ledger: 'default/shop/nightly',
      expectedRevision,
      document: '{"v":1}',
      marker: { v: 1, cluster: 'blue', kind: 'TaskSchedule', namespace: 'shop', name: 'nightly', deletionPolicy: 'Delete' },
      proof: by,
    })
  expect((await write(0)).outcome).toBe('Written')

  const startedMs = performance.now()
  await blue.end()
  const next = await green.is('Active')
  expect(performance.now() - startedMs).toBeLessThan(8_000)
  expect(next.proof.epoch).toBeGreaterThan(proof.epoch)
  expect((await write(1)).outcome).toBe('Fenced')
  expect((await write(1, next.proof)).outcome).toBe('Written')
})

test('a cluster that falls silent loses the dispatch lease after 30 s, and stands by when it is back', async () => {
  const [blue, green] = [operator('blue'), operator('green')]
  blue.want()
  await blue.is('Active')
  green.want()
  await green.is('Standby')
  const silentMs = performance.now()
  await blue.end(taskmillError('TM_LEASE_LOST', 'lost'))
  expect(await redis.client.hget(record, 'holder')).toBe('blue/taskmill-system/taskmill-operator')
  await green.is('Active')
  const tookMs = performance.now() - silentMs
  expect(tookMs).toBeGreaterThan(24_000)
  expect(tookMs).toBeLessThan(42_000)
  const back = operator('blue', { epoch: 5 })
  back.want()
  expect((await back.is('Standby')).heldBy).toMatch(/^green\//u)
})

test('Standby gives the dispatch lease to the other cluster', async () => {
  const [blue, green] = [operator('blue'), operator('green')]
  blue.want()
  await blue.is('Active')
  green.want()
  await green.is('Standby')
  blue.want('Standby')
  expect(await blue.is('Standby')).toEqual({ kind: 'Standby' })
  await green.is('Active')
  blue.want('Active')
  expect((await blue.is('Standby')).heldBy).toMatch(/^green\//u)
})

test('the next leader of a cluster takes the dispatch lease at once; one whose epoch is not higher outbids the epoch that the broker has seen', async () => {
  const first = operator('blue', { by: 'blue-0', epoch: 7 })
  first.want()
  await first.is('Active')
  const next = operator('blue', { by: 'blue-1', epoch: 8 })
  next.want()
  expect((await next.is('Active')).proof.epoch).toBe(8)
  // Its Lease was deleted, so it counts from 1 again.
  const anew = operator('blue', { by: 'blue-2', epoch: 1 })
  anew.want()
  expect((await anew.is('Active')).proof.epoch).toBe(9)
  expect(await redis.client.hgetall(record)).toMatchObject({ epoch: '9', by: 'blue-2' })
})

test('a Redis that was away is claimed again when it is back', async () => {
  const blue = operator('blue')
  await redis.kill()
  blue.want()
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  expect(blue.dispatchLeases.state(key)).toEqual({ kind: 'Pending' })
  await redis.start()
  await blue.is('Active')
})
