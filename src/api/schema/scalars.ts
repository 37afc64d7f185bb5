import { type Described, requiredSchema, type Schema, schemaOf } from './schema.ts'

/**
 * Strings need a maximum length: without one the API server cannot bound the cost of a CEL rule and refuses the CRD.
 */
type StringOptions = Described & { readonly minLength?: number; readonly maxLength: number; readonly pattern?: string }

export function string(options: StringOptions & { readonly default: string }): Schema<string, string, 'defaulted'>
export function string(options: StringOptions): Schema<string, string, 'required'>
export function string(options: StringOptions & { readonly default?: string }): Schema<string> {
  const { minLength, maxLength, pattern } = options
  return schemaOf(
    { type: 'string', ...(minLength === undefined ? {} : { minLength }), maxLength, ...(pattern === undefined ? {} : { pattern }) },
    options,
  )
}

/** One of a few words. Used instead of a boolean wherever a third state is imaginable. */
type EnumOptions<V extends string> = Described & { readonly values: readonly V[] }

export function enumeration<const V extends string>(options: EnumOptions<V> & { readonly default: NoInfer<V> }): Schema<V, V, 'defaulted'>
export function enumeration<const V extends string>(options: EnumOptions<V>): Schema<V, V, 'required'>
export function enumeration<const V extends string>(options: EnumOptions<V> & { readonly default?: NoInfer<V> }): Schema<V> {
  return schemaOf({ type: 'string', enum: options.values }, options)
}

/** Yes or no, only if a third state is unimaginable: `suspend`. */
export function boolean(options: Described & { readonly default: boolean }): Schema<boolean, boolean, 'defaulted'>
export function boolean(options: Described): Schema<boolean, boolean, 'required'>
export function boolean(options: Described & { readonly default?: boolean }): Schema<boolean> {
  return schemaOf({ type: 'boolean' }, options)
}

type IntegerOptions = Described & { readonly minimum: number; readonly maximum: number }

const MAX_INT32 = 2 ** 31 - 1

/**
 * Whole numbers only, because floats do not survive every client. Bounds stay within 2^53 - 1, which JavaScript holds
 * exactly.
 */
export function integer(options: IntegerOptions & { readonly default: number }): Schema<number, number, 'defaulted'>
export function integer(options: IntegerOptions): Schema<number, number, 'required'>
export function integer(options: IntegerOptions & { readonly default?: number }): Schema<number> {
  const { minimum, maximum } = options
  return schemaOf({ type: 'integer', format: maximum > MAX_INT32 ? 'int64' : 'int32', minimum, maximum }, options)
}

/** A moment in RFC 3339, for example `2026-11-23T08:00:00Z`. */
export function dateTime(options: Described): Schema<string, string, 'required'> {
  return requiredSchema({ type: 'string', format: 'date-time' }, options)
}

type IntOrStringOptions = IntegerOptions & StringOptions
type IntOrString = number | string

/**
 * A number or a text, as in `maxUnavailable: 1` and `maxUnavailable: 25%`. The bounds apply to the number, pattern and
 * lengths to the text.
 */
export function intOrString(options: IntOrStringOptions & { readonly default: IntOrString }): Schema<IntOrString, IntOrString, 'defaulted'>
export function intOrString(options: IntOrStringOptions): Schema<IntOrString, IntOrString, 'required'>
export function intOrString(options: IntOrStringOptions & { readonly default?: IntOrString }): Schema<IntOrString> {
  const { minimum, maximum, minLength, maxLength, pattern } = options
  return schemaOf(
    {
      'x-kubernetes-int-or-string': true,
      minimum,
      maximum,
      ...(minLength === undefined ? {} : { minLength }),
      maxLength,
      ...(pattern === undefined ? {} : { pattern }),
    },
    options,
  )
}

/** The grammar of Kubernetes' resource.Quantity, as in the CRDs of Kubernetes itself. */
const quantityPattern =
  '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$'

/** An amount of a resource: `500m`, `2Gi`, `1.5`, or a whole number. */
export function quantity(options: Described & { readonly default: IntOrString }): Schema<IntOrString, IntOrString, 'defaulted'>
export function quantity(options: Described): Schema<IntOrString, IntOrString, 'required'>
export function quantity(options: Described & { readonly default?: IntOrString }): Schema<IntOrString> {
  const bounds = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, maxLength: 32, pattern: quantityPattern }
  return options.default === undefined
    ? intOrString({ ...options, ...bounds })
    : intOrString({ ...options, ...bounds, default: options.default })
}
