/**
 * The promise of the informer against a server that misbehaves in every way known, driven by seeds: fast-check prints the one that
 * failed. The server below keeps objects, versions and a history as the API server does, on real connections; time is a fake clock.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startScriptedServer, type Exchange } from '../../test/support/scripted-server.ts'
import type { KubeObject, Resource } from '../api/index.ts'
import { fakeClock } from '../clock/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createInformer, createKubeClient } from './index.ts'

const pods: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
const names = ['a', 'b', 'c', 'd', 'e', 'f']
const faults = [
  'stall',
  'reset',
  '410',
  '429',
  '500',
  '401',
  'html',
  'garbage',
  'half a line',
  'silent end',
  'in-band 410',
  'in-band 500',
] as const
type Fault = (typeof faults)[number]
type Stream = ReturnType<Exchange['stream']>
type Entry = { readonly version: number; readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }

/** As much of an API server as a reflector sees; `nextFault` decides how each request is answered, and each event sent. */
function createWorld(nextFault: () => Fault | undefined, offersStreams: boolean) {
  const objects = new Map<string, KubeObject>()
  const watchers = new Set<Stream>()
  const snapshots = new Map<number, readonly KubeObject[]>()
  let history: Entry[] = []
  let version = 1
  let oldest = 0

  const status = (code: number) => ({ kind: 'Status', code, reason: code === 410 ? 'Expired' : 'Test', message: `scripted ${code}` })
  const record = (type: Entry['type'], name: string, uid: string | undefined): void => {
    version++
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name, uid: uid ?? `uid-${version}`, resourceVersion: `${version}` },
    }
    if (type === 'DELETED') objects.delete(name)
    else objects.set(name, object)
    history.push({ version, type, object })
    for (const watcher of watchers) send(watcher, { type, object })
  }
  const spoil = (stream: Stream, fault: Fault): void => {
    watchers.delete(stream)
    switch (fault) {
      case 'stall':
        return
      case 'garbage':
        return stream.raw('\u0000<html>{"type":\n')
      case 'half a line':
        stream.raw('{"type":"ADDED","obj')
        return stream.end()
      case 'silent end':
        return stream.end()
      case 'in-band 410':
      case 'in-band 500':
        return stream.line({ type: 'ERROR', object: status(Number(fault.slice(-3))) })
      default:
        return stream.reset()
    }
  }
  const send = (stream: Stream, event: object): void => {
    const fault = nextFault()
    if (fault) spoil(stream, fault)
    else stream.line(event)
  }
  const refuse = (request: Exchange, fault: Fault): boolean => {
    if (fault === 'stall') return true
    if (fault === 'reset') request.reset()
    else if (fault === 'html') request.text(200, '<html>welcome</html>')
    else if (fault === '429') request.json(429, status(429), { 'retry-after': '3' })
    else if (fault === '410' || fault === '500' || fault === '401') request.json(Number(fault), status(Number(fault)))
    else return false
    return true
  }

  return {
    objects,
    change(name: string, kind: 'put' | 'delete' | 'replace'): void {
      const known = objects.get(name)
      if (kind !== 'put' && known) record('DELETED', name, known.metadata.uid)
      if (kind !== 'delete') record(known && kind === 'put' ? 'MODIFIED' : 'ADDED', name, kind === 'put' ? known?.metadata.uid : undefined)
    },
    compact(): void {
      oldest = version
      history = []
    },
    answer(request: Exchange): void {
      const fault = nextFault()
      if (fault && refuse(request, fault)) return
      const { watch, resourceVersion, sendInitialEvents, continue: token } = request.query
      const all = [...objects.values()]
      if (!watch) {
        if (token === undefined) snapshots.set(version, all)
        const [at = 0, snapshot = 0] = (token ?? `0/${version}`).split('/').map(Number)
        if (snapshot < oldest) return request.json(410, status(410))
        const items = snapshots.get(snapshot) ?? []
        const more = at + 2 < items.length ? { continue: `${at + 2}/${snapshot}` } : {}
        return request.json(200, { metadata: { resourceVersion: `${snapshot}`, ...more }, items: items.slice(at, at + 2) })
      }
      if (sendInitialEvents && !offersStreams) return request.json(422, status(422))
      if (!sendInitialEvents && Number(resourceVersion) < oldest) return request.json(410, status(410))
      const stream = request.stream()
      watchers.add(stream)
      void request.closed.then(() => watchers.delete(stream))
      const since = Number(resourceVersion)
      const lines = sendInitialEvents
        ? [
            ...all.map((object) => ({ type: 'ADDED', object })),
            {
              type: 'BOOKMARK',
              object: { metadata: { resourceVersion: `${version}`, annotations: { 'k8s.io/initial-events-end': 'true' } } },
            },
          ]
        : history.filter((entry) => entry.version > since).map(({ type, object }) => ({ type, object }))
      for (const line of lines) if (watchers.has(stream)) send(stream, line)
    },
  }
}

const anyStep = fc.record({
  act: fc.constantFrom('put', 'put', 'delete', 'replace', 'compact', 'wait'),
  name: fc.constantFrom(...names),
  afterMs: fc.constantFrom(0, 0, 1, 900, 5_000, 40_000),
})
const anyFaults = fc.array(fc.option(fc.constantFrom(...faults), { freq: 3 }), { maxLength: 60 })

const version = (object?: KubeObject) => object && `${object.metadata.uid} ${object.metadata.resourceVersion}`

/** How often time moves on by 5 s before the cache must be what the server has: more than half an hour. */
const patience = 400

test('whatever the server does, the cache converges, every change is delivered in order, and a stop ends it', async () => {
  const run = async (
    steps: readonly { act: string; name: string; afterMs: number }[],
    script: readonly (Fault | null)[],
    offersStreams: boolean,
    stopAt: number,
  ) => {
    await using server = await startScriptedServer()
    const clock = fakeClock()
    const client = createKubeClient({ server: server.url, clock })
    const left = [...script]
    const world = createWorld(() => left.shift() ?? undefined, offersStreams)
    const stop = new AbortController()
    const informer = createInformer({ client, resource: pods, clock, log: silentLogger, rng: Math.random })
    const mirror = new Map<string, KubeObject>()
    let stopped = false
    const wrong: string[] = []
    informer.onChange((key, current, previous) => {
      const another = current && previous && current.metadata.uid !== previous.metadata.uid
      if (stopped || another || version(mirror.get(key)) !== version(previous))
        wrong.push(`${key} told out of order, as another object, or after the end`)
      if (current) mirror.set(key, current)
      else mirror.delete(key)
    })
    const serve = async (): Promise<never> => {
      for (;;) world.answer(await server.next())
    }
    void serve()

    informer.start(stop.signal)
    for (const [index, { act, name, afterMs }] of steps.entries()) {
      if (index === stopAt) stop.abort('stopped')
      if (act === 'compact') world.compact()
      else if (act === 'put' || act === 'delete' || act === 'replace') world.change(name, act)
      await clock.advance(afterMs)
    }
    const shown = (objects: Iterable<KubeObject>): string[] =>
      [...objects].map((object) => `${object.metadata.name} ${version(object)}`).toSorted()
    const agreed = (): boolean =>
      [informer.list(), mirror.values()].every((known) => String(shown(known)) === String(shown(world.objects.values())))
    if (!stop.signal.aborted) {
      for (let round = 0; round < patience && !agreed(); round++) await clock.advance(5_000)
      expect(shown(informer.list())).toEqual(shown(world.objects.values()))
      expect(shown(mirror.values())).toEqual(shown(world.objects.values()))
    }
    stop.abort('stopped')
    await informer.stopped
    stopped = true
    world.change('a', 'replace')
    await clock.advance(3_600_000)
    expect([wrong, clock.pending()]).toEqual([[], []])
    await client.close()
  }
  await fc.assert(fc.asyncProperty(fc.array(anyStep, { maxLength: 30 }), anyFaults, fc.boolean(), fc.nat({ max: 60 }), run), {
    numRuns: 100,
  })
})
