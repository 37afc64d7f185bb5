import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeObject, Resource } from '../api/index.ts'
import type { Clock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { parseJson } from '../json/index.ts'
import { apiVersionOf, resourcePath } from './notation.ts'
import {
  createTransport,
  toTransportError,
  requestTimeoutMs,
  type KubeConnection,
  type Outgoing,
  type ResponseObserver,
} from './transport.ts'
import { isEndOfInitialEvents, watchEvents, type WatchEvent } from './watch-stream.ts'

/** Every call ends when its signal aborts, and rejects with the signal's reason. */
export type CallOptions = { readonly signal?: AbortSignal | undefined }

export type WriteOptions = CallOptions & {
  /** The owner of the written fields. */
  readonly fieldManager: string
  /** The server validates the request and answers with the object that it would have stored. */
  readonly dryRun?: boolean
  /** `Strict` refuses unknown and duplicate fields, which are dropped otherwise. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore'
  /** Gets each warning of the server, for example about a PodSecurity violation. */
  readonly onWarning?: (text: string) => void
}

export type ApplyOptions = WriteOptions & {
  /** Take over fields of other managers instead of failing with TM_KUBE_CONFLICT. */
  readonly force?: boolean
}

/** `namespace` omitted means all namespaces. */
export type Selection = CallOptions & {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export type ListOptions = Selection & {
  readonly limit?: number | undefined
  /** The `continue` of the page before. */
  readonly continue?: string | undefined
  /** `'0'`: the state in the server's cache, possibly old. Omitted or empty: the newest. */
  readonly resourceVersion?: string | undefined
}

export type ListPage<T> = { readonly items: readonly T[]; readonly resourceVersion: string; readonly continue?: string }

export type WatchOptions = Selection & {
  /**
   * Return changes after this version. Without it the watch starts with all existing objects, as ADDED, up to the
   * BOOKMARK for which `isEndOfInitialEvents` holds. A server that does not support this answers TM_KUBE_INVALID.
   */
  readonly resourceVersion?: string | undefined
  /** The server ends the watch after this time; 5 s later the client does. */
  readonly timeoutSeconds: number
}

/** autoscaling/v1: the replicas of any kind that has them. */
export type Scale = KubeObject & {
  readonly spec?: { readonly replicas?: number }
  readonly status?: { readonly replicas: number; readonly selector?: string }
}

export type DeleteOptions = CallOptions & {
  /** Delete the object only if it still is this one. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
}

/** The part of an object that an applier owns. */
export type Partially<T> = T extends readonly (infer E)[]
  ? readonly Partially<E>[]
  : T extends object
    ? { readonly [K in keyof T]?: Partially<T[K]> | undefined }
    : T

/**
 * The body of an apply: any part of the object, and its name. With `metadata.uid`, the apply fails instead of
 * recreating a deleted object.
 */
export type Applied<T> = Partially<T> & { readonly metadata: { readonly name: string } }

/** An object to create or update; `apiVersion` and `kind` come from the resource. */
export type Written<T> = Omit<T, 'apiVersion' | 'kind'> & { readonly apiVersion?: string; readonly kind?: string }

/**
 * The Kubernetes API as raw JSON: objects are returned as the server sent them, so that fields of a newer server are
 * kept. All calls reject with a `TaskmillError` TM_KUBE_… with the server's message and `KubeErrorDetails`.
 */
export type KubeClient = {
  get<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string, options?: CallOptions): Promise<T>
  /** Returns one page. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ListPage<T>>
  /** Yields changes until the server ends the watch. Throws TM_KUBE_GONE if the start version is too old. */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined>
  create<T extends KubeObject>(resource: Resource<T>, object: Written<T>, options: WriteOptions): Promise<T>
  /**
   * Replaces the whole object. With `metadata.resourceVersion`, fails with TM_KUBE_CONFLICT if another client changed
   * it.
   */
  update<T extends KubeObject>(resource: Resource<T>, object: Written<T>, options: WriteOptions): Promise<T>
  /**
   * JSON merge patch: replaces the given fields, lists as a whole. With `metadata.resourceVersion`, fails with TM_KUBE_CONFLICT if another client
   * changed the object.
   */
  patch<T extends KubeObject>(resource: Resource<T>, object: Applied<T>, options: WriteOptions): Promise<T>
  /** Server-side apply: creates the object or merges the given fields into it. */
  apply<T extends KubeObject>(resource: Resource<T>, object: Applied<T>, options: ApplyOptions): Promise<T>
  /** Server-side apply of the status subresource. */
  applyStatus<T extends KubeObject>(resource: Resource<T>, object: Applied<T>, options: ApplyOptions): Promise<T>
  /** Reads the scale subresource. */
  getScale(resource: Resource<KubeObject>, namespace: string, name: string, options?: CallOptions): Promise<Scale>
  /** Sets the replicas through the scale subresource, whatever their current number. */
  patchScale(resource: Resource<KubeObject>, namespace: string, name: string, replicas: number, options: WriteOptions): Promise<Scale>
  delete(resource: Resource<KubeObject>, namespace: string | undefined, name: string, options?: DeleteOptions): Promise<void>
  /** GET of any path below the server, as text: `/version`, `/readyz`. */
  raw(path: string, options?: CallOptions): Promise<string>
  /**
   * Calls the listener each time the server answers after it could not be reached. Returns a function that removes it.
   */
  onReachable(listener: () => void): () => void
  /** Cuts all connections; requests in progress fail. */
  close(): Promise<void>
}

export type KubeClientOptions = KubeConnection & {
  readonly clock: Clock
  /** Shown in the API server's audit log, `taskmill/1.2.3`. */
  readonly userAgent?: string
  readonly onResponse?: ResponseObserver
}

/** A watch counts as dead this long after the server's own time limit. */
const watchGraceSeconds = 5

type ListBody<T> = {
  readonly items?: readonly T[] | null
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}

/** A client of one API server. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const transport = createTransport({ userAgent: 'taskmill', ...options })

  async function text(request: Outgoing, onWarning?: (text: string) => void): Promise<string> {
    const { body, warnings, limit } = await transport.send(request)
    using _ = limit
    try {
      const answer = await body.text()
      for (const warning of warnings) onWarning?.(warning)
      return answer
    } catch (error) {
      throw toTransportError(error, `${request.method} ${request.path}`, limit.signal)
    }
  }

  async function json<T>(request: Outgoing, onWarning?: (text: string) => void): Promise<T> {
    return parsed(await text(request, onWarning), request) as T
  }

  function parsed(answer: string, request: Outgoing): unknown {
    try {
      return parseJson(answer)
    } catch (cause) {
      throw taskmillError('TM_KUBE_BAD_RESPONSE', `the answer to ${request.method} ${request.path} is not JSON`, { cause })
    }
  }

  function write<T extends KubeObject>(method: 'POST' | 'PUT', resource: Resource<T>, object: Written<T>, o: WriteOptions): Promise<T> {
    const { namespace, name } = object.metadata
    return json(
      {
        method,
        path: resourcePath(resource, namespace, method === 'PUT' ? name : undefined),
        query: writeQuery(o),
        body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
        signal: o.signal,
      },
      o.onWarning,
    )
  }

  function apply<T extends KubeObject>(resource: Resource<T>, object: Applied<T>, o: ApplyOptions, subresource?: string): Promise<T> {
    const { namespace, name } = object.metadata as { namespace?: string; name: string }
    return json(
      {
        method: 'PATCH',
        path: resourcePath(resource, namespace, name, subresource),
        query: { ...writeQuery(o), force: o.force },
        contentType: 'application/apply-patch+yaml',
        body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
        signal: o.signal,
      },
      o.onWarning,
    )
  }

  async function list<T extends KubeObject>(resource: Resource<T>, o: ListOptions = {}): Promise<ListPage<T>> {
    const query = { ...selectionQuery(o), limit: o.limit, continue: o.continue, resourceVersion: o.resourceVersion || undefined }
    const path = resourcePath(resource, o.namespace)
    const request: Outgoing = { method: 'GET', path, query, signal: o.signal }
    const answer = await text(request)
    // Reading and parsing a large page each take milliseconds, so other work runs in between.
    await nextTurn()
    const body = parsed(answer, request) as ListBody<T>
    const resourceVersion = body.metadata?.resourceVersion
    if (resourceVersion === undefined) throw taskmillError('TM_KUBE_BAD_RESPONSE', `the answer to GET ${path} is not a list`)
    // Items of built-in kinds lack these two fields. With them, an object is the same from a list and from a get.
    const items = (body.items ?? []).map((item) => ({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind }))
    return { items, resourceVersion, ...(body.metadata?.continue ? { continue: body.metadata.continue } : {}) }
  }

  async function* watch<T extends KubeObject>(resource: Resource<T>, o: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const path = resourcePath(resource, o.namespace)
    let initial = o.resourceVersion === undefined
    const query = {
      ...selectionQuery(o),
      watch: true,
      allowWatchBookmarks: true,
      ...(initial ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } : { resourceVersion: o.resourceVersion }),
      timeoutSeconds: o.timeoutSeconds,
    }
    const { body, limit } = await transport.send({ method: 'GET', path, query, signal: o.signal })
    using _ = limit
    const watchLimitMs = (o.timeoutSeconds + watchGraceSeconds) * 1000
    limit.rearm(initial ? requestTimeoutMs : watchLimitMs)
    // Leaving the loop in any way destroys the body, and with it the connection.
    for await (const event of watchEvents<T>(chunksOf(body, `GET ${path}`, limit.signal), `watch ${path}`)) {
      if (initial) {
        // A list must make progress; a watch may be silent.
        initial = !isEndOfInitialEvents(event)
        limit.rearm(initial ? requestTimeoutMs : watchLimitMs)
      }
      yield event
    }
  }

  return {
    get: (resource, namespace, name, o = {}) => json({ method: 'GET', path: resourcePath(resource, namespace, name), signal: o.signal }),
    list,
    watch,
    create: (resource, object, o) => write('POST', resource, object, o),
    update: (resource, object, o) => write('PUT', resource, object, o),
    patch: (resource, object, o) => {
      const { namespace, name } = object.metadata as { namespace?: string; name: string }
      const path = resourcePath(resource, namespace, name)
      const request: Outgoing = { method: 'PATCH', path, query: writeQuery(o), contentType: 'application/merge-patch+json', body: object }
      return json({ ...request, signal: o.signal }, o.onWarning)
    },
    apply: (resource, object, o) => apply(resource, object, o),
    applyStatus: (resource, object, o) => apply(resource, object, o, 'status'),
    getScale: (resource, namespace, name, o = {}) =>
      json({ method: 'GET', path: resourcePath(resource, namespace, name, 'scale'), signal: o.signal }),
    patchScale: (resource, namespace, name, replicas, o) =>
      json(
        {
          method: 'PATCH',
          path: resourcePath(resource, namespace, name, 'scale'),
          query: writeQuery(o),
          contentType: 'application/merge-patch+json',
          body: { spec: { replicas } },
          signal: o.signal,
        },
        o.onWarning,
      ),
    async delete(resource, namespace, name, o = {}) {
      const { preconditions, propagationPolicy, signal } = o
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy }
      await text({ method: 'DELETE', path: resourcePath(resource, namespace, name), body, signal })
    },
    raw: (path, o = {}) => text({ method: 'GET', path, signal: o.signal }),
    onReachable: (listener) => transport.onReachable(listener),
    close: () => transport.close(),
  }
}

function writeQuery(o: WriteOptions) {
  return { fieldManager: o.fieldManager, fieldValidation: o.fieldValidation, ...(o.dryRun ? { dryRun: 'All' } : {}) }
}

function selectionQuery(o: Selection) {
  return { labelSelector: o.labelSelector, fieldSelector: o.fieldSelector }
}

/** Yields the chunks of the body, and converts a broken connection to an error of the registry. */
async function* chunksOf(body: AsyncIterable<Uint8Array>, label: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw toTransportError(error, label, signal)
  }
}

const pageSize = 500

/** Returns all objects of a selection, read page by page: the server need not hold thousands of them in one answer. */
export async function listAll<T extends KubeObject>(
  client: Pick<KubeClient, 'list'>,
  resource: Resource<T>,
  selection: Selection,
): Promise<readonly T[]> {
  const items: T[] = []
  let page: ListPage<T> | undefined
  do {
    page = await client.list(resource, { ...selection, limit: pageSize, continue: page?.continue })
    items.push(...page.items)
  } while (page.continue !== undefined)
  return items
}
