/** Rules for every metric, whatever folder declares it. */
import { expect, it } from 'vitest'
import { labelNamesOf, metricGroups, type MetricGroup, mostSeries } from './index.ts'

const declared = (metricGroups as readonly MetricGroup[]).flatMap((group) =>
  Object.entries(group.metrics).map(([name, metric]) => ({ name, metric, group, labels: labelNamesOf(group, metric) })),
)
type Declared = (typeof declared)[number]
const offenders = (isRight: (each: Declared) => boolean) => declared.filter((each) => !isRight(each)).map(({ name }) => name)

/** Labels with an unbounded number of values: a pod, a job, a run. */
const unbounded = ['pod', 'worker', 'job', 'id', 'uid', 'run', 'execution', 'slot', 'message', 'error', 'node']

it('each is declared once', () => {
  const names = declared.map(({ name }) => name)
  expect(names.length).toBeGreaterThan(40)
  expect(new Set(names).size).toBe(names.length)
})

it('names are as Prometheus wants them, and end in base units', () => {
  const ours = /^(?:taskmill|controller_runtime|workqueue|leader_election|rest_client|process|nodejs)_[a-z0-9_]+$/u
  expect(offenders(({ name }) => ours.test(name))).toEqual([])
  expect(offenders(({ name, metric }) => (metric.type === 'Counter') === name.endsWith('_total'))).toEqual([])
  expect(offenders(({ name, metric }) => !['Age', 'Histogram'].includes(metric.type) || name.endsWith('_seconds'))).toEqual([])
  expect(offenders(({ name }) => !/_(?:ms|milliseconds|minutes|hours|kb|mb|percent|count|sum|bucket)$/u.test(name))).toEqual([])
})

it('help and advice are sentences', () => {
  expect(offenders(({ metric }) => metric.help.endsWith('.'))).toEqual([])
  expect(offenders(({ metric }) => metric.advice?.endsWith('.') ?? true)).toEqual([])
})

it('labels are few words with few values', () => {
  expect(offenders(({ labels }) => labels.every((label) => /^[a-z][a-z_]*$/u.test(label) && !unbounded.includes(label)))).toEqual([])
  expect(offenders(({ labels }) => new Set(labels).size === labels.length && labels.length <= 4)).toEqual([])
})

it('exactly the metrics of objects have a namespace', () => {
  expect(offenders(({ group, labels }) => labels.includes('namespace') === (group.owners !== undefined))).toEqual([])
  expect(offenders(({ group }) => group.owners === undefined || group.object?.[0] === 'namespace')).toEqual([])
})

it('no object has more than ten series, and a histogram belongs to a namespace or to the process', () => {
  const most = mostSeries(metricGroups)
  const kinds = ['AlertChannel', 'TaskAlert', 'TaskBroker', 'TaskDependency', 'TaskQueue', 'TaskSchedule', 'WorkerPool']
  expect([...most.keys()].toSorted()).toEqual([...kinds, 'Namespace', 'queue'].toSorted())
  expect([...most].filter(([owner, count]) => owner !== 'Namespace' && count > 10)).toEqual([])
  const isOfObject = ({ group: { owners = [] } }: Declared) => owners.some((owner) => owner !== 'Namespace')
  expect(offenders((each) => each.metric.type !== 'Histogram' || !isOfObject(each))).toEqual([])
})

it('a series of an object is of no other one, unless the group says of what it is', () => {
  const isItsOwn = ({ group: { owners = [], each }, labels }: Declared) =>
    each !== undefined || owners.length < 2 || labels.includes('kind')
  expect(offenders(isItsOwn)).toEqual([])
})

it('what several objects share is put together in a way that is declared', () => {
  expect(offenders(({ group, metric }) => metric.together === undefined || group.detail !== undefined)).toEqual([])
  expect(offenders(({ metric }) => metric.omitsZero === undefined || metric.type === 'Gauge')).toEqual([])
})

it('buckets ascend, and are not many', () => {
  const isRight = ({ metric: { type, buckets = [] } }: Declared) =>
    type === 'Histogram'
      ? buckets.length > 1 && buckets.length <= 16 && buckets.every((bound, index) => bound > (buckets[index - 1] ?? 0))
      : buckets.length === 0
  expect(offenders(isRight)).toEqual([])
})
