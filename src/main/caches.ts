import { jobs, type Job, type KubeObject } from '../api/index.ts'
import type { Clock } from '../clock/index.ts'
import { labels } from '../contract/index.ts'
import { createInformerOfNamespaces, type Informer, type InformerDeclaration, type KubeClient } from '../kube/index.ts'
import { metricOwners, type Logger, type MetricOwner, type Metrics } from '../observability/index.ts'
import type { Startable } from '../runtime/index.ts'
import { startersOf } from '../services/jobs/index.ts'
import { kinds } from './kinds.ts'

/** Kubernetes Jobs that were started for runs and slots. */
const startedJobs: InformerDeclaration<Job, 'byStarter'> = {
  resource: jobs,
  labelSelector: labels.startedBy,
  indexes: { byStarter: startersOf },
}

/** The declarations of all kinds as one: an intersection of what each of them declares. */
type Merged<K> = (K extends { readonly caches: infer C } ? (declarations: C) => void : never) extends (all: infer All) => void ? All : never
type Declarations = Merged<(typeof kinds)[number]> & { readonly jobs: typeof startedJobs }
type InformerOf<D> = D extends InformerDeclaration<infer T, infer I> ? Informer<T, I> : never

/** What the operator knows of the cluster, whether it leads or follows: the caches are warm when it takes over. */
export type Caches = { readonly [Name in keyof Declarations]: InformerOf<Declarations[Name]> }

type AnyDeclaration = InformerDeclaration<KubeObject, string>
type AnyInformer = Informer<KubeObject, string>

const declarations = Object.entries<AnyDeclaration>(Object.assign({ jobs: startedJobs }, ...kinds.map(({ caches }) => caches)))

export function createCaches(deps: {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  /** Empty: all. */
  readonly namespaces: readonly string[]
  readonly metrics: Metrics
}): Caches {
  const { metrics, ...informerDeps } = deps
  const informers = declarations.map(([name, declaration]) => {
    const onRelist = metrics.relists(declaration.resource.plural)
    return [name, createInformerOfNamespaces<KubeObject, string>({ ...informerDeps, ...declaration, onRelist })]
  })
  return Object.fromEntries(informers) as Caches
}

/** The cache of a kind of object. */
export function cacheOfKind(caches: Caches, kind: string): AnyInformer | undefined {
  const [name] = declarations.find(([, { resource }]) => resource.kind === kind) ?? []
  return (caches as Readonly<Record<string, AnyInformer>>)[name ?? '']
}

/** Removes the series of an object when it is deleted: at once, and what is set after that before the next scrape. */
export function tieMetrics(metrics: Metrics, caches: Caches): void {
  const cacheOf = new Map(metricOwners.map((owner) => [owner, cacheOfKind(caches, owner)]))
  // Series of a namespace go with its last TaskBroker: without one, nothing runs there.
  metrics.keepOnly((owner: MetricOwner, key) =>
    owner === 'Namespace' ? caches.taskBrokers.list(key).length > 0 : cacheOf.get(owner)?.get(key) !== undefined,
  )
  for (const [owner, cache] of cacheOf) {
    cache?.onChange((key, current) => (current === undefined ? metrics.of(owner, key).forget() : undefined))
  }
}

/** Names, as `namespace/name`, of objects that are known to have been deleted. */
export type Deletions = {
  has(key: string): boolean
  /** It was deleted before this process began to watch, as the data that it left in a broker shows. */
  add(key: string): void
}

/**
 * Remembers which objects of a cache this process saw deleted, also while it followed: after a takeover it thus knows that an object of the
 * same name is another one. Only the newest are remembered; leaders before have cleaned up after the older ones.
 */
export function rememberDeletions(cache: Pick<Informer<KubeObject>, 'onChange'>, limit = 10_000): Deletions {
  const deleted = new Set<string>()
  const add = (key: string): void => {
    deleted.delete(key)
    deleted.add(key)
    for (const oldest of deleted) {
      if (deleted.size <= limit) break
      deleted.delete(oldest)
    }
  }
  cache.onChange((key, current) => (current === undefined ? add(key) : undefined))
  return { has: (key) => deleted.has(key), add }
}

/** The caches as parts of the process. */
export function partsOf(caches: Caches): readonly (Startable & { readonly synced: Promise<void> })[] {
  return Object.entries(caches).map(([name, { start, synced, stopped }]) => ({ name: `cache of ${name}`, start, synced, stopped }))
}
