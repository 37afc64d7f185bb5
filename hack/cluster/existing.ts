/** The cluster of KUBECONFIG, only ever when named. It is not ours: it is neither started nor stopped. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { tryRun } from './command.ts'
import { createProgress } from './progress.ts'
import type { ClusterProvider, ClusterStatus } from './provider.ts'
import { ensureTools } from './tools.ts'

export function createExistingProvider(env: NodeJS.ProcessEnv = process.env): ClusterProvider {
  const kubeconfig = (env['KUBECONFIG'] ?? join(homedir(), '.kube', 'config')).split(':')[0] ?? ''

  async function status(): Promise<ClusterStatus> {
    const { kubectl } = await ensureTools(createProgress())
    const reply = await tryRun(kubectl, ['--kubeconfig', kubeconfig, '--request-timeout=5s', 'get', '--raw', '/readyz'])
    return reply.code === 0 ? { state: 'up', detail: kubeconfig } : { state: 'broken', detail: reply.stderr.trim() }
  }

  return {
    name: 'existing',
    kubeconfig,
    unavailable: () => Promise.resolve(existsSync(kubeconfig) ? undefined : `there is no kubeconfig at ${kubeconfig}`),
    status,
    up: async () => {
      const now = await status()
      if (now.state !== 'up')
        throw new Error(`the cluster of ${kubeconfig} does not answer: ${now.state === 'broken' ? now.detail : 'down'}`)
    },
    down: () => Promise.resolve(),
    loadImage: (_archive, name) =>
      Promise.reject(
        new Error(`images of a cluster of your own come from its registry: push ${name} to one and set the image in the chart's values`),
      ),
  }
}
