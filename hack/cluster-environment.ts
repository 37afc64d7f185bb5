import { dirname } from 'node:path'
import { openCluster } from './cluster/open-cluster.ts'
import { createProgress } from './cluster/progress.ts'
import { ensureTools } from './cluster/tools.ts'

export type ClusterEnvironment = { readonly kubeconfig: string; readonly auditLog?: string | undefined; readonly env: NodeJS.ProcessEnv }

/** What helm and kubectl need to reach the local cluster; throws with what to do when it is not up. */
export async function clusterEnvironment(): Promise<ClusterEnvironment> {
  const [cluster, tools] = await Promise.all([openCluster(), ensureTools(createProgress())])
  const status = await cluster.status()
  if (status.state !== 'up') throw new Error(`the cluster (${cluster.name}) is ${status.state}. Next: make cluster-up`)
  const path = [dirname(tools.helm), dirname(tools.kubectl), process.env['PATH']].join(':')
  const { kubeconfig, auditLog } = cluster
  return { kubeconfig, auditLog, env: { ...process.env, KUBECONFIG: kubeconfig, PATH: path } }
}
