import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startScriptedServer, type ScriptedServer } from '../../test/support/scripted-server.ts'
import type { KubeObject, Resource } from '../api/index.ts'
import { fakeClock, type FakeClock } from '../clock/index.ts'
import { TaskmillError, type ErrorCode } from '../errors/index.ts'
import { createKubeClient, type KubeClient } from './index.ts'

type Pool = KubeObject & { readonly spec?: { readonly replicas?: number }; readonly status?: { readonly ready?: string } }
const pools: Resource<Pool> = { group: 'taskmill.dev', version: 'v1alpha1', kind: 'WorkerPool', plural: 'workerpools', namespaced: true }
const pods: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
const collection = '/apis/taskmill.dev/v1alpha1/namespaces/shop/workerpools'

let server: ScriptedServer
let clock: FakeClock
let client: KubeClient
let responses: string[]

beforeEach(async () => {
  server = await startScriptedServer()
  clock = fakeClock()
  responses = []
  client = createKubeClient({
    server: `${server.url}/prefix/`,
    clock,
    credentials: async () => ({ token: 'secret' }),
    onResponse: ({ method, status }) => responses.push(`${method} ${status}`),
  })
})

afterEach(async () => {
  await client.close()
  await server[Symbol.asyncDispose]()
  expect(clock.pending()).toEqual([])
})

const status = (code: number, reason: string, message: string, details: object = {}) => ({
  kind: 'Status',
  status: 'Failure',
  code,
  reason,
  message,
  details,
})
const failureOf = (promise: Promise<unknown>): Promise<TaskmillError> =>
  promise.then(
    () => Promise.reject(new Error('did not fail')),
    (error: unknown) => (error instanceof TaskmillError ? error : Promise.reject(error)),
  )

test('numbers arrive and leave as they are written, however long', async () => {
  const text =
    '{"apiVersion":"v1","kind":"WorkerPool","metadata":{"name":"mail","resourceVersion":"1"},"spec":{"id":1175930294816452671,"n":1.5}}'
  const answer = client.get(pools, 'shop', 'mail')
  ;(await server.next()).text(200, text)
  const object = await answer
  expect(JSON.stringify(object)).toBe(text)
  const applied = client.apply(pools, object, { fieldManager: 'test' })
  const request = await server.next()
  expect(request.sent).toContain('"id":1175930294816452671')
  request.text(200, text)
  await applied
})

test('an object is returned as the server sent it, unknown fields included', async () => {
  const answer = client.get(pools, 'shop', 'mail')
  const request = await server.next()
  expect(request).toMatchObject({ method: 'GET', path: `/prefix${collection}/mail`, query: {} })
  expect(request.headers).toMatchObject({ authorization: 'Bearer secret', accept: 'application/json', 'user-agent': 'taskmill' })
  const object = {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'WorkerPool',
    metadata: { name: 'mail', creationTimestamp: '2026-01-01T00:00:00Z' },
    future: [1],
  }
  request.json(200, object)
  expect(await answer).toEqual(object)
  expect(responses).toEqual(['GET 200'])
})

test('a page of a list; its items have apiVersion and kind', async () => {
  const answer = client.list(pods, { labelSelector: 'a=b,!c', limit: 2, continue: 'next' })
  const request = await server.next()
  expect(request).toMatchObject({ path: '/prefix/api/v1/pods', query: { labelSelector: 'a=b,!c', limit: '2', continue: 'next' } })
  request.json(200, { metadata: { resourceVersion: '7', continue: 'more' }, items: [{ metadata: { name: 'a' } }] })
  expect(await answer).toEqual({
    items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }],
    resourceVersion: '7',
    continue: 'more',
  })
})

test('writes send the field manager, the kind and the method', async () => {
  const object = { metadata: { namespace: 'shop', name: 'mail' }, spec: { replicas: 1 } }
  const calls = [
    () => client.create(pools, object, { fieldManager: 'me' }),
    () => client.update(pools, object, { fieldManager: 'me' }),
    () => client.apply(pools, object, { fieldManager: 'me', force: true, dryRun: true, fieldValidation: 'Strict' }),
    () => client.applyStatus(pools, { metadata: object.metadata, status: { ready: '1/1' } }, { fieldManager: 'me' }),
    () => client.delete(pools, 'shop', 'mail', { preconditions: { uid: 'u1' } }),
  ]
  const seen: unknown[] = []
  for (const call of calls) {
    const answer = call()
    const request = await server.next()
    expect(request.body).toMatchObject(
      request.method === 'DELETE'
        ? { preconditions: { uid: 'u1' } }
        : { apiVersion: 'taskmill.dev/v1alpha1', kind: 'WorkerPool', metadata: object.metadata },
    )
    seen.push([request.method, request.path.replace('/prefix', ''), request.query, request.headers['content-type']])
    request.json(request.method === 'POST' ? 201 : 200, { metadata: object.metadata })
    await answer
  }
  expect(seen).toEqual([
    ['POST', collection, { fieldManager: 'me' }, 'application/json'],
    ['PUT', `${collection}/mail`, { fieldManager: 'me' }, 'application/json'],
    [
      'PATCH',
      `${collection}/mail`,
      { fieldManager: 'me', force: 'true', dryRun: 'All', fieldValidation: 'Strict' },
      'application/apply-patch+yaml',
    ],
    ['PATCH', `${collection}/mail/status`, { fieldManager: 'me' }, 'application/apply-patch+yaml'],
    ['DELETE', `${collection}/mail`, {}, 'application/json'],
  ])
})

test('warnings of the server are passed on', async () => {
  const warnings: string[] = []
  const answer = client.apply(
    pools,
    { metadata: { namespace: 'shop', name: 'mail' } },
    { fieldManager: 'me', onWarning: (text) => warnings.push(text) },
  )
  ;(await server.next()).json(
    200,
    {},
    { warning: ['299 - "would violate PodSecurity \\"restricted:latest\\", see docs"', '299 - "unknown field"'] },
  )
  await answer
  expect(warnings).toEqual(['would violate PodSecurity "restricted:latest", see docs', 'unknown field'])
})

test.each<[number, string, ErrorCode]>([
  [400, 'BadRequest', 'TM_KUBE_INVALID'],
  [401, 'Unauthorized', 'TM_KUBE_UNAUTHORIZED'],
  [403, 'Forbidden', 'TM_KUBE_FORBIDDEN'],
  [404, 'NotFound', 'TM_KUBE_NOT_FOUND'],
  [409, 'Conflict', 'TM_KUBE_CONFLICT'],
  [409, 'AlreadyExists', 'TM_KUBE_ALREADY_EXISTS'],
  [410, 'Expired', 'TM_KUBE_GONE'],
  [422, 'Invalid', 'TM_KUBE_INVALID'],
  [429, 'TooManyRequests', 'TM_KUBE_TOO_MANY_REQUESTS'],
  [500, 'InternalError', 'TM_KUBE_UNAVAILABLE'],
  [504, 'Timeout', 'TM_KUBE_UNAVAILABLE'],
])('%i %s is %s with the message of the server', async (code, reason, expected) => {
  const failure = failureOf(client.get(pools, 'shop', 'mail'))
  const causes = [{ reason: 'FieldValueInvalid', message: 'must not exceed max', field: 'spec.min' }]
  ;(await server.next()).json(code, status(code, reason, 'what the server said', { causes }))
  expect(await failure).toMatchObject({
    code: expected,
    message: 'what the server said',
    details: { status: code, reason, causes, request: `GET ${collection}/mail` },
  })
})

test.each<[string, () => Promise<void>, ErrorCode]>([
  ['a page of a proxy', async () => (await server.next()).text(502, '<html>bad gateway</html>'), 'TM_KUBE_UNAVAILABLE'],
  ['HTML instead of JSON', async () => (await server.next()).text(200, '<html>welcome</html>'), 'TM_KUBE_BAD_RESPONSE'],
  ['JSON that is no list', async () => (await server.next()).json(200, { hello: 'world' }), 'TM_KUBE_BAD_RESPONSE'],
  ['a connection that is cut', async () => (await server.next()).reset(), 'TM_KUBE_UNAVAILABLE'],
  [
    'a connection that is cut within the answer',
    async () => {
      const stream = (await server.next()).stream()
      stream.raw('{"items": [')
      stream.reset()
    },
    'TM_KUBE_UNAVAILABLE',
  ],
])('%s is an error of the registry', async (_, answer, expected) => {
  const failure = failureOf(client.list(pools))
  await answer()
  expect((await failure).code).toBe(expected)
})

test('an address without a listener is unreachable, and the token is not in the message', async () => {
  const gone = await startScriptedServer()
  await gone[Symbol.asyncDispose]()
  const other = createKubeClient({ server: gone.url, clock, credentials: async () => ({ token: 'secret' }) })
  const error = await failureOf(other.raw('/version'))
  expect(error.code).toBe('TM_KUBE_UNAVAILABLE')
  expect(JSON.stringify([error.message, error.details, error.cause])).not.toContain('secret')
  await other.close()
})

test('a request that is asked to wait retries after that time', async () => {
  const answer = client.create(pools, { metadata: { namespace: 'shop', name: 'mail' } }, { fieldManager: 'me' })
  ;(await server.next()).json(429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '7' })
  await clock.timerSet(6_900, 7_000)
  await clock.advance(6_999)
  expect(server.waiting).toBe(0)
  await clock.advance(1)
  ;(await server.next()).json(201, { metadata: { name: 'mail' } })
  await answer
  expect(responses).toEqual(['POST 429', 'POST 201'])
})

test('a write that is asked to wait keeps no other write from going on', async () => {
  const create = (name: string) => client.create(pools, { metadata: { namespace: 'shop', name } }, { fieldManager: 'me' })
  const refused = Array.from({ length: 40 }, (_, index) => create(`quota-${index}`))
  for (let index = 0; index < 32; index++) {
    ;(await server.next()).json(429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '20' })
  }
  const sleeping = () => clock.pending().filter((leftMs) => leftMs === 20_000)
  await vi.waitFor(() => expect(sleeping()).toHaveLength(32))
  const other = client.patchScale(pools, 'shop', 'mail', 1, { fieldManager: 'me' })
  expect(server.waiting).toBe(0)
  await clock.advance(1_000)
  const served: string[] = []
  while (served.length < 9) {
    const request = await server.next()
    served.push(request.method)
    request.json(201, { metadata: { name: 'x' } })
  }
  await other
  expect(served.toSorted()).toEqual(['PATCH', ...Array.from({ length: 8 }, () => 'POST')])
  await clock.advance(19_000)
  for (let index = 0; index < 32; index++) (await server.next()).json(201, { metadata: { name: 'x' } })
  await Promise.all(refused)
})

test('a write that is refused until its time is over says so, and not that nobody answered', async () => {
  const failure = failureOf(client.create(pools, { metadata: { namespace: 'shop', name: 'mail' } }, { fieldManager: 'me' }))
  ;(await server.next()).json(429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '29' })
  await clock.timerSet(28_000, 29_000)
  await clock.advance(29_000)
  const again = await server.next()
  await clock.advance(1_000)
  expect(await failure).toMatchObject({ code: 'TM_KUBE_TOO_MANY_REQUESTS', message: 'slow down' })
  await again.closed
})

test('a write that never gets its turn, because the server refuses others, says so', async () => {
  const create = (name: string) => client.create(pools, { metadata: { namespace: 'shop', name } }, { fieldManager: 'me' })
  const refused = Array.from({ length: 32 }, (_, index) => failureOf(create(`r${index}`)))
  for (let index = 0; index < 32; index++) {
    ;(await server.next()).json(429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '40' })
  }
  await Promise.all(refused)
  const late = failureOf(create('late'))
  const later = failureOf(create('later'))
  await clock.advance(1_000)
  const request = await server.next()
  await clock.advance(28_500)
  request.json(429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '40' })
  expect(await late).toMatchObject({ code: 'TM_KUBE_TOO_MANY_REQUESTS', message: 'slow down' })
  await clock.advance(500)
  expect(await later).toMatchObject({ code: 'TM_KUBE_TOO_MANY_REQUESTS', message: expect.stringContaining('was not sent within 30 s') })
  expect(responses).toHaveLength(33)
})

test('a request that is asked to wait beyond its limit fails', async () => {
  const failure = failureOf(client.get(pools, 'shop', 'mail'))
  ;(await server.next()).json(429, status(429, 'TooManyRequests', 'slow down', { retryAfterSeconds: 40 }))
  expect(await failure).toMatchObject({ code: 'TM_KUBE_TOO_MANY_REQUESTS', details: { retryAfterSeconds: 40 } })
})

test('a request without a complete answer fails after 30 s', async () => {
  for (const begin of [false, true]) {
    const failure = failureOf(client.get(pools, 'shop', 'mail'))
    const request = await server.next()
    if (begin) request.stream().raw('{"metadata":')
    await clock.advance(30_000)
    expect(await failure).toMatchObject({ code: 'TM_KUBE_UNAVAILABLE', message: expect.stringContaining('30 s') })
    await request.closed
  }
})

test('an aborted call ends at once with the reason of the signal, in whatever state it is', async () => {
  const before = AbortSignal.abort('too late')
  await expect(client.get(pools, 'shop', 'mail', { signal: before })).rejects.toBe('too late')

  const during = new AbortController()
  const call = client.get(pools, 'shop', 'mail', { signal: during.signal })
  await server.next()
  during.abort('enough')
  await expect(call).rejects.toBe('enough')

  const waiting = new AbortController()
  const refused = client.get(pools, 'shop', 'mail', { signal: waiting.signal })
  ;(await server.next()).json(429, {}, { 'retry-after': '20' })
  await clock.timerSet(19_000, 20_000)
  waiting.abort('enough')
  await expect(refused).rejects.toBe('enough')
})

test('1,000 calls one after the other share their connections', async () => {
  for (let n = 0; n < 1_000; n++) {
    const answer = client.raw('/version')
    ;(await server.next()).text(200, 'v1')
    expect(await answer).toBe('v1')
  }
  // A second one, when a call begins in the moment in which the one before ends.
  expect(server.connections).toBeLessThanOrEqual(2)
})

test('at most 32 writes are under way, on twice as many connections, and a read does not wait for them', async () => {
  const name = (index: number) => `p${index}`
  const writes = Array.from({ length: 100 }, (_, index) => client.patchScale(pools, 'shop', name(index), 1, { fieldManager: 'me' }))
  const requests = await Promise.all(Array.from({ length: 32 }, () => server.next()))
  expect(server.connections).toBe(32)
  const read = client.raw('/version')
  ;(await server.next()).text(200, 'v1')
  expect(await read).toBe('v1')
  for (const request of requests) request.json(200, {})
  for (let left = writes.length - requests.length; left > 0; left -= 1) (await server.next()).json(200, {})
  await Promise.all(writes)
  expect(server.connections).toBeLessThanOrEqual(65)
})

test('the scale of an object is read and set through its subresource', async () => {
  const read = client.getScale(pools, 'shop', 'mail')
  const request = await server.next()
  expect(request).toMatchObject({ method: 'GET', path: `/prefix${collection}/mail/scale` })
  request.json(200, { spec: { replicas: 1 } })
  expect((await read).spec).toEqual({ replicas: 1 })
  const written = client.patchScale(pools, 'shop', 'mail', 3, { fieldManager: 'me' })
  const patch = await server.next()
  expect(patch).toMatchObject({
    method: 'PATCH',
    path: `/prefix${collection}/mail/scale`,
    query: { fieldManager: 'me' },
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { replicas: 3 } },
  })
  patch.json(200, { spec: { replicas: 3 } })
  expect((await written).spec).toEqual({ replicas: 3 })
})

test('a listener is called once when any request reaches the server again', async () => {
  const reached: string[] = []
  const end = client.onReachable(() => reached.push('reached'))
  const call = (): Promise<string> => client.raw('/version')
  const answered = async (code: number): Promise<void> => {
    const answer = call().catch(() => '')
    ;(await server.next()).text(code, 'v1')
    await answer
  }
  await answered(200)
  const cut = failureOf(call())
  ;(await server.next()).reset()
  await cut
  expect(reached).toEqual([])
  // Any answer will do: who refuses is there.
  await answered(404)
  await answered(200)
  expect(reached).toEqual(['reached'])
  const givenUp = new AbortController()
  const abandoned = client.raw('/version', { signal: givenUp.signal })
  await server.next()
  givenUp.abort('enough')
  await expect(abandoned).rejects.toBe('enough')
  await answered(200)
  end()
  const silent = failureOf(call())
  await server.next()
  await clock.advance(30_000)
  await silent
  await answered(200)
  expect(reached).toEqual(['reached'])
})

test('credentials are read for each request, and past their cache after a 401 or an unreachable server', async () => {
  const asked: boolean[] = []
  const other = createKubeClient({
    server: server.url,
    clock,
    credentials: async ({ fresh }) => {
      asked.push(fresh)
      return { token: `token-${asked.length}` }
    },
  })
  const seen: unknown[] = []
  for (const answer of [200, 401, 200, 'reset', 200, 200] as const) {
    const call = other.raw('/version').catch(() => '')
    const request = await server.next()
    seen.push(request.headers.authorization)
    if (answer === 'reset') request.reset()
    else request.text(answer, '')
    await call
  }
  expect(asked).toEqual([false, false, true, false, true, false])
  expect(seen).toEqual([1, 2, 3, 4, 5, 6].map((n) => `Bearer token-${n}`))
  await other.close()
})
