import { Optional } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { failed, tooCostly } from './explain.ts'

/** A JSON value as CEL sees it: whole numbers are `int` (a BigInt), all others `double`. `count` is told of every value. */
export function toCel(value: unknown, count: () => void): unknown {
  count()
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map((item) => toCel(item, count))
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, toCel(item, count)]),
  )
}

/** The result of an expression as JSON: times as RFC 3339, durations as seconds with an `s`, like Kubernetes writes them. */
export function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') {
    if (BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))) return Number(value)
    throw tooCostly(`the result ${value} is beyond the integers that JSON holds exactly; make it a text with string(…)`)
  }
  if (value instanceof UnsignedInt) return fromCel(value.valueOf())
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Duration) return `${Number(value.seconds) + value.nanos / 1e9}s`
  if (value instanceof Uint8Array) throw failed('the result is bytes; make it a text with .base64() or string(…)')
  if (value instanceof Optional) {
    if (value.hasValue()) return fromCel(value.value())
    throw failed('the result is an optional without a value; end it with .orValue(…)')
  }
  if (Array.isArray(value)) return value.map(fromCel)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), fromCel(item)]))
  if (value === null || typeof value !== 'object') return value
  if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromCel(item)]))
  }
  throw failed('the result is a type, which is not a value; compare it with == instead')
}
