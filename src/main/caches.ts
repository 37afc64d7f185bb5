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

/** Series of an object go with it: at once, and whatever was told after that, before the next reader sees it. */
export function tieMetrics(metrics: Metrics, caches: Caches): void {
  const cacheOf = new Map(metricOwners.map((owner) => [owner, cacheOfKind(caches, owner)]))
  // A namespace without a broker runs nothing any more.
  metrics.keepOnly((owner: MetricOwner, key) =>
    owner === 'Namespace' ? caches.taskBrokers.list(key).length > 0 : cacheOf.get(owner)?.get(key) !== undefined,
  )
  for (const [owner, cache] of cacheOf) {
    cache?.onChange((key, current) => (current === undefined ? metrics.of(owner, key).forget() : undefined))
  }
}

/** The caches as parts of the process. */
export function partsOf(caches: Caches): readonly (Startable & { readonly synced: Promise<void> })[] {
  return Object.entries(caches).map(([name, { start, synced, stopped }]) => ({ name: `cache of ${name}`, start, synced, stopped }))
}
