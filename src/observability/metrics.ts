import { collectDefaultMetrics, Registry } from 'prom-client'
import { createClusterMetrics, type ClusterMetrics } from './cluster-metrics.ts'
import { createControllerMetrics, type ControllerMetrics, type ControllerSource } from './controller-metrics.ts'
import { createPoolMetrics, type PoolMetrics } from './pool-metrics.ts'

/** Every metric of the operator: those of the process, and one file per subject. */
export type Metrics = PoolMetrics &
  ClusterMetrics & {
    /** The hooks of a controller; once per controller. */
    controller(source: ControllerSource): ControllerMetrics
    /** The text exposition format, for `/metrics`. */
    render(): Promise<string>
    readonly contentType: string
  }

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    controller: createControllerMetrics(registry),
    ...createClusterMetrics(registry),
    ...createPoolMetrics(registry),
  }
}
