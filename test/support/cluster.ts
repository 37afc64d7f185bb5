/** The cluster of a test file: namespaces of its own in the control plane that all files share, or a control plane of its own. */
import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import {
  controlPlaneAccess,
  startControlPlane,
  type Cluster,
  type ControlPlane,
  type ControlPlaneOptions,
} from '../../hack/cluster/control-plane.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { connectCluster, installCrds, namespaces } from './cluster-client.ts'
import type { ClusterAccess } from './shared-cluster.ts'

export type TestCluster = AsyncDisposable &
  Cluster & {
    readonly client: KubeClient
    /** The name that a namespace of this file has: in the shared cluster with a few letters that no other file has. */
    nameOf(name: string): string
    /** Whether a namespace is this file's. */
    owns(namespace: string): boolean
    /** Creates the namespace `nameOf(name)` and resolves with that name. */
    createNamespace(name: string): Promise<string>
    /** Closes the client, and stops the control plane if it is the file's own. */
    close(): Promise<void>
  }

/** The control plane that all files share, with the CRDs. Operators watch only namespaces of the file that starts them. */
export async function openCluster(): Promise<TestCluster> {
  const response = await fetch(inject('clusterUrl'))
  if (!response.ok) throw new Error(`the shared control plane did not start: ${await response.text()}`)
  const access = (await response.json()) as ClusterAccess
  const client = await connectCluster(access.kubeconfig)
  const suffix = randomBytes(3).toString('hex')
  return testCluster(controlPlaneAccess(access), client, `-${suffix}`, () => client.close())
}

/** A control plane for this file alone, with the CRDs: for operators that watch all namespaces, and for servers that fail. */
export async function startOwnCluster(options: ControlPlaneOptions = {}): Promise<TestCluster & { readonly controlPlane: ControlPlane }> {
  const controlPlane = await startControlPlane(options)
  const client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  const close = async (): Promise<void> => {
    await client.close()
    await controlPlane.stop()
  }
  return { ...testCluster(controlPlane, client, '', close), controlPlane }
}

function testCluster(cluster: Cluster, client: KubeClient, suffix: string, close: TestCluster['close']): TestCluster {
  const { server, ca, cert, key, kubeconfig, podFolder, request, serviceAccountToken } = cluster
  return {
    ...{ server, ca, cert, key, kubeconfig, podFolder, request, serviceAccountToken },
    client,
    nameOf: (name) => `${name}${suffix}`,
    owns: (namespace) => namespace.endsWith(suffix),
    async createNamespace(name) {
      const own = `${name}${suffix}`
      await client.create(namespaces, { metadata: { name: own } }, { fieldManager: 'test' })
      return own
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
