import { expect, test } from 'vitest'
import type { Broker, BrokerEndpoint } from '../../broker/index.ts'
import { createBrokerConnection, createBrokers } from './brokers.ts'

const endpoint = { address: 'redis:6379', keyPrefix: 'bull' } as BrokerEndpoint
const rotated = { ...endpoint, credentials: { password: 'another' } } as BrokerEndpoint

/** Brokers that only say whether they are connected. */
function world() {
  const connected = new Set<Broker>()
  const returns = new Set<() => void>()
  const brokers = createBrokers({
    connect() {
      const broker = {
        close: async () => void connected.delete(broker),
        onReturn(listener: () => void) {
          const tell = () => listener()
          returns.add(tell)
          return () => void returns.delete(tell)
        },
      } as Partial<Broker> as Broker
      connected.add(broker)
      return broker
    },
  })
  return { connected, brokers, returns }
}

test('two leases of one endpoint share a connection, which the last of them closes', async () => {
  const { connected, brokers } = world()
  const [first, second] = [brokers.acquire(endpoint), brokers.acquire({ ...endpoint })]
  expect(first.broker).toBe(second.broker)
  await first.release()
  await first.release()
  expect(connected.size, 'given back twice by one counts once').toBe(1)
  await second.release()
  expect(connected.size).toBe(0)
})

test('a connection stays while its endpoint stays, and asking again reports no loss', async () => {
  const { connected, brokers } = world()
  let losses = 0
  const hold = createBrokerConnection(brokers, () => losses++)
  const broker = await hold.connectTo(endpoint)
  const before = losses
  expect(await hold.connectTo({ ...endpoint })).toBe(broker)
  expect([losses, connected.size, hold.broker]).toEqual([before, 1, broker])
})

test('other credentials exchange the broker, close the one before, and tell that what was learned is void', async () => {
  const { connected, brokers } = world()
  let losses = 0
  const hold = createBrokerConnection(brokers, () => losses++)
  const before = await hold.connectTo(endpoint)
  losses = 0
  const after = await hold.connectTo(rotated)
  expect(after).not.toBe(before)
  expect([...connected]).toEqual([after])
  expect(losses).toBe(1)
})

test('after the close of all nothing connects any more', async () => {
  const { connected, brokers } = world()
  const lease = brokers.acquire(endpoint)
  await brokers.close()
  await lease.release()
  for (const each of [endpoint, rotated]) expect(() => brokers.acquire(each)).toThrow('has ended')
  expect(connected.size).toBe(0)
})

test('a hold that was released holds nothing, and can follow again', async () => {
  const { connected, brokers } = world()
  const hold = createBrokerConnection(brokers)
  await hold.connectTo(endpoint)
  await hold.release()
  expect([hold.broker, connected.size]).toEqual([undefined, 0])
  expect(await hold.connectTo(endpoint)).toBe(hold.broker)
})

test('a holder of a broker learns when the broker returns, and only while it holds it', async () => {
  const { brokers, returns } = world()
  let returned = 0
  const hold = createBrokerConnection(
    brokers,
    () => undefined,
    () => returned++,
  )
  await hold.connectTo(endpoint)
  for (const tell of returns) tell()
  expect(returned).toBe(1)
  await hold.connectTo(rotated)
  expect(returns.size).toBe(1)
  await hold.release()
  expect(returns.size).toBe(0)
})
