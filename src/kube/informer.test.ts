import { afterEach, beforeEach, expect, test } from 'vitest'
import { startScriptedServer, type Exchange, type ScriptedServer } from '../../test/support/scripted-server.ts'
import type { KubeObject, Resource } from '../api/index.ts'
import { fakeClock, type FakeClock } from '../clock/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createInformer, createKubeClient, type Informer, type KubeClient } from './index.ts'

const pods: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
const pod = (name: string, resourceVersion: string, uid = `uid-${name}`) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, uid, resourceVersion, managedFields: ['x'] },
})
const page = (resourceVersion: string, items: object[], more?: string) => ({
  metadata: { resourceVersion, ...(more ? { continue: more } : {}) },
  items,
})
const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }

let server: ScriptedServer
let clock: FakeClock
let client: KubeClient
let informer: Informer<KubeObject, 'byUid'>
let relists: number[]
let stop: AbortController
let told: string[]
let wake: () => void

const version = (object?: KubeObject) => object && `${object.metadata.uid?.replace(/^uid-/, '')}@${object.metadata.resourceVersion}`

const informerWith = (streamLists: boolean): Informer<KubeObject, 'byUid'> =>
  createInformer({
    client,
    resource: pods,
    namespace: 'shop',
    labelSelector: 'app',
    clock,
    log: silentLogger,
    rng: () => 1,
    streamLists,
    indexes: { byUid: ({ metadata }) => [metadata.uid ?? ''] },
    onRelist: ({ missed }) => relists.push(missed),
  })

/** The changes since the last call; waits until that is `count` changes. */
const changes = async (count: number): Promise<string[]> => {
  while (told.length < count) await new Promise<void>((resolve) => (wake = resolve))
  return told.splice(0)
}

beforeEach(async () => {
  server = await startScriptedServer()
  clock = fakeClock()
  client = createKubeClient({ server: server.url, clock })
  stop = new AbortController()
  told = []
  wake = () => {}
  relists = []
  informer = informerWith(false)
  informer.onChange((key, current, previous) => {
    told.push(`${key}: ${version(previous) ?? '-'} > ${version(current) ?? '-'}`)
    wake()
  })
})

afterEach(async () => {
  stop.abort('end of test')
  await informer.stopped
  await client.close()
  await server[Symbol.asyncDispose]()
  expect(clock.pending()).toEqual([])
})

/** Starts the informer and answers its first list; returns the watch that follows. */
const follow = async (resourceVersion: string, items: object[]): Promise<Exchange> => {
  informer.start(stop.signal)
  ;(await server.next()).json(200, page(resourceVersion, items))
  await informer.synced
  return server.next()
}

/** Lets the pause after a failure pass. */
const afterPause = async (fullMs: number): Promise<void> => {
  await clock.timerSet(fullMs, fullMs)
  await clock.advance(fullMs)
}

test('lists page by page, delivers all objects, is synced, and watches from there', async () => {
  informer.start(stop.signal)
  const first = await server.next()
  expect(first.query).toEqual({ labelSelector: 'app', limit: '250' })
  first.json(200, page('10', [pod('a', '1')], 'token'))
  const second = await server.next()
  expect(second.query).toEqual({ labelSelector: 'app', limit: '250', continue: 'token' })
  // Nothing shows before everything is there.
  expect([informer.list(), told]).toEqual([[], []])
  second.json(200, page('10', [pod('b', '2')]))
  await informer.synced
  expect(await changes(2)).toEqual(['shop/a: - > a@1', 'shop/b: - > b@2'])
  expect(informer.get('shop/a')).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'a', uid: 'uid-a', resourceVersion: '1' },
  })
  expect([informer.list('shop').length, informer.list('other').length]).toEqual([2, 0])

  const watch = await server.next()
  expect(watch.query).toEqual({
    labelSelector: 'app',
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: '10',
    timeoutSeconds: '300',
  })
})

test('follows the watch; the cache is updated before handlers are called', async () => {
  const stream = (await follow('10', [pod('a', '1')])).stream()
  await changes(1)
  const seen: unknown[] = []
  informer.onChange((key, current) => void seen.push(informer.get(key) === current))
  stream.line({ type: 'ADDED', object: pod('b', '11') })
  stream.line({ type: 'MODIFIED', object: pod('a', '12') })
  stream.line({ type: 'DELETED', object: pod('b', '13') })
  expect(await changes(3)).toEqual(['shop/b: - > b@11', 'shop/a: a@1 > a@12', 'shop/b: b@11 > -'])
  expect([seen, informer.list().length]).toEqual([[true, true, true], 1])
  expect(relists).toEqual([])
})

test('a replaced object of the same name is delivered as deleted and created', async () => {
  const stream = (await follow('10', [pod('a', '1', 'uid-old')])).stream()
  await changes(1)
  stream.line({ type: 'ADDED', object: pod('a', '11', 'uid-new') })
  // The end of the old one, seen late, is not the end of the new one.
  stream.line({ type: 'DELETED', object: pod('a', '12', 'uid-old') })
  stream.line({ type: 'MODIFIED', object: pod('a', '13', 'uid-new') })
  expect(await changes(3)).toEqual(['shop/a: old@1 > -', 'shop/a: - > new@11', 'shop/a: new@11 > new@13'])
})

test('after a normal end of a watch, the next starts at once where it ended, bookmarks included', async () => {
  const first = (await follow('10', [])).stream()
  first.line({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '500' } } })
  first.end()
  expect((await server.next()).query['resourceVersion']).toBe('500')
})

test.each<[string, (stream: ReturnType<Exchange['stream']>) => void]>([
  ['reset', (stream) => stream.reset()],
  ['cut in half a line', (stream) => (stream.raw('{"type":"ADD'), stream.end())],
  ['followed by garbage', (stream) => stream.raw('?\n')],
  ['ended by an internal error', (stream) => stream.line({ type: 'ERROR', object: { kind: 'Status', code: 500, message: 'etcd' } })],
])('a watch that is %s resumes after a pause where it broke', async (_, fail) => {
  const stream = (await follow('10', [pod('a', '1')])).stream()
  stream.line({ type: 'ADDED', object: pod('b', '11') })
  fail(stream)
  expect(await changes(2)).toEqual(['shop/a: - > a@1', 'shop/b: - > b@11'])
  await afterPause(800)
  const next = await server.next()
  expect(next.query).toMatchObject({ watch: 'true', resourceVersion: '11' })
  next.stream().line({ type: 'MODIFIED', object: pod('b', '12') })
  expect(await changes(1)).toEqual(['shop/b: b@11 > b@12'])
})

test.each<[string, (watch: Exchange) => void]>([
  ['within the watch', (watch) => watch.stream().line({ type: 'ERROR', object: expired })],
  ['as the answer', (watch) => watch.json(410, expired)],
])('an expired version, reported %s, leads to a new list; deletions in between are delivered', async (_, tell) => {
  tell(await follow('10', [pod('a', '1'), pod('b', '2'), pod('c', '3'), pod('d', '4', 'uid-old')]))
  await changes(4)
  await afterPause(800)
  const list = await server.next()
  expect(list.query).toEqual({ labelSelector: 'app', limit: '250' })
  list.json(200, page('900', [pod('b', '2'), pod('c', '700'), pod('d', '701', 'uid-new'), pod('e', '702')]))
  expect(await changes(5)).toEqual([
    'shop/a: a@1 > -',
    'shop/c: c@3 > c@700',
    'shop/d: old@4 > -',
    'shop/d: - > new@701',
    'shop/e: - > e@702',
  ])
  expect((await server.next()).query['resourceVersion']).toBe('900')
  expect(relists).toEqual([5])
})

test('a list that expires between two pages starts again', async () => {
  informer.start(stop.signal)
  ;(await server.next()).json(200, page('10', [pod('a', '1')], 'token'))
  ;(await server.next()).json(410, expired)
  await afterPause(800)
  const list = await server.next()
  expect(list.query).toEqual({ labelSelector: 'app', limit: '250' })
  list.json(200, page('20', [pod('b', '2')]))
  await informer.synced
  expect(told).toEqual(['shop/b: - > b@2'])
})

test('pauses double up to 30 s, keep the cache, and start over after two good minutes', async () => {
  ;(await follow('10', [pod('a', '1')])).reset()
  for (const pauseMs of [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
    await afterPause(pauseMs)
    ;(await server.next()).json(500, { kind: 'Status', code: 500, message: 'down' })
  }
  expect(informer.list()).toHaveLength(1)
  await afterPause(30_000)
  const stream = (await server.next()).stream()
  stream.line({ type: 'ADDED', object: pod('b', '11') })
  await changes(2)
  await clock.advance(121_000)
  stream.reset()
  await afterPause(800)
  await server.next()
})

test('a failed list is retried; the sync waits for it', async () => {
  informer.start(stop.signal)
  ;(await server.next()).json(500, {})
  await afterPause(800)
  ;(await server.next()).reset()
  await afterPause(1_600)
  ;(await server.next()).json(200, page('10', []))
  await informer.synced
})

test('a busy server gets no request for as long as it asks', async () => {
  ;(await follow('10', [])).json(429, { kind: 'Status', code: 429, message: 'slow down' }, { 'retry-after': '60' })
  await afterPause(60_000)
  expect((await server.next()).query['resourceVersion']).toBe('10')
})

test('a stalled watch is replaced 5 s after its time limit', async () => {
  const stalled = await follow('10', [])
  stalled.stream()
  await clock.timerSet(300_000, 305_000)
  await clock.advance(305_000)
  await stalled.closed
  await afterPause(800)
  expect((await server.next()).query['resourceVersion']).toBe('10')
})

test('a watch that ends at once without an event counts as failed, so that there is no loop', async () => {
  ;(await follow('10', [])).stream().end()
  await afterPause(800)
  ;(await server.next()).stream().end()
  await clock.timerSet(1_600, 1_600)
  expect(server.waiting).toBe(0)
})

test('a handler that throws or rejects does not affect others', async () => {
  informer.onChange(() => {
    throw new Error('broken')
  })
  informer.onChange(async () => Promise.reject(new Error('broken later')))
  const after: string[] = []
  const end = informer.onChange((key) => void after.push(key))
  const stream = (await follow('10', [pod('a', '1')])).stream()
  stream.line({ type: 'ADDED', object: pod('b', '11') })
  await changes(2)
  end()
  stream.line({ type: 'ADDED', object: pod('c', '12') })
  await changes(1)
  expect(after).toEqual(['shop/a', 'shop/b'])
})

test.each<[string, () => Promise<unknown>]>([
  [
    'a list',
    async () => {
      informer.start(stop.signal)
      return server.next()
    },
  ],
  [
    'the second page',
    async () => {
      informer.start(stop.signal)
      ;(await server.next()).json(200, page('1', [pod('a', '1')], 'token'))
      return server.next()
    },
  ],
  [
    'a pause',
    async () => {
      informer.start(stop.signal)
      ;(await server.next()).json(500, {})
      await clock.timerSet(800, 800)
    },
  ],
  ['opening a watch', async () => follow('10', [])],
  [
    'a watch',
    async () => {
      const stream = (await follow('10', [])).stream()
      stream.line({ type: 'ADDED', object: pod('a', '1') })
      await changes(1)
    },
  ],
])('a stop during %s ends it: no further request or delivery', async (_, reach) => {
  await reach()
  stop.abort('stopped')
  await informer.stopped
  told.length = 0
  await clock.advance(3_600_000)
  expect([server.waiting, told, clock.pending()]).toEqual([0, [], []])
})

test('a stop before the sync rejects `synced`', async () => {
  informer.start(stop.signal)
  stop.abort('stopped')
  await expect(informer.synced).rejects.toBe('stopped')
})
