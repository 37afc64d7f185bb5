import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../clock/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'

export type SecretValues = Readonly<Record<string, string>>
export type SecretReading =
  | { readonly kind: 'Values'; readonly values: SecretValues }
  | { readonly kind: 'Missing' }
  | { readonly kind: 'Forbidden'; readonly message: string }

/**
 * Keeps the values of the Secrets that objects name.
 *
 * Guarantees: each Secret is read by its name, at most once a minute unless a caller forces it, however many objects name it. Forced reads
 * that bring nothing new are answered from memory for ever longer times, up to that minute. While the API server is away, the last values
 * stay. A Secret without a request is forgotten after an hour. Callers that ask at once share a read; one that gives up does not end it
 * for the others.
 */
export type SecretCache = {
  /**
   * `force`: reads also what was read less than a minute ago, because it is of no use. Rejects only if the Secret has never been read, or
   * when `signal` aborts.
   */
  read(
    namespace: string,
    name: string,
    options?: { readonly force?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<SecretReading>
}

export type SecretCacheDeps = {
  /** Returns the decoded values of a Secret; undefined when there is none of that name. */
  readonly readSecret: (namespace: string, name: string, signal: AbortSignal) => Promise<SecretValues | undefined>
  readonly clock: Clock
  readonly log: Logger
  /** Default 60 s. */
  readonly rereadMs?: number
}

type Entry = {
  readonly reading: SecretReading
  readonly readAtMs: number
  /** Forced reads in a row that brought nothing new. */
  readonly futileForces: number
}

/** A read under way, and how many callers still wait for it. */
type SharedRead = { readonly result: Promise<SecretReading>; readonly abandoned: AbortController; waiting: number }

type Cache = Required<SecretCacheDeps> & {
  readonly entries: Map<string, Entry>
  readonly underWay: Map<string, SharedRead>
}

const shortestForcedMs = 2_000
const forgetAfterMs = 3_600_000

export function createSecretCache(deps: SecretCacheDeps): SecretCache {
  const cache: Cache = { rereadMs: 60_000, ...deps, entries: new Map(), underWay: new Map() }
  return {
    async read(namespace, name, { force = false, signal } = {}) {
      const id = `${namespace}/${name}`
      const known = cache.entries.get(id)
      if (known !== undefined && cache.clock.monotonicNow() < known.readAtMs + validMs(cache, known, force)) return known.reading
      return waitFor(cache.underWay.get(id) ?? startRead(cache, namespace, name, force), signal)
    },
  }
}

/** How long an entry answers without a read. A missing Secret is looked for each time: everybody waits for its creation. */
function validMs({ rereadMs }: Cache, { reading, futileForces }: Entry, force: boolean): number {
  if (reading.kind !== 'Values') return 0
  if (!force) return rereadMs
  return futileForces === 0 ? 0 : Math.min(rereadMs, shortestForcedMs * 2 ** (futileForces - 1))
}

function startRead(cache: Cache, namespace: string, name: string, force: boolean): SharedRead {
  const { underWay } = cache
  const id = `${namespace}/${name}`
  const abandoned = new AbortController()
  const result = readAndKeep(cache, namespace, name, force, abandoned.signal).finally(() => {
    if (underWay.get(id) === shared) underWay.delete(id)
  })
  // Every caller may have given up when it fails.
  result.catch(() => undefined)
  const shared: SharedRead = { result, abandoned, waiting: 0 }
  underWay.set(id, shared)
  abandoned.signal.addEventListener('abort', () => underWay.delete(id), { once: true })
  return shared
}

/** The read continues until its last caller has given up. */
async function waitFor(shared: SharedRead, signal: AbortSignal | undefined): Promise<SecretReading> {
  shared.waiting++
  if (signal === undefined) return shared.result
  const { promise: gaveUp, reject } = Promise.withResolvers<never>()
  const onAbort = () => {
    reject(signal.reason)
    if (--shared.waiting === 0) shared.abandoned.abort(signal.reason)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([shared.result, gaveUp])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** While the API server cannot be asked, the last reading stays. */
async function readAndKeep(cache: Cache, namespace: string, name: string, force: boolean, signal: AbortSignal): Promise<SecretReading> {
  const { clock, entries, log } = cache
  const id = `${namespace}/${name}`
  const known = entries.get(id)
  let found: SecretReading
  try {
    found = await readNow(cache, namespace, name, signal)
  } catch (error) {
    if (known === undefined) throw error
    log.debug({ secret: id, reason: errorMessage(error) }, 'cannot read a Secret again, keeping its last values')
    return known.reading
  }
  const isNew = !isDeepStrictEqual(known?.reading, found)
  const nowMs = clock.monotonicNow()
  for (const [other, { readAtMs }] of entries) if (nowMs - readAtMs > forgetAfterMs) entries.delete(other)
  entries.set(id, { reading: found, readAtMs: nowMs, futileForces: isNew ? 0 : (known?.futileForces ?? 0) + (force ? 1 : 0) })
  return found
}

async function readNow({ readSecret }: Cache, namespace: string, name: string, signal: AbortSignal): Promise<SecretReading> {
  try {
    const values = await readSecret(namespace, name, signal)
    return values === undefined ? { kind: 'Missing' } : { kind: 'Values', values }
  } catch (error) {
    if (!hasCode(error, 'TM_KUBE_FORBIDDEN')) throw error
    return { kind: 'Forbidden', message: errorMessage(error) }
  }
}
