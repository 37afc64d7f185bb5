/**
 * Fields of which exactly one is set, such as `task`, `job` and `dependencyRef`. They are declared in one table, from which the rule of the
 * schema follows, and read as a discriminated union, so that a `switch` over `kind` which leaves a member out does not compile.
 * `if … return …; return …` would take a new member for the last one.
 */
import type { AnySchema, ValidationRule } from './schema/index.ts'

export type Member<T extends object, K extends keyof T> = {
  readonly [N in K]-?: { readonly kind: N; readonly value: NonNullable<T[N]> }
}[K]

/** The member of `names` that is set. Throws where none is, which the schema rules out. */
export function memberOf<T extends object, const K extends keyof T & string>(value: T, names: readonly K[]): Member<T, K> {
  const kind = names.find((name) => value[name] !== undefined)
  if (kind === undefined) throw new TypeError(`an object with none of ${names.join(', ')} was admitted`)
  return { kind, value: value[kind] } as unknown as Member<T, K>
}

/** The names of a table, in the order in which they are written. */
export function namesOf<T extends object>(table: T): readonly (keyof T & string)[] {
  return Object.keys(table) as (keyof T & string)[]
}

/** The rule of an object that has these fields. */
export function exactlyOneOf(members: Readonly<Record<string, AnySchema>>, fieldPath?: `.${string}`): ValidationRule {
  const names = namesOf(members)
  const set = names.map((name) => `has(self.${name})`)
  return {
    rule: set.length === 2 ? set.join(' != ') : `[${set.join(', ')}].exists_one(isSet, isSet)`,
    message: `exactly one of ${names.join(', ')} must be set`,
    ...(fieldPath === undefined ? {} : { fieldPath }),
  }
}
