/** The objects that have an override: how people name them, and what is written to them. */
import {
  overrideAt,
  taskQueue,
  taskQueues,
  taskSchedule,
  taskSchedules,
  workerPool,
  workerPools,
  type KubeObject,
  type Override,
  type Resource,
  type TaskQueue,
  type TaskSchedule,
  type WorkerPool,
} from '../api/index.ts'
import { hasCode } from '../errors/index.ts'
import type { Applied, KubeClient } from '../kube/index.ts'
import { CommandError, usageError } from './command-error.ts'

export type Overridable = WorkerPool | TaskSchedule | TaskQueue
export type Reference = { readonly kind: Overridable['kind']; readonly name: string; readonly shown: string }

const fieldManager = 'taskmill-cli'
const overridable = [
  { kind: workerPool, resource: workerPools },
  { kind: taskSchedule, resource: taskSchedules },
  { kind: taskQueue, resource: taskQueues },
] as const

/** `wp/email`, `workerpool/email`, `TaskSchedule/backup`. */
export function parseReference(
  text: string | undefined,
  allowed: readonly string[] = ['WorkerPool', 'TaskSchedule', 'TaskQueue'],
): Reference {
  const known = overridable.map(({ kind }) => kind).filter(({ kind }) => allowed.includes(kind))
  const examples = known.map(({ shortNames }) => `${shortNames[0]}/NAME`).join(' or ')
  const [kindName = '', name = '', ...more] = (text ?? '').split('/')
  if (text === undefined) throw usageError(`say which one: ${examples}`)
  if (name === '' || more.length > 0) throw usageError(`"${text}" is no object: write ${examples}`)
  const asked = kindName.toLowerCase()
  const found = known.find(({ kind, singular, plural, shortNames }) =>
    [kind.toLowerCase(), singular, plural, ...shortNames].includes(asked),
  )
  if (found === undefined) throw usageError(`"${kindName}" is not possible here: write ${examples}`)
  return { kind: found.kind, name, shown: `${found.shortNames[0]}/${name}` }
}

export async function readObject(client: KubeClient, namespace: string, { kind, name }: Reference): Promise<Overridable> {
  try {
    return await client.get<Overridable>(resourceOf(kind), namespace, name)
  } catch (error) {
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
    const plural = resourceOf(kind).plural
    throw new CommandError(`there is no ${kind} "${name}" in namespace "${namespace}". Look: kubectl get ${plural} -n ${namespace}`)
  }
}

/** What has an effect now. */
export function activeOverride({ spec }: Overridable, nowMs: number): Override | undefined {
  return overrideAt<Override>(spec.override, nowMs)?.override
}

/** Writes it in the place of the one that is there. To this very object: one that was deleted meanwhile is not made anew. */
export async function writeOverride(
  client: KubeClient,
  object: Overridable,
  override: object,
  onWarning: (text: string) => void,
): Promise<void> {
  const { name, namespace, uid } = object.metadata
  const body = { metadata: { name, namespace, uid }, spec: { override } } as unknown as Applied<KubeObject>
  await client.apply(resourceOf(object.kind), body, { fieldManager, force: true, fieldValidation: 'Strict', onWarning })
}

/** Takes it away, whoever wrote it. */
export async function removeOverride(client: KubeClient, object: Overridable): Promise<void> {
  const { name, namespace, uid } = object.metadata
  const resource = resourceOf(object.kind)
  const left = await client.apply<Overridable>(
    resource,
    { metadata: { name, namespace, uid } },
    {
      fieldManager,
      force: true,
    },
  )
  if (left.spec.override === undefined) return
  // Somebody wrote it, or a part of it, by other means.
  const { override: _, ...spec } = left.spec
  await client.update(resource, { ...left, spec }, { fieldManager })
}

function resourceOf(kind: string): Resource<Overridable> {
  const found = overridable.find((each) => each.kind.kind === kind)
  if (found === undefined) throw new TypeError(`${kind} has no override`)
  return found.resource
}
