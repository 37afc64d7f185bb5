/** A real Redis for tests and demos: own port, own folder, gone with the process that started it. */
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { waitUntil } from './api-request.ts'
import { logTail, startChildServer } from './child-server.ts'
import { freePort } from './ports.ts'
import { temporaryFolder } from './temporary-folder.ts'

export type RedisOptions = {
  readonly port?: number
  /** Kept when given; else a temporary folder that goes with `stop`. */
  readonly dir?: string
  /** How data survives `kill` and `restart`; `no` (the default) loses it. */
  readonly appendonly?: 'everysec' | 'always' | 'no'
  /** More of redis-server's own options, for example `['--maxmemory-policy', 'noeviction']`. */
  readonly args?: readonly string[]
}

export type RedisServer = AsyncDisposable & {
  /** host:port, as a TaskBroker wants it. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly logFile: string
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it on the same port and folder; kills it before when it still runs. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const host = '127.0.0.1'
  const port = options.port ?? (await freePort())
  const dir = options.dir ?? (await temporaryFolder('taskmill-redis-'))
  const logFile = join(dir, 'redis.log')
  const durability =
    options.appendonly === undefined || options.appendonly === 'no'
      ? ['--appendonly', 'no']
      : ['--appendonly', 'yes', '--appendfsync', options.appendonly]
  const args = [
    '--bind',
    host,
    '--port',
    String(port),
    '--dir',
    dir,
    '--save',
    '',
    ...durability,
    '--maxmemory-policy',
    'noeviction',
    ...(options.args ?? []),
  ]

  async function start(): Promise<ReturnType<typeof startChildServer>> {
    const child = startChildServer('redis-server', args, logFile)
    try {
      await waitUntil(`redis-server on port ${port}`, 10_000, async () => {
        if (!child.running) throw new Error('it ended')
        return (await ping(host, port)) === '+PONG'
      })
    } catch (cause) {
      await child.kill()
      throw new Error(`redis-server did not start:\n    ${await logTail(logFile)}`, { cause })
    }
    return child
  }

  let child = await start()
  async function stop(): Promise<void> {
    await child.stop()
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
  return {
    address: `${host}:${port}`,
    host,
    port,
    logFile,
    kill: () => child.kill(),
    restart: async () => {
      await child.kill()
      child = await start()
    },
    freeze: () => child.freeze(),
    thaw: () => child.thaw(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function ping(host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host, port, timeout: 1000 }, () => socket.write('PING\r\n'))
  socket.setEncoding('utf8')
  socket.once('data', (text: string) => {
    resolve(text.trim())
    socket.destroy()
  })
  socket.once('timeout', () => socket.destroy(new Error('no answer')))
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('closed')))
  return promise
}
