import type { KubeObject } from '../api/index.ts'
import { createInformer, type Informer, type InformerDeps } from './informer.ts'
import { splitKey } from './paths.ts'

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
