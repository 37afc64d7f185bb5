/**
 * What is written to a Deployment that a pool only scales: its replicas, and two marks that go with them. The label brings it into the
 * operator's watch, which is of labelled Deployments only; the annotation tells our number from one that people wrote.
 *
 * There is no finalizer, so the marks are taken back when the operator sees that the pool is gone or has another target: at once while it
 * runs, else at its next start, because the marked Deployment is in its watch and names the pool. Without an operator they stay, and
 * mean nothing to anybody else.
 */
import { deployments, type Deployment, type WorkerPool } from '../../api/index.ts'
import { labels } from '../../contract/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { fieldManagers, writeReplicas, type ActDeps } from './act.ts'
import type { Plan } from './decide.ts'
import { isMarkedFor } from './ownership.ts'

/** Nothing to write when the replicas are nobody's to write, or are there already under our marks. */
export async function actOnTarget(
  deps: ActDeps,
  pool: WorkerPool,
  { replicas, scale }: Pick<Plan, 'replicas' | 'scale'>,
  target: Deployment,
): Promise<void> {
  if (replicas === undefined || (scale === undefined && isMarkedFor(target, pool.metadata.name))) return
  await writeReplicas(deps, target, replicas, { [labels.pool]: pool.metadata.name })
}

/**
 * Takes the marks back. The replicas stay what they are: a field that only we own would go with them, and the Deployment fall to 1 pod.
 * Against the version that was seen: somebody else may be marking it now.
 */
export async function releaseTarget(client: KubeClient, { metadata, spec }: Deployment, signal: AbortSignal): Promise<void> {
  const { name, namespace, uid, resourceVersion } = metadata
  const body = { metadata: { name, namespace, uid, resourceVersion }, spec: { replicas: spec.replicas } }
  try {
    await client.apply(deployments, body, { fieldManager: fieldManagers.replicas, force: true, signal })
  } catch (error) {
    // Deleted as well.
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
  }
}
