/** Chooses the provider of this machine: see `provider.ts` for the rule. */
import { createExistingProvider } from './existing.ts'
import { createKindProvider } from './kind.ts'
import { createNativeProvider } from './native/provider.ts'
import { selectProvider } from './provider.ts'
import type { ClusterProvider } from './provider.ts'

export function openCluster(env: NodeJS.ProcessEnv = process.env): Promise<ClusterProvider> {
  return selectProvider(env['CLUSTER'], {
    kind: createKindProvider(env),
    native: createNativeProvider(env),
    existing: createExistingProvider(env),
  })
}
