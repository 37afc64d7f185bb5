import type { JsonSchema } from '../schema/index.ts'
import { fieldPath, fieldSchema, fieldsOf, identityOf, isObject, itemPath, type JsonObject, typeOf } from './json.ts'

/** One thing to correct; the path as the API server writes it, for example `spec.queues[0].name`. */
export type Problem = { readonly path: string; readonly message: string }

/** Something in an object that its schema does not admit. */
export type Fault = Problem & {
  /** A value so wrong that no rule can be asked about the object: the API server then leaves all rules out. */
  readonly stopsRules: boolean
}

/** Everything that a schema without its rules refuses in a value whose defaults are filled in. */
export function schemaFaults(schema: JsonSchema, value: unknown, path: string): readonly Fault[] {
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
    return items === undefined ? [] : value.flatMap((item, index) => schemaFaults(items, item, itemPath(path, index)))
  }
  if (!isObject(value)) return []
  return fieldsOf(value).flatMap(([name, own]) => {
    const child = fieldSchema(schema, name)
    return child === undefined ? [] : schemaFaults(child, own, fieldPath(path, name))
  })
}

function ownFaults(schema: JsonSchema, value: unknown, path: string): readonly Fault[] {
  if (typeof value === 'number') return faults(path, numberFaults(schema, value))
  if (typeof value === 'string') return faults(path, textFaults(schema, value))
  if (Array.isArray(value)) return [...faults(path, sizeFaults(schema, value.length)), ...duplicates(schema, value, path)]
  return isObject(value) ? objectFaults(schema, value, path) : []
}

/** What is wrong in words, and whether it stops the rules. */
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

/** The API server's own idea of RFC 3339: a day that exists, and a time with a zone. */
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
    return [{ path: itemPath(path, index), message: `is there already: ${identity}`, stopsRules: false }]
  })
}

function objectFaults(schema: JsonSchema, value: JsonObject, path: string): readonly Fault[] {
  const { required = [], maxProperties = Infinity } = schema
  const missing = required.filter((name) => value[name] === undefined)
  const tooMany: Found = [fieldsOf(value).length > maxProperties, `must have at most ${maxProperties} entries`, 'stops rules']
  return [...missing.map((name) => ({ path: fieldPath(path, name), message: 'is required', stopsRules: true })), ...faults(path, [tooMany])]
}
