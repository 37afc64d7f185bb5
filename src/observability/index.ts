/**
 * What a running Taskmill says about itself: logs (pino), metrics, and spans where OpenTelemetry is installed.
 *
 * A log line is a constant message with fields, so that lines can be counted and searched. A metric is declared once, as data, in the file of
 * its subject under `metrics/`; nothing else creates one, and the series of an object go with the object. Logs, metrics and spans never hold
 * a payload or a credential. This folder reads no environment: `main` passes in level, stream and clock.
 */
export { createLogger, silentLogger, type Logger, type LogLevel, logLevels } from './logger.ts'
export { labelNamesOf, type MetricDeclaration, type MetricGroup, mostSeries } from './declaration.ts'
export { metricsDetails, type MetricsDetail } from './family.ts'
export { metricGroups } from './metrics/all.ts'
export { createMetrics, metricOwners, type MetricOwner, type Metrics } from './metrics.ts'
export { createConditionMetrics, setQueueMetrics, type ConditionMetrics, type QueueFigures } from './object-metrics.ts'
export { loadTracer, type Tracer } from './tracer.ts'
export { createWorkerMetrics, type TaskLabels, type TaskOutcome, type WorkerMetrics, type WorkerSlots } from './worker-metrics.ts'
