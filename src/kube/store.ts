import type { KubeObject } from '../api/index.ts'
import { keyOf } from './paths.ts'

/** Something happened to one key. Without `current` it is gone, without `previous` it is new. Both always have the same UID. */
export type Change<T> = { readonly key: string; readonly current?: T; readonly previous?: T }

/** The objects of one kind by key. Every operation returns the changes it made, in order, after it made them all. */
export type Store<T> = {
  get(key: string): T | undefined
  list(namespace?: string): T[]
  /** Swaps the whole content at once. What is missing in `objects` was deleted while nobody looked. */
  replace(objects: readonly T[]): Change<T>[]
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

export function createStore<T extends KubeObject>(): Store<T> {
  let objects = new Map<string, T>()
  return {
    get: (key) => objects.get(key),
    list(namespace) {
      const all = [...objects.values()]
      return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace)
    },
    replace(listed) {
      const before = objects
      objects = new Map(listed.map((object) => [keyOf(object), object]))
      const changes: Change<T>[] = []
      for (const [key, previous] of before) if (!objects.has(key)) changes.push({ key, previous })
      for (const [key, current] of objects) changes.push(...changeOf(key, before.get(key), current))
      return changes
    },
    put(current) {
      const key = keyOf(current)
      const previous = objects.get(key)
      objects.set(key, current)
      return changeOf(key, previous, current)
    },
    remove(gone) {
      const key = keyOf(gone)
      const previous = objects.get(key)
      // Not the one that is known: its end was already seen when the newer one came.
      if (!previous || previous.metadata.uid !== gone.metadata.uid) return []
      objects.delete(key)
      return [{ key, previous }]
    },
  }
}
