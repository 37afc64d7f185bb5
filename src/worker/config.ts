import { queueNamePattern, workerEnv } from '../contract/index.ts'
import { taskmillError } from '../errors/index.ts'

export type WorkerConfig = {
  readonly pool: string
  readonly namespace: string
  /** Recorded in each job that this worker runs. */
  readonly pod: string
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly brokerAddress: string
  readonly brokerKeyPrefix: string
  /** Folder with the files `username` and `password`; absent: the broker needs none. */
  readonly brokerCredentialsFolder?: string
  /** Absent: no TLS. */
  readonly brokerTls?: { readonly folder: string; readonly serverName?: string }
  /** Port of `/livez`, `/readyz` and `/metrics`; 0: none. */
  readonly httpPort: number
  readonly drainTimeoutMs: number
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the environment that the operator gives to a worker. Queues and the broker's address are required. The rest has the defaults of the
 * resources, so that a worker also runs outside of a cluster. Throws TM_CONFIG_INVALID, which names each wrong variable and what to write.
 */
export function parseWorkerConfig(env: Environment): WorkerConfig {
  const problems: string[] = []
  const text = (name: string, fallback: string) => env[name]?.trim() || fallback
  const required = (name: string, example: string) => {
    const value = text(name, '')
    if (value === '') problems.push(`${name} is not set: write ${example}`)
    return value
  }
  const integer = (name: string, fallback: number, min: number, max: number) => {
    const raw = text(name, `${fallback}`)
    const value = /^\d{1,9}$/u.test(raw) ? Number(raw) : NaN
    if (!(value >= min && value <= max)) problems.push(`${name} is ${JSON.stringify(raw)}: write a whole number from ${min} to ${max}`)
    return value
  }

  const queues = required(workerEnv.queues, 'queue names separated by commas, such as mail,reports')
    .split(',')
    .map((queue) => queue.trim())
    .filter((queue) => queue !== '')
  if (queues.length === 0 && problems.length === 0)
    problems.push(`${workerEnv.queues} names no queue: write queue names separated by commas, such as mail,reports`)
  for (const queue of queues) {
    if (queueNamePattern.test(queue)) continue
    problems.push(
      `${workerEnv.queues} names ${JSON.stringify(queue)}: a queue name has no colon, brace or space and does not start with a dot`,
    )
  }
  const brokerAddress = required(workerEnv.brokerAddress, 'host:port, such as redis:6379')
  if (brokerAddress !== '' && !/^(\[[0-9a-f:.]+\]|[^:\s[\]]+):\d{1,5}$/iu.test(brokerAddress)) {
    problems.push(`${workerEnv.brokerAddress} is ${JSON.stringify(brokerAddress)}: write host:port, such as redis:6379`)
  }
  const credentialsFolder = text(workerEnv.brokerCredentialsFolder, '')
  const tlsFolder = text(workerEnv.brokerTlsFolder, '')
  const serverName = text(workerEnv.brokerTlsServerName, '')
  if (serverName !== '' && tlsFolder === '') {
    problems.push(
      `${workerEnv.brokerTlsServerName} is set, but ${workerEnv.brokerTlsFolder} is not: write a folder, which may be empty, to use TLS`,
    )
  }
  const config: WorkerConfig = {
    pool: text(workerEnv.pool, ''),
    namespace: text(workerEnv.namespace, ''),
    pod: text(workerEnv.pod, text('HOSTNAME', 'local')),
    queues: [...new Set(queues)],
    concurrency: integer(workerEnv.concurrency, 1, 1, 1_000),
    brokerAddress,
    brokerKeyPrefix: text(workerEnv.brokerKeyPrefix, 'bull'),
    ...(credentialsFolder === '' ? {} : { brokerCredentialsFolder: credentialsFolder }),
    ...(tlsFolder === '' ? {} : { brokerTls: { folder: tlsFolder, ...(serverName === '' ? {} : { serverName }) } }),
    httpPort: integer(workerEnv.httpPort, 0, 0, 65_535),
    drainTimeoutMs: 1_000 * integer(workerEnv.drainTimeoutSeconds, 30, 0, 86_400),
  }
  if (problems.length > 0) throw taskmillError('TM_CONFIG_INVALID', problems.join('; '), { details: { problems } })
  return config
}
