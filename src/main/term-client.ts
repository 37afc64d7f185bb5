/** What one term sends with: requests to the API server and notifications, fenced by the term and the lease, each request in a span. */
import type { KubeObject, Resource } from '../api/index.ts'
import type { Broker } from '../broker/index.ts'
import { hasCode, taskmillError } from '../errors/index.ts'
import type { KubeClient, KubeConnection } from '../kube/index.ts'
import type { Tracer } from '../observability/index.ts'
import type { Elector } from '../runtime/index.ts'
import type { HttpPost } from '../services/notifications/index.ts'

/**
 * Returns a connection that sends requests only while its term lasts. The term and the lease are checked right before a request is written,
 * a repeated one each time, and TM_LEASE_LOST is thrown once the term is over or the lease cannot be trusted any more. So a process
 * that was frozen beyond its lease sends nothing when it wakes up, and a request of one term is not sent in the next one. The
 * orderly stop aborts the term too, with another reason: the last requests of that term are still sent.
 */
export function fenced(connection: KubeConnection, elector: Pick<Elector, 'isTrusted'>, term: AbortSignal): KubeConnection {
  return { ...connection, beforeSend: () => throwIfLost(elector, term) }
}

/**
 * Returns a function that POSTs a notification with Node's own client: one attempt, no redirect followed, nothing of the answer read but
 * its status. Fenced like requests to the API server.
 */
export function httpPost(elector: Pick<Elector, 'isTrusted'>, term: AbortSignal, send: typeof fetch = fetch): HttpPost {
  return async (url, { headers, body, signal }) => {
    throwIfLost(elector, term)
    const answer = await send(url, { method: 'POST', redirect: 'manual', headers, body, signal })
    await answer.body?.cancel()
    return answer.status
  }
}

/**
 * Returns a broker that claims dispatch leases only while the term lasts. A lease is the proof of all other writes, and a claim is checked
 * against the record in the broker; where a namespace has left the broker there is none, and a process that was frozen would begin it again.
 * Does not: call back a claim that is under way.
 */
export function withFencedClaims<B extends Pick<Broker, 'claimDispatch'>>(
  broker: B,
  elector: Pick<Elector, 'isTrusted'>,
  term: AbortSignal,
): B {
  return {
    ...broker,
    async claimDispatch(claims) {
      throwIfLost(elector, term)
      return broker.claimDispatch(claims)
    },
  }
}

function throwIfLost(elector: Pick<Elector, 'isTrusted'>, term: AbortSignal): void {
  if (hasCode(term.reason, 'TM_LEASE_LOST') || !elector.isTrusted()) {
    throw taskmillError('TM_LEASE_LOST', 'not sent: this process does not hold the lease (any more)')
  }
}

/** Watches are left out: they last for minutes, and no caller waits for their end. */
const calls = ['get', 'list', 'create', 'update', 'patch', 'apply', 'applyStatus', 'delete'] as const

type Call = (resource: Resource<KubeObject>, ...rest: readonly unknown[]) => Promise<unknown>

/** Returns the client with a span around each request. */
export function traced(client: KubeClient, tracer: Tracer): KubeClient {
  const spanned = calls.map((name) => {
    const call = client[name] as Call
    const withSpan: Call = (resource, ...rest) =>
      tracer.span(`kubernetes ${name}`, { 'k8s.resource': resource.plural }, () => call(resource, ...rest))
    return [name, withSpan] as const
  })
  return { ...client, ...(Object.fromEntries(spanned) as unknown as Pick<KubeClient, (typeof calls)[number]>) }
}
