export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/**
 * The part of a CRD's structural OpenAPI schema that the combinators emit. What cannot be said here cannot be said in a
 * kind: no `oneOf`, no `$ref`, no `nullable`, no floats, no `additionalProperties` beside `properties`.
 */
export type JsonSchema = {
  readonly description: string
  /** Missing only where `x-kubernetes-int-or-string` says it. */
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
  /** The field that the answer names, relative to the schema that carries the rule, for example `.minReplicas`. */
  readonly fieldPath?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
}
