import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from '../observability/index.ts'

export type Probes = { readonly port: number; close(): Promise<void> }

/**
 * `/livez`: 200 while nothing is wrong that only a restart heals, else 503 with what it is. `/readyz`: 200 once `isReady`, 503 before; followers are ready too, their caches are warm.
 * `/metrics`: Prometheus text.
 */
export async function serveProbes(deps: {
  readonly port: number
  readonly metrics: Metrics
  readonly isReady: () => boolean
  /** What only a restart heals, as sentences. */
  readonly problems: () => readonly string[]
}): Promise<Probes> {
  const { metrics, isReady, problems } = deps
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (path === '/livez') response.writeHead(problems().length === 0 ? 200 : 503).end(`${problems().join('\n') || 'ok'}\n`)
    else if (path === '/readyz') response.writeHead(isReady() ? 200 : 503).end(isReady() ? 'ok\n' : 'caches are not synced\n')
    else if (path === '/metrics') void renderMetrics()
    else response.writeHead(404).end('/livez, /readyz, /metrics\n')

    async function renderMetrics(): Promise<void> {
      try {
        const text = await metrics.render()
        response.setHeader('content-type', metrics.contentType).end(text)
      } catch (error) {
        response.writeHead(500).end(`${String(error)}\n`)
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
