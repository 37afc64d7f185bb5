import type { MetricOwner, Metrics } from './metrics.ts'

type Condition = { readonly type: string; readonly status: string }

/** Tells the conditions of an object as gauges; for whoever writes the status of a kind. */
export type ConditionMetrics = (key: string, conditions: readonly Condition[]) => void

export function createConditionMetrics(metrics: Metrics, kind: MetricOwner): ConditionMetrics {
  return (key, conditions) => {
    const series = metrics.of(kind, key)
    series.retain('taskmill_object_condition', (labels) => conditions.some(({ type }) => type === labels.condition))
    for (const { type, status } of conditions) {
      series.set('taskmill_object_condition', { kind, condition: type }, status === 'True' ? 1 : 0)
    }
  }
}
