import {
  type JsonSchema,
  type JsonValue,
  type AnySchema,
  type Described,
  type Infer,
  type InferWritten,
  type Presence,
  requiredSchema,
  type Schema,
  schemaOf,
} from './schema.ts'

type Fields = { readonly [field: string]: AnySchema }
type FieldsWith<F extends Fields, P extends Presence> = {
  [K in keyof F]: F[K] extends Schema<unknown, unknown, infer Own> ? (Own extends P ? K : never) : never
}[keyof F]
type Flat<T> = { [K in keyof T]: T[K] }

export type StoredObject<F extends Fields> = Flat<
  { readonly [K in FieldsWith<F, 'required' | 'defaulted'>]: Infer<F[K]> } & { readonly [K in FieldsWith<F, 'optional'>]?: Infer<F[K]> }
>
export type WrittenObject<F extends Fields> = Flat<
  { readonly [K in FieldsWith<F, 'required'>]: InferWritten<F[K]> } & {
    readonly [K in FieldsWith<F, 'optional' | 'defaulted'>]?: InferWritten<F[K]>
  }
>

type ObjectOptions<F extends Fields> = Described & { readonly fields: F }

/**
 * An object of declared fields. `default: {}` means the defaults of the fields; they are written out, because the API
 * server checks the rules of an object against its literal default.
 */
export function object<F extends Fields>(
  options: ObjectOptions<F> & { readonly default: NoInfer<WrittenObject<F>> },
): Schema<StoredObject<F>, WrittenObject<F>, 'defaulted'>
export function object<F extends Fields>(options: ObjectOptions<F>): Schema<StoredObject<F>, WrittenObject<F>, 'required'>
export function object<F extends Fields>(options: ObjectOptions<F> & { readonly default?: object }): Schema<unknown> {
  const { default: written, ...described } = options
  const complete = written === undefined ? {} : { default: { ...defaultsOf(options.fields), ...written } }
  return schemaOf(objectJson(options.fields), { ...described, ...complete })
}

type MembersOf<M extends Fields> = { readonly [K in keyof M]: Schema<Infer<M[K]>, InferWritten<M[K]>, 'required'> }
type OneStored<M extends Fields> = {
  [K in keyof M]: Flat<{ readonly [L in K]: Infer<M[L]> } & { readonly [L in Exclude<keyof M, K>]?: never }>
}[keyof M]
type OneWritten<M extends Fields> = {
  [K in keyof M]: Flat<{ readonly [L in K]: InferWritten<M[L]> } & { readonly [L in Exclude<keyof M, K>]?: never }>
}[keyof M]

/** An object of which exactly one field is set, for example `cron` or `everySeconds`. */
export function union<M extends Fields>(
  options: Described & { readonly members: M & MembersOf<M> },
): Schema<OneStored<M>, OneWritten<M>, 'required'> {
  const names = Object.keys(options.members)
  const { properties = {} } = objectJson(options.members)
  const rule = {
    rule: `[${names.map((name) => `has(self.${name})`).join(', ')}].exists_one(isSet, isSet)`,
    message: `exactly one of ${names.join(', ')} must be set`,
  }
  return requiredSchema({ type: 'object', properties }, { ...options, rules: [rule, ...(options.rules ?? [])] })
}

type Unknown = { readonly [field: string]: unknown }

/**
 * An object of which some fields are declared and all others are kept: for parts of other Kubernetes kinds, whose full
 * schema would not fit into a CRD (a PodTemplateSpec has more than 500 KB).
 */
export function openObject<F extends Fields>(
  options: ObjectOptions<F>,
): Schema<StoredObject<F> & Unknown, WrittenObject<F> & Unknown, 'required'> {
  return requiredSchema({ ...objectJson(options.fields), 'x-kubernetes-preserve-unknown-fields': true }, options)
}

type ListOptions = Described & { readonly minItems?: number; readonly maxItems: number }
type KeyOf<T> = Extract<keyof T, string>

/** A list of objects that server-side apply merges by key. The API server refuses two entries with the same key. */
export function listMap<S extends AnySchema>(
  options: ListOptions & { readonly items: S; readonly keys: readonly KeyOf<Infer<S>>[] },
): Schema<readonly Infer<S>[], readonly InferWritten<S>[], 'required'> {
  return requiredSchema(
    {
      type: 'array',
      ...itemBounds(options),
      items: options.items.json,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': options.keys,
    },
    options,
  )
}

/** A list of distinct scalars without an order. */
export function set<V extends string | number>(
  options: ListOptions & { readonly items: Schema<V, V, 'required'> },
): Schema<readonly V[], readonly V[], 'required'> {
  return requiredSchema({ type: 'array', ...itemBounds(options), items: options.items.json, 'x-kubernetes-list-type': 'set' }, options)
}

/** An ordered list; server-side apply replaces it as a whole. */
export function list<S extends AnySchema>(
  options: ListOptions & { readonly items: S },
): Schema<readonly Infer<S>[], readonly InferWritten<S>[], 'required'> {
  return requiredSchema({ type: 'array', ...itemBounds(options), items: options.items.json, 'x-kubernetes-list-type': 'atomic' }, options)
}

/** An object whose field names the user chooses, such as labels. */
export function map<V>(
  options: Described & { readonly values: Schema<V, V, 'required'>; readonly maxProperties: number },
): Schema<{ readonly [key: string]: V }, { readonly [key: string]: V }, 'required'> {
  return requiredSchema({ type: 'object', maxProperties: options.maxProperties, additionalProperties: options.values.json }, options)
}

function objectJson(fields: Fields): Omit<JsonSchema, 'description'> {
  const entries = Object.entries(fields)
  const required = entries.filter(([, field]) => field.presence === 'required').map(([name]) => name)
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(entries.map(([name, field]) => [name, field.json])),
  }
}

function defaultsOf(fields: Fields): { readonly [field: string]: JsonValue } {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, { json }]) => (json.default === undefined ? [] : [[name, json.default]])),
  )
}

function itemBounds({ minItems, maxItems }: ListOptions): Pick<JsonSchema, 'minItems' | 'maxItems'> {
  return { ...(minItems === undefined ? {} : { minItems }), maxItems }
}
