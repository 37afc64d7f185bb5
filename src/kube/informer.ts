import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeObject } from '../api/index.ts'
import { keyOf, splitKey } from './notation.ts'
import { reflect, type ReflectorDeps } from './reflector.ts'

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

type InformerDeps<T, I extends string = never> = ReflectorDeps<T> & {
  /** For `byIndex`: the values under which an object is filed. They see the object as `transform` left it, and must not throw. */
  readonly indexes?: Indexes<T, I>
  /** Told each time that everything was read anew, with the number of changes that no watch had told. */
  readonly onRelist?: (relist: { readonly missed: number }) => void
}

/** What an informer keeps, as data: which objects, and under what they are filed. */
export type InformerDeclaration<T, I extends string = never> = Pick<InformerDeps<T, I>, 'resource' | 'labelSelector' | 'indexes'>

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

/** Something happened to one key. Without `current` it is gone, without `previous` it is new. Both always have the same UID. */
type Change<T> = { readonly key: string; readonly current?: T; readonly previous?: T }

/** By name of the index: the values under which it files an object. */
type Indexes<T, I extends string> = Readonly<Record<I, (object: T) => readonly string[]>>

/** The objects of one kind by key. Every operation returns the changes it made, in order, after it made them all. */
type Store<T, I extends string> = {
  get(key: string): T | undefined
  list(namespace?: string): T[]
  byIndex(index: I, value: string): T[]
  /** Swaps the whole content at once; the map is the store's from then on. What is missing in it was deleted while nobody looked. */
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
      // Not the one that is known: its end was already seen when the newer one came.
      if (!previous || previous.metadata.uid !== gone.metadata.uid) return []
      objects.delete(key)
      file(key, previous, undefined)
      return [{ key, previous }]
    },
  }
}

/** One informer for a list of namespaces, for an operator that may not see the others. An empty list means all namespaces. */
export function createInformerOfNamespaces<T extends KubeObject, I extends string = never>(
  deps: Omit<InformerDeps<T, I>, 'namespace'> & { readonly namespaces: readonly string[] },
): Informer<T, I> {
  const { namespaces, ...rest } = deps
  if (namespaces.length === 0) return createInformer(rest)
  const parts = new Map(namespaces.map((namespace) => [namespace, createInformer<T, I>({ ...rest, namespace })]))
  const all = [...parts.values()]
  const settled = (promises: readonly Promise<void>[]): Promise<void> => Promise.all(promises).then(() => undefined)
  const synced = settled(all.map((part) => part.synced))
  // Whoever does not wait for it must not be killed by its rejection.
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
