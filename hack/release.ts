/** The chart on the local cluster, for the demo and the tests: one release, in a namespace that enforces the restricted Pod Security Standard. */
import { basename } from 'node:path'
import type { ClusterEnvironment } from './cluster-environment.ts'
import { run } from './cluster/command.ts'
import { createProgress, type Progress } from './cluster/progress.ts'
import { createImages } from './image/images.ts'

export const release = { name: 'taskmill', namespace: 'taskmill-system' } as const

/** Installs or upgrades, and waits until everything is ready; throws with helm's words. */
export async function installRelease(
  cluster: ClusterEnvironment,
  values: readonly string[] = [],
  progress: Progress = createProgress(),
): Promise<void> {
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: release.namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  }
  await run('kubectl', ['apply', '-f', '-'], { env: cluster.env, input: JSON.stringify(namespace) })
  const images = await imageValues(progress)
  const args = ['upgrade', '--install', release.name, 'charts/taskmill', '-n', release.namespace, ...images, ...values]
  await run('helm', [...args, '--wait', '--timeout', '3m'], { env: cluster.env })
}

export async function removeRelease(cluster: ClusterEnvironment): Promise<void> {
  await run('helm', ['uninstall', release.name, '-n', release.namespace, '--ignore-not-found', '--wait'], { env: cluster.env })
  await run('kubectl', ['delete', 'namespace', release.namespace, '--ignore-not-found'], { env: cluster.env })
}

/** The tag of a local image stays while its content changes; the annotation makes the operator's pod follow. */
async function imageValues(progress: Progress): Promise<readonly string[]> {
  const { archive } = await createImages(progress).product()
  const values = [
    'image.registry=localhost',
    'image.repository=taskmill',
    'image.tag=dev',
    `operator.podAnnotations.build=${basename(archive).replaceAll('.', '-')}`,
    'redis.enabled=true',
    'redis.image.repository=localhost/taskmill-redis',
    'redis.image.tag=7',
  ]
  return values.flatMap((value) => ['--set', value])
}
