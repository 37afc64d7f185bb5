import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, expect, it } from 'vitest'
import { importMain } from './import.ts'

const cronJob = (name: string, namespace: string) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name, namespace },
  spec: {
    schedule: '0 1 * * *',
    timeZone: 'UTC',
    jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'acme:1' }] } } } },
  },
})

async function run(argv: readonly string[], stdin = '') {
  const said = { out: '', err: '' }
  const write = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) }
  const code = await importMain({ argv, env: {}, write, stdin: Readable.from([stdin]), stop: new AbortController().signal })
  return { code, ...said }
}

let server: Server | undefined
let folder: string | undefined
afterEach(async () => {
  server?.closeAllConnections()
  server?.close()
  if (folder !== undefined) await rm(folder, { recursive: true })
  server = folder = undefined
})

it('standard input is read, and the manifests go to standard output', async () => {
  const { code, out, err } = await run(['cronjob', '-'], JSON.stringify(cronJob('nightly', 'team')))
  expect(code).toBe(0)
  expect(out).toContain('kind: TaskSchedule')
  expect(err).toBe('1 of 1 converted; see the comments\n')
})

it('a file is read; what is not converted, and a file that is not there, is exit code 1', async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-'))
  const path = join(folder, 'beat.json')
  await writeFile(path, JSON.stringify({ entries: { dusk: { task: 'lamps', schedule: { solar: ['sunset', 1, 2] } } } }))
  const { code, out, err } = await run(['celerybeat', path])
  expect([code, err]).toEqual([1, '0 of 1 converted; see the comments\n'])
  expect(out).toContain('# From Celery beat entry "dusk": cannot be converted.')
  expect(await run(['bullmq', join(folder, 'none.json')])).toMatchObject({
    code: 1,
    err: expect.stringContaining('cannot read') as unknown,
  })
  expect(await run(['bullmq', '-'], '[]')).toMatchObject({ code: 0, err: '0 of 0 converted: there was nothing of that kind\n' })
})

it('CronJobs of the cluster are listed, page by page, of one namespace or of all', async () => {
  const asked: string[] = []
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    asked.push(url.pathname)
    const isSecond = url.searchParams.get('continue') === 'more'
    const body = {
      metadata: { resourceVersion: '1', ...(isSecond ? {} : { continue: 'more' }) },
      items: [cronJob(isSecond ? 'b' : 'a', 'team')],
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  folder = await mkdtemp(join(tmpdir(), 'import-'))
  const kubeconfig = join(folder, 'config')
  const { port } = server.address() as AddressInfo
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x', namespace: 'team' } }],
    clusters: [{ name: 'x', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'x', user: {} }],
  }
  await writeFile(kubeconfig, JSON.stringify(config))
  const cluster = ['cronjob', '--from-cluster', '--kubeconfig', kubeconfig]
  const { code, out, err } = await run(cluster)
  expect(err).toBe('2 of 2 converted; see the comments\n')
  expect([code, out.match(/^# From .*$/gmu)]).toEqual([0, ['# From CronJob team/a.', '# From CronJob team/b.']])
  await run([...cluster, '-n', 'other'])
  await run([...cluster, '-A'])
  expect([...new Set(asked)]).toEqual(
    ['team', 'other'].map((name) => `/apis/batch/v1/namespaces/${name}/cronjobs`).concat('/apis/batch/v1/cronjobs'),
  )
})

it.each([
  [[], 'write one of cronjob, celerybeat, bullmq, is ""'],
  [['cronjobs', '-'], 'write one of cronjob, celerybeat, bullmq, is "cronjobs"; did you mean "cronjob"?'],
  [['cronjob'], 'write a file, or -, or --from-cluster'],
  [['celerybeat'], 'write a file, or -'],
  [['bullmq', '--from-cluster'], '--from-cluster goes with cronjob only'],
  [['cronjob', 'a', 'b'], 'unexpected argument "b"'],
  [['cronjob', 'a', '--from-cluster'], 'write a file, or -, or --from-cluster'],
  [['cronjob', 'a', '-n', 'team'], '--namespace goes with --from-cluster only: what a file says stays as it is'],
  [['bullmq', '-', '--context', 'x'], '--context goes with --from-cluster only'],
  [['bullmq'], 'write a file, or -, or --from-redis'],
  [['bullmq', 'a', '--from-redis'], 'write a file, or -, or --from-redis'],
  [['cronjob', '--from-redis'], '--from-redis goes with bullmq only'],
  [['bullmq', 'a', '--address', 'redis:6379'], '--address goes with --from-redis only: what a file says stays as it is'],
  [['bullmq', '--from-redis', '-n', 'team'], '--namespace goes with --from-cluster only'],
  [['cronjob', '--from-cluster', '--queue', 'a'], '--queue goes with --from-redis only'],
  [['cronjob', '--frm-cluster'], "Unknown option '--frm-cluster'"],
])('%j is called wrongly', async (argv, message) => {
  const { code, err } = await run(argv)
  expect([code, err]).toEqual([2, expect.stringContaining(message) as unknown])
})

it('--help explains it', async () => {
  expect(await run(['--help'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('taskmill import cronjob FILE | - | --from-cluster') as unknown,
  })
})
