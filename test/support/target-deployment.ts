/** A Deployment as people have it before there is a pool for it. */
import { deployments, type Deployment } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'

export function createTarget(client: KubeClient, namespace: string, name: string, replicas: number): Promise<Deployment> {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'x', image: 'localhost/x:1' }] } }
  return client.create(
    deployments,
    { metadata: { namespace, name }, spec: { replicas, selector: { matchLabels: labels }, template } },
    { fieldManager: 'test' },
  )
}
