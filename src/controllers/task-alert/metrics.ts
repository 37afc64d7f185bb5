import type { TaskAlert, TaskAlertStatus } from '../../api/index.ts'
import type { Metrics } from '../../observability/index.ts'

/**
 * Sets the gauge of an alert: 1 while it fires, else 0. The series of a severity that the alert no longer has is removed. An alert without a
 * status counts as one that does not fire.
 */
export function setAlertGauge(metrics: Metrics, key: string, { spec }: TaskAlert, status: TaskAlertStatus | undefined): void {
  const { severity } = spec
  const series = metrics.of('TaskAlert', key)
  series.retain('taskmill_alert_active', (labels) => labels.severity === severity)
  series.set('taskmill_alert_active', { severity }, status?.state === 'Firing' ? 1 : 0)
}
