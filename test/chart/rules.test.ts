/** The alerts and the dashboard of the chart: promtool judges the syntax and what fires, the declarations judge the names. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { run, tryRun } from '../../hack/cluster/command.ts'
import { temporaryFolder } from '../../hack/cluster/temporary-folder.ts'
import { labelNamesOf, metricGroups, type MetricGroup } from '../../src/observability/index.ts'
import { renderChart } from './helm.ts'
import { readExpression } from './promql.ts'
import { ruleCases } from './rules-cases.ts'

type Rule = {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
type Panel = {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

let groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
let rules: readonly Rule[]
let panels: readonly Panel[]
let folder: string

beforeAll(async () => {
  folder = await temporaryFolder('taskmill-rules-')
  const objects = await renderChart('metrics.prometheusRule.enabled=true', 'metrics.dashboard.enabled=true')
  const rule = objects.find(({ kind }) => kind === 'PrometheusRule') as unknown as { spec: { groups: typeof groups } }
  groups = rule.spec.groups
  rules = groups.flatMap((group) => group.rules)
  const dashboard = objects.find(({ kind }) => kind === 'ConfigMap') as unknown as { data: Record<string, string> }
  panels = (JSON.parse(dashboard.data['taskmill.json'] ?? '') as { panels: readonly Panel[] }).panels
  await writeFile(join(folder, 'rules.json'), JSON.stringify({ groups }))
})

describe('the alerts', () => {
  it('are rules that Prometheus takes', async () => {
    expect(await run('promtool', ['check', 'rules', join(folder, 'rules.json')])).toContain(`${rules.length} rules found`)
  })

  it('fire for what is wrong and for nothing else', async () => {
    const tests = ruleCases.map(({ alert, series, atMinutes, fires }) => ({
      interval: '1m',
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [
        {
          expr: `ALERTS{alertname="${alert}", alertstate="firing"}`,
          eval_time: `${atMinutes}m`,
          exp_samples: fires.map((labels) => ({ labels: `ALERTS{alertname="${alert}", alertstate="firing", ${labels}}`, value: 1 })),
        },
      ],
    }))
    const file = join(folder, 'tests.json')
    await writeFile(file, JSON.stringify({ rule_files: ['rules.json'], evaluation_interval: '1m', tests }))
    const { code, stdout, stderr } = await tryRun('promtool', ['test', 'rules', file])
    expect([code, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('SUCCESS')])
  })

  it('have each a case in which they fire', () => {
    const fired = ruleCases.filter(({ fires }) => fires.length > 0).map(({ alert }) => alert)
    expect(rules.map(({ alert }) => alert).toSorted()).toEqual([...new Set(fired)].toSorted())
  })

  it('have names of ours, a severity, and words', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Taskmill[A-Z][A-Za-z]+$/u)
      // One passes on the severity that a user gave to an alert of Taskmill.
      expect([alert, ['critical', 'warning', 'info', '{{ $labels.severity | toLower }}'].includes(labels['severity'] ?? '')]).toEqual([
        alert,
        true,
      ])
      expect([alert, Object.keys(annotations).toSorted()]).toEqual([alert, ['description', 'runbook_url', 'summary']])
    }
  })

  it('lead to their section of docs/operations.md, which has no others', async () => {
    const text = await readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
    const sections = [...text.matchAll(/^### (Taskmill\w+)$/gmu)].map(([, name = '']) => name)
    expect(sections.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
    for (const { alert, annotations } of rules) expect(annotations['runbook_url']).toBe(`docs/operations.md#${alert.toLowerCase()}`)
    const [elsewhere] = await renderChart('metrics.prometheusRule.enabled=true', 'metrics.prometheusRule.runbookURL=https://wiki/x').then(
      (objects) => objects.filter(({ kind }) => kind === 'PrometheusRule'),
    )
    expect(JSON.stringify(elsewhere)).toContain('"https://wiki/x#taskmillnoleader"')
  })

  it('ask for the Lease of the release', async () => {
    const objects = await renderChart('metrics.prometheusRule.enabled=true', 'fullnameOverride=mill')
    expect(JSON.stringify(objects.find(({ kind }) => kind === 'PrometheusRule'))).toContain('{name=\\"mill-operator\\"}')
  })
})

describe('the dashboard', () => {
  it('has panels with words and queries, side by side', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { type, title, description, gridPos, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false])
          taken.add(`${x} ${y}`)
        }
      }
      if (type === 'row') continue
      expect([title, (description ?? '').endsWith('.'), (targets ?? []).length > 0]).toEqual([title, true, true])
    }
  })

  it('asks what Prometheus understands', async () => {
    const recorded = queries().map(({ expr }, index) => ({
      record: `query_${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$namespace', '.*'),
    }))
    const file = join(folder, 'dashboard.json')
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: recorded }] }))
    expect(await run('promtool', ['check', 'rules', file])).toContain(`${recorded.length} rules found`)
  })

  it('names series by labels that their query leaves', () => {
    for (const { title, expr, legendFormat } of queries()) {
      const { grouped } = readExpression(expr)
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/gu)].map(([, label = '']) => label)
      const by = /\bby \(/u.test(expr) ? grouped : undefined
      for (const label of shown) expect([title, label, by?.includes(label) ?? labelsIn(expr).has(label)]).toEqual([title, label, true])
    }
  })

  it('is not there, nor are the alerts, unless asked for', async () => {
    const kinds = (await renderChart()).map(({ kind }) => kind)
    expect(kinds).not.toContain('PrometheusRule')
    expect(kinds).not.toContain('ConfigMap')
  })

  it('has the label that Grafana looks for, and those that one adds', async () => {
    const objects = await renderChart('metrics.dashboard.enabled=true', 'metrics.dashboard.labels.team=platform')
    expect(objects.find(({ kind }) => kind === 'ConfigMap')?.metadata.labels).toMatchObject({ grafana_dashboard: '1', team: 'platform' })
  })
})

describe('alerts and dashboard name only what is declared', () => {
  it('metrics, and labels of theirs', () => {
    for (const { title, expr } of [...rules.map(({ alert, expr: each }) => ({ title: alert, expr: each })), ...queries()]) {
      expect([title, undeclaredIn(expr)]).toEqual([title, []])
    }
  })

  it.each([
    ['taskmill_broker_reachable{broker="x"} == 0', []],
    ['taskmill_broker_reachabel == 0', ['taskmill_broker_reachabel']],
    ['taskmill_broker_reachable{pool="x"}', ['taskmill_broker_reachable{pool}']],
    ['sum by (pool) (taskmill_broker_reachable)', ['by pool']],
    ['sum(rate(taskmill_schedule_runs_total{outcome!~"a|b"}[5m])) by (namespace)', []],
    ['taskmill_schedule_dispatch_delay_seconds_bucket{le="1"}', []],
    ['taskmill_schedule_dispatch_delay_seconds', ['taskmill_schedule_dispatch_delay_seconds']],
    ['a_pool and on (job, instance) taskmill_build_info', ['a_pool']],
  ])('%s: %j', (expr, wanted) => {
    expect(undeclaredIn(expr)).toEqual(wanted)
  })
})

function queries() {
  return panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })))
}

/** Labels that Prometheus adds. */
const targetLabels = ['job', 'instance']

/** What can be asked for, with its labels: of a histogram its three series. */
const declared = new Map(
  (metricGroups as readonly MetricGroup[]).flatMap((group) =>
    Object.entries(group.metrics).flatMap(([name, metric]): (readonly [string, readonly string[]])[] => {
      const labels = [...labelNamesOf(group, metric), ...targetLabels]
      if (metric.type !== 'Histogram') return [[name, labels]]
      return [
        [`${name}_bucket`, [...labels, 'le']],
        [`${name}_sum`, labels],
        [`${name}_count`, labels],
      ]
    }),
  ),
)

function labelsIn(expr: string): ReadonlySet<string> {
  return new Set(readExpression(expr).selected.flatMap(({ metric }) => declared.get(metric) ?? []))
}

function undeclaredIn(expr: string): readonly string[] {
  const { selected, grouped } = readExpression(expr)
  const wrong = selected.flatMap(({ metric, labels }) => {
    const known = declared.get(metric)
    if (known === undefined) return [metric]
    return labels.filter((label) => !known.includes(label)).map((label) => `${metric}{${label}}`)
  })
  const all = labelsIn(expr)
  return [...wrong, ...(wrong.length > 0 ? [] : grouped.filter((label) => !all.has(label)).map((label) => `by ${label}`))]
}
