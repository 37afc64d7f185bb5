import { installationPattern } from '../contract/index.ts'
import { taskmillError } from '../errors/index.ts'
import { logLevels, type LogLevel, metricsDetails, type MetricsDetail } from '../observability/index.ts'

/** The operator's settings; all of them come from the environment, which the chart fills in. */
export type OperatorConfig = {
  /** The name of this process in the Lease and in Events. A container that restarts in its pod keeps it, and so takes over at once. */
  readonly identity: string
  readonly lease: { readonly namespace: string; readonly name: string }
  /** First part of the names under which schedules are known in a broker: keeps installations apart that share a broker. */
  readonly installation: string
  /** Empty means all. */
  readonly watchNamespaces: readonly string[]
  readonly httpPort: number
  readonly logLevel: LogLevel
  /** Whether objects have series of their own. */
  readonly metricsDetail: MetricsDetail
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * `POD_NAME` and `POD_NAMESPACE` (required, by fieldRef), `TASKMILL_LEASE_NAME` (default taskmill-operator), `TASKMILL_INSTALLATION`
 * (default default), `TASKMILL_HTTP_PORT`
 * (default 8080; 0 takes a free one), `TASKMILL_WATCH_NAMESPACES` (separated by commas; default all), `TASKMILL_LOG_LEVEL` (debug, info, warn, error; default info),
 * `TASKMILL_METRICS_DETAIL` (object or namespace; default object).
 * Throws TM_CONFIG_INVALID with the name of the variable and what to write.
 */
export function operatorConfig(env: Env): OperatorConfig {
  return {
    identity: required(env, 'POD_NAME', 'the name of the pod, by fieldRef metadata.name'),
    lease: {
      namespace: required(env, 'POD_NAMESPACE', 'the namespace of the pod, by fieldRef metadata.namespace'),
      name: env['TASKMILL_LEASE_NAME'] ?? 'taskmill-operator',
    },
    installation: installation(env['TASKMILL_INSTALLATION'] ?? 'default'),
    watchNamespaces: (env['TASKMILL_WATCH_NAMESPACES'] ?? '').split(',').filter((name) => name !== ''),
    httpPort: port(env['TASKMILL_HTTP_PORT'] ?? '8080'),
    logLevel: oneOf(logLevels, 'TASKMILL_LOG_LEVEL', env['TASKMILL_LOG_LEVEL'] ?? 'info'),
    metricsDetail: oneOf(metricsDetails, 'TASKMILL_METRICS_DETAIL', env['TASKMILL_METRICS_DETAIL'] ?? 'object'),
  }
}

function required(env: Env, name: string, what: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw taskmillError('TM_CONFIG_INVALID', `${name} is not set; it takes ${what}`)
  return value
}

function installation(value: string): string {
  if (installationPattern.test(value)) return value
  throw taskmillError(
    'TM_CONFIG_INVALID',
    `TASKMILL_INSTALLATION is "${value}"; it takes lower case letters, digits and dashes, at most 63, for example default`,
  )
}

function port(value: string): number {
  const number = Number(value)
  if (/^\d{1,5}$/u.test(value) && number <= 65_535) return number
  throw taskmillError('TM_CONFIG_INVALID', `TASKMILL_HTTP_PORT is "${value}"; it takes a port, 0 to 65535`)
}

function oneOf<Value extends string>(values: readonly Value[], name: string, value: string): Value {
  const known = values.find((each) => each === value)
  if (known !== undefined) return known
  throw taskmillError('TM_CONFIG_INVALID', `${name} is "${value}"; it takes ${values.join(', ')}`)
}
