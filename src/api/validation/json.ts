import type { JsonSchema } from '../schema/index.ts'

export type JsonObject = { readonly [field: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What JSON calls the value; whole numbers are integers, as in schemas. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

/** The schema of a field of an object: declared, or that of all values of a map. */
export function fieldSchema(schema: JsonSchema, name: string): JsonSchema | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : schema.additionalProperties
}

/** Fields that are there: `undefined` does not travel in JSON. */
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

/** What identifies an entry of a list: the values of its keys, or, where it has none, the entry itself. */
export function identityOf(schema: JsonSchema, item: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys']
  return JSON.stringify(keys === undefined || !isObject(item) ? item : keys.map((key) => item[key]))
}
