import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeObject } from '../api/index.ts'
import { reflect, type ReflectorDeps } from './reflector.ts'
import { createStore, type Change, type Indexes } from './store.ts'

/**
 * A cache of the objects of one kind that follows the API server.
 *
 * Guarantees: after `synced` the cache holds every selected object, and falls behind only while the server cannot be reached;
 * each change is told once, in order, after the cache shows it; what was deleted while nobody looked is told as well; an object
 * that was replaced by another of the same name is told as deleted and then as new. Nothing but the signal ends it. Many changes at
 * once are told in portions, between which everything else gets its turn.
 * Caveats: several quick changes may be told as one. A cache is always a little old: who must know asks the server.
 * The objects are shared; nobody changes them.
 */
export type Informer<T, I extends string = never> = {
  /** Begins to list and watch, until the signal aborts. Once. */
  start(signal: AbortSignal): void
  /** Resolves when the first list is in the cache and was told; rejects with the signal's reason if it ends before. */
  readonly synced: Promise<void>
  /** Resolves when it has ended and will tell nothing more. */
  readonly stopped: Promise<void>
  /** By `namespace/name`. */
  get(key: string): T | undefined
  list(namespace?: string): T[]
  /** The objects that an index files under a value; without walking over the others. */
  byIndex(index: I, value: string): T[]
  /** Calls back on each change; to see everything, register before `start`. Returns the way to end it. */
  onChange(handler: ChangeHandler<T>): () => void
}

/** `current` is missing when the object is gone, `previous` when it is new. What it throws or rejects with is logged, no more. */
export type ChangeHandler<T> = (key: string, current: T | undefined, previous: T | undefined) => void | Promise<void>

export type InformerDeps<T, I extends string = never> = ReflectorDeps<T> & {
  /** For `byIndex`: the values under which an object is filed. They see the object as `transform` left it, and must not throw. */
  readonly indexes?: Indexes<T, I>
  /** Told each time that everything was read anew, with the number of changes that no watch had told. */
  readonly onRelist?: (relist: { readonly missed: number }) => void
}

/** As many changes are told in one go. */
const portion = 500

export function createInformer<T extends KubeObject, I extends string = never>(deps: InformerDeps<T, I>): Informer<T, I> {
  const log = deps.log.child({ resource: deps.resource.plural })
  const store = createStore<T, I>(deps.indexes)
  const handlers = new Set<ChangeHandler<T>>()
  const synced = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  // Whoever does not wait for it must not be killed by its rejection.
  synced.promise.catch(() => {})
  let started = false
  let complete = false

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

  const targetUntil = (signal: AbortSignal) => ({
    async replace(objects: Map<string, T>) {
      const changes = store.replace(objects)
      if (complete) deps.onRelist?.({ missed: changes.length })
      complete = true
      for (let at = 0; at < changes.length; at += portion) {
        await nextTurn()
        signal.throwIfAborted()
        tell(changes.slice(at, at + portion))
      }
      synced.resolve()
    },
    put: (object: T) => tell(store.put(object)),
    remove: (object: T) => tell(store.remove(object)),
  })

  return {
    start(signal) {
      if (started) throw new Error('an informer starts once')
      started = true
      void reflect({ ...deps, log }, targetUntil(signal), signal).finally(() => {
        synced.reject(signal.reason)
        stopped.resolve()
      })
    },
    synced: synced.promise,
    stopped: stopped.promise,
    get: (key) => store.get(key),
    list: (within) => store.list(within),
    byIndex: (index, value) => store.byIndex(index, value),
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
}
