/** Stands between one client and the API server and writes down what arrives: what a process really sent, whatever it says of itself. */
import { createServer } from 'node:http'
import { Agent, request as send } from 'node:https'
import type { AddressInfo } from 'node:net'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiAccess } from '../../hack/cluster/api-request.ts'
import { temporaryFolder } from '../../hack/cluster/temporary-folder.ts'

export type Sent = { readonly atMs: number; readonly method: string; readonly path: string }

export type RecordingProxy = AsyncDisposable & {
  /** Of a cluster's administrator, through the proxy. */
  readonly kubeconfig: string
  /** Every request, in the order of arrival. */
  readonly sent: readonly Sent[]
  /** Resolves with the next request that this holds for, before it is passed on. */
  next(holds: (sent: Sent) => boolean): Promise<Sent>
  /** From now on nothing gets through, in either direction. */
  cut(): void
  /** Ends the cut. */
  mend(): void
}

/** `answerAfterMs`: writes are answered this late, so that one can be in flight when a test wants it. */
export async function startRecordingProxy(
  cluster: ApiAccess,
  name: string,
  { answerAfterMs = 100 }: { readonly answerAfterMs?: number } = {},
): Promise<RecordingProxy> {
  const { ca, cert, key, server: apiServer } = cluster
  const agent = new Agent({ keepAlive: true, ca, cert, key })
  const sent: Sent[] = []
  const watchers = new Set<(sent: Sent) => void>()
  let isCut = false
  const server = createServer((incoming, outgoing) => {
    if (isCut) return void incoming.destroy()
    const { method = '', url = '' } = incoming
    const { host: _, ...headers } = incoming.headers
    const arrived = { atMs: performance.now(), method, path: url.split('?', 1)[0] ?? '' }
    sent.push(arrived)
    for (const watch of watchers) watch(arrived)
    const forwarded = send(new URL(url, apiServer), { agent, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      if (method === 'GET') answer.pipe(outgoing)
      else setTimeout(() => answer.pipe(outgoing), answerAfterMs)
      answer.on('error', () => outgoing.destroy())
    })
    forwarded.on('error', () => outgoing.destroy())
    outgoing.on('close', () => forwarded.destroy())
    incoming.pipe(forwarded)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const folder = await temporaryFolder('taskmill-proxy-')
  const kubeconfig = join(folder, `${name}.kubeconfig`)
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      clusters: [{ name, cluster: { server: address, 'insecure-skip-tls-verify': true } }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name } }],
    }),
  )
  return {
    kubeconfig,
    sent,
    next: (holds) =>
      new Promise((resolve) => {
        const watch = (arrived: Sent): void => {
          if (!holds(arrived)) return
          watchers.delete(watch)
          resolve(arrived)
        }
        watchers.add(watch)
      }),
    cut() {
      isCut = true
      server.closeAllConnections()
    },
    mend() {
      isCut = false
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      agent.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
