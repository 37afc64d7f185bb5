import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { taskmillError } from '../errors/index.ts'
import { httpPost } from './term-client.ts'

const trusted = { isTrusted: () => true }
const request = { headers: { 'content-type': 'application/json' }, body: '{}', signal: new AbortController().signal }

it('sends once, and follows no redirect', async () => {
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

it('sends nothing when the lease is not to be trusted, or the term was lost', async () => {
  const sent: string[] = []
  const send = (async (url: string) => void sent.push(url)) as unknown as typeof fetch
  await expect(httpPost({ isTrusted: () => false }, new AbortController().signal, send)('http://a', request)).rejects.toThrow('not sent')
  const term = new AbortController()
  term.abort(taskmillError('TM_LEASE_LOST', 'gone'))
  await expect(httpPost(trusted, term.signal, send)('http://a', request)).rejects.toThrow('not sent')
  expect(sent).toEqual([])
})
