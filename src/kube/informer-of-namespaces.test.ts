import { expect, test } from 'vitest'
import type { KubeObject, Resource } from '../api/index.ts'
import { fakeClock, sleep } from '../clock/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createInformerOfNamespaces, type KubeClient } from './index.ts'

const pods: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }

const setup = (namespaces: readonly string[]) => {
  const clock = fakeClock()
  const asked: (string | undefined)[] = []
  const client: Pick<KubeClient, 'list' | 'watch' | 'onReachable'> = {
    async list(_, { namespace } = {}) {
      asked.push(namespace)
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: namespace ?? 'any', name: 'a', uid: 'u', resourceVersion: '1' },
      }
      return { items: [object as never], resourceVersion: '1' }
    },
    async *watch(_, { signal }) {
      yield* []
      await sleep(clock, 3_600_000, signal)
    },
    onReachable: () => () => {},
  }
  const informer = createInformerOfNamespaces({
    client,
    resource: pods,
    namespaces,
    clock,
    log: silentLogger,
    rng: () => 0,
    streamLists: false,
    indexes: { byName: ({ metadata }) => [metadata.name] },
  })
  const told: string[] = []
  informer.onChange((key) => void told.push(key))
  return { informer, told, asked, stop: new AbortController() }
}

test('several namespaces act as one cache', async () => {
  const { informer, told, asked, stop } = setup(['shop', 'bank'])
  informer.start(stop.signal)
  await informer.synced
  expect([asked, told]).toEqual([
    ['shop', 'bank'],
    ['shop/a', 'bank/a'],
  ])
  expect(informer.get('bank/a')?.metadata.namespace).toBe('bank')
  expect(informer.byIndex('byName', 'a').map(({ metadata }) => metadata.namespace)).toEqual(['shop', 'bank'])
  expect([informer.get('other/a'), informer.list().length, informer.list('shop').length, informer.list('other').length]).toEqual([
    undefined,
    2,
    1,
    0,
  ])
  stop.abort()
  await informer.stopped
})

test('no namespace means all of them', async () => {
  const { informer, asked, stop } = setup([])
  informer.start(stop.signal)
  await informer.synced
  expect([asked, informer.list().length]).toEqual([[undefined], 1])
  stop.abort()
  await informer.stopped
})

test('a stop before the sync causes no unhandled rejection', async () => {
  const { informer, stop } = setup(['shop', 'bank'])
  stop.abort('stopped')
  informer.start(stop.signal)
  await informer.stopped
})
