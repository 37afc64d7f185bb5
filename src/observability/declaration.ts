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
  /** Labels that every metric of the group has from the key of its object, `namespace/name`: one or two. */
  readonly object?: readonly string[]
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
