/** A real Prometheus for tests: own port, own folder, gone with the process that started it. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { waitUntil } from './api-request.ts'
import { logTail, startChildServer } from './child-server.ts'
import { freePort } from './ports.ts'
import { temporaryFolder } from './temporary-folder.ts'

export type PrometheusOptions = {
  /** host:port of what is scraped, every second. */
  readonly target: string
  /** Labels of the target, as discovery would add them. */
  readonly labels: Readonly<Record<string, string>>
  readonly honorLabels: boolean
  /** Groups of rules, evaluated every second. */
  readonly groups: readonly object[]
}

export type Sample = { readonly metric: Readonly<Record<string, string>>; readonly value: number }

export type PrometheusServer = AsyncDisposable & {
  query(expression: string): Promise<readonly Sample[]>
  /** The `data` of an answer of its HTTP API. */
  api<T>(path: string): Promise<T>
}

export async function startPrometheus({ target, labels, honorLabels, groups }: PrometheusOptions): Promise<PrometheusServer> {
  const port = await freePort()
  const folder = await temporaryFolder('taskmill-prometheus-')
  const logFile = join(folder, 'prometheus.log')
  await writeFile(join(folder, 'rules.json'), JSON.stringify({ groups }))
  await writeFile(
    join(folder, 'prometheus.json'),
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.json'],
      scrape_configs: [{ job_name: 'taskmill-operator', honor_labels: honorLabels, static_configs: [{ targets: [target], labels }] }],
    }),
  )
  const address = `127.0.0.1:${port}`
  const child = startChildServer(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.json')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    logFile,
  )
  const api = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://${address}/api/v1/${path}`)
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string }
    if (status !== 'success') throw new Error(`Prometheus refused ${path}: ${error ?? response.statusText}`)
    return data
  }
  try {
    await waitUntil(`prometheus on ${address}`, 60_000, async () => {
      if (!child.running) throw new Error('it ended')
      return (await fetch(`http://${address}/-/ready`)).ok
    })
  } catch (cause) {
    await child.kill()
    throw new Error(`prometheus did not start:\n    ${await logTail(logFile)}`, { cause })
  }
  return {
    api,
    async query(expression) {
      type Vector = { readonly result: readonly { readonly metric: Sample['metric']; readonly value: readonly [number, string] }[] }
      const { result } = await api<Vector>(`query?query=${encodeURIComponent(expression)}`)
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
    },
    async [Symbol.asyncDispose]() {
      await child.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
