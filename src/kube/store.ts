import type { KubeObject } from '../api/index.ts'
import { keyOf } from './paths.ts'

/** Something happened to one key. Without `current` it is gone, without `previous` it is new. Both always have the same UID. */
export type Change<T> = { readonly key: string; readonly current?: T; readonly previous?: T }

/** By name of the index: the values under which it files an object. */
export type Indexes<T, I extends string> = Readonly<Record<I, (object: T) => readonly string[]>>

/** The objects of one kind by key. Every operation returns the changes it made, in order, after it made them all. */
export type Store<T, I extends string> = {
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

export function createStore<T extends KubeObject, I extends string = never>(indexes?: Indexes<T, I>): Store<T, I> {
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
