import { labelNamesOf, type MetricDeclaration, type MetricGroup, mostSeries } from '../../src/observability/index.ts'
import { code, table } from './markdown.ts'

/** `docs/metrics.md`: everything that Prometheus reads from the operator and the workers. */
export function metricsPage(groups: readonly MetricGroup[]): string {
  return `${[
    '<!-- Generated from src/observability/metrics by `make generate`. Do not edit. -->',
    '# Metrics',
    'The operator and each worker serve them as `/metrics`. Series with a `namespace` belong to an object: they are there from the moment that the ' +
      'leading operator knows the object until it is deleted, and begin anew with the next leader; the other operators have none. Prometheus has to ' +
      'keep these labels (`honor_labels: true`, which the ServiceMonitor of the chart sets), else the namespace of the operator takes their place. ' +
      'Nothing here is ever told by pod, job or run.',
    'What to watch and what to do then: [operations.md](operations.md). The chart brings the alerts (`metrics.prometheusRule.enabled`) and a dashboard ' +
      '(`metrics.dashboard.enabled`).',
    '## How many there are',
    'Gauges whose 0 says nothing are missing while they are 0. The chart value `metrics.detail=namespace` (environment `TASKMILL_METRICS_DETAIL`) ' +
      'leaves out the labels of objects, for clusters with more objects than a Prometheus should follow: the objects of a namespace then share a ' +
      'series, which is their sum, or what the column says.',
    table(
      ['of each', 'series at most'],
      [...mostSeries(groups)].map(([owner, count]) => [owner, String(count)]),
    ),
    ...groups.flatMap(section),
  ].join('\n\n')}\n`
}

function section(group: MetricGroup): readonly string[] {
  return [`## ${group.title}`, group.about, table(['metric', 'type', 'labels', 'by namespace', 'meaning'], rows(group))]
}

function rows(group: MetricGroup): readonly (readonly string[])[] {
  return Object.entries(group.metrics).map(([name, metric]) => [
    code(name),
    [metric.type === 'Age' ? 'gauge' : metric.type.toLowerCase(), unitOf(name)].filter(Boolean).join(', '),
    labelNamesOf(group, metric).map(code).join(' '),
    group.detail === undefined ? 'the same' : (metric.together ?? 'sum'),
    [
      metric.help,
      metric.omitsZero === true ? 'Missing at 0.' : '',
      metric.advice === undefined ? '' : `**What to do:** ${metric.advice}`,
      bucketsOf(metric),
    ]
      .filter(Boolean)
      .join(' '),
  ])
}

function unitOf(name: string): string {
  return /_(seconds|bytes)(?:_total)?$/u.exec(name)?.[1] ?? ''
}

function bucketsOf({ buckets }: MetricDeclaration): string {
  return buckets === undefined ? '' : `Buckets: ${buckets.map(String).join(', ')}.`
}
