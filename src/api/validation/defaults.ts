import type { Kind, ObjectOf, WrittenObjectOf } from '../kinds/kind.ts'
import { rootSchema } from '../kinds/root-schema.ts'
import type { JsonSchema } from '../schema/index.ts'
import { fieldSchema, fieldsOf, isObject } from './json.ts'

/** The object as the API server would store it: what was left out and has a default is filled in. The argument stays as it is. */
export function withDefaults<K extends Kind>(kind: K, object: WrittenObjectOf<K>): ObjectOf<K> {
  return filled(rootSchema(kind), object) as ObjectOf<K>
}

/**
 * Fills in at every depth, whatever the value is. A null says nothing where no null is admitted (tools that were written in Go print
 * them): it becomes the default, or goes.
 */
export function filled(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => (schema.items === undefined ? item : filled(schema.items, item)))
  if (!isObject(value)) return value
  const missing = Object.entries(schema.properties ?? {}).filter(([name, child]) => child.default !== undefined && isMissing(value[name]))
  return {
    ...Object.fromEntries(
      fieldsOf(value).flatMap(([name, own]) => {
        const child = fieldSchema(schema, name)
        if (child === undefined) return [[name, own]]
        return isMissing(own) ? [] : [[name, filled(child, own)]]
      }),
    ),
    ...Object.fromEntries(missing.map(([name, child]) => [name, filled(child, child.default)])),
  }
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null
}
