/** Ports for servers that tests start side by side. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the range from which the system takes the ports of outgoing connections: a server that is
// killed and started again must find its port still free.
const lowest = 20_000
const highest = 32_000

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(lowest, highest)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${lowest} and ${highest}`)
}

export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < count) found.add(await freePort())
  return [...found]
}

export function isFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen(port, address, () => server.close(() => resolve(true)))
  return promise
}
