import type { JsonSchema } from '../../src/api/index.ts'

/** A change that makes a good object bad, and the field that the API server must then name. */
export type BadValue = { readonly title: string; readonly field: string; readonly change: (object: object) => void }

type Path = readonly (string | number)[]

/**
 * One change for everything that the schema bounds, read from the schema itself: a bound that the server does not enforce, or a field that
 * the good object does not show, cannot go unnoticed.
 */
export function badValues(schema: JsonSchema, good: unknown, path: Path, absent: 'refuse' | 'skip' = 'refuse'): readonly BadValue[] {
  if (good === undefined && absent === 'skip') return []
  if (good === undefined) throw new Error(`the good object lacks ${fieldOf(path)}`)
  const replaced = (title: string, value: unknown, field = fieldOf(path)): BadValue => ({
    title: `${field} ${title}`,
    field,
    change: (object) => {
      setAt(object, path, value)
    },
  })
  return [
    replaced('of another type', wrongType(schema)),
    ...valuesBeyond(schema, good).map(([title, value]) => replaced(title, value)),
    ...duplicates(schema, good).map((value) => replaced('twice', value, `${fieldOf(path)}[1]`)),
    ...fieldsWrong(schema, path),
    ...below(schema, good, path, absent),
  ]
}

/** Fields that have a pattern or rules: their bad values are words that only people can choose. */
export function fieldsWithRules(schema: JsonSchema, path: Path): readonly string[] {
  const own = schema.pattern !== undefined || schema['x-kubernetes-validations'] !== undefined ? [fieldOf(path)] : []
  const children = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => fieldsWithRules(child, [...path, name]))
  const items = schema.items === undefined ? [] : fieldsWithRules(schema.items, [...path, 0])
  return [...own, ...children, ...items]
}

/** As the API server writes paths: `spec.queues[0].name`. */
export function fieldOf(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
}

export function setAt(object: object, path: Path, value: unknown): void {
  const parent = path.slice(0, -1).reduce(childOf, object)
  const last = path.at(-1)
  if (typeof parent !== 'object' || parent === null || last === undefined) throw new Error(`nothing to set at ${fieldOf(path)}`)
  Reflect.set(parent, last, value)
}

/** The schema below a path; a number stands for the entries of a list. */
export function schemaAt(schema: JsonSchema, path: Path): JsonSchema {
  return path.reduce((own: JsonSchema, step) => {
    const child = typeof step === 'number' ? own.items : own.properties?.[step]
    if (child === undefined) throw new Error(`no schema at ${fieldOf(path)}`)
    return child
  }, schema)
}

/** The schema without the fields at these paths. */
export function without(schema: JsonSchema, paths: readonly Path[]): JsonSchema {
  return paths.reduce(withoutOne, schema)
}

function withoutOne(schema: JsonSchema, [step, ...rest]: Path): JsonSchema {
  if (typeof step === 'number') return schema.items === undefined ? schema : { ...schema, items: withoutOne(schema.items, rest) }
  const { [step ?? '']: child, ...others } = schema.properties ?? {}
  if (step === undefined || child === undefined) throw new Error(`no field ${step} to leave out`)
  return { ...schema, properties: rest.length === 0 ? others : { ...others, [step]: withoutOne(child, rest) } }
}

function childOf(value: unknown, step: string | number): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined
}

function valuesBeyond(schema: JsonSchema, good: unknown): readonly (readonly [string, unknown])[] {
  const { minimum, maximum, maxLength, minLength, pattern, minItems, maxItems, maxProperties } = schema
  return [
    ...(minimum === undefined ? [] : [['below its minimum', minimum - 1] as const]),
    ...(maximum === undefined ? [] : [['above its maximum', maximum + 1] as const, ['that is not whole', 1.5] as const]),
    ...(maxLength === undefined ? [] : [['that is too long', 'a'.repeat(maxLength + 1)] as const]),
    ...(minLength === undefined ? [] : [['that is too short', ''] as const]),
    ...(pattern === undefined ? [] : [['beside its pattern', noMatch(pattern)] as const]),
    ...(schema.enum === undefined ? [] : [['that is no choice', 'Surprise'] as const]),
    ...(schema.format === 'date-time' ? [['that is no time', 'yesterday'] as const] : []),
    ...(minItems === undefined ? [] : [['that is empty', []] as const]),
    ...(maxItems === undefined ? [] : [['with too many entries', many(schema, good, maxItems + 1)] as const]),
    ...(maxProperties === undefined
      ? []
      : [['with too many entries', Object.fromEntries(numbered(maxProperties + 1).map((key) => [key, 'x']))] as const]),
  ]
}

function wrongType(schema: JsonSchema): unknown {
  if (schema['x-kubernetes-int-or-string'] === true) return {}
  return schema.type === 'string' ? 7 : 'seven'
}

function noMatch(pattern: string): string {
  const found = ['-', ':', ' ', 'a b', '%'].find((text) => !new RegExp(pattern, 'u').test(text))
  if (found === undefined) throw new Error(`no text beside ${pattern}`)
  return found
}

function many(schema: JsonSchema, good: unknown, count: number): readonly unknown[] {
  const key = schema['x-kubernetes-list-map-keys']?.[0] ?? 'name'
  const item = childOf(good, 0)
  return numbered(count).map((name) => (typeof item === 'object' ? { ...item, [key]: name } : name))
}

function numbered(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `n${index}`)
}

function duplicates(schema: JsonSchema, good: unknown): readonly unknown[] {
  if (schema.type !== 'array' || schema['x-kubernetes-list-type'] === 'atomic') return []
  const item = childOf(good, 0)
  return item === undefined ? [] : [[item, item]]
}

function fieldsWrong(schema: JsonSchema, path: Path): readonly BadValue[] {
  const missing = (schema.required ?? []).map((name) => ({
    title: `${fieldOf([...path, name])} left out`,
    field: fieldOf([...path, name]),
    change: (object: object) => {
      setAt(object, [...path, name], undefined)
    },
  }))
  if (schema.properties === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true) return missing
  const field = fieldOf([...path, 'surprise'])
  return [...missing, { title: `${field}, which is no field`, field, change: (object) => setAt(object, [...path, 'surprise'], 1) }]
}

function below(schema: JsonSchema, good: unknown, path: Path, absent: 'refuse' | 'skip'): readonly BadValue[] {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    badValues(child, childOf(good, name), [...path, name], absent),
  )
  const items = schema.items === undefined ? [] : badValues(schema.items, childOf(good, 0), [...path, 0], absent)
  const [key] = typeof good === 'object' && good !== null ? Object.keys(good) : []
  const values =
    schema.additionalProperties === undefined || key === undefined
      ? []
      : badValues(schema.additionalProperties, childOf(good, key), [...path, key], absent)
  return [...fields, ...items, ...values]
}
