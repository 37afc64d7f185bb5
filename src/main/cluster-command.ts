/** Composes the commands for users with the cluster of their kubeconfig. Loads nothing of the operator. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { text } from 'node:stream/consumers'
import { runCommand } from '../cli/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { createKubeClient, loadKubeConfig, type KubeClient } from '../kube/index.ts'

export type ClusterCommandInputs = {
  readonly name: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Path of the program. As `kubectl-taskmill` it is a kubectl plugin. */
  readonly invokedAs: string
  readonly version: string
  readonly write: { readonly out: (text: string) => void; readonly err: (text: string) => void }
  readonly stdin: NodeJS.ReadableStream
  readonly stop: AbortSignal
}

export async function clusterCommand(inputs: ClusterCommandInputs): Promise<number> {
  const { name, argv, env, invokedAs, version, write, stdin, stop } = inputs
  let client: KubeClient | undefined
  try {
    return await runCommand(name, argv, {
      async connect(how) {
        const config = await loadKubeConfig({ env, readFile: (path) => readFile(path, 'utf8'), clock, ...how })
        client = createKubeClient({ ...config, clock, userAgent: `taskmill-cli/${version}` })
        return { client, namespace: config.namespace }
      },
      ...write,
      clock,
      async readSchedules(paths, namespace) {
        const { readSchedules } = await import('./manifest-schedules.ts')
        return readSchedules(paths, { namespace, nowMs: clock.now() })
      },
      readText: (path) => (path === '-' ? text(stdin) : readFile(path, 'utf8')),
      stop,
      program: basename(invokedAs).startsWith('kubectl-taskmill') ? 'kubectl taskmill' : 'taskmill',
    })
  } finally {
    await client?.close()
  }
}
