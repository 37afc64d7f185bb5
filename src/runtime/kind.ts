import type { Reconcile } from './controller.ts'

/** Anything that tells its subscribers what has changed: a cache, the broker directory, the dispatch leases, the notifier. */
export type Source<Change extends readonly unknown[]> = {
  /** Calls back on each change, until the returned function is called; a source that ends with the term may return nothing. */
  onChange(handler: (...change: Change) => void): (() => void) | void
}

/** What a controller reconciles for: a source, and which keys a change of it concerns. */
export type Watch = {
  /** Names the source, for people. */
  readonly name: string
  /** Its keys are reconciled also while the term ends, as long as the controller runs. Only for a source that ends with the term. */
  readonly throughStop: boolean
  /** Calls back with the keys of each change that concerns some, until the returned function is called. */
  subscribe(onKeys: (keys: readonly string[]) => void): () => void
}

/** `keysOf` maps a change to the keys of the objects to reconcile. It returns none for a change that tells the controller nothing new. */
export function watch<Change extends readonly unknown[]>(
  name: string,
  source: Source<Change>,
  keysOf: (...change: Change) => readonly string[],
  { throughStop = false }: { readonly throughStop?: boolean } = {},
): Watch {
  return {
    name,
    throughStop,
    subscribe(onKeys) {
      const end = source.onChange((...change) => {
        const keys = keysOf(...change)
        if (keys.length > 0) onKeys(keys)
      })
      return () => end?.()
    },
  }
}

type Version = { readonly metadata: { readonly uid?: string | undefined; readonly generation?: number | undefined } }

/** As `watch`, for objects of a cache of which only the spec and the existence count: a write of their status concerns no key. */
export function watchSpecs(
  name: string,
  cache: Source<[key: string, current?: Version, previous?: Version]>,
  keysOf: (key: string) => readonly string[],
): Watch {
  return watch(name, cache, (key, current, previous) => {
    const isBoth = current !== undefined && previous !== undefined
    const isSame = isBoth && current.metadata.uid === previous.metadata.uid && current.metadata.generation === previous.metadata.generation
    return isSame ? [] : keysOf(key)
  })
}

/**
 * A kind of object as the operator composes it: one controller, as data. `Deps` is the part of the term's caches and services that it uses.
 */
export type Kind<Deps> = {
  /** Of the controller: in logs, metrics and spans. */
  readonly name: string
  /** Declarations of the caches that this kind brings along, by name; other kinds may read them too. */
  readonly caches: Readonly<Record<string, object>>
  /** All keys to reconcile, from the caches: enqueued at the start of a term and once an hour, so that a lost event costs an hour at most. */
  readonly keys: (deps: Deps) => Iterable<string>
  readonly watches: (deps: Deps) => readonly Watch[]
  /** How many keys are reconciled at the same time; default 16. */
  readonly atOnce?: number
  readonly create: (deps: Deps) => { readonly reconcile: Reconcile }
}
