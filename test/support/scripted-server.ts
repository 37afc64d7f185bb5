import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that has arrived and waits for the test to answer it. */
export type Exchange = {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
  /** The body as it was sent. */
  readonly sent: string
  /** Answers with JSON. */
  json(status: number, body: unknown, headers?: Record<string, string | string[]>): void
  /** Answers with anything. */
  text(status: number, body: string): void
  /** Begins a body that is written piece by piece: a watch. */
  stream(): { line(value: unknown): void; raw(text: string | Buffer): void; end(): void; reset(): void }
  /** Cuts the connection without an answer. */
  reset(): void
  /** Resolves when the client has gone away. */
  readonly closed: Promise<void>
}

/** An HTTP server without an opinion: the test takes each request with `next` and answers it by hand. */
export type ScriptedServer = AsyncDisposable & {
  readonly url: string
  /** The next request, in order of arrival; waits for it. */
  next(): Promise<Exchange>
  /** Requests that have arrived and were not taken. */
  readonly waiting: number
  /** TCP connections accepted so far. */
  readonly connections: number
}

async function exchangeOf(request: IncomingMessage, response: ServerResponse): Promise<Exchange> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  const url = new URL(request.url ?? '/', 'http://scripted')
  const closed = new Promise<void>((resolve) => response.on('close', resolve))
  const answer = (status: number, type: string, body: string, headers: Record<string, string | string[]> = {}) =>
    void response.writeHead(status, { 'content-type': type, ...headers }).end(body)
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
    sent: text,
    json: (status, body, headers) => answer(status, 'application/json', JSON.stringify(body), headers),
    text: (status, body) => answer(status, 'text/html', body),
    stream() {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      return {
        line: (value) => void response.write(`${JSON.stringify(value)}\n`),
        raw: (piece) => void response.write(piece),
        end: () => void response.end(),
        // After what was written has left.
        reset: () => void setImmediate(() => request.socket.destroy()),
      }
    },
    reset: () => void request.socket.destroy(),
    closed,
  }
}

export async function startScriptedServer(): Promise<ScriptedServer> {
  const arrived: Exchange[] = []
  const takers: ((exchange: Exchange) => void)[] = []
  let connections = 0
  const server = createServer((request, response) => {
    exchangeOf(request, response).then(
      (exchange) => {
        const taker = takers.shift()
        if (taker) taker(exchange)
        else arrived.push(exchange)
      },
      () => response.destroy(),
    )
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () =>
      new Promise((resolve) => {
        const exchange = arrived.shift()
        if (exchange) resolve(exchange)
        else takers.push(resolve)
      }),
    get waiting() {
      return arrived.length
    },
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
