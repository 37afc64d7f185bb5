import type { Broker, BrokerEndpoint } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import { createBrokerHold, type BrokerHold, type Brokers } from '../../services/brokers/index.ts'
import type { Look } from './world.ts'

/** Old repeatable jobs come with a deployment, not from one moment to the next. */
const legacyEveryMs = 60_000

/** What TLS itself complains about, beside Node's own words for certificates. */
const tlsCodes = /^(ERR_(TLS|SSL|OSSL)_|EPROTO$|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/u

type Legacy = { readonly queues: readonly string[]; readonly atMs: number; readonly asked: string }

/** The connections through which the TaskBrokers are looked at; each follows the endpoint of its TaskBroker. */
export function createConnections(deps: {
  readonly brokers: Brokers
  readonly queuesOf: (key: string) => readonly string[]
  readonly clock: Clock
}): {
  look(key: string, endpoint: BrokerEndpoint): Promise<Look>
  forget(key: string): Promise<void>
} {
  const { brokers, queuesOf, clock } = deps
  const holds = new Map<string, BrokerHold>()
  const legacy = new Map<string, Legacy>()

  function holdOf(key: string): BrokerHold {
    const hold = holds.get(key) ?? createBrokerHold(brokers)
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

  return {
    async look(key, endpoint) {
      const broker = await holdOf(key).follow(endpoint)
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
    },
    async forget(key) {
      const hold = holds.get(key)
      holds.delete(key)
      legacy.delete(key)
      await hold?.release()
    },
  }
}

function reasonOf(error: unknown): Extract<Look, { readonly kind: 'Failed' }>['reason'] {
  if (hasCode(error, 'TM_BROKER_UNAUTHORIZED')) return 'AuthenticationFailed'
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && tlsCodes.test(at.code)) return 'TLSFailed'
  }
  return 'ConnectionFailed'
}
