import type { ControlPlane } from '../../hack/cluster/control-plane.ts'

/** What the API server answered: an object of the type that one expects, or a Status with a message. */
export type Answer<T> = { readonly status: number; readonly body: T & { readonly message?: string } }

/** An object of which only what every object has is known. */
export type Stored = {
  readonly metadata: { readonly resourceVersion: string }
  readonly spec: Readonly<Record<string, unknown>>
  readonly status: unknown
}

export async function ask<T = Stored>(cluster: ControlPlane, method: string, path: string, body?: unknown): Promise<Answer<T>> {
  const { status, text } = await cluster.request(method, path, body)
  return { status, body: JSON.parse(text.startsWith('{') ? text : JSON.stringify({ message: text })) }
}
