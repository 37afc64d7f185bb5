/** A worker as a process of its own, with the environment that the operator would inject into its pod. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export type WorkerProcess = AsyncDisposable & {
  /** SIGTERM, and waits for the exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
}

export function startWorker(options: {
  readonly address: string
  readonly queues: readonly string[]
  readonly recordFile: string
  readonly pod: string
  readonly concurrency?: number
  readonly drainTimeoutSeconds?: number
}): WorkerProcess {
  const { address, queues, recordFile, pod, concurrency = 4, drainTimeoutSeconds = 5 } = options
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', process.execPath, 'src/main/cli.ts', 'worker', '--tasks', 'test/support/recording-tasks.mjs'],
    {
      env: {
        ...process.env,
        RECORD_FILE: recordFile,
        TASKMILL_POOL: 'test',
        TASKMILL_NAMESPACE: 'default',
        TASKMILL_POD: pod,
        TASKMILL_QUEUES: queues.join(','),
        TASKMILL_CONCURRENCY: String(concurrency),
        TASKMILL_BROKER_ADDRESS: address,
        TASKMILL_BROKER_KEY_PREFIX: 'bull',
        TASKMILL_DRAIN_TIMEOUT_SECONDS: String(drainTimeoutSeconds),
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return exited
  }
  return {
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  }
}
