import { describe, expect, expectTypeOf, it } from 'vitest'
import { describeBounds } from '../crd.ts'
import type { Infer, InferWritten } from './index.ts'
import {
  dateTime,
  enumeration,
  integer,
  intOrString,
  list,
  listMap,
  map,
  object,
  openObject,
  optional,
  quantity,
  set,
  string,
  union,
} from './index.ts'

const mode = enumeration({ description: 'How.', values: ['Auto', 'Manual'], default: 'Auto' })
const size = integer({ description: 'How many.', minimum: 0, maximum: 10 })
const name = string({ description: 'Name.', maxLength: 63 })

const example = object({
  description: 'An example.',
  fields: {
    mode,
    size,
    since: optional(dateTime({ description: 'Since when.' })),
    labels: map({ description: 'Labels.', values: name, maxProperties: 8 }),
    tags: set({ description: 'Tags.', items: name, maxItems: 3 }),
    lines: optional(list({ description: 'Lines.', items: name, maxItems: 3 })),
    nested: object({ description: 'Nested.', default: {}, fields: { mode } }),
    items: listMap({ description: 'Items.', keys: ['name'], maxItems: 3, items: object({ description: 'Item.', fields: { name } }) }),
    rest: optional(openObject({ description: 'Anything.', fields: { name } })),
  },
})

describe('types of a declaration', () => {
  it('has in the stored type what the API server fills in', () => {
    type Stored = Infer<typeof example>
    expectTypeOf<Stored['mode']>().toEqualTypeOf<'Auto' | 'Manual'>()
    expectTypeOf<Stored['nested']['mode']>().toEqualTypeOf<'Auto' | 'Manual'>()
    expectTypeOf<Stored['items'][number]['name']>().toEqualTypeOf<string>()
    expectTypeOf<Stored['labels']>().toEqualTypeOf<{ readonly [key: string]: string }>()
    expectTypeOf<Stored['tags']>().toEqualTypeOf<readonly string[]>()
    expectTypeOf<keyof Stored>().toEqualTypeOf<'mode' | 'size' | 'since' | 'labels' | 'tags' | 'lines' | 'nested' | 'items' | 'rest'>()
    expectTypeOf<Required<Stored>['rest']['name']>().toEqualTypeOf<string>()
    expectTypeOf<Required<Stored>['rest'][string]>().toEqualTypeOf<unknown>()
    expectTypeOf<Stored['since']>().toEqualTypeOf<string | undefined>()
    // What was read is not changed in place.
    expectTypeOf<Stored>().toEqualTypeOf<Readonly<Stored>>()
    expectTypeOf<Stored['nested']>().toEqualTypeOf<Readonly<Stored['nested']>>()
  })

  it('asks writers for required fields only', () => {
    type Written = InferWritten<typeof example>
    const least: Written = { size: 1, labels: {}, tags: [], items: [{ name: 'a' }] }
    expect(least.mode).toBeUndefined()
    // @ts-expect-error size is required
    const wrong: Written = { labels: {}, tags: [], items: [] }
    expect(wrong.size).toBeUndefined()
  })

  it('refuses declarations that would not work', () => {
    // @ts-expect-error a string has a bound
    string({ description: 'Unbounded.' })
    // @ts-expect-error an integer has two
    integer({ description: 'Half bounded.', minimum: 0 })
    // @ts-expect-error every field has a description
    string({ maxLength: 3 })
    // @ts-expect-error the default is one of the values
    enumeration({ description: 'How.', values: ['Auto'], default: 'Other' })
    // @ts-expect-error a default has the type of the field
    integer({ description: 'Size.', minimum: 0, maximum: 1, default: '1' })
    // @ts-expect-error the key of a list is a field of its items
    listMap({ description: 'Items.', keys: ['id'], maxItems: 3, items: object({ description: 'Item.', fields: { name } }) })
    // @ts-expect-error a field with a default is never missing
    optional(mode)
    expect(true).toBe(true)
  })
})

describe('a union', () => {
  const trigger = union({ description: 'Trigger.', members: { size, name, nested: object({ description: 'Nested.', fields: { mode } }) } })

  it('has one of its members, as the compiler knows', () => {
    type Stored = Infer<typeof trigger>
    expectTypeOf<Extract<Stored, { size: number }>>().toEqualTypeOf<{
      readonly size: number
      readonly name?: never
      readonly nested?: never
    }>()
    const written: InferWritten<typeof trigger> = { nested: {} }
    expect(written).toEqual({ nested: {} })
    // @ts-expect-error two members
    const two: InferWritten<typeof trigger> = { size: 1, name: 'x' }
    // @ts-expect-error no member
    const none: InferWritten<typeof trigger> = {}
    expect([two, none]).toHaveLength(2)
    // @ts-expect-error a member with a default would always be set
    union({ description: 'Trigger.', members: { mode, size } })
  })

  it('requires none of its members and has a rule that names them', () => {
    expect(trigger.json).not.toHaveProperty('required')
    expect(trigger.json['x-kubernetes-validations']).toEqual([
      {
        reason: 'FieldValueInvalid',
        rule: '[has(self.size), has(self.name), has(self.nested)].exists_one(isSet, isSet)',
        message: 'exactly one of size, name, nested must be set',
      },
    ])
  })
})

describe('a number or a text', () => {
  it('is bounded as both and has no type', () => {
    const share = intOrString({ description: 'Share.', minimum: 0, maximum: 9, maxLength: 4, pattern: '^[0-9]+%$', default: '25%' })
    expectTypeOf<Infer<typeof share>>().toEqualTypeOf<number | string>()
    expect(share).toEqual({
      presence: 'defaulted',
      json: {
        description: 'Share.',
        'x-kubernetes-int-or-string': true,
        minimum: 0,
        maximum: 9,
        maxLength: 4,
        pattern: '^[0-9]+%$',
        default: '25%',
      },
    })
    expect(describeBounds(share.json)).toBe('from 0 to 9, or a text of at most 4 characters')
  })

  it.each(['1', '0.5', '.5', '5.', '100m', '2Gi', '3k', '1e3', '1E-2', '-4', '+4n'])('the quantity %s is one', (text) => {
    expect(new RegExp(quantity({ description: 'Memory.' }).json.pattern ?? '', 'u').test(text)).toBe(true)
  })

  it.each(['', '.', 'Gi', '2 Gi', '2GB', '1e', '0x1', '1,5'])('%j is no quantity', (text) => {
    expect(new RegExp(quantity({ description: 'Memory.' }).json.pattern ?? '', 'u').test(text)).toBe(false)
  })

  it('may have a default as a quantity', () => {
    expect(quantity({ description: 'Memory.', default: '2Gi' }).json.default).toBe('2Gi')
    expect(describeBounds(quantity({ description: 'Memory.' }).json)).toBe('a whole number, or a text of at most 32 characters')
  })
})

describe('schema of a declaration', () => {
  it('requires the fields that are neither optional nor have a default', () => {
    expect(example.json.required).toEqual(['size', 'labels', 'tags', 'items'])
  })

  it('states bounds, defaults and list types in the words of CRDs', () => {
    expect(example.json.properties).toMatchObject({
      mode: { type: 'string', enum: ['Auto', 'Manual'], default: 'Auto' },
      size: { type: 'integer', format: 'int32', minimum: 0, maximum: 10 },
      since: { type: 'string', format: 'date-time' },
      labels: { type: 'object', maxProperties: 8, additionalProperties: { type: 'string', maxLength: 63 } },
      tags: { type: 'array', maxItems: 3, 'x-kubernetes-list-type': 'set' },
      lines: { type: 'array', maxItems: 3, 'x-kubernetes-list-type': 'atomic' },
      nested: { type: 'object', default: { mode: 'Auto' } },
      items: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
      rest: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    })
  })

  it('takes the wide format for what does not fit into 32 bits', () => {
    expect(integer({ description: 'Big.', minimum: 0, maximum: 2 ** 31 }).json.format).toBe('int64')
  })

  it('turns rules and immutability into validations', () => {
    const schema = string({
      description: 'Fixed.',
      maxLength: 9,
      rules: [{ rule: "self != 'x'", message: 'must not be x', fieldPath: '.name' }],
      immutable: 'cannot be changed',
    })
    expect(schema.json['x-kubernetes-validations']).toEqual([
      { reason: 'FieldValueInvalid', rule: "self != 'x'", message: 'must not be x', fieldPath: '.name' },
      { reason: 'FieldValueForbidden', rule: 'self == oldSelf', message: 'cannot be changed' },
    ])
  })
})
