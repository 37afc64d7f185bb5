import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { leases } from '../api/index.ts'
import { systemClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { createKubeClient } from '../kube/index.ts'
import { fenced } from './term-client.ts'

/** An API server that asks once to try again, in which moment the lease is lost if `loses` says so. */
async function setup(loses: boolean) {
  const lease = { trusted: true }
  const term = new AbortController()
  const sent: string[] = []
  const server = createServer((request, response) => {
    sent.push(`${request.method} ${request.headers.authorization}`)
    if (sent.length > 1) return void response.end('{}')
    lease.trusted = !loses
    response.writeHead(429, { 'retry-after': '1' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connection = {
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: async () => ({ token: 'of-the-connection' }),
  }
  const client = createKubeClient({ ...fenced(connection, { isTrusted: () => lease.trusted }, term.signal), clock: systemClock })
  onTestFinished(async () => {
    await client.close()
    server.close()
  })
  return { lease, term, sent, write: () => client.apply(leases, { metadata: { namespace: 'a', name: 'b' } }, { fieldManager: 'test' }) }
}

test('a leader sends, with the credentials of the connection, and repeats when it is asked to', async () => {
  const { sent, write } = await setup(false)
  await write()
  expect(sent).toEqual(['PATCH Bearer of-the-connection', 'PATCH Bearer of-the-connection'])
})

test('a process that does not lead sends nothing', async () => {
  const { lease, sent, write } = await setup(false)
  lease.trusted = false
  await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
  expect(sent).toEqual([])
})

test('a write that waits to be repeated is not repeated after the lease is lost', async () => {
  const { sent, write } = await setup(true)
  await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
  expect(sent).toHaveLength(1)
})

test('a request of one term is not sent in the next one', async () => {
  const { term, sent, write } = await setup(false)
  term.abort(taskmillError('TM_LEASE_LOST', 'lost'))
  await expect(write()).rejects.toMatchObject({ code: 'TM_LEASE_LOST' })
  expect(sent).toEqual([])
})

test('a term that is stopped in order still says what it has to say', async () => {
  const { term, sent, write } = await setup(false)
  term.abort(new Error('received SIGTERM'))
  await write()
  expect(sent).toHaveLength(2)
})
