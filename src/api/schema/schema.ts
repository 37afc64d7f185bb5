/**
 * Whether a field is present:
 * - `required`: the API server refuses an object without it.
 * - `defaulted`: can be left out when written; always present when read, because the API server fills it in.
 * - `optional`: can be missing when read.
 */
export type Presence = 'required' | 'defaulted' | 'optional'

/** A field's schema and, for the compiler only, the types to read and to write. */
export type Schema<Stored, Written = Stored, P extends Presence = Presence> = {
  readonly json: JsonSchema
  readonly presence: P
  readonly __stored?: Stored
  readonly __written?: Written
}

export type AnySchema = Schema<unknown>

/** The type of a value as the API server returns it, with defaults. */
export type Infer<S extends AnySchema> = S extends Schema<infer Stored, unknown> ? Stored : never

/** The type of a value as users write it: fields with a default can be missing. */
export type InferWritten<S extends AnySchema> = S extends Schema<unknown, infer Written> ? Written : never

/** What every declaration can contain. */
export type Described = {
  /**
   * Shown by `kubectl explain`: first the meaning, then units. Bounds, default and example are appended from the
   * declaration.
   */
  readonly description: string
  readonly example?: JsonValue
  readonly rules?: readonly ValidationRule[]
  /** Why the value cannot be changed, and what to do instead. */
  readonly immutable?: string
}

type OwnSchema = Omit<JsonSchema, 'description'>

/**
 * Joins the combinator's part of a schema with the declared part. The combinator's return type adds the phantom types.
 */
export function requiredSchema(own: OwnSchema, declared: Described): { readonly json: JsonSchema; readonly presence: 'required' } {
  const rules = validationsOf(declared)
  const json = {
    description: declared.description,
    ...own,
    ...(declared.example === undefined ? {} : { example: declared.example }),
    ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules }),
  }
  return { json, presence: 'required' }
}

/** The same for declarations with an optional default. */
export function schemaOf(
  own: OwnSchema,
  declared: Described & { readonly default?: JsonValue },
): { readonly json: JsonSchema; readonly presence: 'required' | 'defaulted' } {
  if (declared.default === undefined) return requiredSchema(own, declared)
  return { json: requiredSchema({ ...own, default: declared.default }, declared).json, presence: 'defaulted' }
}

/** Marks a field that can be missing when read. */
export function optional<Stored, Written>(schema: Schema<Stored, Written, 'required'>): Schema<Stored, Written, 'optional'> {
  return { json: schema.json, presence: 'optional' }
}

function validationsOf(declared: Described): readonly ValidationRule[] {
  const rules = (declared.rules ?? []).map((rule) => ({ reason: 'FieldValueInvalid' as const, ...rule }))
  if (declared.immutable === undefined) return rules
  return [...rules, { rule: 'self == oldSelf', message: declared.immutable, reason: 'FieldValueForbidden' }]
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/**
 * The part of a CRD's structural OpenAPI schema that the combinators emit. A kind cannot use anything else: no `oneOf`,
 * no `$ref`, no `nullable`, no floats, no `additionalProperties` beside `properties`.
 */
export type JsonSchema = {
  readonly description: string
  /** Missing only with `x-kubernetes-int-or-string`. */
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly format?: 'date-time' | 'int32' | 'int64'
  readonly default?: JsonValue
  readonly example?: JsonValue
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly required?: readonly string[]
  readonly properties?: { readonly [field: string]: JsonSchema }
  readonly items?: JsonSchema
  readonly additionalProperties?: JsonSchema
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-preserve-unknown-fields'?: true
  readonly 'x-kubernetes-int-or-string'?: true
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[]
}

export type ValidationRule = {
  /** CEL over `self` (and `oldSelf`). */
  readonly rule: string
  readonly message: string
  /** The field that the error names, relative to the schema with the rule, for example `.minReplicas`. */
  readonly fieldPath?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
}
