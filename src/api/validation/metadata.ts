import { apiGroup, apiVersion, type Kind } from '../kinds/kind.ts'
import type { Fault } from './faults.ts'
import { fieldPath, fieldsOf, isObject } from './json.ts'

const metadataFields: ReadonlySet<string> = new Set([
  'annotations',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'generateName',
  'generation',
  'labels',
  'managedFields',
  'name',
  'namespace',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
])

/** A name of the DNS, in lower case: what the API server takes for the name of an object. */
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u

/** What no schema says: that the object is one of this kind and has a name. */
export function identityFaults(kind: Kind, object: unknown): readonly Fault[] {
  if (!isObject(object)) return []
  const { metadata } = object
  const { name, generateName } = isObject(metadata) ? metadata : {}
  const wanted = { apiVersion: `${apiGroup}/${apiVersion}`, kind: kind.kind }
  const found: readonly (readonly [boolean, string, string])[] = [
    ...Object.entries(wanted).map(([field, value]) => [object[field] !== value, field, `must be ${value}`] as const),
    [name === undefined && generateName === undefined, 'metadata.name', 'is required'],
    [typeof name === 'string' && !objectName.test(name), 'metadata.name', 'must be lower-case letters, digits, - and .'],
  ]
  return found.filter(([holds]) => holds).map(([, path, message]) => ({ path, message, stopsRules: true }))
}

export function unknownMetadata(object: unknown): readonly string[] {
  if (!isObject(object) || !isObject(object['metadata'])) return []
  return fieldsOf(object['metadata']).flatMap(([name]) => (metadataFields.has(name) ? [] : [fieldPath('metadata', name)]))
}
