import type { MetricDeclaration, MetricGroup } from './declaration.ts'
import { labelNamesOf } from './declaration.ts'

export type Labels = Readonly<Record<string, string>>

/** One series. 50,000 of them are normal. */
export type Sample = {
  /** The value; of a histogram the sum of what was observed; of an `Age` since when, in Unix milliseconds. */
  value: number
  /** Of a histogram: how many values each bucket has, and in the last place those above all bounds. */
  counts?: number[]
  /** The objects that share it; undefined for a series that can only be of one. */
  owner: object | Set<object> | undefined
  readonly family: Family
  /** The text of its labels, under which it is found; empty for a series that can only be of one object, which has it. */
  readonly id: string
  /** The labels that it has besides those of the object. */
  readonly extra: Labels
}

/** One for all: there are tens of thousands of series without labels of their own. */
const noLabels: Labels = {}

/** A metric at run time: its series, by the text of their labels as the exposition has it. */
export type Family = {
  readonly name: string
  readonly metric: MetricDeclaration
  readonly group: MetricGroup
  /** Those of its series. */
  readonly labelNames: readonly string[]
  /** Labels that are given and left out, so that objects share a series from the start. */
  readonly leftOut: readonly string[]
  /** Whether several objects can have one series; otherwise each object has its own, and they are in no map here. */
  readonly isShared: boolean
  /** Labels that are left out when the series are read. */
  readonly summedOver: readonly string[]
  readonly samples: Map<string, Sample>
}

/** Whether each object has series of its own, or all objects of a namespace share theirs. */
export const metricsDetails = ['object', 'namespace'] as const
export type MetricsDetail = (typeof metricsDetails)[number]

/**
 * Told by namespace, a count must not fall when one of its objects is deleted: Prometheus would take that for a restart. So the objects count
 * together. A gauge falls then, as it should: it is put together when it is read.
 */
export function createFamily(name: string, metric: MetricDeclaration, group: MetricGroup, detail: MetricsDetail): Family {
  const all = labelNamesOf(group, metric)
  const dropped = detail === 'namespace' ? (group.detail ?? []) : []
  const isCount = metric.type === 'Counter' || metric.type === 'Histogram'
  const none: readonly string[] = []
  const [leftOut, summedOver] = isCount ? [dropped, none] : [none, dropped]
  const family: Family = {
    name,
    metric,
    group,
    labelNames: all.filter((label) => !leftOut.includes(label)),
    leftOut,
    isShared: group.owners === undefined || group.each !== undefined || leftOut.length > 0,
    summedOver,
    samples: new Map(),
  }
  // A metric without labels is there from the start, at 0.
  if (family.labelNames.length === 0) sampleOf(family, '')
  return family
}

/** The series with these labels; it begins at 0. */
export function sampleOf(family: Family, id: string, extra: Labels = noLabels): Sample {
  const known = family.samples.get(id)
  if (known !== undefined) return known
  const sample = newSample(family, id, extra)
  family.samples.set(id, sample)
  return sample
}

/** A series at 0, which its caller keeps. */
export function newSample(family: Family, id: string, extra: Labels): Sample {
  const { metric } = family
  const sample: Sample = { value: 0, owner: undefined, family, id, extra: Object.keys(extra).length === 0 ? noLabels : extra }
  if (metric.type === 'Histogram')
    sample.counts = bucketsOf(metric)
      .map(() => 0)
      .concat(0)
  return sample
}

/** The text of the labels, in the order of their declaration. Throws on a label that is missing or not declared. */
export function labelText({ name, labelNames, leftOut }: Family, labels: Labels): string {
  const given = Object.keys(labels).length
  if (given !== labelNames.length + leftOut.length)
    throw new TypeError(`${name} takes the labels ${[...labelNames, ...leftOut].join(', ')}`)
  return labelNames
    .map((label) => {
      const value = labels[label]
      if (value === undefined) throw new TypeError(`${name} has no value for the label ${label}`)
      return `${label}="${escaped(value)}"`
    })
    .join(',')
}

/** The same for a series of one object with that key, whose labels are known to be right. */
export function labelTextOf({ group, metric: { labels } }: Family, key: string, extra: Labels): string {
  const [first = '', second] = group.object ?? []
  const slash = key.indexOf('/')
  let text = slash < 0 ? `${first}="${escaped(key)}"` : `${first}="${escaped(key.slice(0, slash))}"`
  if (second !== undefined) text += `,${second}="${escaped(key.slice(slash + 1))}"`
  if (labels !== undefined) for (const label of labels) text += `,${label}="${escaped(extra[label] ?? '')}"`
  return text
}

/** The same text without some of the labels; values never hold a bare quotation mark. */
export function withoutLabels(text: string, dropped: readonly string[]): string {
  return [...text.matchAll(/([a-z_]+)="(?:[^"\\]|\\.)*"/gu)]
    .flatMap(([label, name = '']) => (dropped.includes(name) ? [] : label))
    .join(',')
}

export function observe({ metric }: Family, sample: Sample, value: number): void {
  const index = bucketsOf(metric).findIndex((bound) => value <= bound)
  const { counts = [] } = sample
  const place = index === -1 ? counts.length - 1 : index
  counts[place] = (counts[place] ?? 0) + 1
  sample.value += value
}

/** The lines of one series in the text exposition format. `nowMs`: for ages. */
export function linesOf({ name, metric }: Family, id: string, sample: Sample, nowMs: number): string {
  if (metric.type === 'Histogram') return histogramLines(name, metric, id, sample)
  return line(name, id, valueOf(metric, sample, nowMs))
}

export function valueOf(metric: MetricDeclaration, { value }: Sample, nowMs: number): number {
  return metric.type === 'Age' ? Math.max(0, nowMs - value) / 1000 : value
}

export function line(name: string, id: string, value: number): string {
  return id === '' ? `${name} ${numberText(value)}\n` : `${name}{${id}} ${numberText(value)}\n`
}

export function headOf({ name, metric }: Family): string {
  const help = metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return `# HELP ${name} ${help}\n# TYPE ${name} ${metric.type === 'Age' ? 'gauge' : metric.type.toLowerCase()}\n`
}

function histogramLines(name: string, metric: MetricDeclaration, id: string, { value, counts = [] }: Sample): string {
  const more = id === '' ? '' : `,${id}`
  let below = 0
  const buckets = [...bucketsOf(metric).map(String), '+Inf'].map((bound, index) => {
    below += counts[index] ?? 0
    return line(`${name}_bucket`, `le="${bound}"${more}`, below)
  })
  return `${buckets.join('')}${line(`${name}_sum`, id, value)}${line(`${name}_count`, id, below)}`
}

const bucketsOf = ({ buckets = [] }: MetricDeclaration): readonly number[] => buckets

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

function escaped(value: string): string {
  return /[\\"\n]/u.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : value
}
