import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'

export type { Logger }

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** Fields whose value is never written, whatever its type, down to the third level. */
const secretFields = ['password', 'token', 'authorization', 'secret', 'credentials', 'cookie', 'apiKey', 'privateKey']
const redacted = '[redacted]'

/** A JSON logger. Times are ISO 8601 in UTC, like those of Kubernetes. Whatever looks like a credential is redacted. */
export function createLogger(options: { readonly level: LogLevel; readonly stream?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: redacted },
    hooks: { streamWrite: withoutSecrets },
  }
  return options.stream === undefined ? pino(settings) : pino(settings, options.stream)
}

/** The second line of defence, over the whole line: headers and addresses within texts, and fields by any spelling and at any depth. */
function withoutSecrets(line: string): string {
  return line
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/giu, `$1 ${redacted}`)
    .replace(/:\/\/[^\s/@"\\]*:[^\s/@"\\]*@/gu, `://${redacted}@`)
    .replace(
      /("[^"\\]*(?:password|passwd|token|secret|authorization|api_?key|private_?key)")\s*:\s*"(?:[^"\\]|\\.)*"/giu,
      `$1:"${redacted}"`,
    )
}

/** Writes nothing. */
export const silentLogger: Logger = pino({ enabled: false })
