/** `taskmill import`: provides the conversion with arguments, files, standard input, the cluster and a Redis. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { KubeObject, Resource } from '../api/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { errorMessage, suggestName, UsageError } from '../errors/index.ts'
import { importBeatSchedule, importCronJobs, importJobSchedulers, renderDrafts } from '../import/index.ts'
import { createKubeClient, listAll, loadKubeConfig } from '../kube/index.ts'
import { jobSchedulersOf } from './import-redis.ts'

const usage = `taskmill import cronjob FILE | - | --from-cluster
taskmill import celerybeat FILE | -
taskmill import bullmq FILE | - | --from-redis

  Writes TaskSchedules for CronJobs (YAML or JSON), for a schedule of Celery beat, or for job schedulers of BullMQ (JSON, as the snippets of the
  documentation export them) to standard output. Comments say what has no counterpart, or means something else. Nothing is applied, and nothing
  is written to a cluster or a Redis.

  --from-cluster           the CronJobs of the namespace of the current context
  -n, --namespace NAME     those of this namespace
  -A, --all-namespaces     those of all namespaces
  --context NAME, --kubeconfig FILE   as for kubectl

  --from-redis             the job schedulers of all queues in a Redis, and repeatable jobs of BullMQ 5
  --address HOST:PORT      of the Redis. In the pods of a WorkerPool it is known, and so are prefix, credentials and TLS
  --key-prefix PREFIX      BullMQ's prefix; default: bull
  --queue NAME             of this queue only; can be repeated
  --credentials FOLDER     with the files password and, if there is one, username
  --tls FOLDER             connect with TLS; with the files ca.crt, tls.crt and tls.key, each optional
  --tls-server-name NAME   what the certificate is checked against; default: the host of the address
`

export type ImportMain = {
  /** Arguments after the subcommand. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly write: { out(text: string): void; err(text: string): void }
  readonly stdin: NodeJS.ReadableStream
  readonly stop: AbortSignal
}

const converters = {
  cronjob: importCronJobs,
  celerybeat: importBeatSchedule,
  bullmq: (given: string) => importJobSchedulers(given, clock.now()),
}
type Kind = keyof typeof converters

/** What is read from where, besides files. */
const sources = { cronjob: 'from-cluster', bullmq: 'from-redis' } as const

/** Returns the exit code: 0 all is converted, 1 something is not or cannot be read, 2 wrong usage. */
export async function importMain(inputs: ImportMain): Promise<number> {
  const { argv, write } = inputs
  try {
    const call = parse(argv)
    if (call === undefined) {
      write.out(usage)
      return 0
    }
    const { text: given, note } = await read(inputs, call)
    const drafts = converters[call.kind](given)
    const { text: manifests, converted } = renderDrafts(drafts)
    write.out(manifests)
    if (note !== undefined) write.err(`${note}\n`)
    write.err(
      `${converted} of ${drafts.length} converted${drafts.length === 0 ? ': there was nothing of that kind' : '; see the comments'}\n`,
    )
    return converted === drafts.length ? 0 : 1
  } catch (error) {
    const isUsage = error instanceof UsageError
    write.err(`taskmill import: ${errorMessage(error)}\n${isUsage ? `\n${usage}` : ''}`)
    return isUsage ? 2 : 1
  }
}

type Call = {
  readonly kind: Kind
  /** A file, or `-`; undefined: from the cluster or the Redis. */
  readonly path: string | undefined
  readonly options: Options
}

type Options = ReturnType<typeof parsed>['values']

/** Which options go with which source. */
const optionsOf = {
  'from-cluster': ['namespace', 'all-namespaces', 'context', 'kubeconfig'],
  'from-redis': ['address', 'key-prefix', 'queue', 'credentials', 'tls', 'tls-server-name'],
} as const

function parse(argv: readonly string[]): Call | undefined {
  const { values, positionals } = parsed(argv)
  if (values.help) return undefined
  const [kind = '', path, ...more] = positionals
  const known = Object.keys(converters)
  if (!Object.hasOwn(converters, kind)) throw new UsageError(`write one of ${known.join(', ')}, is "${kind}"${suggestName(kind, known)}`)
  if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}"`)
  const own = Object.hasOwn(sources, kind) ? sources[kind as keyof typeof sources] : undefined
  const wrong = Object.entries(sources).find(([, source]) => source !== own && values[source] === true)
  if (wrong !== undefined) throw new UsageError(`--${wrong[1]} goes with ${wrong[0]} only`)
  const isFromSource = own !== undefined && values[own] === true
  if (isFromSource === (path !== undefined)) throw new UsageError(`write a file, or -${own === undefined ? '' : `, or --${own}`}`)
  for (const [source, options] of Object.entries(optionsOf)) {
    const unused = isFromSource && source === own ? undefined : options.find((option) => values[option] !== undefined)
    if (unused !== undefined) throw new UsageError(`--${unused} goes with --${source} only: what a file says stays as it is`)
  }
  return { kind: kind as Kind, path, options: values }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        'from-cluster': { type: 'boolean' },
        namespace: { type: 'string', short: 'n' },
        'all-namespaces': { type: 'boolean', short: 'A' },
        context: { type: 'string' },
        kubeconfig: { type: 'string' },
        'from-redis': { type: 'boolean' },
        address: { type: 'string' },
        'key-prefix': { type: 'string' },
        queue: { type: 'string', multiple: true },
        credentials: { type: 'string' },
        tls: { type: 'string' },
        'tls-server-name': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(errorMessage(error).split('. ')[0])
  }
}

/** The text to convert. */
async function read(inputs: ImportMain, { kind, path, options }: Call): Promise<{ readonly text: string; readonly note?: string }> {
  if (path !== undefined) return { text: await readFileOrInput(inputs, path) }
  return kind === 'bullmq' ? await jobSchedulersOf(options, inputs.env, inputs.stop) : { text: await cronJobsOf(inputs, options) }
}

async function readFileOrInput({ stdin }: ImportMain, path: string): Promise<string> {
  try {
    return path === '-' ? await text(stdin) : await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read ${path}: ${errorMessage(error)}`, { cause: error })
  }
}

const cronJobs: Resource<KubeObject> = { group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true }

/** The CronJobs of the cluster, as one list. */
async function cronJobsOf({ env, stop: signal }: ImportMain, options: Options): Promise<string> {
  const { context, kubeconfig, namespace, 'all-namespaces': isEverywhere = false } = options
  const how = { ...(context === undefined ? {} : { context }), ...(kubeconfig === undefined ? {} : { kubeconfig }) }
  const config = await loadKubeConfig({ env, readFile: (path) => readFile(path, 'utf8'), clock, ...how })
  const client = createKubeClient({ ...config, clock, userAgent: 'taskmill-cli' })
  try {
    const items = await listAll(client, cronJobs, { namespace: isEverywhere ? undefined : (namespace ?? config.namespace), signal })
    return JSON.stringify({ items })
  } finally {
    await client.close()
  }
}
