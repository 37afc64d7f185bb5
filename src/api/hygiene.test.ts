import { describe, expect, it } from 'vitest'
import { buildCrd, type JsonSchema, type Kind, kinds, maxCrdBytes } from './index.ts'
import { schemaViolations } from './schema-violations.ts'

/**
 * The API server accepts many schemas that people then suffer from. These are the rules of kube-api-linter and of the API
 * conventions, over every node of every kind; the last test shows that each of them bites.
 */
describe.each(kinds.map((kind) => [kind.kind, kind] as const))('%s', (_, kind) => {
  it('has clean schemas', () => {
    expect(schemaViolations('spec', kind.spec.json)).toEqual([])
    expect(schemaViolations('status', kind.status.json)).toEqual([])
  })

  it('is described in every node, but for metadata, which the API server describes itself', () => {
    const undescribed = (schema: object, path: string): readonly string[] =>
      Object.entries(schema).flatMap(([key, child]) => {
        if (key === 'properties') return Object.entries<object>(child).flatMap(([name, own]) => nodesOf(own, `${path}.${name}`))
        return key === 'items' || key === 'additionalProperties' ? nodesOf(child, `${path}[]`) : []
      })
    const nodesOf = (schema: object, path: string): readonly string[] => [
      ...('description' in schema ? [] : [path]),
      ...undescribed(schema, path),
    ]
    expect(buildCrd(kind).spec.versions.flatMap(({ schema }) => nodesOf(schema.openAPIV3Schema, ''))).toEqual(['.metadata'])
  })

  it('fits into the annotation of client-side apply', () => {
    expect(Buffer.byteLength(JSON.stringify(buildCrd(kind)))).toBeLessThan(maxCrdBytes)
  })

  it('has a status as kstatus expects it: conditions first, observedGeneration -1 until seen, nothing required', () => {
    const { json } = kind.status
    expect(Object.keys(json.properties ?? {}).slice(0, 2)).toEqual(['conditions', 'observedGeneration'])
    expect(json.properties?.['observedGeneration']?.default).toBe(-1)
    expect(json.default).toEqual({ observedGeneration: -1 })
    expect(json.required).toBeUndefined()
  })

  it('shows columns of fields that exist, with their type', () => {
    for (const column of kind.columns) {
      const field = fieldAt(kind, column.jsonPath)
      const type = field?.format === 'date-time' ? 'date' : field?.type
      if (column.jsonPath.startsWith('.metadata.')) continue
      expect([column.name, type]).toEqual([column.name, column.type])
    }
  })

  it('says of each condition and reason what it means, in reasons that the API server takes', () => {
    // A TaskExecution is itself an outcome, as a Job is.
    expect(Object.keys(kind.conditions)).toContain(kind.kind === 'TaskExecution' ? 'Succeeded' : 'Ready')
    for (const [type, { meaning, reasons }] of Object.entries(kind.conditions)) {
      expect(type).toMatch(/^[A-Z][A-Za-z]+$/)
      expect(meaning).toMatch(/^[A-Z].*\.$/)
      for (const [reason, declared] of Object.entries(reasons)) {
        expect(reason).toMatch(/^[A-Z][A-Za-z0-9]*$/)
        expect(declared.meaning).toMatch(/^[A-Z`].*[a-z].*\.$/)
        if (type === 'Reconciling' || type === 'Stalled') expect([type, reason, declared.status]).toEqual([type, reason, 'True'])
      }
    }
  })

  it('says of each Event what happened, in reasons that the API server takes', () => {
    for (const [reason, { action, meaning }] of Object.entries(kind.events)) {
      expect(reason).toMatch(/^[A-Z][A-Za-z]{2,127}$/)
      expect(action).toMatch(/^[A-Z][a-z]+$/)
      expect(meaning).toMatch(/^[A-Z].*\.$/)
    }
  })
})

describe('the rules themselves', () => {
  const text = { description: 'A text for people.', type: 'string', maxLength: 9 } as const
  const item = of({ name: text }, { required: ['name'] })
  const list = {
    description: 'A list of things.',
    type: 'array',
    items: item,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  } as const

  it.each<[string, JsonSchema]>([
    ['description', of({ name: { ...text, description: '' } })],
    ['description', of({ name: { ...text, description: 'no sentence' } })],
    ['maxLength', of({ name: { description: 'A text for people.', type: 'string' } })],
    ['\\s', of({ name: { ...text, pattern: '^\\s$' } })],
    ['bounds', of({ size: { description: 'How many there are.', type: 'integer', minimum: 0 } })],
    ['bounds', of({ size: { description: 'How many there are.', 'x-kubernetes-int-or-string': true, maxLength: 3 } })],
    ['maxLength', of({ size: { description: 'How many there are.', 'x-kubernetes-int-or-string': true, minimum: 0, maximum: 3 } })],
    ['2^53', of({ size: { description: 'How many there are.', type: 'integer', minimum: 0, maximum: 2 ** 60 } })],
    ['maxItems', of({ names: list })],
    ['list type', of({ names: { description: 'A list of things.', type: 'array', maxItems: 3, items: item } })],
    ['required in its items', of({ names: { ...list, maxItems: 3, items: of({ name: text }) } })],
    ['type', of({ load: foreign('number') })],
    ['both properties and additionalProperties', of({ name: text }, { additionalProperties: text, maxProperties: 1 })],
    ['maxProperties', { description: 'A map of texts.', type: 'object', additionalProperties: text }],
    ['required and has a default', of({ name: { ...text, default: 'a' } }, { required: ['name'] })],
    ['required but not declared', of({}, { required: ['name'] })],
    ['default', of({ size: { description: 'How many there are.', type: 'integer', minimum: 0, maximum: 3, default: 4 } })],
    ['default', of({ name: { ...text, pattern: '^b', default: 'a' } })],
    ['Seconds', of({ timeout: { description: 'A duration in seconds.', type: 'integer', minimum: 0, maximum: 9 } })],
    ['Time', of({ createdAt: { description: 'When it was made.', type: 'string', format: 'date-time' } })],
    ['camelCase', of({ 'max-size': text })],
    ['fieldPath', of({ name: text }, { 'x-kubernetes-validations': [{ rule: 'true', message: 'never', fieldPath: '.other' }] })],
    ['could be removed', of({ name: { ...text, 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed' }] } })],
  ])('bites: %s', (word, schema) => {
    expect(schemaViolations('spec', schema).join('\n')).toContain(word)
  })

  it('bites: an ordered list of objects, but not in a status', () => {
    const items = of({ at: { description: 'A moment in time.', type: 'string', format: 'date-time', maxLength: 32 } })
    const schema: JsonSchema = { description: 'An ordered list.', type: 'array', maxItems: 3, items, 'x-kubernetes-list-type': 'atomic' }
    expect(schemaViolations('spec.runs', schema)).toContain('spec.runs: the list type is not map')
    expect(schemaViolations('status.runs', schema).filter((each) => each.includes('list type'))).toEqual([])
  })
})

function of(fields: { [name: string]: JsonSchema }, more: Partial<JsonSchema> = {}): JsonSchema {
  return { description: 'An object.', type: 'object', properties: fields, ...more }
}

/** A type that the combinators cannot say. */
function foreign(type: string): JsonSchema {
  const schema: JsonSchema = JSON.parse(JSON.stringify({ description: 'A foreign thing.', type }))
  return schema
}

function fieldAt(kind: Kind, jsonPath: string): JsonSchema | undefined {
  const path = jsonPath
    .replace(/\[\?.*\]/u, '')
    .slice(1)
    .split('.')
  let schema: JsonSchema | undefined = of({ spec: kind.spec.json, status: kind.status.json })
  for (const field of path) schema = (schema?.items ?? schema)?.properties?.[field]
  return schema
}
