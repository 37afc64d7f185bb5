import { createSecureContext } from 'node:tls'
import { type Dispatcher, Agent } from 'undici'
import { deadline, sleep, type Clock, type Deadline } from '../clock/index.ts'
import { TaskmillError, taskmillError } from '../errors/index.ts'
import { createGate } from './gate.ts'
import { toKubeError } from './status-error.ts'

/** Certificates, and a bearer token. */
export type Credentials = Certificates & { readonly token?: string }

/** Where the API server is, and how to authenticate. `loadKubeConfig` returns it. */
export type KubeConnection = {
  /** `https://host:port`, possibly with a path in front of the API's own. */
  readonly server: string
  /** The name that the server's certificate is checked against, if it is not the host of `server`. */
  readonly servername?: string
  /** True only when the kubeconfig says `insecure-skip-tls-verify`. */
  readonly insecureSkipTlsVerify?: boolean
  /**
   * Returns the current credentials; without it, requests are anonymous and use the system's authorities. Called for
   * each request, so it caches by itself. `fresh` bypasses the cache, after the server could not be reached or answered
   * 401.
   */
  readonly credentials?: (options: { readonly fresh: boolean }) => Promise<Credentials>
  /**
   * Called right before each request is written to a connection, for which it may have waited. If it throws an error of
   * the registry, nothing of the request is sent, and the request rejects with it.
   */
  readonly beforeSend?: () => void
}

/** Called for each answered attempt, for the metric `rest_client_requests_total`. */
export type ResponseObserver = (response: { readonly method: string; readonly status: number | 'error'; readonly seconds: number }) => void

type TransportOptions = KubeConnection & {
  readonly clock: Clock
  readonly userAgent: string
  readonly onResponse?: ResponseObserver
}

/** A request; `path` starts with `/api`. */
export type Outgoing = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
}

/** A successful answer. The deadline is still running; the receiver reads the body and disposes the deadline. */
type Incoming = { readonly body: Dispatcher.ResponseData['body']; readonly warnings: readonly string[]; readonly limit: Deadline }

type Transport = {
  send(request: Outgoing): Promise<Incoming>
  /**
   * Calls the listener each time the server answers after it could not be reached. Returns a function that removes it.
   */
  onReachable(listener: () => void): () => void
  close(): Promise<void>
}

/** From the first byte sent to the last byte read, including waits for the API server's Retry-After. */
export const requestTimeoutMs = 30_000
/**
 * A thousand objects that change in one second open no thousand connections. Reads and watches are few; a PUT is the renewal of a Lease, which
 * waits for nothing.
 */
const writesAtOnce = 32
/** After a refusal that does not say how long to wait. */
const leastPauseMs = 1_000
const gatedMethods: ReadonlySet<Outgoing['method']> = new Set(['POST', 'PATCH', 'DELETE'])

function queryString(query: Outgoing['query']): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined && value !== false) parameters.set(name, String(value))
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}

/** Returns the texts of all Warning headers, for example of `299 - "unknown field \"spec.x\""`. */
function warningTexts(header: string | string[] | undefined): string[] {
  const joined = Array.isArray(header) ? header.join(', ') : (header ?? '')
  return [...joined.matchAll(/\d{3} \S+ ("(?:[^"\\]|\\.)*")/g)].map(([, quoted = '""']) => quoted.slice(1, -1).replace(/\\(.)/g, '$1'))
}

/**
 * Sends requests over one pool of kept-alive connections. Refusals become errors of the registry. A 429 is retried as
 * long as the request's time allows; meanwhile other requests go on, fewer at a time. An aborted signal rejects with its own reason.
 */
export function createTransport(options: TransportOptions): Transport {
  const { clock } = options
  const base = new URL(options.server)
  const prefix = base.pathname.replace(/\/$/, '')
  const connections = createConnections({ ...options, secure: base.protocol === 'https:' })
  const writes = createGate({ clock, atOnce: writesAtOnce })
  const listeners = new Set<() => void>()
  let reachable = true
  let known = true

  async function attempt(request: Outgoing, label: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { token, ...certificates } = (await options.credentials?.({ fresh: !reachable || !known })) ?? {}
    const startedMs = clock.monotonicNow()
    let status: number | 'error' = 'error'
    try {
      const response = await connections.poolFor(certificates).request({
        origin: base.origin,
        path: `${prefix}${request.path}${queryString(request.query)}`,
        method: request.method,
        signal,
        headers: {
          accept: 'application/json',
          'user-agent': options.userAgent,
          ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      })
      status = response.statusCode
      known = status !== 401
      if (!reachable) {
        reachable = true
        for (const listener of listeners) listener()
      }
      return response
    } catch (error) {
      // A caller that aborted has learnt nothing about the server.
      if (error instanceof TaskmillError) throw error
      if (request.signal?.aborted !== true) reachable = false
      throw toTransportError(error, label, signal)
    } finally {
      options.onResponse?.({ method: request.method, status, seconds: (clock.monotonicNow() - startedMs) / 1000 })
    }
  }

  async function send(request: Outgoing): Promise<Incoming> {
    const label = `${request.method} ${request.path}`
    const startedMs = clock.monotonicNow()
    const gate = gatedMethods.has(request.method) ? writes : undefined
    let leave: (() => void) | undefined
    let refused: TaskmillError | undefined
    const seconds = requestTimeoutMs / 1000
    const limit = deadline(clock, requestTimeoutMs, {
      signal: request.signal,
      reason() {
        if (refused !== undefined) return refused
        const isWaiting = leave === undefined && gate?.isNarrow() === true
        if (!isWaiting) return taskmillError('TM_KUBE_UNAVAILABLE', `no complete answer to ${label} within ${seconds} s`)
        const message = `the API server asks to slow down, and ${label} was not sent within ${seconds} s`
        return taskmillError('TM_KUBE_TOO_MANY_REQUESTS', message)
      },
    })
    const end = (): void => {
      limit[Symbol.dispose]()
      leave?.()
    }
    try {
      for (;;) {
        // Until the answer is read: before that its connection serves no other request. (undici rests it for a moment more.)
        leave = await gate?.enter(limit.signal)
        const response = await attempt(request, label, limit.signal)
        if (response.statusCode !== 429) gate?.answered()
        if (response.statusCode < 300)
          return { body: response.body, warnings: warningTexts(response.headers['warning']), limit: { ...limit, [Symbol.dispose]: end } }
        const error = await refusal(response, label, limit.signal)
        if (error.code !== 'TM_KUBE_TOO_MANY_REQUESTS') throw error
        refused = error
        const waitMs = Number(error.details['retryAfterSeconds'] ?? Number.NaN) * 1000
        const leftMs = requestTimeoutMs - (clock.monotonicNow() - startedMs)
        gate?.refused(Number.isNaN(waitMs) ? leastPauseMs : waitMs)
        // Flow control refused the request before anything was done, so every method can be repeated.
        if (!(waitMs < leftMs)) throw error
        // Others may be welcome meanwhile.
        leave?.()
        leave = undefined
        await sleep(clock, waitMs, limit.signal)
      }
    } catch (error) {
      end()
      throw error
    }
  }

  return {
    send,
    onReachable(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      writes.close()
      await connections.close()
    },
  }
}

async function refusal(response: Dispatcher.ResponseData, label: string, signal: AbortSignal) {
  const text = await response.body.text().catch((error: unknown) => {
    throw toTransportError(error, label, signal)
  })
  const header = response.headers['retry-after']
  const afterSeconds = typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined
  return toKubeError(label, response.statusCode, parsed(text), afterSeconds)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Converts a failed exchange to an error: the caller's abort reason or our deadline unchanged, everything else as an
 * unreachable server.
 */
export function toTransportError(error: unknown, label: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  return taskmillError('TM_KUBE_UNAVAILABLE', `the API server cannot be reached (${label})`, { cause: error })
}

/**
 * Certificates in PEM: the authority that signed the server's certificate, and the client's own certificate and key.
 */
type Certificates = { readonly ca?: string; readonly cert?: string; readonly key?: string }

/** A pool of kept-alive connections; another pool replaces it when the certificates change. */
type Connections = {
  /** Returns the pool for these certificates. */
  poolFor(certificates: Certificates): Dispatcher
  /** Cuts all connections. */
  close(): Promise<void>
}

type ConnectionsOptions = Pick<KubeConnection, 'servername' | 'insecureSkipTlsVerify' | 'beforeSend'> & { readonly secure: boolean }

/**
 * When a certificate, key or authority changes, new requests get new connections. Requests and watches on the old
 * connections continue to their end. A certificate that does not match its key is ignored, because the two files are
 * replaced one after the other.
 */
function createConnections({ secure, servername, insecureSkipTlsVerify, beforeSend }: ConnectionsOptions): Connections {
  const pools = new Set<Dispatcher>()
  let current: { readonly pool: Dispatcher; readonly certificates: Certificates } | undefined

  function open({ ca, cert, key }: Certificates): Dispatcher {
    const pool = new Agent({
      // Our deadlines replace undici's: a quiet watch is healthy, and every other request is limited as a whole.
      bodyTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 30_000,
      // One connection per watch, so that a slowly read stream cannot delay the others.
      allowH2: false,
      connect: {
        // Made once per set of certificates, so that a bad set fails here and not with each connection.
        ...(secure ? { secureContext: createSecureContext({ ca, cert, key }) } : {}),
        ...(servername === undefined ? {} : { servername }),
        rejectUnauthorized: insecureSkipTlsVerify !== true,
        // Detects a dead peer of a silent watch (a node that lost power) within about 25 s.
        keepAliveInitialDelay: 15_000,
      },
    })
    return beforeSend === undefined
      ? pool
      : pool.compose((dispatch) => (request, handler) => dispatch(request, calledFirst(beforeSend, handler)))
  }

  return {
    poolFor(certificates) {
      if (current && sameCertificates(current.certificates, certificates)) return current.pool
      let pool: Dispatcher
      try {
        pool = open(certificates)
      } catch (error) {
        if (current) return current.pool
        throw error
      }
      const retired = current?.pool
      current = { pool, certificates }
      pools.add(pool)
      if (retired) {
        const forget = () => void pools.delete(retired)
        retired.close().then(forget, forget)
      }
      return pool
    },
    async close() {
      await Promise.all([...pools].map((pool) => pool.destroy()))
    },
  }
}

/** Returns the handler, with `beforeSend` in front of its start: undici calls that when it has a connection and writes the request next. */
function calledFirst(beforeSend: () => void, handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller, context) {
      beforeSend()
      handler.onRequestStart?.(controller, context)
    },
    onResponseStart: (...of) => handler.onResponseStart?.(...of),
    onResponseData: (...of) => handler.onResponseData?.(...of),
    onResponseEnd: (...of) => handler.onResponseEnd?.(...of),
    onResponseError: (...of) => handler.onResponseError?.(...of),
  }
}

function sameCertificates(a: Certificates, b: Certificates): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key
}
