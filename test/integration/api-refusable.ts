import { type JsonSchema, kinds } from '../../src/api/index.ts'

export type Refusable = { readonly kind: string; readonly field: string; readonly words: string }

/** Everything declared of which there must be a bad manifest: each enum and each rule, immutability among them. */
export const refusable: readonly Refusable[] = kinds.flatMap(({ kind, spec, status, rules = [] }) => [
  ...rules.map(({ fieldPath = '', message }) => ({ kind, field: fieldPath.slice(1), words: message })),
  ...refusedIn(kind, spec.json, 'spec'),
  ...refusedIn(kind, status.json, 'status'),
])

function refusedIn(kind: string, schema: JsonSchema, field: string): readonly Refusable[] {
  const { 'x-kubernetes-validations': rules = [], properties = {}, items, additionalProperties } = schema
  const choice = schema.enum === undefined ? [] : [{ kind, field, words: 'Unsupported value' }]
  const broken = rules.map(({ fieldPath = '', message }) => ({ kind, field: `${field}${fieldPath}`, words: message }))
  const below = [
    ...Object.entries(properties).flatMap(([name, child]) => refusedIn(kind, child, `${field}.${name}`)),
    ...(items === undefined ? [] : refusedIn(kind, items, `${field}[0]`)),
    ...(additionalProperties === undefined ? [] : refusedIn(kind, additionalProperties, `${field}[key]`)),
  ]
  return [...choice, ...broken, ...below]
}
