/**
 * What a running Taskmill says about itself: logs (pino) and metrics (prom-client).
 *
 * A log line is a constant message with fields, so that lines can be counted and searched. Metrics are declared once, in
 * `metrics.ts`, with help text, labels and unit; nothing else creates a metric. Neither logs nor metrics ever hold a payload
 * or a credential. This folder reads no environment: level, stream and registry come in from `main`.
 */
export { createLogger, silentLogger, type Logger, type LogLevel, logLevels } from './logger.ts'
export { createMetrics, type Metrics } from './metrics.ts'
