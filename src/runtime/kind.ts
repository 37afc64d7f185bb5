import type { Reconcile } from './controller.ts'
import type { Watch } from './watch.ts'

/** What `create` gets beside the services and caches of the term. */
export type Enqueue = {
  /** Reconciles the key again; for what is not a watch, such as a timer or a subscription that depends on the object. */
  readonly enqueue: (key: string) => void
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
  readonly create: (deps: Deps & Enqueue) => { readonly reconcile: Reconcile }
}
