import type { KubeObject, Resource } from '../api/index.ts'
import type { KubeClient } from '../kube/index.ts'
import type { Tracer } from '../observability/index.ts'

/** Watches are left out: they last for minutes, and nobody waits for their end. */
const calls = ['get', 'list', 'create', 'update', 'apply', 'applyStatus', 'delete'] as const

type Call = (resource: Resource<KubeObject>, ...rest: readonly unknown[]) => Promise<unknown>

/** The client with a span around each request. */
export function traced(client: KubeClient, tracer: Tracer): KubeClient {
  const spanned = calls.map((name) => {
    const call = client[name] as Call
    const withSpan: Call = (resource, ...rest) =>
      tracer.span(`kubernetes ${name}`, { 'k8s.resource': resource.plural }, () => call(resource, ...rest))
    return [name, withSpan] as const
  })
  return { ...client, ...(Object.fromEntries(spanned) as unknown as Pick<KubeClient, (typeof calls)[number]>) }
}
