import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startScriptedServer, type Exchange, type ScriptedServer } from '../../test/support/scripted-server.ts'
import type { KubeObject, Resource } from '../api/index.ts'
import { fakeClock, type FakeClock } from '../clock/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createInformer, createKubeClient, type Informer, type KubeClient } from './index.ts'

const pods: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
const pod = (name: string, resourceVersion: string, uid = `uid-${name}`) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, uid, resourceVersion },
})
const page = (resourceVersion: string, items: object[], more?: string) => ({
  metadata: { resourceVersion, ...(more ? { continue: more } : {}) },
  items,
})
const bookmark = (resourceVersion: string, initial?: 'last') => ({
  type: 'BOOKMARK',
  object: {
    kind: 'Pod',
    metadata: { resourceVersion, ...(initial ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}) },
  },
})
const added = (object: object) => ({ type: 'ADDED', object })
const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }
const streamQuery = {
  watch: 'true',
  allowWatchBookmarks: 'true',
  sendInitialEvents: 'true',
  resourceVersionMatch: 'NotOlderThan',
  timeoutSeconds: '300',
}

let server: ScriptedServer
let clock: FakeClock
let client: KubeClient
let informer: Informer<KubeObject, 'byFirstLetter'>
let stop: AbortController
let told: string[]
let missed: number[]

const names = () => informer.list().map(({ metadata }) => metadata.name)

function create(streamLists = true): void {
  informer = createInformer({
    client,
    resource: pods,
    clock,
    log: silentLogger,
    rng: () => 1,
    streamLists,
    indexes: { byFirstLetter: ({ metadata }) => [metadata.name.slice(0, 1), metadata.uid ?? ''] },
    onRelist: (relist) => missed.push(relist.missed),
  })
  informer.onChange((_, current, previous) => {
    told.push(`${previous?.metadata.name ?? '-'} > ${current?.metadata.name ?? '-'}`)
  })
}

beforeEach(async () => {
  server = await startScriptedServer()
  clock = fakeClock()
  client = createKubeClient({ server: server.url, clock })
  stop = new AbortController()
  told = []
  missed = []
  create()
})

afterEach(async () => {
  stop.abort('end of test')
  await informer.stopped
  await client.close()
  await server[Symbol.asyncDispose]()
  expect(clock.pending()).toEqual([])
})

const afterPause = async (fullMs: number): Promise<void> => {
  await clock.timerSet(fullMs, fullMs)
  await clock.advance(fullMs)
}
const begin = (): Promise<Exchange> => {
  informer.start(stop.signal)
  return server.next()
}

test('of an object everything is kept but managed fields and the copy that kubectl apply leaves', async () => {
  const request = await begin()
  const stream = request.stream()
  const copy = { 'kubectl.kubernetes.io/last-applied-configuration': '{"kind":"Pod"}' }
  const manifest = (name: string, annotations?: object) => {
    const { metadata, ...rest } = pod(name, '1')
    return { ...rest, metadata: { ...metadata, managedFields: [{}], ...(annotations && { annotations }) }, spec: { x: 1 } }
  }
  for (const object of [manifest('a'), manifest('b', copy), manifest('c', { ...copy, team: 'mail' })]) stream.line(added(object))
  stream.line(bookmark('2', 'last'))
  await informer.synced
  const kept = (name: string, annotations?: object) => {
    const { metadata, ...rest } = pod(name, '1')
    return { ...rest, metadata: { ...metadata, ...(annotations && { annotations }) }, spec: { x: 1 } }
  }
  expect(informer.list()).toEqual([kept('a'), kept('b', {}), kept('c', { team: 'mail' })])
})

test('a text that many objects have is in memory once', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const usedBytes = (): number => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const [count, length] = [4_000, 250]
  const messages = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(length))
  const before = usedBytes()
  const request = await begin()
  const stream = request.stream()
  for (let index = 0; index < count; index++) stream.line(added({ ...pod(`pod-${index}`, `${index + 1}`), status: { messages } }))
  stream.line(bookmark(`${count}`, 'last'))
  await informer.synced
  // All that an object has of its own is less than half of its messages.
  expect(informer.list()).toHaveLength(count)
  expect((usedBytes() - before) / count).toBeLessThan(messages.length * length)
})

describe('a streamed list', () => {
  test('ends with its bookmark, and the same stream continues as the watch', async () => {
    const request = await begin()
    expect(request.query).toEqual(streamQuery)
    const stream = request.stream()
    stream.line(added(pod('a', '1')))
    stream.line(added(pod('b', '2')))
    stream.line({ type: 'DELETED', object: pod('a', '3') })
    stream.line({ type: 'MODIFIED', object: pod('b', '4') })
    stream.line(bookmark('5'))
    const first = client.raw('/version')
    ;(await server.next()).text(200, '')
    await first
    // Nothing shows before everything is there.
    expect([names(), told]).toEqual([[], []])
    stream.line(bookmark('6', 'last'))
    await informer.synced
    expect([names(), told]).toEqual([['b'], ['- > b']])
    stream.line(added(pod('c', '7')))
    stream.line(bookmark('8'))
    stream.end()
    const next = await server.next()
    expect(next.query).toEqual({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '8', timeoutSeconds: '300' })
    expect([names(), missed, server.waiting]).toEqual([['b', 'c'], [], 0])
  })

  test.each([400, 405, 422])('that is refused with %i is never requested again: pages follow at once', async (code) => {
    ;(await begin()).json(code, { kind: 'Status', code, message: 'sendInitialEvents is forbidden for watch' })
    const list = await server.next()
    expect(list.query).toEqual({ limit: '250' })
    list.json(200, page('10', [pod('a', '1')]))
    await informer.synced
    ;(await server.next()).json(410, expired)
    await afterPause(800)
    expect((await server.next()).query).toEqual({ limit: '250' })
  })

  test.each<[string, (request: Exchange) => void]>([
    ['breaks', (request) => request.stream().reset()],
    ['is answered with an error', (request) => request.json(500, { kind: 'Status', code: 500, message: 'etcd' })],
    [
      'ends before its bookmark',
      (request) => {
        const stream = request.stream()
        stream.line(added(pod('half', '1')))
        stream.end()
      },
    ],
  ])('that %s is followed by a list in pages; the next list is streamed again', async (_, fail) => {
    fail(await begin())
    await afterPause(800)
    const list = await server.next()
    expect(list.query).toEqual({ limit: '250' })
    list.json(200, page('10', [pod('a', '1')]))
    await informer.synced
    expect(names()).toEqual(['a'])
    ;(await server.next()).json(410, expired)
    await afterPause(1_600)
    expect((await server.next()).query).toEqual(streamQuery)
  })

  test('that falls silent (a server that does not know the option) fails after 30 s', async () => {
    const request = await begin()
    const stream = request.stream()
    await clock.timerSet(30_000, 30_000)
    await clock.advance(20_000)
    stream.line(added(pod('a', '1')))
    // A watch that delivers changes does not time out.
    await clock.timerSet(30_000, 30_000)
    await clock.advance(30_000)
    await request.closed
    await afterPause(800)
    expect((await server.next()).query).toEqual({ limit: '250' })
  })

  test('replaces the cache as a whole and counts the changes that no watch had delivered', async () => {
    const stream = (await begin()).stream()
    for (const name of ['a', 'b', 'c']) stream.line(added(pod(name, '1')))
    stream.line(bookmark('5', 'last'))
    await informer.synced
    told.length = 0
    stream.line({ type: 'ERROR', object: expired })
    await afterPause(800)
    const again = (await server.next()).stream()
    again.line(added(pod('a', '1')))
    again.line(added(pod('b', '70')))
    again.line(added(pod('d', '71')))
    await clock.timerSet(30_000, 30_000)
    expect([names(), told]).toEqual([['a', 'b', 'c'], []])
    again.line(bookmark('90', 'last'))
    again.end()
    expect((await server.next()).query['resourceVersion']).toBe('90')
    expect([names(), told, missed]).toEqual([['a', 'b', 'd'], ['c > -', 'b > b', '- > d'], [3]])
  })
})

test('an index follows every change', async () => {
  const under = (value: string) =>
    informer.byIndex('byFirstLetter', value).map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
  const stream = (await begin()).stream()
  stream.line(added(pod('mail', '1')))
  stream.line(added(pod('media', '2')))
  stream.line(bookmark('5', 'last'))
  await informer.synced
  expect([under('m'), under('x')]).toEqual([['mail@1', 'media@2'], []])
  stream.line({ type: 'MODIFIED', object: pod('mail', '6', 'another') })
  stream.line({ type: 'DELETED', object: pod('media', '7') })
  stream.line(added(pod('news', '8')))
  stream.line({ type: 'ERROR', object: expired })
  await afterPause(800)
  expect([under('m'), under('n'), under('another'), under('uid-mail'), under('uid-media')]).toEqual([
    ['mail@6'],
    ['news@8'],
    ['mail@6'],
    [],
    [],
  ])
  const again = (await server.next()).stream()
  again.line(added(pod('mail', '9', 'another')))
  again.line(bookmark('10', 'last'))
  again.end()
  await server.next()
  expect([under('m'), under('n'), under('another')]).toEqual([['mail@9'], [], ['mail@9']])
})

test('repeated 410 answers lead to lists at growing distances, and to the current state', async () => {
  ;(await begin()).json(422, {})
  for (let round = 0; round < 12; round++) {
    ;(await server.next()).json(200, page(`${round}0`, [pod('a', `${round}`)]))
    await server.next().then((watch) => watch.json(410, expired))
    await afterPause(Math.min(800 * 2 ** round, 30_000))
  }
  ;(await server.next()).json(200, page('999', [pod('a', '998')]))
  expect((await server.next()).query['resourceVersion']).toBe('999')
  expect(informer.get('shop/a')?.metadata.resourceVersion).toBe('998')
})

test('10,000 objects: 40 pages, with other work in between', async () => {
  create(false)
  let turns = 0
  let turning = true
  const turn = (): void => {
    turns++
    if (turning) setImmediate(turn)
  }
  turn()
  const parse = vi.spyOn(JSON, 'parse')
  const pageTurns: number[] = []
  const changesPerTurn = new Map<number, number>()
  informer.onChange(() => void changesPerTurn.set(turns, (changesPerTurn.get(turns) ?? 0) + 1))
  informer.start(stop.signal)
  for (let at = 0; at < 10_000; at += 250) {
    const request = await server.next()
    expect(request.query).toEqual({ limit: '250', ...(at === 0 ? {} : { continue: `${at}` }) })
    pageTurns.push(turns)
    const items = Array.from({ length: 250 }, (_, n) => pod(`p-${at + n}`, `${at + n}`))
    request.json(200, page('5', items, at + 250 < 10_000 ? `${at + 250}` : undefined))
  }
  await informer.synced
  turning = false
  expect(parse.mock.calls.filter(([text]) => text.includes('"items"'))).toHaveLength(40)
  parse.mockRestore()
  expect(informer.list()).toHaveLength(10_000)
  expect(new Set(pageTurns).size).toBe(40)
  expect([...changesPerTurn.values()]).toEqual(Array.from({ length: 20 }, () => 500))
})

test('a waiting reflector retries as soon as any request reaches the server', async () => {
  const stream = (await begin()).stream()
  stream.line(bookmark('5', 'last'))
  await informer.synced
  stream.reset()
  // The server does not listen for a while: the pauses have grown to their longest.
  for (const pauseMs of [800, 1_600, 3_200, 6_400, 12_800, 25_600]) {
    await afterPause(pauseMs)
    ;(await server.next()).reset()
  }
  await clock.timerSet(30_000, 30_000)
  const renewal = client.raw('/version')
  ;(await server.next()).text(200, 'v1')
  await renewal
  expect((await server.next()).query).toMatchObject({ watch: 'true', resourceVersion: '5' })
})

test('after a refusal the whole pause is kept, even if a request reaches the server', async () => {
  ;(await begin()).json(500, {})
  await clock.timerSet(800, 800)
  const lost = client.raw('/version').catch(() => 'lost')
  ;(await server.next()).reset()
  await lost
  const renewal = client.raw('/version')
  ;(await server.next()).text(200, 'v1')
  await renewal
  await clock.advance(799)
  expect(server.waiting).toBe(0)
  await clock.advance(1)
  await server.next()
})
