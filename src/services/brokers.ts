import type { Broker, BrokerEndpoint } from '../broker/index.ts'

/** A broker on loan. It stays connected until the last lease of its endpoint has been released. */
export type BrokerLease = {
  readonly broker: Broker
  /** Gives it back; again does nothing. */
  release(): Promise<void>
}

export type Brokers = {
  /** Lends the broker of that endpoint; the first lease connects, in the background. */
  acquire(endpoint: BrokerEndpoint): BrokerLease
  /** Those that are on loan now. */
  all(): readonly Broker[]
  /** Closes all, whoever still holds them. */
  close(): Promise<void>
}

type Shared = { readonly broker: Broker; leases: number }

/** One broker per endpoint and prefix, however many resources use it: the operator's connections do not grow with what it manages. */
export function createBrokers(deps: { readonly connect: (endpoint: BrokerEndpoint) => Broker }): Brokers {
  const shared = new Map<string, Shared>()
  return {
    acquire({ address, keyPrefix }) {
      const id = JSON.stringify([address, keyPrefix])
      const entry = shared.get(id) ?? { broker: deps.connect({ address, keyPrefix }), leases: 0 }
      shared.set(id, entry)
      entry.leases++
      let isHeld = true
      return {
        broker: entry.broker,
        async release() {
          if (!isHeld) return
          isHeld = false
          if (--entry.leases > 0 || shared.get(id) !== entry) return
          shared.delete(id)
          await entry.broker.close()
        },
      }
    },
    all: () => [...shared.values()].map(({ broker }) => broker),
    async close() {
      const all = [...shared.values()]
      shared.clear()
      await Promise.all(all.map(({ broker }) => broker.close()))
    },
  }
}
