import { type Kind, type ObjectOf, type WrittenObjectOf, rootSchema } from '../kinds/kind.ts'
import type { JsonSchema, ValidationRule } from '../schema/index.ts'
import { errorMessage } from '../../errors/index.ts'
import {
  type Problem,
  findSchemaFaults,
  findIdentityFaults,
  findUnknownMetadata,
  findUnknownFields,
  fieldPath,
  fieldSchema,
  fieldsOf,
  identityOf,
  isObject,
  itemPath,
} from './faults.ts'

/**
 * Returns the problems of an object. With `oldObject`, the object is a change of that one, and immutable fields are
 * checked too.
 */
export type Validate = (kind: Kind, object: unknown, oldObject?: unknown) => readonly Problem[]

/**
 * The API server's strict validation without an API server: refuses the same objects and names the same fields, from
 * the declaration of which the CRD is made.
 * - Rules are evaluated on the object with its defaults. They are skipped while a value has the wrong type, is missing,
 *   is too long or is not one of its choices.
 * - Unknown fields are reported together with the rest; the API server reports them first and alone.
 * - In `metadata`, the name and the field names are checked, not the syntax of labels.
 * - The API server admits a bad value that was bad before and is unchanged; this validator does not.
 */
export function createValidator({ evaluateRule }: { readonly evaluateRule: EvaluateRule }): Validate {
  return (kind, object, oldObject) => {
    const schema = rootSchema(kind)
    const self = fillDefaults(schema, object)
    const unknown = [...findUnknownMetadata(object), ...findUnknownFields(schema, object, '')]
    const faults = [...findIdentityFaults(kind, self), ...findSchemaFaults(schema, self, '')]
    const rulesApply = !faults.some(({ stopsRules }) => stopsRules)
    return [
      ...unknown.map((path) => ({ path, message: 'is not a known field; see the reference' })),
      ...faults.map(({ path, message }) => ({ path, message })),
      ...(rulesApply ? findBrokenRules(schema, { self, oldSelf: fillDefaults(schema, oldObject) }, '', evaluateRule) : []),
    ]
  }
}

/** Whether a rule holds. Throws if it cannot be evaluated. `oldSelf` is undefined if there is no old value. */
type EvaluateRule = (rule: string, self: unknown, oldSelf: unknown) => boolean

/**
 * Returns the broken rules of a value and of everything below it. A rule about `oldSelf` is evaluated only if there is
 * an old value; entries of a list have one only if the list has keys.
 */
function findBrokenRules(
  schema: JsonSchema,
  values: { readonly self: unknown; readonly oldSelf: unknown },
  path: string,
  evaluateRule: EvaluateRule,
): readonly Problem[] {
  const { self, oldSelf } = values
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) => {
    if (oldSelf === undefined && /\boldSelf\b/u.test(rule.rule)) return []
    const message = complaint(rule, () => evaluateRule(rule.rule, self, oldSelf))
    return message === undefined ? [] : [{ path: `${path}${rule.fieldPath ?? ''}`.replace(/^\./u, ''), message }]
  })
  return [
    ...own,
    ...childrenOf(schema, self, oldSelf, path).flatMap((child) => findBrokenRules(child.schema, child, child.path, evaluateRule)),
  ]
}

function complaint({ message }: ValidationRule, holds: () => boolean): string | undefined {
  try {
    return holds() ? undefined : message
  } catch (error) {
    return `${message} (${errorMessage(error)})`
  }
}

type Child = { readonly schema: JsonSchema; readonly self: unknown; readonly oldSelf: unknown; readonly path: string }

function childrenOf(schema: JsonSchema, self: unknown, oldSelf: unknown, path: string): readonly Child[] {
  if (Array.isArray(self)) return itemsOf(schema, self, oldSelf, path)
  if (!isObject(self)) return []
  return fieldsOf(self).flatMap(([name, own]) => {
    const child = fieldSchema(schema, name)
    if (child === undefined) return []
    // The API server writes keys of maps in brackets here, but with a dot in errors about bounds.
    const childPath = schema.additionalProperties === undefined ? fieldPath(path, name) : itemPath(path, name)
    return [{ schema: child, self: own, oldSelf: isObject(oldSelf) ? oldSelf[name] : undefined, path: childPath }]
  })
}

function itemsOf(schema: JsonSchema, self: readonly unknown[], oldSelf: unknown, path: string): readonly Child[] {
  const { items } = schema
  if (items === undefined) return []
  const old = new Map<string, unknown>()
  if (Array.isArray(oldSelf) && schema['x-kubernetes-list-type'] === 'map')
    for (const item of oldSelf) old.set(identityOf(schema, item), item)
  return self.map((item, index) => ({ schema: items, self: item, oldSelf: old.get(identityOf(schema, item)), path: itemPath(path, index) }))
}

/** Returns the object as the API server would store it, with defaults filled in. Does not change the argument. */
export function withDefaults<K extends Kind>(kind: K, object: WrittenObjectOf<K>): ObjectOf<K> {
  return fillDefaults(rootSchema(kind), object) as ObjectOf<K>
}

/**
 * Fills in defaults at every depth. Where null is not admitted, it is treated as missing, because tools written in Go
 * print it for empty fields.
 */
function fillDefaults(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => (schema.items === undefined ? item : fillDefaults(schema.items, item)))
  if (!isObject(value)) return value
  const missing = Object.entries(schema.properties ?? {}).filter(([name, child]) => child.default !== undefined && isMissing(value[name]))
  return {
    ...Object.fromEntries(
      fieldsOf(value).flatMap(([name, own]) => {
        const child = fieldSchema(schema, name)
        if (child === undefined) return [[name, own]]
        return isMissing(own) ? [] : [[name, fillDefaults(child, own)]]
      }),
    ),
    ...Object.fromEntries(missing.map(([name, child]) => [name, fillDefaults(child, child.default)])),
  }
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null
}
