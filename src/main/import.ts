/** `taskmill import`: provides the conversion with arguments, files, standard input and the cluster. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { KubeObject, Resource } from '../api/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { errorMessage, suggestName } from '../errors/index.ts'
import { importBeatSchedule, importCronJobs, importJobSchedulers, renderDrafts } from '../import/index.ts'
import { createKubeClient, listAll, loadKubeConfig } from '../kube/index.ts'

const usage = `taskmill import cronjob FILE | - | --from-cluster
taskmill import celerybeat FILE | -
taskmill import bullmq FILE | -

  Writes TaskSchedules for CronJobs (YAML or JSON), for a schedule of Celery beat, or for job schedulers of BullMQ (JSON, as the snippets of the
  documentation export them) to standard output. Comments say what has no counterpart, or means something else. Nothing is applied.

  --from-cluster        the CronJobs of the namespace of the current context
  -n, --namespace NAME  those of this namespace
  -A, --all-namespaces  those of all namespaces
  --context NAME, --kubeconfig FILE   as for kubectl
`

export type ImportMain = {
  /** Arguments after the subcommand. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly write: { out(text: string): void; err(text: string): void }
  readonly stdin: NodeJS.ReadableStream
  readonly stop: AbortSignal
}

class WrongCall extends Error {}

const converters = { cronjob: importCronJobs, celerybeat: importBeatSchedule, bullmq: importJobSchedulers } as const
type Kind = keyof typeof converters

/** Returns the exit code: 0 all is converted, 1 something is not or cannot be read, 2 wrong usage. */
export async function importMain(inputs: ImportMain): Promise<number> {
  const { argv, write } = inputs
  try {
    const call = parse(argv)
    if (call === undefined) {
      write.out(usage)
      return 0
    }
    const drafts = converters[call.kind](call.path === undefined ? await cronJobsOf(inputs, call) : await read(inputs, call.path))
    const { text: manifests, converted } = renderDrafts(drafts)
    write.out(manifests)
    write.err(
      `${converted} of ${drafts.length} converted${drafts.length === 0 ? ': there was nothing of that kind' : '; see the comments'}\n`,
    )
    return converted === drafts.length ? 0 : 1
  } catch (error) {
    const isUsage = error instanceof WrongCall
    write.err(`taskmill import: ${errorMessage(error)}\n${isUsage ? `\n${usage}` : ''}`)
    return isUsage ? 2 : 1
  }
}

type Call = {
  readonly kind: Kind
  /** Undefined: from the cluster. */
  readonly path: string | undefined
  readonly namespace: string | undefined
  readonly isEverywhere: boolean
  readonly context: string | undefined
  readonly kubeconfig: string | undefined
}

/** Where to read CronJobs. */
const clusterOptions = ['namespace', 'all-namespaces', 'context', 'kubeconfig'] as const

function parse(argv: readonly string[]): Call | undefined {
  const { values, positionals } = parsed(argv)
  if (values.help) return undefined
  const [kind = '', path, ...more] = positionals
  const known = Object.keys(converters)
  if (!Object.hasOwn(converters, kind)) throw new WrongCall(`write one of ${known.join(', ')}, is "${kind}"${suggestName(kind, known)}`)
  if (more.length > 0) throw new WrongCall(`unexpected argument "${more[0]}"`)
  const fromCluster = values['from-cluster'] === true
  if (fromCluster && kind !== 'cronjob') throw new WrongCall('--from-cluster goes with cronjob only')
  if (fromCluster === (path !== undefined)) throw new WrongCall(`write a file, or -${kind === 'cronjob' ? ', or --from-cluster' : ''}`)
  const { namespace, context, kubeconfig } = values
  const unused = fromCluster ? undefined : clusterOptions.find((option) => values[option] !== undefined)
  if (unused !== undefined) throw new WrongCall(`--${unused} goes with --from-cluster only: what a file says stays as it is`)
  return { kind: kind as Kind, path, namespace, isEverywhere: values['all-namespaces'] === true, context, kubeconfig }
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
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new WrongCall(errorMessage(error).split('. ')[0])
  }
}

async function read({ stdin }: ImportMain, path: string): Promise<string> {
  try {
    return path === '-' ? await text(stdin) : await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read ${path}: ${errorMessage(error)}`, { cause: error })
  }
}

const cronJobs: Resource<KubeObject> = { group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true }

/** The CronJobs of the cluster, as one list. */
async function cronJobsOf({ env, stop: signal }: ImportMain, { context, kubeconfig, namespace, isEverywhere }: Call): Promise<string> {
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
