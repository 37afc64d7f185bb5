import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { createClusterMetrics, type ClusterMetrics } from './cluster-metrics.ts'
import { createControllerMetrics, type ControllerMetrics, type ControllerSource } from './controller-metrics.ts'
import { createPoolMetrics, type PoolMetrics } from './pool-metrics.ts'
import { createScheduleMetrics, type ScheduleMetrics } from './schedule-metrics.ts'

/** Every metric of the operator: those of the process, and one file per subject. */
export type Metrics = PoolMetrics &
  ScheduleMetrics &
  ClusterMetrics & {
    /** The hooks of a controller; again with the same name when it is made anew. */
    controller(source: ControllerSource): ControllerMetrics
    /** Drops the gauges of what only a leader knows: another process tells them now. */
    endTerm(): void
    /** The text exposition format, for `/metrics`. */
    render(): Promise<string>
    readonly contentType: string
  }

const ofLeader = /^taskmill_(?:queue|pool|schedule)_/u

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    controller: createControllerMetrics(registry),
    endTerm() {
      for (const metric of registry.getMetricsAsArray()) {
        const { name } = metric as unknown as { readonly name: string }
        if (metric instanceof Gauge && ofLeader.test(name)) metric.reset()
      }
    },
    ...createClusterMetrics(registry),
    ...createPoolMetrics(registry),
    ...createScheduleMetrics(registry),
  }
}
