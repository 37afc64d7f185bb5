import { describe, expect, test } from 'vitest'
import { selectProvider } from '../../hack/cluster/provider.ts'
import type { ClusterProvider, ProviderName } from '../../hack/cluster/provider.ts'

function provider(name: ProviderName, reason?: string): ClusterProvider {
  return {
    name,
    kubeconfig: '',
    unavailable: () => Promise.resolve(reason),
    up: () => Promise.resolve(),
    down: () => Promise.resolve(),
    status: () => Promise.resolve({ state: 'down' }),
    loadImage: () => Promise.resolve('unchanged'),
  }
}

function providers(reasons: Partial<Record<ProviderName, string>>): Record<ProviderName, ClusterProvider> {
  return {
    kind: provider('kind', reasons.kind),
    native: provider('native', reasons.native),
    existing: provider('existing', reasons.existing),
  }
}

describe('selectProvider', () => {
  test.each<[string, string | undefined, Partial<Record<ProviderName, string>>, ProviderName]>([
    ['kind where it can be used', undefined, {}, 'kind'],
    ['native where kind cannot', undefined, { kind: 'no Docker' }, 'native'],
    ['an empty name is no name', '', { kind: 'no Docker' }, 'native'],
    ['native when named', 'native', {}, 'native'],
    ['a cluster of your own when named', 'existing', {}, 'existing'],
  ])('%s', async (_case, named, reasons, expected) => {
    expect((await selectProvider(named, providers(reasons))).name).toBe(expected)
  })

  test.each<[string, string | undefined, Partial<Record<ProviderName, string>>, RegExp]>([
    ['a named one that cannot be used is never replaced', 'kind', { kind: 'no Docker' }, /no Docker/],
    ['an unknown name', 'minikube', {}, /not one of kind, native, existing/],
    [
      'a cluster of your own is never taken unasked',
      undefined,
      { kind: 'no Docker', native: 'not Linux' },
      /no Docker[\s\S]*not Linux[\s\S]*CLUSTER=existing/,
    ],
  ])('%s', async (_case, named, reasons, message) => {
    await expect(selectProvider(named, providers(reasons))).rejects.toThrow(message)
  })
})
