import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeObject } from '../api/index.ts'
import { keyOf, splitKey } from './notation.ts'
import { reflect, type ReflectorDeps } from './reflector.ts'

/**
 * A cache of the objects of one kind that follows the API server.
 *
 * Guarantees: after `synced`, the cache holds every selected object. It falls behind only while the server cannot be
 * reached. Handlers get each change once, in order, after the cache shows it, including deletions that happened while
 * the server could not be reached. If an object was replaced by another of the same name, handlers get a deletion and
 * then a creation. Only the signal ends the informer. Many changes at once are delivered in portions, so that other
 * work can run in between.
 * Caveats: several quick changes may be delivered as one. A cache is always a little old; code that must know the
 * current state asks the server. The objects are shared and must not be changed.
 */
export type Informer<T, I extends string = never> = {
  /** Starts to list and watch, until the signal aborts. Can be called once. */
  start(signal: AbortSignal): void
  /**
   * Resolves when the first list is in the cache and was delivered. Rejects with the signal's reason if the informer
   * ends before.
   */
  readonly synced: Promise<void>
  /** Resolves when the informer has ended and delivers nothing more. */
  readonly stopped: Promise<void>
  /** By `namespace/name`. */
  get(key: string): T | undefined
  list(namespace?: string): T[]
  /** Returns the objects that an index files under a value, without a walk over the others. */
  byIndex(index: I, value: string): T[]
  /**
   * Registers a handler for each change; register before `start` to get all objects. Returns a function that removes
   * it.
   */
  onChange(handler: ChangeHandler<T>): () => void
}

/** `current` is missing if the object is gone, `previous` if it is new. Errors of a handler are only logged. */
export type ChangeHandler<T> = (key: string, current: T | undefined, previous: T | undefined) => void | Promise<void>

type InformerDeps<T, I extends string = never> = ReflectorDeps<T> & {
  /**
   * For `byIndex`: the values under which an object is filed. They get the object after `transform` and must not throw.
   */
  readonly indexes?: Indexes<T, I>
  /** Called each time everything was read again, with the number of changes that no watch had delivered. */
  readonly onRelist?: (relist: { readonly missed: number }) => void
}

/** What an informer keeps, as data: which objects, and under what they are filed. */
export type InformerDeclaration<T, I extends string = never> = Pick<InformerDeps<T, I>, 'resource' | 'labelSelector' | 'indexes'>

/** Number of changes that are delivered in one go. */
const portion = 500

export function createInformer<T extends KubeObject, I extends string = never>(deps: InformerDeps<T, I>): Informer<T, I> {
  const log = deps.log.child({ resource: deps.resource.plural })
  const store = createStore<T, I>(deps.indexes)
  const handlers = new Set<ChangeHandler<T>>()
  const synced = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  // Callers that do not await `synced` must not be ended by its rejection.
  synced.promise.catch(() => {})
  let started = false
  let complete = false

  function tell(changes: readonly Change<T>[]): void {
    for (const { key, current, previous } of changes) for (const handler of handlers) call(handler, key, current, previous)
  }

  function call(handler: ChangeHandler<T>, key: string, current: T | undefined, previous: T | undefined): void {
    const failed = (error: unknown) => log.error({ key, err: error }, 'a change handler failed')
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
      if (started) throw new Error('an informer can be started only once')
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

/**
 * A change of one key. Without `current` the object is gone, without `previous` it is new. Otherwise both have the same
 * UID.
 */
type Change<T> = { readonly key: string; readonly current?: T; readonly previous?: T }

/** Per index: returns the values under which it files an object. */
type Indexes<T, I extends string> = Readonly<Record<I, (object: T) => readonly string[]>>

/** The objects of one kind by key. Every operation first makes all its changes and then returns them in order. */
type Store<T, I extends string> = {
  get(key: string): T | undefined
  list(namespace?: string): T[]
  byIndex(index: I, value: string): T[]
  /**
   * Replaces the whole content at once; the caller does not change the map afterwards. Objects that are missing in it
   * were deleted while no watch was open.
   */
  replace(objects: Map<string, T>): Change<T>[]
  put(object: T): Change<T>[]
  remove(object: T): Change<T>[]
}

/** An object of the same name with another UID is another object: the old one was deleted in between. */
function changeOf<T extends KubeObject>(key: string, previous: T | undefined, current: T): Change<T>[] {
  if (!previous) return [{ key, current }]
  if (previous.metadata.uid !== current.metadata.uid)
    return [
      { key, previous },
      { key, current },
    ]
  return previous.metadata.resourceVersion === current.metadata.resourceVersion ? [] : [{ key, current, previous }]
}

function createStore<T extends KubeObject, I extends string = never>(indexes?: Indexes<T, I>): Store<T, I> {
  let objects = new Map<string, T>()
  // Per index: the keys of the objects under each value.
  const filed = new Map<I, Map<string, Set<string>>>()
  const valuesOf = Object.entries(indexes ?? {}) as [I, (object: T) => readonly string[]][]
  for (const [index] of valuesOf) filed.set(index, new Map())

  function file(key: string, previous: T | undefined, current: T | undefined): void {
    for (const [index, values] of valuesOf) {
      const under = filed.get(index) ?? new Map<string, Set<string>>()
      for (const value of previous ? values(previous) : []) {
        const keys = under.get(value)
        keys?.delete(key)
        if (keys?.size === 0) under.delete(value)
      }
      for (const value of current ? values(current) : []) under.set(value, (under.get(value) ?? new Set()).add(key))
    }
  }

  return {
    get: (key) => objects.get(key),
    list(namespace) {
      const all = [...objects.values()]
      return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace)
    },
    byIndex: (index, value) => [...(filed.get(index)?.get(value) ?? [])].flatMap((key) => objects.get(key) ?? []),
    replace(listed) {
      const before = objects
      objects = listed
      const changes: Change<T>[] = []
      for (const [key, previous] of before) if (!objects.has(key)) changes.push({ key, previous })
      for (const [key, current] of objects) changes.push(...changeOf(key, before.get(key), current))
      for (const { key, current, previous } of changes) file(key, previous, current)
      return changes
    },
    put(current) {
      const key = keyOf(current)
      const previous = objects.get(key)
      objects.set(key, current)
      file(key, previous, current)
      return changeOf(key, previous, current)
    },
    remove(gone) {
      const key = keyOf(gone)
      const previous = objects.get(key)
      // A late deletion of an older object of this name; its end was reported when the newer object came.
      if (!previous || previous.metadata.uid !== gone.metadata.uid) return []
      objects.delete(key)
      file(key, previous, undefined)
      return [{ key, previous }]
    },
  }
}

/**
 * Returns one informer over several namespaces, for an operator that may not read the others. An empty list means all
 * namespaces.
 */
export function createInformerOfNamespaces<T extends KubeObject, I extends string = never>(
  deps: Omit<InformerDeps<T, I>, 'namespace'> & { readonly namespaces: readonly string[] },
): Informer<T, I> {
  const { namespaces, ...rest } = deps
  if (namespaces.length === 0) return createInformer(rest)
  const parts = new Map(namespaces.map((namespace) => [namespace, createInformer<T, I>({ ...rest, namespace })]))
  const all = [...parts.values()]
  const settled = (promises: readonly Promise<void>[]): Promise<void> => Promise.all(promises).then(() => undefined)
  const synced = settled(all.map((part) => part.synced))
  // Callers that do not await `synced` must not be ended by its rejection.
  synced.catch(() => {})
  return {
    start: (signal) => all.forEach((part) => part.start(signal)),
    synced,
    stopped: settled(all.map((part) => part.stopped)),
    get: (key) => parts.get(splitKey(key).namespace ?? '')?.get(key),
    list: (namespace) => (namespace === undefined ? all.flatMap((part) => part.list()) : (parts.get(namespace)?.list() ?? [])),
    byIndex: (index, value) => all.flatMap((part) => part.byIndex(index, value)),
    onChange(handler) {
      const ends = all.map((part) => part.onChange(handler))
      return () => ends.forEach((end) => end())
    },
  }
}
