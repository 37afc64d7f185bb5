/**
 * What a running Taskmill says about itself: logs (pino), metrics (prom-client), and spans where OpenTelemetry is installed.
 *
 * A log line is a constant message with fields, so that lines can be counted and searched. Metrics are declared once, as data, in one file
 * per subject under `metrics/`; nothing else creates a metric, and the series of an object go with it. Neither logs, metrics nor spans ever hold a payload
 * or a credential. This folder reads no environment: level, stream and registry come in from `main`.
 */
export { createLogger, silentLogger, type Logger, type LogLevel, logLevels } from './logger.ts'
export { labelNamesOf, type MetricDeclaration, type MetricGroup } from './declaration.ts'
export { metricGroups } from './metrics/all.ts'
export { createConditionMetrics, type ConditionMetrics } from './condition-metrics.ts'
export { createMetrics, metricOwners, type MetricOwner, type Metrics } from './metrics.ts'
export { tellQueues, type QueueFigures } from './queue-metrics.ts'
export { loadTracer, type Tracer } from './tracer.ts'
export { createWorkerMetrics, type TaskLabels, type TaskOutcome, type WorkerMetrics, type WorkerSlots } from './worker-metrics.ts'
