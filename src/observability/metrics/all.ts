import { alertMetrics, channelMetrics } from './alerts.ts'
import { brokerMetrics } from './brokers.ts'
import { clusterMetrics } from './cluster.ts'
import { controllerMetrics } from './controllers.ts'
import { objectMetrics } from './objects.ts'
import { poolMetrics } from './pools.ts'
import { processMetrics } from './process.ts'
import { queueMetrics } from './queues.ts'
import { dependencyMetrics, runMetrics } from './runs.ts'
import { scheduleMetrics } from './schedules.ts'
import { workerMetrics } from './worker.ts'

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
