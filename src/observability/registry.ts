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
 * Makes prom-client's metrics of declarations, and tells their values by name.
 *
 * Guarantees: only what was declared can be told, with all of its labels; a series that belongs to an object carries that object's names and
 * no others, and goes with the object, whoever wrote it and however late; a series that several objects tell stays until the last one
 * has gone. Does not: keep anything over a restart.
 */
export type MetricRegistry<G extends MetricGroup> = Series<GroupsOfProcess<G>> & {
  /** The series of one object, by its key `namespace/name`. Costs nothing to ask for again. */
  of<K extends OwnerOf<G>>(kind: K, key: string): ObjectSeries<GroupsOf<G, K>>
  /** From now on, whoever reads sees nothing of objects that are not there. */
  keepOnly(exists: (kind: OwnerOf<G>, key: string) => boolean): void
  /** Drops the series of all objects: another process tells them now. */
  forgetObjects(): void
  /** Called before values are read, to tell those that are looked up. */
  beforeRead(refresh: () => void): void
  /** The text exposition format, for `/metrics`. */
  render(): Promise<string>
  readonly contentType: string
}

export type Series<G> = {
  set<N extends NameOf<G, 'Gauge'>>(name: N, labels: LabelsOf<G, N>, value: number): void
  /** A counter that may stay at 0 is told from the start with `by` 0: Prometheus does not see the step from nothing to 1. */
  add<N extends NameOf<G, 'Counter'>>(name: N, labels: LabelsOf<G, N>, by?: number): void
  observe<N extends NameOf<G, 'Histogram'>>(name: N, labels: LabelsOf<G, N>, value: number): void
  /** The series of a histogram before its first value. */
  open<N extends NameOf<G, 'Histogram'>>(name: N, labels: LabelsOf<G, N>): void
}

export type ObjectSeries<G> = Omit<Series<G>, 'set'> & {
  /** Undefined: there is no such value, and no series. */
  set<N extends NameOf<G, 'Gauge'>>(name: N, labels: LabelsOf<G, N>, value: number | undefined): void
  /** Since when, in Unix milliseconds. */
  since<N extends NameOf<G, 'Age'>>(name: N, labels: LabelsOf<G, N>, unixMs: number | undefined): void
  /** Drops what this object told of a metric and this does not hold for. */
  retain<N extends NameOf<G, MetricDeclaration['type']>>(name: N, holds: (labels: LabelsOf<G, N>) => boolean): void
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
  const entry = { labelNames: base.labelNames, objectLabels: group.object ?? [], tellers: new Map<string, number>(), since }
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
