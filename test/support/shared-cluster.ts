/**
 * One control plane for all test files of a run. It starts when the first file asks for it, so that runs of other tests do not wait for it,
 * and ends with the run. Test files reach it through `openCluster` (cluster.ts).
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import type { ControlPlane } from '../../hack/cluster/control-plane.ts'

/** What a test process needs to use the cluster; all of it can be sent as JSON. */
export type ClusterAccess = Pick<ControlPlane, 'server' | 'ca' | 'cert' | 'key' | 'kubeconfig' | 'podFolder'>

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- vitest's own interface is extended
  interface ProvidedContext {
    /** Answers with a ClusterAccess once the control plane serves the CRDs. */
    readonly clusterUrl: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let starting: Promise<ControlPlane> | undefined
  const door = createServer((_, response) => {
    starting ??= startWithCrds()
    starting.then(
      ({ server, ca, cert, key, kubeconfig, podFolder }) =>
        response.end(JSON.stringify({ server, ca, cert, key, kubeconfig, podFolder } satisfies ClusterAccess)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  project.provide('clusterUrl', `http://127.0.0.1:${(door.address() as AddressInfo).port}`)
  return async () => {
    door.closeAllConnections()
    door.close()
    await starting?.then((controlPlane) => controlPlane.stop()).catch(() => undefined)
  }
}

async function startWithCrds(): Promise<ControlPlane> {
  const [{ startControlPlane }, { connectCluster, installCrds }] = await Promise.all([
    import('../../hack/cluster/control-plane.ts'),
    import('./cluster-client.ts'),
  ])
  const controlPlane = await startControlPlane()
  const client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  await client.close()
  return controlPlane
}
