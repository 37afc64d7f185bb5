import { expect, test } from 'vitest'
import type { Broker, BrokerEndpoint, DispatchClaim, DispatchProof } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { fingerprintOf } from './brokers.ts'
import { createDispatchLeases, type DispatchState } from './dispatch-leases.ts'

/** A server that keeps the records of turns as the real one does. */
function server(clock: ReturnType<typeof fakeClock>) {
  const records = new Map<string, { epoch: number; holder: string; by: string; aliveAtMs: number }>()
  const returns = new Set<() => void>()
  const state = { away: false, calls: 0, sizes: [] as number[] }
  const broker = {
    async claimDispatch(claims: readonly DispatchClaim[]) {
      state.calls++
      state.sizes.push(claims.length)
      if (state.away) throw taskmillError('TM_BROKER_UNREACHABLE', 'away')
      return claims.map(({ dispatcher, epoch, holder, by, patienceMs, mode }) => {
        const record = records.get(dispatcher)
        if (mode === 'Renew' && record === undefined) return { kind: 'Behind', epoch }
        const nowMs = clock.now()
        if (record && record.holder !== '' && record.holder !== holder && nowMs - record.aliveAtMs < patienceMs) {
          return { kind: 'HeldByOther', holder: record.holder }
        }
        const isBehind = record && (epoch < record.epoch || (epoch === record.epoch && (record.by !== by || record.holder !== holder)))
        if (isBehind) return { kind: 'Behind', epoch: record.epoch }
        records.set(dispatcher, { epoch, holder, by, aliveAtMs: nowMs })
        return { kind: 'Held' }
      })
    },
    async releaseDispatch({ dispatcher, epoch, holder }: DispatchProof) {
      const record = records.get(dispatcher)
      if (record?.epoch === epoch && record.holder === holder) record.holder = ''
    },
    onReturn(listener: () => void) {
      returns.add(listener)
      return () => void returns.delete(listener)
    },
  } as unknown as Broker
  return { broker, records, state, returns }
}

const endpoint: BrokerEndpoint = { address: 'redis:6379', keyPrefix: 'bull' }
const wish = (namespace: string, dispatch: 'Active' | 'Standby' = 'Active', at: BrokerEndpoint = endpoint) => ({
  endpoint: at,
  namespace,
  dispatch,
})

function world() {
  const clock = fakeClock()
  const { broker, records, state, returns } = server(clock)
  const leased = new Map<string, number>()
  const operator = (holder: string, by = holder, epochAtFirst = 1) => {
    const stop = new AbortController()
    const epoch = { now: epochAtFirst }
    const changes: string[] = []
    const dispatchLeases = createDispatchLeases({
      brokers: {
        acquire(of) {
          const id = fingerprintOf(of)
          leased.set(id, (leased.get(id) ?? 0) + 1)
          return { broker, release: async () => void leased.set(id, (leased.get(id) ?? 0) - 1) }
        },
      },
      clock,
      log: silentLogger,
      installation: 'default',
      cluster: 'c1',
      holder,
      by,
      epoch: () => epoch.now,
      // As the elector: with the next renewal.
      outbid: (seen) => void clock.setTimeout(() => (epoch.now = Math.max(epoch.now, seen + 1)), 2_000),
    })
    dispatchLeases.onChange((key) => changes.push(`${key} ${describe(dispatchLeases.state(key))}`))
    dispatchLeases.start(stop.signal)
    return { stop, epoch, changes, dispatchLeases }
  }
  return { clock, records, state, returns, leased, operator }
}

function describe(state: DispatchState): string {
  if (state.kind === 'Active') return `Active ${state.proof.epoch}`
  return state.kind === 'Standby' ? `Standby ${state.heldBy ?? '-'}` : state.kind
}

test('a wish is claimed at once and renewed every 5 s; all namespaces of a server in one round trip', async () => {
  const { clock, state, operator } = world()
  const { dispatchLeases, changes } = operator('a')
  for (let index = 0; index < 60; index++) dispatchLeases.want(`ns-${index}/default`, wish(`ns-${index}`))
  await clock.advance(0)
  expect(dispatchLeases.state('ns-7/default')).toEqual({ kind: 'Active', proof: { dispatcher: 'default/ns-7', epoch: 1, holder: 'a' } })
  expect(state.sizes).toEqual([50, 10])
  const told = changes.length
  await clock.advance(4_999)
  expect(state.calls).toBe(2)
  await clock.advance(1)
  expect([state.calls, changes.length]).toEqual([4, told])
  dispatchLeases.want('ns-7/default', wish('ns-7'))
  await clock.advance(0)
  expect(state.calls).toBe(4)
})

test('of two clusters one dispatches; the other takes over 30 s after the first fell silent', async () => {
  const { clock, records, operator } = world()
  const [a, b] = [operator('a'), operator('b')]
  a.dispatchLeases.want('x/default', wish('x'))
  await clock.advance(0)
  b.dispatchLeases.want('x/default', wish('x'))
  await clock.advance(60_000)
  expect([a, b].map(({ dispatchLeases }) => describe(dispatchLeases.state('x/default')))).toEqual(['Active 1', 'Standby a'])
  // The Lease was lost: nothing is said any more.
  a.stop.abort(taskmillError('TM_LEASE_LOST', 'lost'))
  await a.dispatchLeases.stopped
  expect(records.get('default/x')?.holder).toBe('a')
  await clock.advance(24_000)
  expect(describe(b.dispatchLeases.state('x/default'))).toBe('Standby a')
  await clock.advance(10_000)
  expect(describe(b.dispatchLeases.state('x/default'))).toBe('Active 2')
})

test('a lease whose record is gone is claimed again with a higher epoch', async () => {
  const { clock, records, operator } = world()
  const { dispatchLeases, changes } = operator('a')
  dispatchLeases.want('x/default', wish('x'))
  await clock.advance(0)
  records.clear()
  await clock.advance(10_000)
  expect(changes).toEqual(['x/default Pending', 'x/default Active 1', 'x/default Pending', 'x/default Active 2'])
})

test('new credentials do not make an epoch good that the broker has refused', async () => {
  const { clock, records, operator } = world()
  const { dispatchLeases, changes } = operator('a')
  dispatchLeases.want('x/default', wish('x'))
  await clock.advance(0)
  records.clear()
  await clock.advance(5_000)
  expect(describe(dispatchLeases.state('x/default'))).toBe('Pending')
  dispatchLeases.want('x/default', wish('x', 'Active', { ...endpoint, credentials: { username: 'u', password: 'p' } }))
  await clock.advance(5_000)
  expect(changes).toEqual(['x/default Pending', 'x/default Active 1', 'x/default Pending', 'x/default Active 2'])
})

test.each([
  ['an orderly stop', (a: ReturnType<ReturnType<typeof world>['operator']>) => a.stop.abort(new Error('SIGTERM'))],
  ['Standby', (a: ReturnType<ReturnType<typeof world>['operator']>) => a.dispatchLeases.want('x/default', wish('x', 'Standby'))],
  ['the end of the TaskBroker', (a: ReturnType<ReturnType<typeof world>['operator']>) => a.dispatchLeases.forget('x/default')],
])('the dispatch lease is released by %s', async (_, end) => {
  const { clock, operator } = world()
  const [a, b] = [operator('a'), operator('b')]
  a.dispatchLeases.want('x/default', wish('x'))
  await clock.advance(0)
  b.dispatchLeases.want('x/default', wish('x'))
  await clock.advance(0)
  end(a)
  await clock.advance(9_000)
  expect(a.dispatchLeases.state('x/default').kind).not.toBe('Active')
  expect(describe(b.dispatchLeases.state('x/default'))).toBe('Active 2')
})

test('an epoch that is not higher is outbid', async () => {
  const { clock, records, operator } = world()
  records.set('default/x', { epoch: 40, holder: 'a', by: 'another process', aliveAtMs: 0 })
  const { dispatchLeases, changes } = operator('a', 'a', 3)
  dispatchLeases.want('x/default', wish('x'))
  await clock.advance(4_000)
  expect(changes).toEqual(['x/default Pending', 'x/default Active 41'])
})

test('a broker that is there again is announced for each TaskBroker that still wants it', () => {
  const { returns, operator } = world()
  const { dispatchLeases } = operator('east')
  const announced: string[] = []
  dispatchLeases.onReturn((key) => announced.push(key))
  dispatchLeases.want('acme/a', wish('acme'))
  dispatchLeases.want('shop/a', wish('shop', 'Standby'))
  dispatchLeases.want('gone/a', wish('gone'))
  dispatchLeases.want('acme/a', wish('acme', 'Active', { ...endpoint, credentials: { password: 'new' } }))
  dispatchLeases.forget('gone/a')
  for (const listener of returns) listener()
  expect(announced.toSorted()).toEqual(['acme/a', 'shop/a'])
})

test('a broker that is away is asked again each second, and what it said last holds', async () => {
  const { clock, state, operator } = world()
  const { dispatchLeases } = operator('a')
  state.away = true
  dispatchLeases.want('x/default', wish('x'))
  await clock.advance(3_000)
  expect([describe(dispatchLeases.state('x/default')), state.calls]).toEqual(['Pending', 4])
  state.away = false
  await clock.advance(1_000)
  state.away = true
  await clock.advance(10_000)
  expect(describe(dispatchLeases.state('x/default'))).toBe('Active 1')
})

test('new credentials move to a new connection without releasing the dispatch lease', async () => {
  const { clock, records, leased, operator } = world()
  const { dispatchLeases, changes } = operator('a')
  dispatchLeases.want('x/default', wish('x'))
  await clock.advance(0)
  const rotated = { ...endpoint, credentials: { password: 'new' } }
  dispatchLeases.want('x/default', wish('x', 'Active', rotated))
  expect(describe(dispatchLeases.state('x/default'))).toBe('Active 1')
  await clock.advance(0)
  expect(records.get('default/x')?.holder).toBe('a')
  expect(changes).toEqual(['x/default Pending', 'x/default Active 1'])
  expect([leased.get(fingerprintOf(endpoint)), leased.get(fingerprintOf(rotated))]).toEqual([0, 1])
})

test('of two TaskBrokers for one server and namespace, the dispatch lease is kept until neither is Active', async () => {
  const { clock, records, leased, operator } = world()
  const { dispatchLeases } = operator('a')
  dispatchLeases.want('x/default', wish('x'))
  dispatchLeases.want('x/second', wish('x'))
  await clock.advance(0)
  dispatchLeases.want('x/default', wish('x', 'Standby'))
  await clock.advance(0)
  expect([records.get('default/x')?.holder, describe(dispatchLeases.state('x/second'))]).toEqual(['a', 'Active 1'])
  dispatchLeases.forget('x/second')
  await clock.advance(0)
  expect([records.get('default/x')?.holder, leased.get(fingerprintOf(endpoint))]).toEqual(['', 1])
})

test('a stop leaves no timer and no connection', async () => {
  const { clock, leased, operator } = world()
  const { stop, dispatchLeases } = operator('a')
  dispatchLeases.want('x/default', wish('x'))
  dispatchLeases.want('y/default', wish('y', 'Standby'))
  await clock.advance(12_000)
  stop.abort()
  await dispatchLeases.stopped
  expect([clock.pending(), [...leased.values()], dispatchLeases.state('x/default')]).toEqual([[], [0], { kind: 'Pending' }])
})
