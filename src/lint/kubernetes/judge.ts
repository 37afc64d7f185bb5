/** Judges a value by one of Kubernetes' definitions, strictly: a field that is not defined is an error. */
import { suggestName } from '../../errors/index.ts'
import { isObject } from '../documents.ts'
import { type Complaint, errorAt, type Handover, isMissing } from './complaint.ts'
import { type Definition, definitionOf } from './definitions.ts'
import { boundsOf, choicesBeyond, filledIn, oneOf, portFields, requiredBeyond, syntaxOf } from './fields.ts'
import { relationsOf } from './relations.ts'
import { parseQuantity, portName, quantityHint } from './syntax.ts'

/** Returns everything that is wrong with the value, at the paths that the API server names. */
export function judge(name: string, value: unknown, path: string, handover: Handover): readonly Complaint[] {
  return judgeValue({ $ref: name }, value, path, { owner: '', handover })
}

type Place = { /** `Container.name`, of which the value is one. */ readonly owner: string; readonly handover: Handover }

function judgeValue(schema: Definition, value: unknown, path: string, place: Place): readonly Complaint[] {
  // Go's decoder takes null for a field that is left out.
  if (value === null || value === undefined) return []
  const { $ref: name } = schema
  if (name === 'Quantity') return errorAt(path, quantityFault(value))
  if (name === 'IntOrString') return errorAt(path, intOrStringFault(value, place.owner))
  const definition = name === undefined ? schema : definitionOf(name)
  const type = typeOf(value)
  if (definition.type !== type && !(definition.type === 'number' && type === 'integer'))
    return errorAt(path, `must be ${definition.type ?? 'of another type'}, is ${type}${quotesHint(definition.type, value)}`)
  if (Array.isArray(value)) return judgeList(definition, value, path, place)
  if (isObject(value)) return judgeObject(definition, name, value, path, place)
  return errorAt(path, scalarFault(definition, value as string | number | boolean, place.owner))
}

function judgeObject(
  { properties, additionalProperties, required = [] }: Definition,
  name: string | undefined,
  value: Readonly<Record<string, unknown>>,
  path: string,
  { owner, handover }: Place,
): readonly Complaint[] {
  const entries = Object.entries(value)
  if (additionalProperties !== undefined)
    return entries.flatMap(([key, own]) => judgeValue(additionalProperties, own, `${path}.${key}`, { owner: `${owner}.*`, handover }))
  if (properties === undefined || name === undefined) return []
  const known = Object.keys(properties)
  const unknown = entries.filter(([field]) => !known.includes(field))
  const missing = [...required, ...(requiredBeyond[name] ?? [])].filter(
    (field) => isMissing(value[field]) && !filledIn.has(`${name}.${field}`),
  )
  return [
    ...unknown.flatMap(([field]) => errorAt(`${path}.${field}`, `is not a known field of ${name}${suggestName(field, known)}`)),
    ...missing.flatMap((field) => errorAt(`${path}.${field}`, 'is required')),
    ...errorAt(path, oneOfFault(name, known, value)),
    ...entries.flatMap(([field, own]) => {
      const child = properties[field]
      return child === undefined ? [] : judgeValue(child, own, `${path}.${field}`, { owner: `${name}.${field}`, handover })
    }),
    ...(relationsOf[name]?.(value, path, handover) ?? []),
  ]
}

function oneOfFault(name: string, known: readonly string[], value: Readonly<Record<string, unknown>>): string | undefined {
  const rule = oneOf[name]
  if (rule === undefined) return undefined
  const fields = rule.fields === 'all' ? known : rule.fields
  const set = fields.filter((field) => !isMissing(value[field]))
  return set.length > 1 || (rule.isNeeded && set.length === 0) ? `exactly one of ${fields.join(', ')} must be set` : undefined
}

function judgeList(definition: Definition, items: readonly unknown[], path: string, place: Place): readonly Complaint[] {
  const { items: schema } = definition
  return [
    ...items.flatMap((item, index) => (schema === undefined ? [] : judgeValue(schema, filled(schema, item), `${path}[${index}]`, place))),
    ...duplicates(definition, items, path, place),
  ]
}

/** In a list, Go takes null for an object without any field. */
function filled(schema: Definition, item: unknown): unknown {
  return item === null && schema.$ref !== undefined && definitionOf(schema.$ref).type === 'object' ? {} : item
}

/** Two entries with the same keys are one entry to server-side apply. */
function duplicates(definition: Definition, items: readonly unknown[], path: string, { owner, handover }: Place): readonly Complaint[] {
  const { 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': keys = [] } = definition
  if (type === undefined || type === 'atomic' || checkedByRelations.has(owner) || (handover === 'create' && owner === 'Container.env'))
    return []
  const entry = definition.items?.$ref === undefined ? undefined : definitionOf(definition.items.$ref)
  const seen = new Map<string, number>()
  return items.flatMap((item, index): readonly Complaint[] => {
    if (type === 'map' && !isObject(item)) return []
    const values = isObject(item) ? keys.map((key) => item[key] ?? entry?.properties?.[key]?.default) : [item]
    const identity = JSON.stringify(values)
    const first = seen.get(identity)
    if (first === undefined) {
      seen.set(identity, index)
      return []
    }
    const words = keys.map((key, at) => `${key} ${JSON.stringify(values[at])}`).join(' and ')
    const message = `has the same ${words === '' ? 'value' : words} as entry ${first}; remove one of them`
    return [{ path: `${path}[${index}]`, message, severity: handover === 'apply' ? 'error' : 'warning' }]
  })
}

/** Lists in which the same key twice is an error of its own, whichever way the object comes. */
const checkedByRelations: ReadonlySet<string> = new Set([
  'Container.volumeMounts',
  'PodSpec.containers',
  'PodSpec.initContainers',
  'PodSpec.volumes',
  'PodSpec.topologySpreadConstraints',
])

function scalarFault(definition: Definition, value: string | number | boolean, owner: string): string | undefined {
  if (typeof value === 'boolean') return undefined
  return typeof value === 'number' ? numberFault(definition, value, owner) : textFault(definition, value, owner)
}

function numberFault({ format }: Definition, value: number, owner: string): string | undefined {
  const [least, most] = boundsOf[owner] ?? [-Infinity, Infinity]
  const limit = format === 'int32' ? 2 ** 31 : 2 ** 63
  if (value < Math.max(least, -limit)) return `must be at least ${Math.max(least, -limit)}`
  return value > Math.min(most, limit - 1) ? `must be at most ${Math.min(most, limit - 1)}` : undefined
}

function textFault(definition: Definition, value: string, owner: string): string | undefined {
  const choices = definition.enum ?? choicesBeyond[owner]
  // An empty text is a field that is left out, and gets its default.
  if (choices !== undefined && value !== '' && !choices.includes(value))
    return `must be one of ${choices.join(', ')}${suggestName(value, choices)}`
  if (definition.format === 'date-time' && Number.isNaN(Date.parse(value))) return 'must be a time such as 2026-11-23T08:00:00Z'
  return syntaxOf[owner]?.(value)
}

function quantityFault(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return `must be a quantity such as 500m or 512Mi, is ${typeOf(value)}`
  return parseQuantity(value) === undefined ? `${JSON.stringify(value)} is not a quantity${quantityHint(String(value))}` : undefined
}

function intOrStringFault(value: unknown, owner: string): string | undefined {
  const type = typeOf(value)
  if (type === 'integer') return numberFault({ format: 'int32' }, value as number, owner)
  if (type !== 'string') return `must be integer or string, is ${type}`
  return portFields.has(owner) ? portName(value as string) : undefined
}

/** YAML takes `8080` and `on` for something else than texts, and `"2"` for a text. */
function quotesHint(wanted: string | undefined, value: unknown): string {
  if (wanted === 'string') return typeof value === 'object' ? '' : '; put it in quotes'
  const isReadable = wanted === 'boolean' ? /^(?:true|false)$/u : /^-?\d+$/u
  return (wanted === 'integer' || wanted === 'boolean') && typeof value === 'string' && isReadable.test(value) ? '; remove the quotes' : ''
}

/** The JSON type of a value; whole numbers are integers. */
function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}
