import { errorMessage } from '../../errors/index.ts'
import type { JsonSchema, ValidationRule } from '../schema/index.ts'
import type { Problem } from './faults.ts'
import { fieldPath, fieldSchema, fieldsOf, identityOf, isObject, itemPath } from './json.ts'

/** Whether a rule holds; throws when it cannot be evaluated. `oldSelf` is undefined where there is no old value. */
export type EvaluateRule = (rule: string, self: unknown, oldSelf: unknown) => boolean

/**
 * The broken rules of a value and of everything below it. A rule about `oldSelf` is asked only where there is a new and an old value;
 * entries of a list have an old value only if the list has keys.
 */
export function brokenRules(
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
  return [...own, ...childrenOf(schema, self, oldSelf, path).flatMap((child) => brokenRules(child.schema, child, child.path, evaluateRule))]
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
    // The API server writes the keys of maps in brackets here, and with a dot where it speaks of a bound.
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
