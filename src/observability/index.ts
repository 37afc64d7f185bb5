/**
 * What a running Taskmill says about itself: logs (pino), metrics (prom-client), and spans where OpenTelemetry is installed.
 *
 * A log line is a constant message with fields, so that lines can be counted and searched. Metrics are declared once, in one file per
 * subject, with help text, labels and unit; nothing else creates a metric. Neither logs, metrics nor spans ever hold a payload
 * or a credential. This folder reads no environment: level, stream and registry come in from `main`.
 */
export { createLogger, silentLogger, type Logger, type LogLevel, logLevels } from './logger.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { loadTracer, type Tracer } from './tracer.ts'
export { createWorkerMetrics, type TaskLabels, type TaskOutcome, type WorkerMetrics, type WorkerSlots } from './worker-metrics.ts'
