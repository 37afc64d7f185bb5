import type { Metrics } from '../../observability/index.ts'
import type { World } from './gather.ts'

/** Sets the gauges of a TaskBroker. While its server does not answer, those of the server keep their values. */
export function setGauges(metrics: Metrics, key: string, { look, dispatch }: World): void {
  const series = metrics.of('TaskBroker', key)
  series.set('taskmill_broker_reachable', {}, look.kind === 'Answered' ? 1 : 0)
  series.set('taskmill_broker_dispatch_active', {}, dispatch.kind === 'Active' ? 1 : 0)
  if (look.kind !== 'Answered') return
  const { usedMemoryBytes, maxMemoryBytes } = look.info
  series.set('taskmill_broker_memory_used_bytes', {}, usedMemoryBytes)
  // Redis says 0 where there is no limit.
  series.set('taskmill_broker_memory_max_bytes', {}, maxMemoryBytes === 0 ? undefined : maxMemoryBytes)
  series.set('taskmill_broker_clock_skew_seconds', {}, look.skewMs / 1000)
}
