/** An object as the API server sends it: raw JSON, times as strings, unknown fields included. */
export type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/**
 * One collection of the API server and the type of its objects. The `group` of core kinds is the empty string.
 * `__object` never exists; it carries the type for the compiler.
 */
export type Resource<T> = {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly __object?: T
}

/**
 * `uid` and the fields below it are always present on an object that was read, and usually missing on an object to
 * write.
 */
export type ObjectMeta = {
  readonly name: string
  readonly namespace?: string
  readonly labels?: { readonly [name: string]: string }
  readonly annotations?: { readonly [name: string]: string }
  readonly ownerReferences?: readonly OwnerReference[]
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly managedFields?: readonly unknown[]
}

export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** The usual condition of Kubernetes: one fact about an object, and since when it holds. */
export type Condition = {
  readonly type: string
  readonly status: ConditionStatus
  /** The generation of the object for which the fact was found. */
  readonly observedGeneration?: number
  readonly lastTransitionTime: string
  readonly reason: string
  readonly message: string
}

export type ConditionStatus = 'True' | 'False' | 'Unknown'

/** `apps/v1`, or `v1` for core kinds. */
export function apiVersionOf(resource: Pick<Resource<unknown>, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** `namespace/name`: the key of an object in caches and controllers. */
export function keyOf({ metadata }: Pick<KubeObject, 'metadata'>): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

export function keysOf(objects: readonly KubeObject[]): readonly string[] {
  return objects.map(keyOf)
}

/** The key of another object in the same namespace, to which this one refers by name. */
export function siblingKey({ metadata }: Pick<KubeObject, 'metadata'>, name: string): string {
  return `${metadata.namespace ?? ''}/${name}`
}

/** The namespace of a key. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

/** A time as Kubernetes writes it: RFC 3339 in UTC, whole seconds. */
export function kubeTime(epochMs: number): string {
  return new Date(Math.floor(epochMs / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}

/** Whether the deletion of the object has begun: it is gone for everything that it declares, whoever still holds it by a finalizer. */
export function isTerminating({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.deletionTimestamp !== undefined
}
