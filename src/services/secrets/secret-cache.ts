/**
 * What the Secrets hold that objects name.
 *
 * Guarantees: a Secret is read by its name, once a minute at most unless forced, however many objects name it; whoever forces in vain waits
 * longer each time; while the API server cannot be asked, what was known stays known. What is not asked for any more is forgotten after an hour.
 * Does not: look into what it holds.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../clock/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'

export type SecretValues = Readonly<Record<string, string>>
export type SecretReading =
  | { readonly kind: 'Values'; readonly values: SecretValues }
  | { readonly kind: 'Missing' }
  | { readonly kind: 'Forbidden'; readonly message: string }

export type SecretCache = {
  /**
   * `force`: also what was read less than a minute ago, because it is of no use; when that brings nothing new, the next forced reading waits.
   * Rejects only if nothing is known yet.
   */
  read(
    namespace: string,
    name: string,
    options?: { readonly force?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<SecretReading>
}

export type SecretCacheDeps = {
  /** The decoded values of a Secret; undefined when there is none of that name. */
  readonly readSecret: (namespace: string, name: string, signal: AbortSignal | undefined) => Promise<SecretValues | undefined>
  readonly clock: Clock
  readonly log: Logger
  /** Default 60 s. */
  readonly rereadMs?: number
}

type Entry = { readonly reading: SecretReading; readonly atMs: number; readonly forcedInVain: number }

const shortestForcedMs = 2_000
const forgetAfterMs = 3_600_000

export function createSecretCache({ readSecret, clock, log, rereadMs = 60_000 }: SecretCacheDeps): SecretCache {
  const entries = new Map<string, Entry>()
  const reading = new Map<string, Promise<SecretReading>>()

  /** What is missing is looked for each time: its creation is what everybody waits for. */
  function validMs({ reading: { kind }, forcedInVain }: Entry, force: boolean): number {
    if (kind !== 'Values') return 0
    if (!force) return rereadMs
    return forcedInVain === 0 ? 0 : Math.min(rereadMs, shortestForcedMs * 2 ** (forcedInVain - 1))
  }

  async function ask(
    namespace: string,
    name: string,
    known: Entry | undefined,
    force: boolean,
    signal: AbortSignal | undefined,
  ): Promise<SecretReading> {
    const id = `${namespace}/${name}`
    let found: SecretReading
    try {
      const values = await readSecret(namespace, name, signal)
      found = values === undefined ? { kind: 'Missing' } : { kind: 'Values', values }
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_FORBIDDEN')) found = { kind: 'Forbidden', message: errorMessage(error) }
      else if (known === undefined) throw error
      else {
        log.debug({ secret: id, reason: errorMessage(error) }, 'cannot read a Secret again, keeping what it held')
        return known.reading
      }
    }
    const isNew = !isDeepStrictEqual(known?.reading, found)
    for (const [old, { atMs }] of entries) if (clock.monotonicNow() - atMs > forgetAfterMs) entries.delete(old)
    entries.set(id, { reading: found, atMs: clock.monotonicNow(), forcedInVain: isNew ? 0 : (known?.forcedInVain ?? 0) + (force ? 1 : 0) })
    return found
  }

  return {
    async read(namespace, name, { force = false, signal } = {}) {
      const id = `${namespace}/${name}`
      const known = entries.get(id)
      if (known !== undefined && clock.monotonicNow() < known.atMs + validMs(known, force)) return known.reading
      const pending = reading.get(id) ?? ask(namespace, name, known, force, signal).finally(() => reading.delete(id))
      reading.set(id, pending)
      return pending
    },
  }
}
