import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'

export type { Logger }

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** A JSON logger; times are ISO 8601 in UTC so that a person can read them next to Kubernetes' own. */
export function createLogger(options: { readonly level: LogLevel; readonly stream?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return options.stream === undefined ? pino(settings) : pino(settings, options.stream)
}

/** Says nothing; for callers that have no one to tell. */
export const silentLogger: Logger = pino({ enabled: false })
