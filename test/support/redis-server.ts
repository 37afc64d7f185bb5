import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** A Redis of a test's own, which it may kill, freeze and start again on the same port with the same append-only file. */
export type RedisServer = AsyncDisposable & {
  readonly address: string
  readonly port: number
  /** A plain client for what a test looks at; closed with the server. */
  readonly client: Redis
  start(): Promise<void>
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: accepts connections and never answers. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts a Redis on a free port of the loopback; every acknowledged write is on disk, unless that is not asked for. */
export async function redisServer({ isDurable = true } = {}): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'taskmill-redis-'))
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    isDurable ? 'yes' : 'no',
    '--appendfsync',
    'always',
  ]
  let child: ChildProcess | undefined

  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => undefined)

  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const gone = once(ending, 'exit')
    ending.kill(signal)
    await gone
  }
  const server: RedisServer = {
    address: `127.0.0.1:${port}`,
    port,
    client,
    async start() {
      child = spawn('redis-server', args, { stdio: 'ignore' })
      await client.ping()
    },
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      client.disconnect()
      await end('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
    [Symbol.asyncDispose]: () => server.stop(),
  }
  await server.start()
  return server
}
