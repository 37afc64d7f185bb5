import type { buildCrd } from './crd.ts'
import type { JsonSchema, JsonValue, ValidationRule } from './schema/index.ts'

/** A CustomResourceDefinition as `buildCrd` writes it. */
export type Crd = ReturnType<typeof buildCrd>

/**
 * Returns what a release would break, one sentence with the field's path each: manifests that were admitted and would
 * be refused or change their meaning, and fields that programs read and that would be gone.
 *
 * Not breaking: descriptions, examples, printer columns, wider bounds, more choices, more optional fields, fewer rules.
 */
export function breakingChanges(before: Crd, after: Crd): readonly string[] {
  const versions = before.spec.versions.flatMap((old) => {
    const now = after.spec.versions.find(({ name }) => name === old.name)
    if (now?.served !== true) return [`version ${old.name} is no longer served`]
    return [
      ...(now.subresources?.status === undefined ? [`version ${old.name} no longer has a status subresource`] : []),
      ...schemaBreaks('', old.schema.openAPIV3Schema as unknown as JsonSchema, now.schema.openAPIV3Schema as unknown as JsonSchema),
    ]
  })
  return [...nameBreaks(before, after), ...versions]
}

function nameBreaks(before: Crd, after: Crd): readonly string[] {
  const { group, scope, names } = before.spec
  const fixed = { group, scope, kind: names.kind, plural: names.plural, singular: names.singular, listKind: names.listKind }
  const now: Record<string, unknown> = { ...after.spec.names, group: after.spec.group, scope: after.spec.scope }
  return [
    ...Object.entries(fixed).flatMap(([what, value]) => (now[what] === value ? [] : [`${what} was ${value}`])),
    ...names.shortNames.filter((name) => !after.spec.names.shortNames.includes(name)).map((name) => `the short name ${name} is gone`),
    ...names.categories.filter((name) => !after.spec.names.categories.includes(name)).map((name) => `the category ${name} is gone`),
  ]
}

function schemaBreaks(path: string, before: JsonSchema, after: JsonSchema): readonly string[] {
  const said = (sentence: string): string => `${path === '' ? 'the object' : path}: ${sentence}`
  return [...ownBreaks(before, after)].map(said).concat(childBreaks(path, before, after))
}

function* ownBreaks(before: JsonSchema, after: JsonSchema): Iterable<string> {
  yield* typeBreaks(before, after)
  yield* boundBreaks(before, after)
  yield* describedBreaks(before, after)
  if (!same(before.default, withoutNewFields(before, after))) yield `the default was ${text(before.default)}, is ${text(after.default)}`
  for (const value of before.enum ?? []) if (after.enum?.includes(value) === false) yield `${value} is no longer a choice`
  if (before.enum === undefined && after.enum !== undefined) yield 'only some values are admitted now'
  if (after.pattern !== undefined && after.pattern !== before.pattern) yield `the pattern was ${before.pattern ?? 'none'}`
  for (const name of after.required ?? []) if (before.required?.includes(name) !== true) yield `${name} is required now`
  const rules = new Set(rulesOf(before).map(({ rule }) => rule))
  for (const { rule } of rulesOf(after)) if (!rules.has(rule)) yield `there is a new rule: ${rule}`
}

/** The default of an object contains the defaults of its fields, so it grows with them. That alone is not a break. */
function withoutNewFields(before: JsonSchema, after: JsonSchema): JsonValue | undefined {
  if (typeof after.default !== 'object' || after.default === null || Array.isArray(after.default)) return after.default
  const known = Object.entries(after.default).filter(
    ([name, value]) => before.properties?.[name] !== undefined || !same(value, after.properties?.[name]?.default),
  )
  return Object.fromEntries(known)
}

function* typeBreaks(before: JsonSchema, after: JsonSchema): Iterable<string> {
  const types = [kindOfValue(before), kindOfValue(after)]
  if (types[0] !== types[1]) yield `was ${types[0]}, is ${types[1]}`
  if (after.format !== before.format && after.format !== undefined) yield `the format is ${after.format} now`
  const open = 'x-kubernetes-preserve-unknown-fields'
  if (before[open] === true && after[open] !== true) yield 'unknown fields are no longer kept'
  for (const key of ['x-kubernetes-list-type', 'x-kubernetes-list-map-keys'] as const) {
    if (!same(before[key], after[key])) yield `${key} was ${text(before[key])}, is ${text(after[key])}`
  }
}

/** Until now such a field was kept unchecked, whatever it was. */
function* describedBreaks(before: JsonSchema, after: JsonSchema): Iterable<string> {
  if (before['x-kubernetes-preserve-unknown-fields'] !== true) return
  for (const name of Object.keys(after.properties ?? {}))
    if (before.properties?.[name] === undefined) yield `${name} can no longer have any value`
}

function kindOfValue(schema: JsonSchema): string {
  if (schema.additionalProperties !== undefined) return 'map'
  return schema.type ?? 'integer or string'
}

const lower = ['minimum', 'minLength', 'minItems'] as const
const upper = ['maximum', 'maxLength', 'maxItems', 'maxProperties'] as const

function* boundBreaks(before: JsonSchema, after: JsonSchema): Iterable<string> {
  for (const bound of lower)
    if ((after[bound] ?? -Infinity) > (before[bound] ?? -Infinity)) yield `${bound} was ${before[bound] ?? 'none'}, is ${after[bound]}`
  for (const bound of upper)
    if ((after[bound] ?? Infinity) < (before[bound] ?? Infinity)) yield `${bound} was ${before[bound] ?? 'none'}, is ${after[bound]}`
}

function childBreaks(path: string, before: JsonSchema, after: JsonSchema): readonly string[] {
  const fields = Object.entries(before.properties ?? {}).flatMap(([name, child]) => {
    const own = path === '' ? name : `${path}.${name}`
    const now = after.properties?.[name]
    return now === undefined ? [`${own}: is gone`] : schemaBreaks(own, child, now)
  })
  const below = [
    [`${path}[]`, before.items, after.items],
    [`${path}.*`, before.additionalProperties, after.additionalProperties],
  ] as const
  return [...fields, ...below.flatMap(([own, old, now]) => (old === undefined || now === undefined ? [] : schemaBreaks(own, old, now)))]
}

function rulesOf(schema: JsonSchema): readonly ValidationRule[] {
  return schema['x-kubernetes-validations'] ?? []
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return text(a) === text(b)
}

function text(value: JsonValue | undefined): string {
  return value === undefined ? 'none' : JSON.stringify(sorted(value))
}

/** YAML and the declaration may differ in the order of fields. */
function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value as { readonly [key: string]: JsonValue })
      .map(([key, own]) => [key, sorted(own)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}
