import { createClusterMetrics, type ClusterMetrics } from './cluster-metrics.ts'
import { createControllerMetrics, type ControllerMetrics, type ControllerSource } from './controller-metrics.ts'
import type { OwnerOf } from './declaration.ts'
import { operatorGroups } from './metrics/all.ts'
import { createMetricRegistry, type MetricRegistry } from './registry.ts'

type Groups = (typeof operatorGroups)[number]

/** Kinds whose objects tell metrics. */
export type MetricOwner = OwnerOf<Groups>

export const metricOwners: readonly MetricOwner[] = [
  ...new Set(operatorGroups.flatMap((group): readonly MetricOwner[] => ('owners' in group ? group.owners : []))),
]

/** Every metric of the operator. */
export type Metrics = MetricRegistry<Groups> &
  ClusterMetrics & {
    /** The hooks of a controller; again with the same name when it is made anew. */
    controller(source: ControllerSource): ControllerMetrics
  }

export type MetricsDeps = {
  /** Unix milliseconds. */
  readonly now: () => number
}

export function createMetrics({ now }: MetricsDeps): Metrics {
  const registry = createMetricRegistry<Groups>(operatorGroups, now)
  return { ...registry, ...createClusterMetrics(registry), controller: createControllerMetrics(registry) }
}
