import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A way to the broker that can lose a reply: the broker has done it, and the caller does not learn of it. */
export type LossyProxy = AsyncDisposable & {
  readonly address: string
  /** From the next script call on, its connection hears nothing more. */
  loseNextReply(): void
  /** Cuts all connections. */
  cut(): void
  /** The same, and nothing gets through until `mend`. */
  part(): void
  mend(): void
}

export async function lossyProxy(port: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>()
  let isArmed = false
  let isParted = false
  const server = createServer((client) => {
    if (isParted) return void client.destroy()
    const upstream = connect(port, '127.0.0.1')
    let isDeaf = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => {
      if (isArmed && chunk.toString('latin1').toLowerCase().includes('evalsha')) {
        isArmed = false
        isDeaf = true
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => isDeaf || client.write(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = () => sockets.forEach((socket) => socket.destroy())
  return {
    address: `127.0.0.1:${address.port}`,
    loseNextReply: () => void (isArmed = true),
    cut,
    part() {
      isParted = true
      cut()
    },
    mend: () => void (isParted = false),
    async [Symbol.asyncDispose]() {
      server.close()
      cut()
    },
  }
}
