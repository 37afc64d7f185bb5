/** Objects from schemas, by fast-check: most of them good, bounds and odd characters included. */
import fc, { type Arbitrary } from 'fast-check'
import type { JsonSchema } from '../../src/api/index.ts'

const letters = fc.constantFrom('a', 'b', 'z', 'A', '0', '9', '-', '_', '.', '/')
const anything = fc.constantFrom('a', 'B', '7', ' ', 'é', '😀', '"', '{', '\n', ':', '%')
const words = ['50%', '2Gi', '1.5', '-3e2', '.5m', 'a', 'ready', 'redis:6379']

/** Texts that a rule is about: nothing that chance would find. */
const addresses = ['redis:6379', 'a.b-c.svc:1', '10.0.0.7:65535', '[fd00::7]:6379', 'my_redis:80']
const noAddresses = ['redis', 'redis:', ':1', 'redis:0', 'redis:65536', 'redis:x', '[::1]', 'a b:1', '-a:1', 'a:1\n']

const urls = ['https://a.b/c', 'http://10.0.0.7:8080/x?y=1#z', 'http://my_host']

/** `field` is the last name of the path to the value. */
export function valueOf(schema: JsonSchema, field: string): Arbitrary<unknown> {
  if (schema['x-kubernetes-int-or-string'] === true) return fc.oneof(integerOf(schema), textOf(schema, field))
  if (schema.type === 'integer') return integerOf(schema)
  if (schema.type === 'string') return textOf(schema, field)
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'array') return listOf(schema, field)
  return objectOf(schema)
}

function integerOf({ minimum, maximum }: JsonSchema): Arbitrary<number> {
  const bounds = { min: minimum ?? 0, max: maximum ?? 0 }
  return fc.oneof(fc.integer({ min: bounds.min, max: Math.min(bounds.max, bounds.min + 20) }), fc.constantFrom(bounds.min, bounds.max))
}

function textOf(schema: JsonSchema, field: string): Arbitrary<string> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.format === 'date-time') {
    // Not with a small t: the API server admits it, and then cannot ask any rule about the object.
    return fc.constantFrom('2026-11-23T08:00:00Z', '2024-02-29T23:59:59.123456+02:00', '1999-12-31T00:00:00-11:30')
  }
  if (field === 'address') return fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...addresses) }, fc.constantFrom(...noAddresses))
  if (/url$/iu.test(field)) return fc.constantFrom(...urls)
  const { minLength = 0, maxLength = 0, pattern } = schema
  const most = Math.min(maxLength, 12)
  const text = fc.oneof(
    fc.string({ unit: letters, minLength, maxLength: most }),
    fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength, maxLength: most }),
    fc.string({ unit: anything, minLength, maxLength: most }),
    fc.constantFrom(...words).filter((word) => word.length <= maxLength),
    fc.constant('a'.repeat(Math.min(maxLength, 400))),
  )
  if (pattern === undefined) return text
  const admitted = new RegExp(pattern, 'u')
  // What chance hardly finds, such as a date, is made from the pattern: a filter would search for ever.
  const found = fc.sample(text, { numRuns: 500, seed: 1 }).filter((value) => admitted.test(value)).length
  return found >= 10
    ? text.filter((value) => admitted.test(value))
    : fc.stringMatching(admitted).filter(({ length }) => length <= maxLength)
}

function listOf(schema: JsonSchema, field: string): Arbitrary<unknown[]> {
  const { minItems = 0, maxItems = 0, items, 'x-kubernetes-list-map-keys': keys } = schema
  if (items === undefined) return fc.constant([])
  const length = { minLength: minItems, maxLength: Math.min(maxItems, minItems + 4) }
  const identity = (item: unknown): string => JSON.stringify(keys === undefined ? item : keys.map((key) => Reflect.get(Object(item), key)))
  return fc.uniqueArray(valueOf(items, field), { ...length, selector: identity })
}

function objectOf(schema: JsonSchema): Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties, maxProperties = 0 } = schema
  if (additionalProperties !== undefined) {
    const key = fc.string({ unit: letters, minLength: 1, maxLength: 6 })
    return fc.dictionary(key, valueOf(additionalProperties, ''), { maxKeys: Math.min(maxProperties, 4), noNullPrototype: true })
  }
  const fields = Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, valueOf(child, name)]))
  const isUnion = required.length === 0 && JSON.stringify(schema['x-kubernetes-validations'] ?? '').includes('exists_one')
  if (isUnion)
    return fc.oneof(
      ...Object.entries(fields).map(([name, value]) => value.map((own) => ({ [name]: own }))),
      fc.record(fields, { requiredKeys: [] }),
    )
  const known = fc.record(fields, { requiredKeys: [...required], noNullPrototype: true })
  if (schema['x-kubernetes-preserve-unknown-fields'] !== true) return known
  const unknown = fc.constantFrom({}, { other: 1 }, { other: { deep: [null, true, 'x'] } }, { other: null })
  return fc.tuple(known, unknown).map(([own, more]) => ({ ...more, ...own }))
}
