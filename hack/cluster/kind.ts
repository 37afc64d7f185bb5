/** A cluster by kind, where Docker answers and kind is on the PATH. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run, tryRun } from './command.ts'
import { createProgress } from './progress.ts'
import type { Progress } from './progress.ts'
import type { ClusterProvider, ClusterStatus } from './provider.ts'
import { ensureTools } from './tools.ts'

const clusterName = 'taskmill'

export function createKindProvider(env: NodeJS.ProcessEnv = process.env): ClusterProvider {
  const folder = join(
    env['TASKMILL_RUN'] ?? join(env['XDG_STATE_HOME'] ?? join(env['HOME'] ?? '/tmp', '.local', 'state'), 'taskmill'),
    'kind',
  )
  const kubeconfig = join(folder, 'kubeconfig')

  async function status(): Promise<ClusterStatus> {
    const clusters = await tryRun('kind', ['get', 'clusters'])
    if (!clusters.stdout.split('\n').includes(clusterName)) return { state: 'down' }
    const { kubectl } = await ensureTools(createProgress())
    const wait = ['wait', 'node', '--all', '--for=condition=Ready', '--timeout=1s']
    const ready = await tryRun(kubectl, ['--kubeconfig', kubeconfig, '--request-timeout=5s', ...wait])
    return ready.code === 0 ? { state: 'up', detail: `kind cluster ${clusterName}` } : { state: 'broken', detail: ready.stderr.trim() }
  }

  async function up(progress: Progress): Promise<void> {
    await mkdir(folder, { recursive: true })
    const now = await status()
    if (now.state === 'up') return
    if (now.state === 'broken') await down(progress)
    await progress.step('creating a kind cluster', { expectedSeconds: 60 }, (report) =>
      run('kind', ['create', 'cluster', '--name', clusterName, '--kubeconfig', kubeconfig, '--wait', '180s'], { onLine: report.note }),
    )
  }

  async function down(progress: Progress): Promise<void> {
    const clusters = await tryRun('kind', ['get', 'clusters'])
    if (clusters.stdout.split('\n').includes(clusterName)) {
      await progress.step('deleting the kind cluster', { expectedSeconds: 5 }, () =>
        run('kind', ['delete', 'cluster', '--name', clusterName, '--kubeconfig', kubeconfig]),
      )
    }
    await rm(folder, { recursive: true, force: true })
  }

  // The mark goes with the cluster's folder, so a new cluster gets all images again.
  async function loadImage(archive: string, name: string, progress: Progress): Promise<'loaded' | 'unchanged'> {
    const { mtimeMs, size } = await stat(archive)
    const source = `${archive} ${size} ${mtimeMs}`
    const mark = join(folder, 'images', encodeURIComponent(name))
    if ((await readFile(mark, 'utf8').catch(() => '')) === source) return 'unchanged'
    await progress.step(`loading ${name} into the node`, { expectedSeconds: 10 }, () =>
      run('kind', ['load', 'image-archive', archive, '--name', clusterName]),
    )
    await mkdir(dirname(mark), { recursive: true })
    await writeFile(mark, source)
    return 'loaded'
  }

  return { name: 'kind', kubeconfig, unavailable, up, status, down, loadImage }
}

async function unavailable(): Promise<string | undefined> {
  if ((await tryRun('kind', ['version'])).code !== 0) return 'kind is not on the PATH'
  if (!(await dockerAnswers())) return 'the Docker daemon does not answer'
  return undefined
}

export async function dockerAnswers(): Promise<boolean> {
  return (await tryRun('docker', ['version', '--format', '{{.Server.Version}}'])).code === 0
}
