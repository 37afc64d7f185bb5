import type { JsonSchema } from './json-schema.ts'

/** A schema's bounds in words, for people who read `kubectl explain` or the reference page. */
export function describeBounds(schema: JsonSchema): string | undefined {
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema['x-kubernetes-int-or-string'] === true) return `${integerBounds(schema)}, or a text of at most ${schema.maxLength} characters`
  if (schema.type === 'integer') return integerBounds(schema)
  if (schema.maxLength !== undefined) return between(schema.minLength, schema.maxLength, 'characters')
  if (schema.maxItems !== undefined) return between(schema.minItems, schema.maxItems, 'entries')
  if (schema.maxProperties !== undefined) return between(undefined, schema.maxProperties, 'entries')
  return undefined
}

/** The default of an object consists of those of its fields, which are told there. */
export function describeDefault(schema: JsonSchema): string | undefined {
  const value = schema.default
  if (value === undefined || schema.type === 'object') return undefined
  return `default ${typeof value === 'string' ? value : JSON.stringify(value)}`
}

/** The largest and the least integer that JavaScript holds stand for "no bound of its own". */
function integerBounds({ minimum, maximum }: JsonSchema): string {
  if (minimum === Number.MIN_SAFE_INTEGER && maximum === Number.MAX_SAFE_INTEGER) return 'a whole number'
  return maximum === Number.MAX_SAFE_INTEGER ? `${minimum} or more` : `from ${minimum} to ${maximum}`
}

function between(least: number | undefined, most: number, noun: string): string {
  return least === undefined || least === 0 ? `at most ${most} ${noun}` : `${least} to ${most} ${noun}`
}
