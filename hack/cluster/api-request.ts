/** Single requests to an API server that was started here: enough to wait for it and to seed objects. */
import { request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

export type ApiAccess = { readonly server: string; readonly ca: string; readonly cert: string; readonly key: string }
export type ApiReply = { readonly status: number; readonly text: string }

export function apiRequest(access: ApiAccess, method: string, path: string, body?: unknown): Promise<ApiReply> {
  const { promise, resolve, reject } = Promise.withResolvers<ApiReply>()
  const outgoing = request(
    new URL(path, access.server),
    {
      method,
      ca: access.ca,
      cert: access.cert,
      key: access.key,
      agent: false,
      timeout: 5000,
      headers: { 'content-type': contentType(method) },
    },
    (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }))
      incoming.on('error', reject)
    },
  )
  outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer within 5 s`)))
  outgoing.on('error', reject)
  outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}

function contentType(method: string): string {
  return method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json'
}

/** Server-side apply of one object at its path; throws with the server's own words. */
export async function applyObject(access: ApiAccess, path: string, object: object): Promise<void> {
  const reply = await apiRequest(access, 'PATCH', `${path}?fieldManager=taskmill-cluster&force=true`, object)
  if (reply.status >= 300) throw new Error(`cannot apply ${path}: ${reply.text}`)
}

/** Asks again every 50 ms until `check` holds; the message names what was waited for. */
export async function waitUntil(what: string, withinMs: number, check: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + withinMs
  for (;;) {
    if (await check().catch(() => false)) return
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${withinMs / 1000} s`)
    await sleep(50)
  }
}

export async function isReady(access: ApiAccess): Promise<boolean> {
  return (await apiRequest(access, 'GET', '/readyz')).status === 200
}
