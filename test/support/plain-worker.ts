/** A plain BullMQ worker as a process of its own: nothing of Taskmill in it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { RedisServer } from '../../hack/cluster/redis.ts'

export type PlainWorker = AsyncDisposable & { stop(): Promise<void> }

export function startPlainWorker(options: {
  readonly redis: RedisServer
  readonly queues: readonly string[]
  /** Each run of a handler appends `jobId attempt time version`; the version is that in the payload. */
  readonly recordFile: string
}): PlainWorker {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, 'test/support/plain-worker.mjs'], {
    env: {
      ...process.env,
      REDIS_PORT: String(options.redis.port),
      QUEUES: options.queues.join(','),
      RECORD_FILE: options.recordFile,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
  }
  return { stop: end, [Symbol.asyncDispose]: end }
}
