import { setImmediate as nextTurn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import type { GroupsOf, GroupsOfProcess, LabelsOf, MetricDeclaration, MetricGroup, NameOf, OwnerOf } from './declaration.ts'
import { expose } from './exposition.ts'
import { createFamily, type Family, type Labels, labelText, type MetricsDetail, observe, type Sample, sampleOf } from './family.ts'
import { collectProcessMetrics } from './metrics/process.ts'
import { familyOf, Owner } from './owner.ts'

/**
 * The metrics of a process, from declarations. Their values are set by name.
 *
 * Guarantees: only declared metrics can be set, with all of their labels. A series of an object carries the object's names as labels and goes
 * with the object, however late it was set. A series that several objects share stays until the last of them has gone. Reading 50,000 series
 * stops other work for milliseconds only, which prom-client's registry cannot do; what Node says about the process comes from there.
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
  /** The text exposition format, for `/metrics`, in pieces. */
  read(): AsyncIterable<string>
  /** The same in one piece. */
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

/** Objects that are compared with the caches in one go, before a read. */
const ownersAtOnce = 2_000

/** `now`: Unix milliseconds, for ages. */
export function createMetricRegistry<G extends MetricGroup>(
  groups: readonly G[],
  { now, detail = 'object' }: { readonly now: () => number; readonly detail?: MetricsDetail },
): MetricRegistry<G> {
  const ofProcess = new Registry()
  collectProcessMetrics(ofProcess)
  const families = new Map<string, Family>()
  for (const group of groups) {
    for (const [name, metric] of Object.entries(group.metrics)) families.set(name, createFamily(name, metric, group, detail))
  }
  const owners = new Map<string, Map<string, Owner>>()
  const refreshes: (() => void)[] = []
  let exists: (kind: OwnerOf<G>, key: string) => boolean = () => true

  function sample(name: string, type: MetricDeclaration['type'], labels: Labels): Sample {
    const family = familyOf(families, name, type)
    return sampleOf(family, labelText(family, labels))
  }

  const onForgotten = (gone: Owner): void => void owners.get(gone.kind)?.delete(gone.key)

  function ownerOf(kind: string, key: string): Owner {
    const ofKind = owners.get(kind) ?? new Map<string, Owner>()
    owners.set(kind, ofKind)
    const known = ofKind.get(key)
    if (known !== undefined) return known
    const owner = new Owner(kind, key, families, onForgotten)
    ofKind.set(key, owner)
    return owner
  }

  async function* read(): AsyncGenerator<string> {
    let seen = 0
    for (const ofKind of owners.values()) {
      for (const owner of ofKind.values()) {
        if (!exists(owner.kind as OwnerOf<G>, owner.key)) owner.forget()
        seen += 1
        if (seen % ownersAtOnce === 0) await nextTurn()
      }
    }
    for (const refresh of refreshes) refresh()
    yield await ofProcess.metrics()
    yield* expose(families.values(), owners, now())
  }

  const facade = {
    set(name: string, labels: Labels, value: number) {
      sample(name, 'Gauge', labels).value = value
    },
    add(name: string, labels: Labels, by = 1) {
      sample(name, 'Counter', labels).value += by
    },
    observe(name: string, labels: Labels, value: number) {
      observe(familyOf(families, name), sample(name, 'Histogram', labels), value)
    },
    open: (name: string, labels: Labels) => void sample(name, 'Histogram', labels),
    of: ownerOf,
    keepOnly: (holds: typeof exists) => void (exists = holds),
    forgetObjects() {
      for (const ofKind of owners.values()) for (const owner of ofKind.values()) owner.forget()
    },
    beforeRead: (refresh: () => void) => void refreshes.push(refresh),
    read,
    async render() {
      let text = ''
      for await (const piece of read()) text += piece
      return text
    },
    contentType: ofProcess.contentType,
  }
  // Names and labels are checked where they are written; in here they are strings.
  return facade as unknown as MetricRegistry<G>
}
