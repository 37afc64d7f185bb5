/** Where the local cluster comes from: one interface, three providers, one rule to choose. */
import type { Progress } from './progress.ts'

export type ClusterStatus =
  | { readonly state: 'up'; readonly detail: string }
  | { readonly state: 'down' }
  /** Something of it is there but it does not serve; `up` repairs it. */
  | { readonly state: 'broken'; readonly detail: string }

export type ClusterProvider = {
  readonly name: ProviderName
  /** Path of the kubeconfig; the file exists while the cluster is up. */
  readonly kubeconfig: string
  /** Path of the API server's audit log of the chart's namespace since the last `up`, where the provider keeps one. */
  readonly auditLog?: string
  /** Undefined when it can be used here, else what is missing. */
  unavailable(): Promise<string | undefined>
  /** Returns at once when it is up and healthy. */
  up(progress: Progress): Promise<void>
  status(): Promise<ClusterStatus>
  /** Leaves nothing behind; fine when nothing is up. */
  down(progress: Progress): Promise<void>
  /** Makes the image of an OCI archive known to the nodes as `name`; nothing happens when they have that very image. */
  loadImage(archive: string, name: string, progress: Progress): Promise<'loaded' | 'unchanged'>
}

export const providerNames = ['kind', 'native', 'existing'] as const
export type ProviderName = (typeof providerNames)[number]

/**
 * `CLUSTER` decides when set. Else kind where it can be used and native otherwise. A cluster that
 * a user already has is never taken unasked, since tests and the demo create and delete in it.
 */
export async function selectProvider(
  named: string | undefined,
  providers: Readonly<Record<ProviderName, ClusterProvider>>,
): Promise<ClusterProvider> {
  if (named !== undefined && named !== '') {
    const name = providerNames.find((candidate) => candidate === named)
    if (name === undefined) throw new Error(`CLUSTER=${named} is not one of ${providerNames.join(', ')}`)
    const reason = await providers[name].unavailable()
    if (reason !== undefined) throw new Error(`CLUSTER=${name} cannot be used here: ${reason}`)
    return providers[name]
  }
  const [noKind, noNative] = await Promise.all([providers.kind.unavailable(), providers.native.unavailable()])
  if (noKind === undefined) return providers.kind
  if (noNative === undefined) return providers.native
  throw new Error(
    `cannot create a local cluster.
  kind: ${noKind}
  native: ${noNative}
  or use a cluster of your own: CLUSTER=existing with KUBECONFIG`,
  )
}
