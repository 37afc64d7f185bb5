/**
 * Carries out a plan: the Deployment, then its replicas. Idempotent; a plan that is already true costs no request.
 *
 * The template and the replicas belong to two field managers, so that applying the template never touches the replicas. A Deployment is
 * created whole by the manager of the replicas; the template's manager takes its part, and the other one lets go of it, in the two writes
 * that follow. Whichever of them is the last that happens, the replicas are those that were wanted.
 */
import { isDeepStrictEqual } from 'node:util'
import { deployments, type Deployment } from '../../api/index.ts'
import { annotations } from '../../contract/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { Applied as Body, ApplyOptions, KubeClient } from '../../kube/index.ts'
import type { DeploymentApply } from './deployment.ts'
import type { Plan } from './decide.ts'
import { currentReplicas, type DeploymentState } from './world.ts'

export const fieldManagers = { template: 'taskmill-worker-pool', replicas: 'taskmill-replicas' } as const

/** What was applied last to a Deployment; a newer generation means that somebody else changed it since. */
export type Applied = {
  readonly uid: string
  readonly template: DeploymentApply
  readonly generation: number
  /** What the API server warned of when it took the template. */
  readonly warnings: readonly string[]
}

export type ActDeps = {
  readonly client: KubeClient
  readonly signal: AbortSignal
  /** Called with what each write answered, also when a later one fails. */
  readonly onWritten: (deployment: Deployment) => void
}

export type Outcome = {
  readonly applied: Applied
  /** What was done to the template, if anything. */
  readonly did?: 'created' | 'updated' | undefined
}

export async function actOnDeployment(
  deps: ActDeps,
  plan: Pick<Plan, 'replicas' | 'scale'> & { readonly deployment: DeploymentApply },
  state: DeploymentState,
  applied: Applied | undefined,
): Promise<Outcome> {
  const wanted = plan.deployment
  const replicas = plan.replicas ?? currentReplicas(state)
  const warnings = new Set<string>()
  const onWarning = (text: string) => void warnings.add(text)
  if (state.kind !== 'Owned') {
    const created = await applyTemplate(deps, wanted, await createDeployment(deps, wanted, replicas, onWarning), onWarning)
    const owned = await writeReplicas(deps, created, replicas)
    return { applied: remember(owned, wanted, [...warnings]), did: 'created' }
  }
  const isCurrent =
    applied?.uid === state.object.metadata.uid &&
    isDeepStrictEqual(applied?.template, wanted) &&
    (state.object.metadata.generation ?? 0) <= (applied?.generation ?? -1)
  const applying = isCurrent ? state.object : await applyTemplate(deps, wanted, state.object, onWarning)
  const changed = !isCurrent && applying.metadata.generation !== state.object.metadata.generation
  // The first look after a start finishes what a killed creation may have left out.
  const isToWrite = plan.replicas !== undefined && (plan.scale !== undefined || applied === undefined)
  const scaled = isToWrite ? await writeReplicas(deps, applying, replicas) : applying
  const remembered = remember(scaled, wanted, isCurrent ? (applied?.warnings ?? []) : [...warnings])
  return { applied: remembered, did: changed ? 'updated' : undefined }
}

/**
 * By the manager of the replicas: a field that only the template's manager owned would go, and the replicas fall back to 1, with the
 * template's next apply, should this process be killed here. Not forced: should somebody else have created one of this name in the
 * same moment, the conflict is ours to see.
 */
function createDeployment(
  deps: ActDeps,
  wanted: DeploymentApply,
  replicas: number,
  onWarning: (text: string) => void,
): Promise<Deployment> {
  const body = {
    ...wanted,
    metadata: { ...wanted.metadata, annotations: { [annotations.writtenReplicas]: String(replicas) } },
    spec: { ...wanted.spec, replicas },
  }
  return apply(deps, body, { fieldManager: fieldManagers.replicas, fieldValidation: 'Strict', onWarning })
}

function applyTemplate(
  deps: ActDeps,
  wanted: DeploymentApply,
  current: Deployment,
  onWarning: (text: string) => void,
): Promise<Deployment> {
  const body = { ...wanted, metadata: { ...wanted.metadata, uid: current.metadata.uid } }
  return apply(deps, body, { fieldManager: fieldManagers.template, force: true, fieldValidation: 'Strict', onWarning })
}

async function apply({ client, signal, onWritten }: ActDeps, body: Body<Deployment>, options: ApplyOptions): Promise<Deployment> {
  const written = await client.apply(deployments, body, { ...options, signal })
  onWritten(written)
  return written
}

/**
 * Writes the replicas against the version that the decision saw. When only the status moved on in the meantime (pods come and go all
 * the time), the same write is repeated against the newest version; when somebody wrote the spec, the conflict goes up and the pool is
 * decided anew. `labels` go with them on a Deployment whose template is not ours.
 */
export async function writeReplicas(
  deps: ActDeps,
  current: Deployment,
  replicas: number,
  labels?: Readonly<Record<string, string>>,
): Promise<Deployment> {
  const { client, signal } = deps
  const write = (resourceVersion: string | undefined): Promise<Deployment> => {
    const { name, namespace, uid } = current.metadata
    const marks = { ...(labels === undefined ? {} : { labels }), annotations: { [annotations.writtenReplicas]: String(replicas) } }
    const body = { metadata: { name, namespace, uid, resourceVersion, ...marks }, spec: { replicas } }
    return apply(deps, body, { fieldManager: fieldManagers.replicas, force: true })
  }
  try {
    return await write(current.metadata.resourceVersion)
  } catch (error) {
    if (!hasCode(error, 'TM_KUBE_CONFLICT')) throw error
    const newest = await client.get(deployments, current.metadata.namespace, current.metadata.name, { signal })
    const sameSpec = newest.metadata.uid === current.metadata.uid && newest.metadata.generation === current.metadata.generation
    const sameLabels = isDeepStrictEqual(newest.metadata.labels, current.metadata.labels)
    if (!sameSpec || !sameLabels) throw error
    return write(newest.metadata.resourceVersion)
  }
}

function remember(deployment: Deployment, template: DeploymentApply, warnings: readonly string[]): Applied {
  return { uid: deployment.metadata.uid ?? '', template, generation: deployment.metadata.generation ?? 0, warnings }
}
