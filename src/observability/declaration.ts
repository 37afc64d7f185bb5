/**
 * Metrics as data. A metric is declared once, in the file of its subject under `metrics/`. Its type, help and labels at run time, the names
 * that compile, `docs/metrics.md`, and the names that the chart's rules and dashboards may use all come from there.
 */
export type MetricDeclaration = {
  /** An `Age` is a gauge in seconds that grows by itself: the code sets since when, and each read computes the age. */
  readonly type: 'Gauge' | 'Age' | 'Counter' | 'Histogram'
  /** One sentence. The unit is the end of the name: `…_seconds`, `…_bytes`. */
  readonly help: string
  /** Besides the labels of the object. */
  readonly labels?: readonly string[]
  /** Most series that one object has of it, for all kinds or by kind; default 1. */
  readonly most?: number | Readonly<Record<string, number>>
  /** A gauge whose 0 says nothing: the series is missing then. */
  readonly omitsZero?: true
  /** What the series of several objects become when they are told by namespace; default their sum. */
  readonly together?: 'sum' | 'min' | 'max'
  /** Upper bounds of a histogram, ascending. */
  readonly buckets?: readonly number[]
  /** For people: which values need attention, and what to do then. */
  readonly advice?: string
}

/** The metrics of one subject. */
export type MetricGroup = {
  readonly title: string
  readonly about: string
  /**
   * Kinds whose objects have these metrics, each its own series, as long as the object exists and the process leads. Without owners the
   * metrics belong to the process.
   */
  readonly owners?: readonly string[]
  /** What has these series, where it is not the owner: each queue of a pool. */
  readonly each?: string
  /** Labels that every metric of the group has from the key of its object, `namespace/name`: one or two. */
  readonly object?: readonly string[]
  /** Labels that are left out where series are told by namespace. Without any, objects have series of their own there too. */
  readonly detail?: readonly string[]
  readonly metrics: Readonly<Record<string, MetricDeclaration>>
}

/** Keeps the literal types of names and labels. */
export function declareMetrics<const G extends MetricGroup>(group: G): G {
  return group
}

/** All labels of a metric, in their order. */
export function labelNamesOf(group: MetricGroup, metric: MetricDeclaration): readonly string[] {
  return [...(group.object ?? []), ...(metric.labels ?? [])]
}

/** How many series each object has at most, by kind; of a queue and a namespace too. */
export function mostSeries(groups: readonly MetricGroup[]): ReadonlyMap<string, number> {
  const most = new Map<string, number>()
  for (const { owners = [], each, metrics } of groups) {
    for (const owner of each === undefined ? owners : [each]) {
      const count = Object.values(metrics).reduce((sum, metric) => sum + seriesOf(metric, owner), 0)
      most.set(owner, (most.get(owner) ?? 0) + count)
    }
  }
  return most
}

function seriesOf({ most = 1, buckets }: MetricDeclaration, owner: string): number {
  const count = typeof most === 'number' ? most : (most[owner] ?? 1)
  // Each bucket, the one above all bounds, the sum and the count.
  return buckets === undefined ? count : count * (buckets.length + 3)
}

// What follows reads a union of groups as one flat list of metrics.

export type OwnerOf<G> = G extends { readonly owners: readonly (infer O)[] } ? O : never

/** The groups whose series an object of the kind owns. */
export type GroupsOf<G, Kind> = G extends { readonly owners: readonly (infer O)[] } ? (Kind extends O ? G : never) : never

/** The groups that belong to the process. */
export type GroupsOfProcess<G> = G extends { readonly owners: readonly string[] } ? never : G

type MetricsOf<G> = G extends MetricGroup ? G['metrics'] : never
type NamesIn<M, Type> = M extends unknown ? { [N in keyof M]: M[N] extends { readonly type: Type } ? N : never }[keyof M] & string : never

/** Names of the metrics of that type. */
export type NameOf<G, Type extends MetricDeclaration['type']> = NamesIn<MetricsOf<G>, Type>

type LabelsIn<M, N> = M extends unknown
  ? N extends keyof M
    ? M[N] extends { readonly labels: readonly (infer L extends string)[] }
      ? L
      : never
    : never
  : never

/** The labels that have to be set besides those of the object. */
export type LabelsOf<G, N> = [LabelsIn<MetricsOf<G>, N>] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [L in LabelsIn<MetricsOf<G>, N>]: string }
