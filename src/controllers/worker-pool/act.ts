/**
 * Carries out a plan: the Deployment, then its replicas. Idempotent; a plan that is already true costs no request.
 *
 * The template and the replicas belong to two field managers, so that applying the template never touches the replicas. A Deployment is
 * created whole by the manager of the replicas; the template's manager takes its part, and the other one lets go of it, in the two writes
 * that follow. Whichever of them is the last that happens, the replicas are those that were wanted.
 *
 * On a Deployment that a pool only scales, two marks go with the replicas. The label brings it into the operator's watch, which is of
 * labelled Deployments only; the annotation tells our number from one that people wrote. There is no finalizer, so the marks are taken
 * back when the operator sees that the pool is gone or has another target: at once while it runs, else at its next start, because the
 * marked Deployment is in its watch and names the pool. Without an operator they stay, and mean nothing to anybody else.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Deployment, deployments, poolEvent, type WantedEvent, type WorkerPool } from '../../api/index.ts'
import { annotations, labels as labelNames } from '../../contract/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Applied as Body, ApplyOptions, KubeClient } from '../../kube/index.ts'
import type { Plan } from './decide.ts'
import { type DeploymentApply, isMarkedFor } from './deployment.ts'
import { scaleEvent } from './events.ts'
import { type Applied, currentReplicas, type DeploymentState, type Refusal, type World } from './gather.ts'

export const fieldManagers = { template: 'taskmill-worker-pool', replicas: 'taskmill-replicas' } as const

export type ActDeps = {
  readonly client: KubeClient
  readonly signal: AbortSignal
  /** Called with what each write answered, also when a later one fails. */
  readonly onWritten: (deployment: Deployment) => void
}

export type Outcome =
  | { readonly kind: 'Done'; readonly events: readonly WantedEvent[]; readonly applied?: Applied }
  /** The API server refused the Deployment. */
  | { readonly kind: 'Refused'; readonly refusal: Refusal; readonly template: DeploymentApply | undefined }

/** `applied`: what was applied last. Throws what may go well the next time. */
export async function act(deps: ActDeps, plan: Plan, { pool, deployment }: World, applied: Applied | undefined): Promise<Outcome> {
  const scaled = plan.scale === undefined ? [] : [scaleEvent(plan.scale)]
  try {
    if (plan.deployment === undefined) {
      if (deployment.kind !== 'Owned' || pool.spec.targetRef === undefined) return { kind: 'Done', events: [] }
      await actOnTarget(deps, pool, plan, deployment.object)
      return { kind: 'Done', events: scaled }
    }
    const done = await actOnDeployment(deps, { ...plan, deployment: plan.deployment }, deployment, applied)
    const changed = done.did === undefined ? [] : [templateEvent(done.did, plan.deployment.metadata.name)]
    return { kind: 'Done', events: [...changed, ...scaled], applied: done.applied }
  } catch (error) {
    const isInvalid = hasCode(error, 'TM_KUBE_INVALID')
    // Only a template can be invalid for good; replicas that are refused as invalid are a mistake of ours.
    if (!hasCode(error, 'TM_KUBE_FORBIDDEN') && (plan.deployment === undefined || !isInvalid)) throw error
    const refusal: Refusal = { kind: isInvalid ? 'Invalid' : 'Forbidden', message: errorMessage(error) }
    return { kind: 'Refused', refusal, template: plan.deployment }
  }
}

function templateEvent(did: 'created' | 'updated', name: string): WantedEvent {
  return did === 'created'
    ? poolEvent('DeploymentCreated', `created Deployment "${name}"`)
    : poolEvent('DeploymentUpdated', `updated Deployment "${name}" to the pool's template`)
}

type DeploymentOutcome = {
  readonly applied: Applied
  /** What was done to the template, if anything. */
  readonly did?: 'created' | 'updated' | undefined
}

async function actOnDeployment(
  deps: ActDeps,
  plan: Pick<Plan, 'replicas' | 'scale'> & { readonly deployment: DeploymentApply },
  state: DeploymentState,
  applied: Applied | undefined,
): Promise<DeploymentOutcome> {
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
 * template's next apply, should this process be killed here. Not forced: if a user has created one of this name in the
 * same moment, the conflict is reported.
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

/** Writes nothing when nothing decides about the replicas, or when they are there already under our marks. */
async function actOnTarget(
  deps: ActDeps,
  pool: WorkerPool,
  { replicas, scale }: Pick<Plan, 'replicas' | 'scale'>,
  target: Deployment,
): Promise<void> {
  if (replicas === undefined || (scale === undefined && isMarkedFor(target, pool.metadata.name))) return
  await writeReplicas(deps, target, replicas, { [labelNames.pool]: pool.metadata.name })
}

/**
 * Removes the marks. The replicas stay what they are: a field that only we own would go with them, and the Deployment fall to 1 pod.
 * The write is against the version that was seen: another pool may be marking it now.
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

/**
 * Writes the replicas against the version that the decision saw. When only the status moved on in the meantime (pods come and go all
 * the time), the same write is repeated against the newest version; when a user or a controller wrote the spec, the conflict goes up and the pool is
 * decided anew. `labels` go with them on a Deployment whose template is not ours.
 */
async function writeReplicas(
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
