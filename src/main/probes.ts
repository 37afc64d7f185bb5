import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Metrics } from '../observability/index.ts'

export type Probes = { readonly port: number; close(): Promise<void> }

/** `/livez` and `/readyz`: 200 while there is nothing to say against it, else 503 with what there is. `/metrics`: Prometheus text. */
export async function serveProbes(deps: {
  readonly port: number
  readonly metrics: Pick<Metrics, 'read' | 'contentType'>
  /** What keeps the process from being ready, as sentences. */
  readonly unready: () => readonly string[]
  /** What only a restart heals, as sentences. */
  readonly problems: () => readonly string[]
}): Promise<Probes> {
  const { metrics, unready, problems } = deps
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (path === '/livez') say(problems())
    else if (path === '/readyz') say(unready())
    else if (path === '/metrics') void sendMetrics()
    else response.writeHead(404).end('/livez, /readyz, /metrics\n')

    function say(objections: readonly string[]): void {
      response.writeHead(objections.length === 0 ? 200 : 503).end(`${objections.join('\n') || 'ok'}\n`)
    }

    /** Piece by piece, so that reading many series neither stops other work nor holds the whole text in memory. */
    async function sendMetrics(): Promise<void> {
      try {
        response.setHeader('content-type', metrics.contentType)
        await pipeline(Readable.from(metrics.read()), response)
      } catch (error) {
        if (!response.headersSent) response.writeHead(500).end(`${String(error)}\n`)
      }
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(deps.port, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
