import type { TaskAlert, TaskAlertStatus } from '../../api/index.ts'
import type { Metrics } from '../../observability/index.ts'

/** The gauge of an alert; a severity that it has no more goes. */
export function tellAlert(metrics: Metrics, key: string, { spec }: TaskAlert, status: TaskAlertStatus | undefined): void {
  const { severity } = spec
  const series = metrics.of('TaskAlert', key)
  series.retain('taskmill_alert_active', (labels) => labels.severity === severity)
  series.set('taskmill_alert_active', { severity }, status?.state === 'Firing' ? 1 : 0)
}
