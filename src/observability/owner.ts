import type { Counter, Gauge, Histogram } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

/** A metric at run time. */
export type Entry = {
  readonly client: Gauge | Counter | Histogram
  readonly labelNames: readonly string[]
  readonly objectLabels: readonly string[]
  /** How many objects tell a series, by the values of its labels. */
  readonly tellers: Map<string, number>
  /** Of an `Age`, by the same. */
  readonly since: Map<string, { readonly labels: Labels; readonly unixMs: number }>
}

/** An object, with all that it has told. */
export type Owner = { readonly kind: string; readonly key: string; readonly series: OwnSeries }

export type OwnSeries = {
  set(name: string, extra: Labels, value: number | undefined): void
  since(name: string, extra: Labels, unixMs: number | undefined): void
  add(name: string, extra: Labels, by?: number): void
  observe(name: string, extra: Labels, value: number): void
  open(name: string, extra: Labels): void
  retain(name: string, holds: (labels: Labels) => boolean): void
  forget(): void
}

/** Keeps the books of one object: which series it told, so that they can go with it. */
export function createOwner(deps: {
  readonly kind: string
  /** `namespace/name`. */
  readonly key: string
  readonly entry: (name: string) => Entry
  readonly onForgotten: () => void
}): Owner {
  const { kind, key, entry, onForgotten } = deps
  const told = new Map<Entry, Map<string, Labels>>()
  const names = key.split('/')

  /** The series is one of this object's from now on. */
  function claim(name: string, extra: Labels) {
    const from = entry(name)
    const labels = { ...Object.fromEntries(from.objectLabels.map((label, index) => [label, names[index] ?? ''])), ...extra }
    const id = JSON.stringify(from.labelNames.map((label) => labels[label]))
    const own = told.get(from) ?? new Map<string, Labels>()
    told.set(from, own)
    const tellers = from.tellers.get(id) ?? 0
    if (!own.has(id)) from.tellers.set(id, tellers + 1)
    own.set(id, labels)
    return { client: from.client, from, id, labels, isNew: tellers === 0 }
  }

  function release(from: Entry, id: string): void {
    const labels = told.get(from)?.get(id)
    if (labels === undefined) return
    told.get(from)?.delete(id)
    const others = (from.tellers.get(id) ?? 1) - 1
    if (others > 0) return void from.tellers.set(id, others)
    from.tellers.delete(id)
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
    retain(name, holds) {
      const from = entry(name)
      for (const [id, labels] of told.get(from) ?? []) if (!holds(labels)) release(from, id)
    },
    forget() {
      for (const [from, own] of told) for (const id of own.keys()) release(from, id)
      onForgotten()
    },
  }
  return { kind, key, series }
}
