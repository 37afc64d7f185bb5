import type { KubeObject, Resource } from '../api/index.ts'
import { sleep, type Clock } from '../clock/index.ts'
import { errorMessage, hasCode, taskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { createBackoff } from './backoff.ts'
import type { KubeClient, ListPage } from './client.ts'
import { causesOf } from './status-error.ts'
import { createStore, type Change } from './store.ts'

/**
 * A cache of the objects of one kind that follows the API server.
 *
 * Guarantees: after `synced` the cache holds every selected object, and falls behind only while the server cannot be reached;
 * each change is told once, in order, after the cache shows it; what was deleted while nobody looked is told as well; an object
 * that was replaced by another of the same name is told as deleted and then as new. Nothing but the signal ends it.
 * Caveats: several quick changes may be told as one. A cache is always a little old: who must know asks the server.
 * The objects are shared; nobody changes them.
 */
export type Informer<T> = {
  /** Begins to list and watch, until the signal aborts. Once. */
  start(signal: AbortSignal): void
  /** Resolves when the first list is in the cache and was told; rejects with the signal's reason if it ends before. */
  readonly synced: Promise<void>
  /** Resolves when it has ended and will tell nothing more. */
  readonly stopped: Promise<void>
  /** By `namespace/name`. */
  get(key: string): T | undefined
  list(namespace?: string): T[]
  /** Calls back on each change; to see everything, register before `start`. Returns the way to end it. */
  onChange(handler: ChangeHandler<T>): () => void
}

/** `current` is missing when the object is gone, `previous` when it is new. What it throws or rejects with is logged, no more. */
export type ChangeHandler<T> = (key: string, current: T | undefined, previous: T | undefined) => void | Promise<void>

export type InformerDeps<T> = {
  readonly client: Pick<KubeClient, 'list' | 'watch'>
  readonly resource: Resource<T>
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  /** What to keep of each object; by default everything except `metadata.managedFields`. Must keep name, namespace, UID and resourceVersion. */
  readonly transform?: (object: T) => T
}

/**
 * `list`: the cache has to be read anew, from that resource version on: `'0'` (whatever the server has in memory) at the start,
 * `''` (the newest) when the server has forgotten the version we knew. `watch`: the cache is complete up to that version.
 */
type State = { readonly phase: 'list'; readonly from: '0' | '' } | { readonly phase: 'watch'; readonly from: string }

const pageSize = 500
const watchSeconds = { min: 240, max: 300 }
/** A watch that ends sooner and without an event is a failure, however politely it ended. */
const shortWatchMs = 1_000

export function createInformer<T extends KubeObject>(deps: InformerDeps<T>): Informer<T> {
  const { client, resource, namespace, labelSelector, clock, rng } = deps
  const log = deps.log.child({ resource: resource.plural })
  const transform = deps.transform ?? withoutManagedFields
  const store = createStore<T>()
  const backoff = createBackoff(clock, rng)
  const handlers = new Set<ChangeHandler<T>>()
  const synced = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  // Whoever does not wait for it must not be killed by its rejection.
  synced.promise.catch(() => {})
  let started = false

  function tell(changes: readonly Change<T>[]): void {
    for (const { key, current, previous } of changes) for (const handler of handlers) call(handler, key, current, previous)
  }

  function call(handler: ChangeHandler<T>, key: string, current: T | undefined, previous: T | undefined): void {
    const failed = (error: unknown) => log.error({ key, err: error }, 'a handler of changes failed')
    try {
      void Promise.resolve(handler(key, current, previous)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  async function list(resourceVersion: '0' | '', signal: AbortSignal): Promise<State> {
    const objects: T[] = []
    // The later pages continue a snapshot; together with a version of their own they would be refused.
    let place: { resourceVersion: string } | { continue: string } = { resourceVersion }
    for (;;) {
      const page: ListPage<T> = await client.list(resource, { namespace, labelSelector, limit: pageSize, signal, ...place })
      signal.throwIfAborted()
      for (const object of page.items) objects.push(transform(object))
      if (page.continue === undefined) {
        tell(store.replace(objects))
        synced.resolve()
        return { phase: 'watch', from: page.resourceVersion }
      }
      place = { continue: page.continue }
    }
  }

  /** Follows one watch; calls `advance` with each version that the cache has reached, so that a failure loses nothing. */
  async function watch(resourceVersion: string, signal: AbortSignal, advance: (resourceVersion: string) => void): Promise<void> {
    const startedMs = clock.monotonicNow()
    const timeoutSeconds = Math.round(watchSeconds.min + rng() * (watchSeconds.max - watchSeconds.min))
    let events = 0
    for await (const event of client.watch(resource, { namespace, labelSelector, resourceVersion, timeoutSeconds, signal })) {
      signal.throwIfAborted()
      events++
      if (event.type === 'DELETED') tell(store.remove(event.object))
      else if (event.type !== 'BOOKMARK') tell(store.put(transform(event.object)))
      advance(event.object.metadata.resourceVersion ?? '')
    }
    if (events === 0 && clock.monotonicNow() - startedMs < shortWatchMs)
      throw taskmillError('TM_KUBE_UNAVAILABLE', 'the watch ended at once')
  }

  async function run(signal: AbortSignal): Promise<void> {
    let state: State = { phase: 'list', from: '0' }
    while (!signal.aborted) {
      try {
        if (state.phase === 'list') state = await list(state.from, signal)
        else await watch(state.from, signal, (from) => (state = { phase: 'watch', from }))
      } catch (error) {
        if (signal.aborted) return
        state = afterFailure(state, error)
        const askedMs = hasCode(error, 'TM_KUBE_TOO_MANY_REQUESTS') ? Number(error.details['retryAfterSeconds'] ?? 0) * 1000 : 0
        const pauseMs = Math.max(backoff.nextMs(), askedMs)
        log.warn(
          { reason: errorMessage(error), next: state.phase, pauseMs: Math.round(pauseMs) },
          'cannot follow the API server, trying again',
        )
        await sleep(clock, pauseMs, signal).catch(() => {})
      }
    }
  }

  return {
    start(signal) {
      if (started) throw new Error('an informer starts once')
      started = true
      void run(signal).finally(() => {
        synced.reject(signal.reason)
        stopped.resolve()
      })
    },
    synced: synced.promise,
    stopped: stopped.promise,
    get: (key) => store.get(key),
    list: (within) => store.list(within),
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
}

/** A connection that broke is taken up again where it broke; after anything that the server says against the watch itself, the list is read anew. */
function afterFailure(state: State, error: unknown): State {
  if (hasCode(error, 'TM_KUBE_GONE')) return { phase: 'list', from: '' }
  // The server is behind what we know, for example after its data was restored from a backup.
  if (hasCode(error, 'TM_KUBE_UNAVAILABLE') && causesOf(error).some((cause) => cause.reason === 'ResourceVersionTooLarge'))
    return { phase: 'list', from: '' }
  const passing = hasCode(error, 'TM_KUBE_UNAVAILABLE', 'TM_KUBE_TOO_MANY_REQUESTS', 'TM_KUBE_BAD_RESPONSE', 'TM_KUBE_UNAUTHORIZED')
  return state.phase === 'list' || passing ? state : { phase: 'list', from: '' }
}

/** They are often half of an object, and nothing here reads them. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
