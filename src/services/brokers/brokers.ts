import { createHash } from 'node:crypto'
import type { Broker, BrokerEndpoint } from '../../broker/index.ts'
import { hasCode, taskmillError } from '../../errors/index.ts'

/** A shared connection to a broker. It stays open until the last lease of its endpoint is released. */
export type BrokerLease = {
  readonly broker: Broker
  /** Returns it; a second call does nothing. */
  release(): Promise<void>
}

export type Brokers = {
  /**
   * Lends the broker of that endpoint; the first lease connects, in the background. Throws TM_BROKER_UNREACHABLE after `close`: nothing that
   * outlives its term opens a connection that is never closed.
   */
  acquire(endpoint: BrokerEndpoint): BrokerLease
  /** Closes all connections for good, also those with leases. */
  close(): Promise<void>
}

/** The connection of one object to its broker, between two looks. */
export type BrokerConnection = {
  /** Undefined: not connected. */
  readonly broker: Broker | undefined
  /** Returns the broker of that endpoint. If address or credentials have changed, the former connection is given back. */
  connectTo(endpoint: BrokerEndpoint): Promise<Broker>
  release(): Promise<void>
}

type Shared = { readonly broker: Broker; leases: number }

/** One connection per endpoint, prefix, credentials and TLS: their number does not grow with the number of objects. */
export function createBrokers(deps: { readonly connect: (endpoint: BrokerEndpoint) => Broker }): Brokers {
  const shared = new Map<string, Shared>()
  let isClosed = false
  return {
    acquire(endpoint) {
      if (isClosed)
        throw taskmillError('TM_BROKER_UNREACHABLE', `${endpoint.address} is no longer connected: the term of this process has ended`)
      const id = fingerprintOf(endpoint)
      const entry = shared.get(id) ?? { broker: deps.connect(endpoint), leases: 0 }
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
    async close() {
      isClosed = true
      const all = [...shared.values()]
      shared.clear()
      await Promise.all(all.map(({ broker }) => broker.close()))
    },
  }
}

/**
 * `onLoss` is called when what was learned through the connection counts no more: it is given back, or exchanged. `onReturn`: the broker was
 * away, and is there again, perhaps with less than it had.
 */
export function createBrokerConnection(
  brokers: Pick<Brokers, 'acquire'>,
  onLoss: () => void = () => undefined,
  onReturn?: () => void,
): BrokerConnection {
  return new HeldConnection(brokers, onLoss, onReturn)
}

type Held = { readonly lease: BrokerLease; readonly fingerprint: string; readonly forget: (() => void) | undefined }

/** A class, because each of thousands of objects has one, and a getter and closures of its own take several times as much memory. */
class HeldConnection implements BrokerConnection {
  readonly #brokers: Pick<Brokers, 'acquire'>
  readonly #onLoss: () => void
  readonly #onReturn: (() => void) | undefined
  #held: Held | undefined

  constructor(brokers: Pick<Brokers, 'acquire'>, onLoss: () => void, onReturn: (() => void) | undefined) {
    this.#brokers = brokers
    this.#onLoss = onLoss
    this.#onReturn = onReturn
  }

  get broker(): Broker | undefined {
    return this.#held?.lease.broker
  }

  async connectTo(endpoint: BrokerEndpoint): Promise<Broker> {
    const fingerprint = fingerprintOf(endpoint)
    if (this.#held?.fingerprint === fingerprint) return this.#held.lease.broker
    const lease = this.#brokers.acquire(endpoint)
    await this.#exchange({ lease, fingerprint, forget: this.#onReturn && lease.broker.onReturn(this.#onReturn) })
    return lease.broker
  }

  release(): Promise<void> {
    return this.#exchange(undefined)
  }

  async #exchange(next: Held | undefined): Promise<void> {
    const before = this.#held
    this.#held = next
    before?.forget?.()
    this.#onLoss()
    await before?.lease.release()
  }
}

/** The directory keeps one endpoint for all objects of a TaskBroker, and each look at an object asks. */
const fingerprints = new WeakMap<BrokerEndpoint, string>()

/** Equal for the same server, prefix, credentials and TLS, and only for those. Credentials cannot be derived from it. */
export function fingerprintOf(endpoint: BrokerEndpoint): string {
  const known = fingerprints.get(endpoint) ?? digestOf(endpoint)
  fingerprints.set(endpoint, known)
  return known
}

function digestOf({ address, keyPrefix, credentials, tls }: BrokerEndpoint): string {
  const parts = [
    address,
    keyPrefix,
    credentials === undefined ? null : [credentials.username, credentials.password],
    tls === undefined ? null : [tls.ca, tls.cert, tls.key, tls.serverName],
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** Whether the broker is away, rejects the credentials or refuses a command: a controller says so in a condition, and tries again. */
export function isBrokerFailure(error: unknown): boolean {
  return hasCode(error, 'TM_BROKER_UNREACHABLE', 'TM_BROKER_UNAUTHORIZED', 'TM_BROKER_COMMAND_FAILED')
}
