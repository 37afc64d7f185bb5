/** A worker as its pod runs it: a process of its own with mounted folders, asked by HTTP. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../hack/cluster/ports.ts'

export type WorkerPod = AsyncDisposable & {
  /** Status and text; 0 while nothing listens. */
  get(path: string): Promise<readonly [status: number, text: string]>
  readonly exit: Promise<number | null>
  /** What it wrote to stdout and stderr. */
  output(): string
  term(): void
}

/** Runs `tasks.mjs` of that folder. The broker's address and queue `a` are given; `env` adds to that, and replaces it. */
export async function startWorkerPod(folder: string, address: string, env: Readonly<Record<string, string>> = {}): Promise<WorkerPod> {
  const port = env['TASKMILL_HTTP_PORT'] ?? `${await freePort()}`
  const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url))
  const child = spawn(process.execPath, [cli, 'worker', '--tasks=tasks.mjs'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      TASKMILL_QUEUES: 'a',
      TASKMILL_CONCURRENCY: '3',
      TASKMILL_BROKER_ADDRESS: address,
      TASKMILL_HTTP_PORT: port,
      TASKMILL_DRAIN_TIMEOUT_SECONDS: '2',
      ...env,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  return {
    async get(path) {
      try {
        const response = await fetch(`http://127.0.0.1:${port}${path}`)
        return [response.status, await response.text()]
      } catch {
        return [0, '']
      }
    },
    exit,
    output: () => output,
    term: () => void child.kill('SIGTERM'),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exit
    },
  }
}

/** Writes files as the kubelet mounts a Secret: links through one link that is swapped, so that all files change at once. */
export function mountSecret(folder: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, version), { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, version, name), text)
    rmSync(join(folder, name), { force: true })
    symlinkSync(join('..data', name), join(folder, name))
  }
  symlinkSync(version, join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
}
