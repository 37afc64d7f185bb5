/** What is written to an object that has an override. */
import { overrideAt, type KubeObject, type Override, type Resource } from '../api/index.ts'
import type { Applied } from '../kube/index.ts'
import { fieldManager, type Context } from './command.ts'
import { type ObjectOf, resourceOf } from './reference.ts'

type OverridableKind = 'WorkerPool' | 'TaskSchedule' | 'TaskQueue' | 'TaskAlert'
export type Overridable = ObjectOf<OverridableKind>

/** What has an effect now. */
export function activeOverride({ spec }: Overridable, nowMs: number): Override | undefined {
  return overrideAt<Override>(spec.override, nowMs)?.override
}

/** Writes it in the place of the one that is there. To this very object: one that was deleted meanwhile is not made anew. */
export async function writeOverride({ client, onWarning }: Context, object: Overridable, override: object): Promise<void> {
  const { name, namespace, uid } = object.metadata
  const body = { metadata: { name, namespace, uid }, spec: { override } } as unknown as Applied<KubeObject>
  await client.apply(resourceOfObject(object), body, { fieldManager, force: true, fieldValidation: 'Strict', onWarning })
}

/** Takes it away, whoever wrote it. */
export async function removeOverride({ client }: Context, object: Overridable): Promise<void> {
  const { name, namespace, uid } = object.metadata
  const resource = resourceOfObject(object)
  const nothing = { metadata: { name, namespace, uid } }
  const left = (await client.apply(resource, nothing, { fieldManager, force: true })) as Overridable
  if (left.spec.override === undefined) return
  // Somebody wrote it, or a part of it, by other means.
  const { override: _, ...spec } = left.spec
  const without: KubeObject = Object.assign({}, left, { spec })
  await client.update(resource, without, { fieldManager })
}

function resourceOfObject({ kind }: Overridable): Resource<KubeObject> {
  return resourceOf(kind as OverridableKind)
}
