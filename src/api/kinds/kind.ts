import type { KubeObject, ObjectMeta, Resource } from '../object.ts'
import type { ConditionRegistry, EventRegistry } from '../registry.ts'
import type { AnySchema, Infer, InferWritten, ValidationRule } from '../schema/index.ts'

/** A column of `kubectl get`. A `date` column is a moment: kubectl shows its age, so nothing is written while time passes. */
export type Column = {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** 0 (default) is always shown, 1 with `-o wide`. */
  readonly priority?: 0 | 1
}

/** One custom resource: everything that the CRD, the types and the reference page say about it. */
export type Kind<Spec extends AnySchema = AnySchema, Status extends AnySchema = AnySchema> = {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly description: string
  readonly columns: readonly Column[]
  /** Names are at most this long, because what the operator derives from them is. */
  readonly nameMaxLength: number
  readonly spec: Spec
  readonly status: Status
  /** Rules that need more than one of metadata, spec and status. */
  readonly rules?: readonly ValidationRule[]
  /** Where the scale subresource (`kubectl scale`) finds its numbers; the first needs a default, or GET …/scale fails. */
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath: string }
  readonly conditions: ConditionRegistry
  readonly events: EventRegistry
}

/** The objects of a kind. `status` is missing only on an object that was not read from the API server. */
export type ObjectOf<K extends Kind> = KubeObject & {
  readonly spec: Infer<K['spec']>
  readonly status?: Infer<K['status']>
}

/** The objects of a kind as people write them: what has a default may be left out. */
export type WrittenObjectOf<K extends Kind> = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: InferWritten<K['spec']>
  readonly status?: InferWritten<K['status']>
}

export const apiGroup = 'taskmill.dev'
export const apiVersion = 'v1alpha1'

/** Keeps the declaration's own types, which a plain annotation would widen. */
export function declareKind<const K extends Kind>(kind: K): K {
  return kind
}

export function resourceOf<K extends Kind>(kind: K): Resource<ObjectOf<K>> {
  return { group: apiGroup, version: apiVersion, kind: kind.kind, plural: kind.plural, namespaced: true }
}
