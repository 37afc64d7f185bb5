import type { Counter, Gauge, Histogram } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

/** A metric at run time. */
export type Entry = {
  readonly client: Gauge | Counter | Histogram
  readonly labelNames: readonly string[]
  readonly objectLabels: readonly string[]
  /** How many objects share a series, by the values of its labels. */
  readonly sharers: Map<string, number>
  /** Of an `Age`: since when, by the same. */
  readonly since: Map<string, { readonly labels: Labels; readonly unixMs: number }>
}

/** An object with its series. */
export type Owner = { readonly kind: string; readonly key: string; readonly series: OwnSeries }

export type OwnSeries = {
  set(name: string, extra: Labels, value: number | undefined): void
  since(name: string, extra: Labels, unixMs: number | undefined): void
  add(name: string, extra: Labels, by?: number): void
  observe(name: string, extra: Labels, value: number): void
  open(name: string, extra: Labels): void
  retain(name: string, isKept: (labels: Labels) => boolean): void
  forget(): void
}

/** Remembers which series one object has set, so that they go with the object. A series that several objects share goes with the last. */
export function createOwner(deps: {
  readonly kind: string
  /** `namespace/name`. */
  readonly key: string
  readonly entry: (name: string) => Entry
  readonly onForgotten: () => void
}): Owner {
  const { kind, key, entry, onForgotten } = deps
  const own = new Map<Entry, Map<string, Labels>>()
  const names = key.split('/')

  /** Makes the series one of this object's. */
  function claim(name: string, extra: Labels) {
    const from = entry(name)
    const labels = { ...Object.fromEntries(from.objectLabels.map((label, index) => [label, names[index] ?? ''])), ...extra }
    const id = JSON.stringify(from.labelNames.map((label) => labels[label]))
    const claimed = own.get(from) ?? new Map<string, Labels>()
    own.set(from, claimed)
    const sharers = from.sharers.get(id) ?? 0
    if (!claimed.has(id)) from.sharers.set(id, sharers + 1)
    claimed.set(id, labels)
    return { client: from.client, from, id, labels, isNew: sharers === 0 }
  }

  function release(from: Entry, id: string): void {
    const labels = own.get(from)?.get(id)
    if (labels === undefined) return
    own.get(from)?.delete(id)
    const others = (from.sharers.get(id) ?? 1) - 1
    if (others > 0) return void from.sharers.set(id, others)
    from.sharers.delete(id)
    from.since.delete(id)
    from.client.remove(labels)
  }

  function drop(name: string, extra: Labels): void {
    const { from, id } = claim(name, extra)
    release(from, id)
  }

  const series: OwnSeries = {
    set(name, extra, value) {
      if (value === undefined) return drop(name, extra)
      const { client, labels } = claim(name, extra)
      ;(client as Gauge).set({ ...labels }, value)
    },
    since(name, extra, unixMs) {
      if (unixMs === undefined) return drop(name, extra)
      const { from, id, labels } = claim(name, extra)
      from.since.set(id, { labels, unixMs })
    },
    add(name, extra, by = 1) {
      const { client, labels } = claim(name, extra)
      ;(client as Counter).inc({ ...labels }, by)
    },
    observe(name, extra, value) {
      const { client, labels } = claim(name, extra)
      ;(client as Histogram).observe({ ...labels }, value)
    },
    open(name, extra) {
      const { client, labels, isNew } = claim(name, extra)
      if (isNew) (client as Histogram).zero({ ...labels })
    },
    retain(name, isKept) {
      const from = entry(name)
      for (const [id, labels] of own.get(from) ?? []) if (!isKept(labels)) release(from, id)
    },
    forget() {
      for (const [from, ids] of own) for (const id of ids.keys()) release(from, id)
      onForgotten()
    },
  }
  return { kind, key, series }
}
