/**
 * Carries out a plan: the Deployment, then its replicas. Idempotent; a plan that is already true costs no request.
 *
 * The template and the replicas belong to two field managers, so that applying the template never touches the replicas. A Deployment is
 * created whole by the manager of the replicas; the template's manager takes its part, and the other one lets go of it, in the two writes
 * that follow. Whichever of them is the last that happens, the replicas are those that were wanted.
 *
 * A template that the API server refuses stops nothing else: the replicas are written all the same, to the Deployment as it is.
 *
 * An entry of a list (a variable, a port, a volume) that the template declares belongs to the template. Fields of it that another manager has
 * added are taken over. If a template is right by itself and is refused only because of what others hold in the Deployment, that is taken over
 * too, as little as is enough. Should others write to the Deployment all the while, the next look takes over what this one could not.
 *
 * On a Deployment that a pool only scales, two marks go with the replicas. The label brings it into the operator's watch, which is of
 * labelled Deployments only; the annotation tells our number from one that people wrote. There is no finalizer, so the marks are taken
 * back when the operator sees that the pool is gone or has another target: at once while it runs, else at its next start, because the
 * marked Deployment is in its watch and names the pool. Without an operator they stay, and mean nothing to anybody else.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Deployment, deployments, poolEvent, type WantedEvent, type WorkerPool } from '../../api/index.ts'
import { annotations, labels as labelNames } from '../../contract/index.ts'
import { classifyRefusal, hasCode, type Refusal, type RefusalKind } from '../../errors/index.ts'
import type { Applied as Body, ApplyOptions, KubeClient } from '../../kube/index.ts'
import { type ManagedFieldsEntry, planTakeover, type Takeover } from '../../workloads/index.ts'
import type { Plan } from './decide.ts'
import { type DeploymentApply, isMarkedFor } from './deployment.ts'
import { scaleEvent, takeoverEvent } from './events.ts'
import type { Applied, World } from './gather.ts'

export const fieldManagers = { template: 'taskmill-worker-pool', replicas: 'taskmill-replicas' } as const

export type ActDeps = {
  readonly client: KubeClient
  readonly signal: AbortSignal
  /** Called with what each write answered, also when a later one fails. */
  readonly onWritten: (deployment: Deployment) => void
}

/** What was done, and what the API server refused of it. */
export type Outcome = {
  readonly events: readonly WantedEvent[]
  /** What was applied, if the template is now in the Deployment. */
  readonly applied?: Applied | undefined
  readonly scaled?: Plan['scale']
  readonly refusedTemplate?: Refusal | undefined
  readonly refusedReplicas?: Refusal | undefined
}

/** `applied`: what was applied last. Throws what may go well the next time. */
export async function act(deps: ActDeps, plan: Plan, { pool, deployment }: World, applied: Applied | undefined): Promise<Outcome> {
  if (plan.deployment !== undefined && deployment.kind !== 'Owned') return actOnMissing(deps, plan, plan.deployment)
  if (deployment.kind !== 'Owned') return { events: [] }
  if (pool.spec.targetRef !== undefined) return actOnReplicas(plan, () => actOnTarget(deps, pool, plan, deployment.object))
  const template = await actOnTemplate(deps, plan.deployment, deployment.object, applied)
  // The first look after a start finishes what a killed creation may have left out.
  const isToWrite = plan.scale !== undefined || (applied === undefined && template.applied !== undefined)
  if (plan.replicas === undefined || !isToWrite) return template
  const { replicas } = plan
  let scaled = template.deployment
  const outcome = await actOnReplicas(plan, async () => void (scaled = await writeReplicas(deps, template.deployment, replicas)))
  return {
    ...template,
    ...outcome,
    events: [...template.events, ...outcome.events],
    applied: template.applied && { ...template.applied, generation: scaled.metadata.generation ?? 0 },
  }
}

/** Carries out a change of replicas; what the API server says to it stops nothing else. */
async function actOnReplicas({ scale }: Pick<Plan, 'scale'>, write: () => Promise<void>): Promise<Outcome> {
  try {
    await write()
    return scale === undefined ? { events: [] } : { events: [scaleEvent(scale)], scaled: scale }
  } catch (error) {
    return { events: [], refusedReplicas: refusalIn(error) }
  }
}

/** The object, a policy, a quota, a role, or a part of the API server: writes of other fields may go well. */
const lastingKinds: ReadonlySet<RefusalKind> = new Set([
  'Invalid',
  'TooLarge',
  'Policy',
  'PolicyUnavailable',
  'Quota',
  'Permission',
  'Unavailable',
])

/** Throws what says nothing about what was written: a conflict, an API server that cannot be reached, a lost lease, a mistake of ours. */
function refusalIn(error: unknown): Refusal {
  const refusal = classifyRefusal(error)
  if (!refusal.isAnswer || !lastingKinds.has(refusal.kind)) throw error
  return refusal
}

async function actOnMissing(deps: ActDeps, { replicas = 0, scale }: Plan, wanted: DeploymentApply): Promise<Outcome> {
  const warnings = new Set<string>()
  const onWarning = (text: string) => void warnings.add(text)
  let created: Deployment
  try {
    created = await createDeployment(deps, wanted, replicas, onWarning)
  } catch (error) {
    return { events: [], refusedTemplate: refusalIn(error) }
  }
  const applying = await applyTemplate(deps, wanted, created, onWarning)
  const owned = await writeReplicas(deps, applying, replicas)
  const isNew = poolEvent('DeploymentCreated', `created Deployment "${wanted.metadata.name}"`)
  const events = [isNew, ...(scale === undefined ? [] : [scaleEvent(scale)])]
  return { events, scaled: scale, applied: remember(owned, wanted, [...warnings]) }
}

/** `wanted` undefined: the template is refused, and is not to be tried now. */
async function actOnTemplate(
  deps: ActDeps,
  wanted: DeploymentApply | undefined,
  object: Deployment,
  applied: Applied | undefined,
): Promise<Outcome & { readonly deployment: Deployment }> {
  if (wanted === undefined) return { events: [], deployment: object }
  const isCurrent =
    applied?.uid === object.metadata.uid &&
    isDeepStrictEqual(applied?.template, wanted) &&
    (object.metadata.generation ?? 0) <= (applied?.generation ?? -1)
  if (isCurrent) return { events: [], applied: remember(object, wanted, applied?.warnings ?? []), deployment: object }
  const warnings = new Set<string>()
  const applying: Applying = { wanted, current: object, onWarning: (text) => void warnings.add(text), takeovers: [] }
  const written = await applyOwnTemplate(deps, applying)
  const taken = applying.takeovers.flatMap(({ from }) => from.map(takeoverEvent))
  if (written.kind === 'Refused') return { events: taken, refusedTemplate: written.refusal, deployment: object }
  const { deployment } = written
  const isChanged = deployment.metadata.generation !== object.metadata.generation
  const changed = isChanged ? [poolEvent('DeploymentUpdated', `updated Deployment "${wanted.metadata.name}" to the pool's template`)] : []
  // Not remembered as applied: whoever was faster has changed the Deployment, which brings the next look.
  const done = written.kind === 'Contended' ? undefined : remember(deployment, wanted, [...warnings])
  return { events: [...taken, ...changed], applied: done, deployment }
}

/** `takeovers` collects what was taken from other managers on the way. */
type Applying = {
  readonly wanted: DeploymentApply
  readonly current: Deployment
  readonly onWarning: (text: string) => void
  readonly takeovers: Takeover[]
}
/** `Contended`: others wrote faster than their fields could be taken over; `deployment` is the newest that was seen. */
type Written =
  { readonly kind: 'Applied' | 'Contended'; readonly deployment: Deployment } | { readonly kind: 'Refused'; readonly refusal: Refusal }

/** Applies the template, and takes over what other managers hold in its way. */
async function applyOwnTemplate(deps: ActDeps, applying: Applying): Promise<Written> {
  const { wanted } = applying
  const written = await tryTemplate(deps, applying)
  if (written.kind === 'Refused') {
    const isMixture = written.refusal.kind === 'Invalid' && (await isRightByItself(deps, wanted))
    return isMixture ? await applyAfterTakeover(deps, applying, written.refusal) : written
  }
  const taken = await takeOver(deps, applying, written.deployment, 'Entries')
  if (taken === 'Taken') return tryTemplate(deps, applying)
  return taken === 'Contended' ? { kind: 'Contended', deployment: written.deployment } : written
}

/** From what stands in the way most often to everything: the first that is enough. */
async function applyAfterTakeover(deps: ActDeps, applying: Applying, refusal: Refusal): Promise<Written> {
  const { wanted, current } = applying
  let last = refusal
  for (const reach of ['Entries', 'Containers', 'All'] as const) {
    const live = await readAgain(deps, current)
    const taken = await takeOver(deps, applying, live, reach)
    if (taken === 'Nothing') continue
    if (taken === 'Contended') return { kind: 'Contended', deployment: live }
    if (taken === 'Refused') break
    const written = await tryTemplate(deps, applying)
    if (written.kind !== 'Refused' || written.refusal.kind !== 'Invalid') return written
    last = written.refusal
  }
  // The template is right, so the Deployment is not: an immutable field, or one outside of the template.
  const problems = last.problems.map(({ field, message }) => ({ ...(field === undefined ? {} : { field }), message }))
  const next = `delete Deployment "${wanted.metadata.name}", in which other writers have left what does not fit; the operator creates it again`
  return { kind: 'Refused', refusal: { ...last, kind: 'OwnedElsewhere', retry: 'Later', problems, next } }
}

async function tryTemplate(deps: ActDeps, { wanted, current, onWarning }: Applying): Promise<Written> {
  try {
    return { kind: 'Applied', deployment: await applyTemplate(deps, wanted, current, onWarning) }
  } catch (error) {
    return { kind: 'Refused', refusal: refusalIn(error) }
  }
}

/** A dry run under a name that no Deployment has, so that nobody else holds anything in it. */
async function isRightByItself({ client, signal }: ActDeps, wanted: DeploymentApply): Promise<boolean> {
  const body = { ...wanted, metadata: { ...wanted.metadata, name: `${wanted.metadata.name.slice(0, 240)}-trial` } }
  try {
    await client.apply(deployments, body, {
      fieldManager: fieldManagers.template,
      fieldValidation: 'Strict',
      dryRun: true,
      force: true,
      signal,
    })
    return true
  } catch (error) {
    return refusalIn(error).kind !== 'Invalid'
  }
}

function planEntries({ metadata }: Deployment, wanted: DeploymentApply, reach: Parameters<typeof planTakeover>[3]): Takeover | undefined {
  const owners = { applier: fieldManagers.template, others: [fieldManagers.replicas] }
  return planTakeover((metadata.managedFields ?? []) as readonly ManagedFieldsEntry[], owners, wanted.spec.template['spec'], reach)
}

/** Pods come and go, and each changes the Deployment: as often is what to take over decided anew within one look. */
const maxConflicts = 5

/**
 * Changes only who owns the fields, against the version that was seen; the next apply of the template removes what it does not declare.
 * `Refused`: the API server does not allow it, and everything stays as it is. `Contended`: each time others were faster.
 */
async function takeOver(
  deps: ActDeps,
  { wanted, takeovers }: Applying,
  seen: Deployment,
  reach: Parameters<typeof planTakeover>[3],
): Promise<'Taken' | 'Nothing' | 'Refused' | 'Contended'> {
  for (let live = seen, conflicts = 0; ; conflicts++) {
    const takeover = planEntries(live, wanted, reach)
    if (takeover === undefined) return 'Nothing'
    const { name, namespace, uid, resourceVersion } = live.metadata
    const body = { metadata: { name, namespace, uid, resourceVersion, managedFields: takeover.managedFields } }
    try {
      await deps.client.patch(deployments, body, { fieldManager: fieldManagers.template, signal: deps.signal })
      takeovers.push(takeover)
      return 'Taken'
    } catch (error) {
      if (!hasCode(error, 'TM_KUBE_CONFLICT')) {
        refusalIn(error)
        return 'Refused'
      }
      if (conflicts === maxConflicts) return 'Contended'
    }
    live = await readAgain(deps, live)
    if (live.metadata.uid !== uid) return 'Contended'
  }
}

function readAgain({ client, signal }: ActDeps, { metadata }: Deployment): Promise<Deployment> {
  return client.get(deployments, metadata.namespace, metadata.name, { signal })
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
    const newest = await readAgain(deps, current)
    const sameSpec = newest.metadata.uid === current.metadata.uid && newest.metadata.generation === current.metadata.generation
    const sameLabels = isDeepStrictEqual(newest.metadata.labels, current.metadata.labels)
    if (!sameSpec || !sameLabels) throw error
    return write(newest.metadata.resourceVersion)
  }
}

function remember(deployment: Deployment, template: DeploymentApply, warnings: readonly string[]): Applied {
  return { uid: deployment.metadata.uid ?? '', template, generation: deployment.metadata.generation ?? 0, warnings }
}
