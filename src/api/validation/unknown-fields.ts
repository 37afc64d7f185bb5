import type { JsonSchema } from '../schema/index.ts'
import { fieldPath, fieldSchema, fieldsOf, isObject, itemPath } from './json.ts'

/** Paths of fields that no schema declares: stored without them, and refused by strict validation, because they are mostly misspelt. */
export function unknownFields(schema: JsonSchema, value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? [] : value.flatMap((item, index) => unknownFields(items, item, itemPath(path, index)))
  }
  if (!isObject(value)) return []
  return fieldsOf(value).flatMap(([name, own]) => {
    const child = fieldSchema(schema, name)
    if (child !== undefined) return unknownFields(child, own, fieldPath(path, name))
    // A value of another type is refused for its type.
    return schema.type !== 'object' || schema['x-kubernetes-preserve-unknown-fields'] === true ? [] : [fieldPath(path, name)]
  })
}
