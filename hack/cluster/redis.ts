/** A real Redis for tests and demos: own port, own folder, gone with the process that started it. */
import { cp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { waitUntil } from './api-request.ts'
import { logTail, startChildServer } from './child-server.ts'
import { createAuthority } from './pki.ts'
import { freePort } from './ports.ts'
import { temporaryFolder } from './temporary-folder.ts'

export type RedisOptions = {
  readonly port?: number
  /** Kept when given; else a temporary folder that goes with `stop`. */
  readonly dir?: string
  /** How data survives `kill` and `restart`; `no` (the default) loses it. */
  readonly appendonly?: 'everysec' | 'always' | 'no'
  /** `requirepass`: what the user `default` has to give. */
  readonly password?: string
  /** ACL users, each as Redis writes it: `worker on >secret ~bull:* +@all`. */
  readonly aclUsers?: readonly string[]
  /** Serves TLS only, with a certificate for localhost and 127.0.0.1 of an authority of its own. */
  readonly tls?: { readonly clientCertificates: 'Required' | 'Ignored' }
  /** More of redis-server's own options, for example `['--maxmemory-policy', 'noeviction']`. */
  readonly args?: readonly string[]
}

/** PEM texts: the authority that signed the server's certificate, and a client's certificate of the same. */
export type RedisCertificates = { readonly ca: string; readonly cert: string; readonly key: string }

export type RedisServer = AsyncDisposable & {
  /** host:port, as a TaskBroker wants it. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly logFile: string
  /** With `tls` only. */
  readonly certificates?: RedisCertificates
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it on the same port and folder; kills it before when it still runs. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
  /** Copies what is on disk now; the second one goes back to it: the server is killed and starts with it. Both need `appendonly`. */
  snapshot(): Promise<string>
  restore(snapshot: string): Promise<void>
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
  const { tls, certificates } = options.tls === undefined ? {} : await certify(join(dir, 'pki'), options.tls.clientCertificates)
  const args = [
    '--bind',
    host,
    ...(tls === undefined ? ['--port', String(port)] : ['--port', '0', '--tls-port', String(port), ...tls]),
    '--dir',
    dir,
    '--save',
    '',
    ...durability,
    '--maxmemory-policy',
    'noeviction',
    ...(options.password === undefined ? [] : ['--requirepass', options.password]),
    ...(options.aclUsers ?? []).flatMap((user) => ['--user', ...user.split(' ')]),
    ...(options.args ?? []),
  ]

  async function start(): Promise<ReturnType<typeof startChildServer>> {
    const child = startChildServer('redis-server', args, logFile)
    try {
      await waitUntil(`redis-server on port ${port}`, 10_000, async () => {
        if (!child.running) throw new Error('it ended')
        // Asking for a password is an answer as well, loading is not.
        return /^(\+PONG|-NOAUTH|-NOPERM)/u.test(await ping(host, port, certificates))
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
    ...(certificates === undefined ? {} : { certificates }),
    kill: () => child.kill(),
    restart: async () => {
      await child.kill()
      child = await start()
    },
    freeze: () => child.freeze(),
    thaw: () => child.thaw(),
    snapshot: async () => {
      const copy = await temporaryFolder('taskmill-redis-copy-')
      await cp(join(dir, 'appendonlydir'), join(copy, 'appendonlydir'), { recursive: true })
      return copy
    },
    restore: async (snapshot) => {
      await child.kill()
      await rm(join(dir, 'appendonlydir'), { recursive: true })
      await cp(join(snapshot, 'appendonlydir'), join(dir, 'appendonlydir'), { recursive: true })
      child = await start()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Certificates in that folder, which are kept when they are there, and the server's options to use them. */
async function certify(folder: string, clients: 'Required' | 'Ignored') {
  const authority = await createAuthority(folder)
  const server = await authority.issue('server', '/CN=redis', ['DNS:localhost', 'IP:127.0.0.1'])
  const client = await authority.issue('client', '/CN=client')
  const read = (file: string) => readFile(file, 'utf8')
  const [ca, cert, key] = await Promise.all([read(authority.files.cert), read(client.cert), read(client.key)])
  const files = ['--tls-ca-cert-file', authority.files.cert, '--tls-cert-file', server.cert, '--tls-key-file', server.key]
  return { tls: [...files, '--tls-auth-clients', clients === 'Required' ? 'yes' : 'no'], certificates: { ca, cert, key } }
}

function ping(host: string, port: number, certificates: RedisCertificates | undefined): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const send = () => socket.write('PING\r\n')
  const socket =
    certificates === undefined
      ? connect({ host, port, timeout: 1000 }, send)
      : connectTls({ host, port, timeout: 1000, ...certificates }, send)
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
