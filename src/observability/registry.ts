import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import {
  type GroupsOf,
  type GroupsOfProcess,
  labelNamesOf,
  type LabelsOf,
  type MetricDeclaration,
  type MetricGroup,
  type NameOf,
  type OwnerOf,
} from './declaration.ts'
import { collectProcessMetrics } from './metrics/process.ts'
import { createOwner, type Entry, type Labels, type Owner } from './owner.ts'

/**
 * Creates prom-client's metrics from declarations, and sets their values by name.
 *
 * Guarantees: only declared metrics can be set, with all of their labels. A series of an object carries the object's names as labels and goes
 * with the object, however late it was set. A series that several objects share stays until the last of them has gone.
 * Does not: keep anything over a restart.
 */
export type MetricRegistry<G extends MetricGroup> = Series<GroupsOfProcess<G>> & {
  /** The series of one object, by its key `namespace/name`. Asking again costs nothing. */
  of<K extends OwnerOf<G>>(kind: K, key: string): ObjectSeries<GroupsOf<G, K>>
  /** Before each read, drops the series of objects that do not exist. */
  keepOnly(exists: (kind: OwnerOf<G>, key: string) => boolean): void
  /** Drops the series of all objects: another process leads and sets them now. */
  forgetObjects(): void
  /** Calls `refresh` before each read, to set values that are looked up then. */
  beforeRead(refresh: () => void): void
  /** The text exposition format, for `/metrics`. */
  render(): Promise<string>
  readonly contentType: string
}

export type Series<G> = {
  set<N extends NameOf<G, 'Gauge'>>(name: N, labels: LabelsOf<G, N>, value: number): void
  /** `by` 0 creates the series of a counter before its first event: Prometheus does not see the step from nothing to 1. */
  add<N extends NameOf<G, 'Counter'>>(name: N, labels: LabelsOf<G, N>, by?: number): void
  observe<N extends NameOf<G, 'Histogram'>>(name: N, labels: LabelsOf<G, N>, value: number): void
  /** Creates the series of a histogram before its first value. */
  open<N extends NameOf<G, 'Histogram'>>(name: N, labels: LabelsOf<G, N>): void
}

export type ObjectSeries<G> = Omit<Series<G>, 'set'> & {
  /** Undefined drops the series: there is no such value. */
  set<N extends NameOf<G, 'Gauge'>>(name: N, labels: LabelsOf<G, N>, value: number | undefined): void
  /** Since when, in Unix milliseconds; undefined drops the series. */
  since<N extends NameOf<G, 'Age'>>(name: N, labels: LabelsOf<G, N>, unixMs: number | undefined): void
  /** Drops this object's series of a metric, except those that `isKept` returns true for. */
  retain<N extends NameOf<G, MetricDeclaration['type']>>(name: N, isKept: (labels: LabelsOf<G, N>) => boolean): void
  forget(): void
}

/** `now`: Unix milliseconds, for ages. */
export function createMetricRegistry<G extends MetricGroup>(groups: readonly G[], now: () => number): MetricRegistry<G> {
  const registry = new Registry()
  collectProcessMetrics(registry)
  const entries = new Map<string, Entry>()
  for (const group of groups) {
    for (const [name, metric] of Object.entries(group.metrics)) entries.set(name, entryOf(registry, group, name, metric, now))
  }
  const owners = new Map<string, Owner>()
  const refreshes: (() => void)[] = []
  let exists: (kind: OwnerOf<G>, key: string) => boolean = () => true

  function entry(name: string): Entry {
    const found = entries.get(name)
    if (found === undefined) throw new TypeError(`the metric ${name} is not declared`)
    return found
  }

  function ownerOf(kind: string, key: string): Owner {
    const id = `${kind} ${key}`
    const known = owners.get(id)
    if (known !== undefined) return known
    const owner = createOwner({ kind, key, entry, onForgotten: () => owners.delete(id) })
    owners.set(id, owner)
    return owner
  }

  const facade = {
    set: (name: string, labels: Labels, value: number) => (entry(name).client as Gauge).set({ ...labels }, value),
    add: (name: string, labels: Labels, by = 1) => (entry(name).client as Counter).inc({ ...labels }, by),
    observe: (name: string, labels: Labels, value: number) => (entry(name).client as Histogram).observe({ ...labels }, value),
    open: (name: string, labels: Labels) => (entry(name).client as Histogram).zero({ ...labels }),
    of: (kind: string, key: string) => ownerOf(kind, key).series,
    keepOnly: (holds: typeof exists) => void (exists = holds),
    forgetObjects() {
      for (const { series } of owners.values()) series.forget()
    },
    beforeRead: (refresh: () => void) => void refreshes.push(refresh),
    render() {
      for (const { kind, key, series } of owners.values()) if (!exists(kind as OwnerOf<G>, key)) series.forget()
      for (const refresh of refreshes) refresh()
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
  // Names and labels are checked where they are written; in here they are strings.
  return facade as unknown as MetricRegistry<G>
}

function entryOf(registry: Registry, group: MetricGroup, name: string, metric: MetricDeclaration, now: () => number): Entry {
  const { type, help, buckets = [] } = metric
  const base = { name, help, labelNames: [...labelNamesOf(group, metric)], registers: [registry] }
  const since: Entry['since'] = new Map()
  const entry = { labelNames: base.labelNames, objectLabels: group.object ?? [], sharers: new Map<string, number>(), since }
  switch (type) {
    case 'Gauge':
      return { ...entry, client: new Gauge(base) }
    case 'Counter':
      return { ...entry, client: new Counter(base) }
    case 'Histogram':
      return { ...entry, client: new Histogram({ ...base, buckets: [...buckets] }) }
    case 'Age':
      return {
        ...entry,
        client: new Gauge({
          ...base,
          collect() {
            for (const { labels, unixMs } of since.values()) this.set({ ...labels }, Math.max(0, now() - unixMs) / 1000)
          },
        }),
      }
  }
}
