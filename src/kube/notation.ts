import type { Resource } from '../api/index.ts'

/** `apps/v1`, or `v1` for core kinds. */
export function apiVersionOf({ group, version }: Resource<unknown>): string {
  return group === '' ? version : `${group}/${version}`
}

/** `/apis/apps/v1/namespaces/shop/deployments/web/status`; without a namespace the collection of all namespaces. */
export function resourcePath(resource: Resource<unknown>, namespace?: string, name?: string, subresource?: string): string {
  const { group, version, plural, namespaced } = resource
  const parts = group === '' ? ['api', version] : ['apis', group, version]
  if (namespaced && namespace !== undefined) parts.push('namespaces', namespace)
  parts.push(plural)
  if (name !== undefined) parts.push(name)
  if (subresource !== undefined) parts.push(subresource)
  return `/${parts.map(encodeURIComponent).join('/')}`
}

/**
 * Returns what identifies an object within its kind: `namespace/name`, or only the name for kinds without namespaces.
 */
export function keyOf(object: { readonly metadata: { readonly namespace?: string; readonly name: string } }): string {
  const { namespace, name } = object.metadata
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** The reverse of `keyOf`. */
export function splitKey(key: string): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/**
 * Formats a time with six digits of a second. Lease and Event need it: the API server refuses the three digits of
 * `toISOString`.
 */
export function microTime(epochMs: number): string {
  return new Date(Math.floor(epochMs)).toISOString().replace('Z', '000Z')
}

/** Parses a time to Unix ms; undefined if it is missing or not a time. */
export function epochMsOf(time: string | undefined): number | undefined {
  const epochMs = time === undefined ? Number.NaN : Date.parse(time)
  return Number.isNaN(epochMs) ? undefined : epochMs
}
