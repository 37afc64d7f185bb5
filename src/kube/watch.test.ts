import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startScriptedServer, type ScriptedServer } from '../../test/support/scripted-server.ts'
import type { KubeObject, Resource } from '../api/index.ts'
import { fakeClock, type FakeClock } from '../clock/index.ts'
import { createKubeClient, type KubeClient } from './index.ts'
import { watchEvents } from './watch-stream.ts'

const pods: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
const pod = (name: string, resourceVersion: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, resourceVersion } })

let server: ScriptedServer
let clock: FakeClock
let client: KubeClient

beforeEach(async () => {
  server = await startScriptedServer()
  clock = fakeClock()
  client = createKubeClient({ server: server.url, clock })
})

afterEach(async () => {
  await client.close()
  await server[Symbol.asyncDispose]()
  expect(clock.pending()).toEqual([])
})

const open = (signal?: AbortSignal) =>
  client.watch(pods, { namespace: 'shop', resourceVersion: '5', timeoutSeconds: 60, ...(signal ? { signal } : {}) })

test('numbers of a watch arrive as they are written, however long', async () => {
  const line = '{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"6"},"spec":{"id":1175930294816452671}}}'
  const events = watchEvents(ReadableStream.from([Buffer.from(`${line}\n`)]), 'WATCH /x')
  expect(JSON.stringify((await events.next()).value)).toBe(line)
})

test('a watch requests bookmarks and a time limit, and yields until the server ends it', async () => {
  const events = open()
  const first = events.next()
  const request = await server.next()
  expect(request).toMatchObject({
    path: '/api/v1/namespaces/shop/pods',
    query: { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '5', timeoutSeconds: '60' },
  })
  const stream = request.stream()
  stream.line({ type: 'ADDED', object: pod('a', '6') })
  expect(await first).toEqual({ done: false, value: { type: 'ADDED', object: pod('a', '6') } })
  stream.line({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })
  expect((await events.next()).value).toMatchObject({ type: 'BOOKMARK' })
  stream.end()
  expect(await events.next()).toEqual({ done: true, value: undefined })
})

test('a silent watch is cut 5 s after its time limit', async () => {
  const next = open().next()
  const request = await server.next()
  request.stream().raw('\n')
  await clock.timerSet(64_000, 65_000)
  await clock.advance(64_999)
  const ended = expect(next).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  await clock.advance(1)
  await ended
  await request.closed
})

test('a watch without any answer fails after 30 s', async () => {
  const next = expect(open().next()).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  await server.next()
  await clock.advance(30_000)
  await next
})

test.each<[string, (stream: ReturnType<Awaited<ReturnType<ScriptedServer['next']>>['stream']>) => void, object]>([
  [
    'an error in the stream',
    (stream) => stream.line({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } }),
    { code: 'TM_KUBE_GONE', message: 'too old' },
  ],
  ['garbage', (stream) => stream.raw('<html>\n'), { code: 'TM_KUBE_BAD_RESPONSE' }],
  ['a type of tomorrow', (stream) => stream.line({ type: 'MOVED', object: pod('a', '7') }), { code: 'TM_KUBE_BAD_RESPONSE' }],
  ['null', (stream) => stream.line(null), { code: 'TM_KUBE_BAD_RESPONSE' }],
  [
    'an object without a version',
    (stream) => stream.line({ type: 'ADDED', object: { metadata: { name: 'a' } } }),
    { code: 'TM_KUBE_BAD_RESPONSE' },
  ],
  ['half a line at the end', (stream) => (stream.raw('{"type":"ADDED","obj'), stream.end()), { code: 'TM_KUBE_BAD_RESPONSE' }],
])('%s ends the watch with an error', async (_, say, expected) => {
  const next = expect(open().next()).rejects.toMatchObject(expected)
  say((await server.next()).stream())
  await next
})

test('a broken connection is an error, after what came before it', async () => {
  const events = open()
  const first = events.next()
  const stream = (await server.next()).stream()
  stream.line({ type: 'ADDED', object: pod('a', '6') })
  await first
  const next = expect(events.next()).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  stream.reset()
  await next
})

test('a reader that stops or aborts closes the connection', async () => {
  const events = open()
  const first = events.next()
  const left = await server.next()
  left.stream().line({ type: 'ADDED', object: pod('a', '6') })
  await first
  await events.return()
  await left.closed

  const stop = new AbortController()
  const next = open(stop.signal).next()
  const aborted = await server.next()
  aborted.stream()
  const rejected = expect(next).rejects.toBe('enough')
  stop.abort('enough')
  await rejected
  await aborted.closed
})

test('events are whole, however the bytes are split', async () => {
  const anyName = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyName, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      async (names, cuts) => {
        const events = names.map((name, index) => ({ type: 'ADDED', object: pod(name, String(index)) }))
        const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
        async function* chunks() {
          for (let at = 0, n = 0; at < bytes.length; n++) {
            const size = cuts[n % cuts.length] ?? 1
            yield bytes.subarray(at, at + size)
            at += size
          }
        }
        const seen: unknown[] = []
        for await (const event of watchEvents(chunks(), 'test')) seen.push(event)
        expect(seen).toEqual(events)
      },
    ),
  )
})
