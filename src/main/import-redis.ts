/** `taskmill import bullmq --from-redis`: reads what repeats in a Redis, as the text that `import` converts. */
import { statSync } from 'node:fs'
import { listRepeatingJobs, type RepeatingListing } from '../broker/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { workerEnv } from '../contract/index.ts'
import { errorMessage, hasCode } from '../errors/index.ts'
import { silentLogger } from '../observability/index.ts'
import { openBrokerAccess } from '../worker/index.ts'

/** Options of the command, as they were written. */
export type RedisOptions = {
  readonly address?: string | undefined
  readonly 'key-prefix'?: string | undefined
  readonly queue?: readonly string[] | undefined
  readonly credentials?: string | undefined
  readonly tls?: string | undefined
  readonly 'tls-server-name'?: string | undefined
}

type Env = Readonly<Record<string, string | undefined>>

type Queues = Exclude<RepeatingListing, { readonly tooMany: unknown }>

/** `note`: what to know about the text. The environment of a worker of a pool says where its broker is, unless an option does. */
export async function jobSchedulersOf(
  options: RedisOptions,
  env: Env,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly note?: string }> {
  const address = options.address ?? env[workerEnv.brokerAddress]
  if (address === undefined || address === '')
    throw new Error(
      `where is the Redis? Write --address HOST:PORT, or run it in a pod of a WorkerPool, which has ${workerEnv.brokerAddress}`,
    )
  const keyPrefix = options['key-prefix'] ?? env[workerEnv.brokerKeyPrefix] ?? 'bull'
  const listing = await list(address, keyPrefix, options, env, signal)
  if ('tooMany' in listing) throw new Error(tooMuch[listing.tooMany])
  const note = listing.isOfCluster
    ? `${address} is one node of a Redis Cluster: these are only the queues that it holds; repeat it with the address of each master`
    : undefined
  return { text: JSON.stringify(exported(listing)), ...(note && { note }) }
}

const tooMuch = {
  keys: 'the Redis holds more than 10 million keys: name the queues instead, with --queue NAME for each',
  queues: 'there are more than 1,000 queues with job schedulers: import some of them at a time, with --queue NAME for each',
  jobs: 'there are more than 10,000 job schedulers: import those of some queues at a time, with --queue NAME for each',
} as const

async function list(address: string, keyPrefix: string, options: RedisOptions, env: Env, signal: AbortSignal): Promise<RepeatingListing> {
  for (const option of ['credentials', 'tls'] as const) checkFolder(option, options[option])
  const credentialsFolder = options.credentials ?? env[workerEnv.brokerCredentialsFolder]
  const tlsFolder = options.tls ?? env[workerEnv.brokerTlsFolder]
  const serverName = options['tls-server-name'] ?? env[workerEnv.brokerTlsServerName]
  const access = openBrokerAccess(
    {
      ...(credentialsFolder === undefined ? {} : { brokerCredentialsFolder: credentialsFolder }),
      ...(tlsFolder === undefined ? {} : { brokerTls: { folder: tlsFolder, ...(serverName === undefined ? {} : { serverName }) } }),
    },
    silentLogger,
  )
  const { tls } = access
  try {
    return await listRepeatingJobs(
      { address, keyPrefix, credentials: access.credentials(), tls, log: silentLogger, clock },
      options.queue,
      signal,
    )
  } catch (error) {
    throw explained(error, address)
  }
}

function checkFolder(option: 'credentials' | 'tls', folder: string | undefined): void {
  if (folder === undefined || statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
  const files = { credentials: 'password and, if there is one, username', tls: 'ca.crt, tls.crt and tls.key, each optional' }[option]
  throw new Error(`--${option} ${folder} is not a folder: name one with the files ${files}`)
}

/** In the words of the command: there is no TaskBroker here that would name a Secret. */
function explained(error: unknown, address: string): unknown {
  if (!hasCode(error, 'TM_BROKER_UNAUTHORIZED', 'TM_BROKER_COMMAND_FAILED')) return error
  const reply = errorMessage(error.cause)
  const next = nextSteps.find(([pattern]) => pattern.test(reply))?.[1] ?? ''
  return new Error(`the Redis at ${address} refuses: ${reply}${next}`, { cause: error })
}

const nextSteps: readonly (readonly [RegExp, string])[] = [
  [/^NOAUTH/u, '. Next: write --credentials FOLDER, with the password in its file password'],
  [/^WRONGPASS|invalid password|Client sent AUTH/u, '. Next: correct the files username and password in the folder of --credentials'],
  [/^NOPERM/u, '. Next: allow its user to read the keys of the prefix: the categories @read and @keyspace'],
  [/^MOVED/u, '. Next: write the address of the master that holds the queue; a node of a Redis Cluster reads only its own keys'],
  [/unknown command/iu, '. Next: if this is a Sentinel, write the address of the master, which SENTINEL GET-MASTER-ADDR-BY-NAME tells'],
]

/** What BullMQ's getJobSchedulers() returns, with texts for what has numbers of any size. */
function exported({ queues }: Queues): readonly object[] {
  return queues.map(({ queue, repeating }) => ({
    queue,
    schedulers: repeating.map(({ key, nextMs, isLegacy, fields, nextJob }) => {
      const { name, pattern, tz, data, opts } = fields
      const [every, offset, limit, startDate, endDate, iterationCount] = numbers.map((field) => numberOf(fields[field]))
      return {
        ...{ key, isLegacy, name, next: nextMs, pattern, tz, every, offset, limit, startDate, endDate, iterationCount, nextJob },
        template: { data, opts },
      }
    }),
  }))
}

const numbers = ['every', 'offset', 'limit', 'startDate', 'endDate', 'ic'] as const

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? undefined : Number(text)
}
