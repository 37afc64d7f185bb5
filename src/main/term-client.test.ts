import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { leases } from '../api/index.ts'
import type { DispatchClaim } from '../broker/index.ts'
import { systemClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { createKubeClient, type KubeClient } from '../kube/index.ts'
import type { Tracer } from '../observability/index.ts'
import { fenced, httpPost, traced, withFencedClaims } from './term-client.ts'

/** An API server that asks once to try again. `lost` says when the lease is lost. */
async function setup(lost: 'never' | 'before the retry' | 'while the connection opens') {
  const lease = { trusted: true }
  const term = new AbortController()
  const sent: string[] = []
  const server = createServer((request, response) => {
    sent.push(`${request.method} ${request.headers.authorization}`)
    if (sent.length > 1) return void response.end('{}')
    lease.trusted = lost !== 'before the retry'
    response.writeHead(429, { 'retry-after': '1' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connection = {
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: async () => {
      // After the request was handed to the pool, and before a socket can have opened.
      if (lost === 'while the connection opens') process.nextTick(() => (lease.trusted = false))
      return { token: 'of-the-connection' }
    },
  }
  const client = createKubeClient({ ...fenced(connection, { isTrusted: () => lease.trusted }, term.signal), clock: systemClock })
  onTestFinished(async () => {
    await client.close()
    server.close()
  })
  return {
    lease,
    term,
    sent,
    server,
    write: () => client.apply(leases, { metadata: { namespace: 'a', name: 'b' } }, { fieldManager: 'test' }),
  }
}

describe('the fence of a term', () => {
  test('a leader sends, with the credentials of the connection, and repeats when it is asked to', async () => {
    const { sent, write } = await setup('never')
    await write()
    expect(sent).toEqual(['PATCH Bearer of-the-connection', 'PATCH Bearer of-the-connection'])
  })

  test('a process that does not lead sends nothing', async () => {
    const { lease, sent, write } = await setup('never')
    lease.trusted = false
    await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
    expect(sent).toEqual([])
  })

  test('a write that waits to be repeated is not repeated after the lease is lost', async () => {
    const { sent, write } = await setup('before the retry')
    await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
    expect(sent).toHaveLength(1)
  })

  test('a write that waits for a connection to open is not sent after the lease is lost', async () => {
    const { sent, write } = await setup('while the connection opens')
    await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
    expect(sent).toEqual([])
  })

  test('a request of one term is not sent in the next one', async () => {
    const { term, sent, write } = await setup('never')
    term.abort(taskmillError('TM_LEASE_LOST', 'lost'))
    await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
    expect(sent).toEqual([])
  })

  test('a term that is stopped in order still says what it has to say', async () => {
    const { term, sent, write } = await setup('never')
    term.abort(new Error('received SIGTERM'))
    await write()
    expect(sent).toHaveLength(2)
  })
})

const trusted = { isTrusted: () => true }
const request = { headers: { 'content-type': 'application/json' }, body: '{}', signal: new AbortController().signal }

describe('an HTTP POST', () => {
  test('sends once, and follows no redirect', async () => {
    const paths: string[] = []
    const server = createServer((incoming, answer) => {
      paths.push(`${incoming.method} ${incoming.url}`)
      if (incoming.url === '/moved') answer.writeHead(307, { location: '/elsewhere' })
      else answer.writeHead(202)
      answer.end('x'.repeat(100_000))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const post = httpPost(trusted, new AbortController().signal)
    expect([await post(`${url}/hook`, request), await post(`${url}/moved`, request)]).toEqual([202, 307])
    expect(paths).toEqual(['POST /hook', 'POST /moved'])
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  test('sends nothing when the lease is not to be trusted, or the term was lost', async () => {
    const sent: string[] = []
    const send = (async (url: string) => void sent.push(url)) as unknown as typeof fetch
    await expect(httpPost({ isTrusted: () => false }, new AbortController().signal, send)('http://a', request)).rejects.toThrow('not sent')
    const term = new AbortController()
    term.abort(taskmillError('TM_LEASE_LOST', 'gone'))
    await expect(httpPost(trusted, term.signal, send)('http://a', request)).rejects.toThrow('not sent')
    expect(sent).toEqual([])
  })
})

test('a process that does not hold the Lease any more claims no dispatch lease: where a namespace has left the broker nothing refuses it', async () => {
  const lease = { trusted: true }
  const claimed: unknown[] = []
  const broker = {
    claimDispatch: async (claims: readonly DispatchClaim[]) => claims.map(() => (claimed.push(1), { kind: 'Held' as const })),
  }
  const claim = { dispatcher: 'default/team', epoch: 1, holder: 'h', by: 'p', patienceMs: 30_000, cluster: 'c' }
  const term = new AbortController()
  const { claimDispatch } = withFencedClaims(broker, { isTrusted: () => lease.trusted }, term.signal)
  expect(await claimDispatch([claim])).toEqual([{ kind: 'Held' }])
  lease.trusted = false
  await expect(claimDispatch([claim])).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
  lease.trusted = true
  term.abort(taskmillError('TM_LEASE_LOST', 'gone'))
  await expect(claimDispatch([claim])).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
  expect(claimed).toHaveLength(1)
})

test('each request is a span with its verb and resource, and answers as without', async () => {
  const spans: unknown[] = []
  const tracer: Tracer = {
    span(name, attributes, run) {
      spans.push([name, attributes])
      return run()
    },
  }
  const get = async (...asked: unknown[]) => asked
  const remove = () => Promise.reject(new Error('no'))
  const client = traced({ get, delete: remove, raw: async () => 'ok' } as unknown as KubeClient, tracer)
  expect(await client.get(leases, 'a', 'b')).toEqual([leases, 'a', 'b'])
  await expect(client.delete(leases, 'a', 'b')).rejects.toThrow('no')
  expect(await client.raw('/version')).toBe('ok')
  expect(spans).toEqual([
    ['kubernetes get', { 'k8s.resource': 'leases' }],
    ['kubernetes delete', { 'k8s.resource': 'leases' }],
  ])
})
