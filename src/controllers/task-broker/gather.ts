/** Reads what is to be known of one TaskBroker: its endpoint, and what the server there says about itself. */
import type { TaskBroker, TaskBrokerStatus } from '../../api/index.ts'
import type { Broker, BrokerEndpoint, BrokerInfo } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import {
  createBrokerConnection,
  type BrokerDirectory,
  type BrokerConnection,
  type Brokers,
  type BrokerState,
  type DispatchState,
} from '../../services/brokers/index.ts'

/** What the broker said about itself, or why it did not. */
export type Look =
  | { readonly kind: 'Blocked'; readonly reason: 'SecretNotFound' | 'SecretForbidden' | 'SecretInvalid'; readonly message: string }
  | { readonly kind: 'Failed'; readonly reason: 'ConnectionFailed' | 'TLSFailed' | 'AuthenticationFailed'; readonly message: string }
  | {
      readonly kind: 'Answered'
      readonly info: BrokerInfo
      /** How far its clock is ahead of ours, and by how much that may be wrong because of the time that the answer took. */
      readonly skewMs: number
      readonly skewErrorMs: number
      /** Queues with repeatable jobs of an old BullMQ. */
      readonly legacyQueues: readonly string[]
    }

/** Everything that the status of one TaskBroker depends on. */
export type World = {
  readonly broker: TaskBroker
  /** The status that was written last. */
  readonly status: TaskBrokerStatus | undefined
  readonly look: Look
  readonly dispatch: DispatchState
  /** Of this operator, as other clusters see it. */
  readonly installation: string
  readonly nowMs: number
}

export type GatherDeps = {
  /** The shared connections. */
  readonly brokers: Brokers
  /** Resolved here and nowhere else. */
  readonly directory: BrokerDirectory
  /** The queues that the pools of a TaskBroker name. */
  readonly queuesOf: (key: string) => readonly string[]
  readonly clock: Clock
}

export type Gather = {
  /** Resolves the endpoint and asks the server. Rejects only when the Secrets cannot be read and nothing is known yet. */
  read(key: string, broker: TaskBroker, signal: AbortSignal): Promise<{ readonly endpoint: BrokerState; readonly look: Look }>
  /** The TaskBroker is gone. */
  forget(key: string): Promise<void>
}

/** Old repeatable jobs come with a deployment, not from one moment to the next. */
const legacyEveryMs = 60_000

/** What TLS itself complains about, beside Node's own words for certificates. */
const tlsCodes = /^(ERR_(TLS|SSL|OSSL)_|EPROTO$|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/u

type Legacy = { readonly queues: readonly string[]; readonly atMs: number; readonly asked: string }

/** Holds one connection for each TaskBroker, which follows its endpoint. */
export function createGather({ brokers, directory, queuesOf, clock }: GatherDeps): Gather {
  const holds = new Map<string, BrokerConnection>()
  const legacy = new Map<string, Legacy>()

  function holdOf(key: string): BrokerConnection {
    const hold = holds.get(key) ?? createBrokerConnection(brokers)
    holds.set(key, hold)
    return hold
  }

  async function legacyOf(key: string, broker: Broker): Promise<readonly string[]> {
    const queues = [...new Set(queuesOf(key))].toSorted()
    const known = legacy.get(key)
    if (known?.asked === queues.join() && clock.monotonicNow() < known.atMs + legacyEveryMs) return known.queues
    const found = queues.length === 0 ? [] : await broker.findLegacyRepeatables(queues)
    legacy.set(key, { queues: found, atMs: clock.monotonicNow(), asked: queues.join() })
    return found
  }

  async function askServer(key: string, endpoint: BrokerEndpoint): Promise<Look> {
    const broker = await holdOf(key).connectTo(endpoint)
    try {
      const [startedMs, wallMs] = [clock.monotonicNow(), clock.now()]
      const info = await broker.info()
      const tookMs = clock.monotonicNow() - startedMs
      return {
        kind: 'Answered',
        info,
        skewMs: info.timeMs - (wallMs + tookMs / 2),
        skewErrorMs: tookMs / 2,
        legacyQueues: await legacyOf(key, broker),
      }
    } catch (error) {
      return { kind: 'Failed', reason: reasonOf(error), message: errorMessage(error) }
    }
  }

  async function lookAt(key: string, endpoint: BrokerState): Promise<Look> {
    if (endpoint.kind === 'Known') return askServer(key, endpoint.endpoint)
    await release(key)
    if (endpoint.kind === 'Blocked') return endpoint
    throw new TypeError('a resolved TaskBroker is known or blocked')
  }

  async function release(key: string): Promise<void> {
    const hold = holds.get(key)
    holds.delete(key)
    legacy.delete(key)
    await hold?.release()
  }

  return {
    async read(key, broker, signal) {
      // A Secret that was of no use is likely to be corrected.
      const endpoint = await directory.resolve(key, broker, { force: directory.get(key).kind === 'Blocked', signal })
      const look = await lookAt(key, endpoint)
      if (look.kind !== 'Failed' || look.reason !== 'AuthenticationFailed') return { endpoint, look }
      // The refused credentials may be those of before a rotation: read the Secret once more.
      const fresh = await directory.resolve(key, broker, { force: true, signal })
      return fresh === endpoint ? { endpoint, look } : { endpoint: fresh, look: await lookAt(key, fresh) }
    },
    async forget(key) {
      directory.forget(key)
      await release(key)
    },
  }
}

function reasonOf(error: unknown): Extract<Look, { readonly kind: 'Failed' }>['reason'] {
  if (hasCode(error, 'TM_BROKER_UNAUTHORIZED')) return 'AuthenticationFailed'
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && tlsCodes.test(cause.code)) return 'TLSFailed'
  }
  return 'ConnectionFailed'
}
