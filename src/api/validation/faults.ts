import { apiGroup, apiVersion, type Kind } from '../kinds/kind.ts'
import type { JsonSchema } from '../schema/index.ts'

/** One thing to correct. The path is as the API server writes it, for example `spec.queues[0].name`. */
export type Problem = { readonly path: string; readonly message: string }

/** A value that the schema does not admit. */
type Fault = Problem & {
  /** The value is so wrong that rules cannot be evaluated: the API server then skips all rules. */
  readonly stopsRules: boolean
}

/** Returns everything that a schema without its rules refuses. Defaults must be filled in. */
export function findSchemaFaults(schema: JsonSchema, value: unknown, path: string): readonly Fault[] {
  const type = typeOf(value)
  if (!typesOf(schema).includes(type)) {
    return [{ path, message: `must be ${typesOf(schema).join(' or ')}, is ${type}`, stopsRules: true }]
  }
  return [...ownFaults(schema, value, path), ...childFaults(schema, value, path)]
}

function typesOf({ type }: JsonSchema): readonly string[] {
  return type === undefined ? ['integer', 'string'] : [type]
}

function childFaults(schema: JsonSchema, value: unknown, path: string): readonly Fault[] {
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? [] : value.flatMap((item, index) => findSchemaFaults(items, item, itemPath(path, index)))
  }
  if (!isObject(value)) return []
  return fieldsOf(value).flatMap(([name, own]) => {
    const child = fieldSchema(schema, name)
    return child === undefined ? [] : findSchemaFaults(child, own, fieldPath(path, name))
  })
}

function ownFaults(schema: JsonSchema, value: unknown, path: string): readonly Fault[] {
  if (typeof value === 'number') return faults(path, numberFaults(schema, value))
  if (typeof value === 'string') return faults(path, textFaults(schema, value))
  if (Array.isArray(value)) return [...faults(path, sizeFaults(schema, value.length)), ...duplicates(schema, value, path)]
  return isObject(value) ? objectFaults(schema, value, path) : []
}

/** The message of a fault, and whether it stops the rules. */
type Found = readonly [holds: boolean, message: string, stopsRules?: 'stops rules']

function faults(path: string, found: readonly Found[]): readonly Fault[] {
  return found.filter(([holds]) => holds).map(([, message, stops]) => ({ path, message, stopsRules: stops !== undefined }))
}

function numberFaults({ minimum = -Infinity, maximum = Infinity }: JsonSchema, value: number): readonly Found[] {
  return [
    [value < minimum, `must be at least ${minimum}`],
    [value > maximum, `must be at most ${maximum}`],
  ]
}

function textFaults(schema: JsonSchema, value: string): readonly Found[] {
  const { minLength = 0, maxLength = Infinity, pattern, enum: words } = schema
  const length = Array.from(value).length
  return [
    [length < minLength, `must have at least ${minLength} characters`],
    [length > maxLength, `must have at most ${maxLength} characters`, 'stops rules'],
    [pattern !== undefined && !new RegExp(pattern, 'u').test(value), `must match ${pattern}`],
    [words !== undefined && !words.includes(value), `must be one of ${words?.join(', ')}`, 'stops rules'],
    [schema.format === 'date-time' && !isDateTime(value), 'must be a time such as 2026-11-23T08:00:00Z', 'stops rules'],
  ]
}

/** RFC 3339 as the API server checks it: an existing day, and a time with a zone. */
function isDateTime(text: string): boolean {
  const [, day = '', time = ''] = /^(\d{4}-\d{2}-\d{2})t(\d{2}:\d{2}:\d{2})(\.\d+)?(z|[+-]\d{2}:\d{2})$/iu.exec(text) ?? []
  const midnightMs = Date.parse(`${day}T00:00:00Z`)
  const exists = !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day)
  return exists && /^([01]\d|2[0-3])(:[0-5]\d){2}$/u.test(time)
}

function sizeFaults({ minItems = 0, maxItems = Infinity }: JsonSchema, size: number): readonly Found[] {
  return [
    [size < minItems, `must have at least ${minItems} entries`],
    [size > maxItems, `must have at most ${maxItems} entries`, 'stops rules'],
  ]
}

function duplicates(schema: JsonSchema, items: readonly unknown[], path: string): readonly Fault[] {
  const type = schema['x-kubernetes-list-type']
  if (type === undefined || type === 'atomic') return []
  const seen = new Set<string>()
  return items.flatMap((item, index) => {
    const identity = identityOf(schema, item)
    if (!seen.has(identity)) {
      seen.add(identity)
      return []
    }
    return [{ path: itemPath(path, index), message: `is a duplicate: ${identity}`, stopsRules: false }]
  })
}

function objectFaults(schema: JsonSchema, value: JsonObject, path: string): readonly Fault[] {
  const { required = [], maxProperties = Infinity } = schema
  const missing = required.filter((name) => value[name] === undefined)
  const tooMany: Found = [fieldsOf(value).length > maxProperties, `must have at most ${maxProperties} entries`, 'stops rules']
  return [...missing.map((name) => ({ path: fieldPath(path, name), message: 'is required', stopsRules: true })), ...faults(path, [tooMany])]
}

type JsonObject = { readonly [field: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns the JSON type of a value; whole numbers are integers, as in schemas. */
function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

/** Returns the schema of a field: the declared one, or that of all values of a map. */
export function fieldSchema(schema: JsonSchema, name: string): JsonSchema | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : schema.additionalProperties
}

/** Returns the fields of an object without those that are `undefined`, which JSON drops. */
export function fieldsOf(value: JsonObject): readonly (readonly [string, unknown])[] {
  return Object.entries(value).filter(([, own]) => own !== undefined)
}

/** As the API server writes paths: `spec.queues[0].name`. */
export function fieldPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

export function itemPath(path: string, key: string | number): string {
  return `${path}[${key}]`
}

/** Returns what identifies an entry of a list: the values of its keys or, without keys, the entry itself. */
export function identityOf(schema: JsonSchema, item: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys']
  return JSON.stringify(keys === undefined || !isObject(item) ? item : keys.map((key) => item[key]))
}

/**
 * Returns the paths of undeclared fields. The API server drops them, and strict validation refuses them, because they
 * are usually misspelt.
 */
export function findUnknownFields(schema: JsonSchema, value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? [] : value.flatMap((item, index) => findUnknownFields(items, item, itemPath(path, index)))
  }
  if (!isObject(value)) return []
  return fieldsOf(value).flatMap(([name, own]) => {
    const child = fieldSchema(schema, name)
    if (child !== undefined) return findUnknownFields(child, own, fieldPath(path, name))
    // A value of another type is reported for its type.
    return schema.type !== 'object' || schema['x-kubernetes-preserve-unknown-fields'] === true ? [] : [fieldPath(path, name)]
  })
}

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

/** A lower-case DNS name, as the API server requires for names of objects. */
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u

/** Checks what no schema says: that the object is of this kind and has a name. */
export function findIdentityFaults(kind: Kind, object: unknown): readonly Fault[] {
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

export function findUnknownMetadata(object: unknown): readonly string[] {
  if (!isObject(object) || !isObject(object['metadata'])) return []
  return fieldsOf(object['metadata']).flatMap(([name]) => (metadataFields.has(name) ? [] : [fieldPath('metadata', name)]))
}
