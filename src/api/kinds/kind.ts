import { type ConditionRegistry, type EventRegistry, maxConditionMessageLength } from '../conditions.ts'
import type { KubeObject, ObjectMeta, Resource } from '../object.ts'
import {
  type AnySchema,
  type Infer,
  type InferWritten,
  type ValidationRule,
  type JsonSchema,
  dateTime,
  enumeration,
  integer,
  listMap,
  object,
  optional,
  string,
} from '../schema/index.ts'

/**
 * A column of `kubectl get`. For a `date` column kubectl computes the age, so that nothing has to be written while time
 * passes.
 */
type Column = {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** 0 (default) is always shown, 1 with `-o wide`. */
  readonly priority?: 0 | 1
}

/** One custom resource: everything that the CRD, the types and the reference page contain. */
export type Kind<Spec extends AnySchema = AnySchema, Status extends AnySchema = AnySchema> = {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  /** Fields by which objects of any kind refer to this one by its name; `taskmill lint` follows them. */
  readonly referredBy?: readonly string[]
  readonly description: string
  readonly columns: readonly Column[]
  /** Longest name, because the operator derives longer names from it. */
  readonly nameMaxLength: number
  readonly spec: Spec
  readonly status: Status
  /** Rules about more than one of metadata, spec and status. */
  readonly rules?: readonly ValidationRule[]
  /**
   * Where the scale subresource (`kubectl scale`) finds its numbers. The first path needs a default, or GET …/scale
   * fails.
   */
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath: string }
  readonly conditions: ConditionRegistry
  readonly events: EventRegistry
}

/** The objects of a kind. `status` is missing only on objects that were not read from the API server. */
export type ObjectOf<K extends Kind> = KubeObject & {
  readonly spec: Infer<K['spec']>
  readonly status?: Infer<K['status']>
}

/** The objects of a kind as users write them: fields with a default can be left out. */
export type WrittenObjectOf<K extends Kind> = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: InferWritten<K['spec']>
  readonly status?: InferWritten<K['status']>
}

export const apiGroup = 'taskmill.dev'
export const apiVersion = 'v1alpha1'

/** Returns its argument, and keeps its exact type, which an annotation would widen. */
export function declareKind<const K extends Kind>(kind: K): K {
  return kind
}

export function resourceOf<K extends Kind>(kind: K): Resource<ObjectOf<K>> {
  return { group: apiGroup, version: apiVersion, kind: kind.kind, plural: kind.plural, namespaced: true }
}

/** Returns the schema of whole objects of a kind, for the CRD, the defaults and the offline validator. */
export function rootSchema(kind: Kind): JsonSchema {
  return {
    description: kind.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { description: `${apiGroup}/${apiVersion}.`, type: 'string' },
      kind: { description: `${kind.kind}.`, type: 'string' },
      metadata: {
        description: 'Name, namespace, labels and annotations of the object.',
        type: 'object',
        properties: { name: { description: 'Name of the object.', type: 'string', maxLength: kind.nameMaxLength } },
        'x-kubernetes-preserve-unknown-fields': true,
      },
      spec: kind.spec.json,
      status: kind.status.json,
    },
    ...(kind.rules === undefined ? {} : { 'x-kubernetes-validations': kind.rules }),
  }
}

const maxGeneration = Number.MAX_SAFE_INTEGER

/** `status.conditions`, the same in every kind and as in Kubernetes' own `metav1.Condition`. */
export const conditionList = listMap({
  description: 'The current conditions of the object, one entry per type. Reconciling and Stalled are present only while they are True.',
  keys: ['type'],
  maxItems: 32,
  items: object({
    description: 'One condition.',
    fields: {
      type: string({
        description: 'Name of the condition, in CamelCase.',
        maxLength: 316,
        pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
        example: 'Ready',
      }),
      status: enumeration({ description: 'Whether the condition holds.', values: ['True', 'False', 'Unknown'] }),
      observedGeneration: optional(
        integer({ description: 'Generation of the object for which the condition was found.', minimum: 0, maximum: maxGeneration }),
      ),
      lastTransitionTime: dateTime({ description: 'Time of the last change of `status`.' }),
      reason: string({
        description: 'Why, in one CamelCase word; the reference page lists them all.',
        minLength: 1,
        maxLength: 1024,
        pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
      }),
      message: string({ description: 'Why, in words.', maxLength: maxConditionMessageLength }),
    },
  }),
})

/**
 * `status.observedGeneration`: -1 until the operator has seen the object, so that an unread spec never looks applied.
 */
export const observedGeneration = integer({
  description:
    'Generation of the spec that this status describes. If it is smaller than metadata.generation, the operator has not acted on the ' +
    'last change yet.',
  minimum: -1,
  maximum: maxGeneration,
  default: -1,
})
