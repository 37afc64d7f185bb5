import { alertMetrics, brokerMetrics, channelMetrics, objectMetrics, poolMetrics, queueMetrics } from './objects.ts'
import { clusterMetrics, controllerMetrics, processMetrics, workerMetrics } from './process.ts'
import { dependencyMetrics, runMetrics, scheduleMetrics } from './runs.ts'

/** What the operator declares, subject by subject, in the order of docs/metrics.md. */
export const operatorGroups = [
  poolMetrics,
  queueMetrics,
  scheduleMetrics,
  runMetrics,
  dependencyMetrics,
  brokerMetrics,
  alertMetrics,
  channelMetrics,
  objectMetrics,
  controllerMetrics,
  clusterMetrics,
] as const

/** What a worker declares. */
export const workerGroups = [workerMetrics] as const

/** Everything that anybody can read at `/metrics`. */
export const metricGroups = [...operatorGroups, ...workerGroups, processMetrics] as const
