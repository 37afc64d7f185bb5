import type { JsonSchema } from './schema/index.ts'
import { findSchemaFaults } from './validation/faults.ts'

/** Returns what is wrong with a schema and everything below it, one sentence each; the tests expect none. */
export function schemaViolations(path: string, schema: JsonSchema, always = true): readonly string[] {
  const below = childrenOf(path, schema).flatMap((child) => schemaViolations(child.path, child.schema, always && child.always))
  // Of a spec, people and programs own parts.
  const isWrittenByOne = path.startsWith('status')
  return [...Array.from(ownViolations(schema, { always, isWrittenByOne }), (violation) => `${path}: ${violation}`), ...below]
}

/** `always`: whether every stored object has the value. */
type Child = { readonly path: string; readonly schema: JsonSchema; readonly always: boolean }

function childrenOf(path: string, schema: JsonSchema): readonly Child[] {
  const fields = Object.entries(schema.properties ?? {}).map(([name, child]) => ({
    path: `${path}.${name}`,
    schema: child,
    always: child.default !== undefined || (schema.required?.includes(name) ?? false),
  }))
  const items = schema.items === undefined ? [] : [{ path: `${path}[]`, schema: schema.items, always: false }]
  const values =
    schema.additionalProperties === undefined ? [] : [{ path: `${path}.*`, schema: schema.additionalProperties, always: false }]
  return [...fields, ...items, ...values]
}

function* ownViolations(
  schema: JsonSchema,
  { always, isWrittenByOne }: { readonly always: boolean; readonly isWrittenByOne: boolean },
): Iterable<string> {
  if (!/^[A-Z0-9].{8,}[.…]$/su.test(schema.description)) yield 'the description is not a sentence'
  const intOrString = schema['x-kubernetes-int-or-string'] === true
  const known = intOrString ? schema.type === undefined : ['object', 'array', 'string', 'integer', 'boolean'].includes(schema.type ?? '')
  if (!known) yield `type ${schema.type}: use an enum or an integer`
  if (schema.type === 'string' || intOrString) yield* stringViolations(schema)
  if (schema.type === 'integer' || intOrString) yield* integerViolations(schema)
  if (schema.type === 'array') yield* arrayViolations(schema, isWrittenByOne)
  if (schema.type === 'object') yield* objectViolations(schema)
  if (schema.default !== undefined && findSchemaFaults(schema, schema.default, '').length > 0) {
    yield `the default ${JSON.stringify(schema.default)} is not admitted`
  }
  for (const { rule, fieldPath } of schema['x-kubernetes-validations'] ?? []) {
    // The API server runs a transition rule only if there is an old and a new value, so removing and adding the value
    // would evade it.
    if (rule.includes('oldSelf') && !always) yield 'immutable, but could be removed and added again'
    if (fieldPath !== undefined && schema.properties?.[fieldPath.slice(1)] === undefined) yield `fieldPath ${fieldPath} is not declared`
  }
}

function* stringViolations({ maxLength, format, pattern, enum: values }: JsonSchema): Iterable<string> {
  // \s matches fewer characters in the API server than in JavaScript, so one would admit what the other refuses.
  if (pattern?.includes('\\s')) yield 'the pattern has \\s: say \\p{Z} or the characters'
  if (maxLength === undefined && format !== 'date-time' && values === undefined) yield 'has no maxLength'
}

function* integerViolations({ minimum, maximum }: JsonSchema): Iterable<string> {
  if (minimum === undefined || maximum === undefined) yield 'has no bounds'
  else if (!Number.isSafeInteger(minimum) || !Number.isSafeInteger(maximum)) yield 'bounds beyond 2^53'
}

function* arrayViolations(schema: JsonSchema, isWrittenByOne: boolean): Iterable<string> {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (schema.maxItems === undefined) yield 'has no maxItems'
  if (schema.items === undefined) yield 'has no items'
  // In a status, an ordered list may be one value: as a map, each of its items is also listed in the managed fields.
  const wanted = schema.items?.type !== 'object' ? ['set', 'atomic'] : isWrittenByOne ? ['map', 'atomic'] : ['map']
  if (!wanted.includes(schema['x-kubernetes-list-type'] ?? '')) yield `the list type is not ${wanted.join(' or ')}`
  for (const key of keys) if (!schema.items?.required?.includes(key)) yield `the list key ${key} is not required in its items`
}

/** Names of moments that say themselves that they are one. */
const prepositions = ['until', 'from', 'to']

function* objectViolations(schema: JsonSchema): Iterable<string> {
  const fields = schema.properties ?? {}
  if (schema.properties !== undefined && schema.additionalProperties !== undefined) yield 'has both properties and additionalProperties'
  if (schema.additionalProperties !== undefined && schema.maxProperties === undefined) yield 'has no maxProperties'
  for (const name of schema.required ?? []) {
    if (fields[name] === undefined) yield `${name} is required but not declared`
    else if (fields[name].default !== undefined) yield `${name} is required and has a default`
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!/^[a-z][A-Za-z0-9]*$/u.test(name)) yield `${name} is not camelCase`
    if (field.format === 'date-time' && !name.endsWith('Time') && !prepositions.includes(name)) yield `${name} is a moment: …Time`
    // Kubernetes' own name of it.
    if (name === 'ttlSecondsAfterFinished') continue
    if (field.type === 'integer' && /timeout|window|delay(?!ed)|period|interval|deadline|ttl/iu.test(name) && !name.endsWith('Seconds')) {
      yield `${name} is a duration: …Seconds`
    }
  }
}
