/**
 * The values of CEL in JavaScript, and their way from JSON and back.
 *
 * | CEL | JavaScript |
 * |---|---|
 * | int | bigint |
 * | uint | UnsignedInt |
 * | double | number |
 * | bytes | Uint8Array |
 * | list, map | array, Map |
 * | timestamp (milliseconds), duration (nanoseconds) | Date, Duration |
 *
 * A number of JSON is a double, whatever its value: `a / 2` is 1.5 for 3 and 1.75 for 3.5. Only integers beyond ±2⁵³ are
 * `int`, because doubles could not tell them apart. Numbers mix freely, and a
 * double without a fraction is written back as a whole number.
 */
import { EvaluationError, Optional } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { describeInexact, isExact, isRawNumber, type RawNumber } from '../json/index.ts'
import { failed, tooCostly } from './explain.ts'

/** Returns an error of the evaluation. Without advice its code selects one. The caller adds the position. */
export function fault(code: string, message: string, advice?: string): EvaluationError {
  return Object.assign(new EvaluationError({ code, message }), { advice })
}

export type TypeName =
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'list'
  | 'map'
  | 'timestamp'
  | 'duration'
  | 'optional'
  | 'type'
  | 'namespace'

export function typeOf(value: unknown): TypeName {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'string':
      return 'string'
    default:
      return typeOfObject(value)
  }
}

function typeOfObject(value: unknown): TypeName {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Map || isPlain(value)) return 'map'
  if (value instanceof Date) return 'timestamp'
  if (value instanceof Duration) return 'duration'
  if (value instanceof UnsignedInt) return 'uint'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Optional) return 'optional'
  return value instanceof Namespace ? 'namespace' : 'type'
}

/** A name that only groups functions, such as `strings` in `strings.quote(…)`. */
export abstract class Namespace {
  readonly isNamespace = true
}

/** The library keeps its own constants in plain objects. */
function isPlain(value: unknown): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n } as const

/** Converts a JSON value for CEL. Calls `count` for every value. */
export type ToCel = (value: unknown, count: () => void) => unknown

/** Numbers of JSON have no type of their own in CEL; all of them become doubles, except integers beyond ±2⁵³. */
export const fromJson: ToCel = (value, count) => convert(value, count, (number) => longIntegerOf(number) ?? number, [])

/** In a rule of a CRD the schema knows integers: whole numbers become `int`, as the API server has them. */
export const fromSchema: ToCel = (value, count) =>
  convert(value, count, (number) => (Number.isSafeInteger(number) ? BigInt(number) : number), [])

/** `path` leads to the value, for an error that names it. */
function convert(value: unknown, count: () => void, number: (value: number) => unknown, path: (string | number)[]): unknown {
  count()
  if (typeof value === 'number') return number(value)
  if (isRawNumber(value)) return rawToCel(value, path)
  if (Array.isArray(value)) return value.map((item, index) => convertAt(index, item))
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return new Map(entries.map(([key, item]) => [key, convertAt(key, item)]))

  function convertAt(step: string | number, item: unknown): unknown {
    path.push(step)
    const converted = convert(item, count, number, path)
    path.pop()
    return converted
  }
}

/** An integer beyond ±2⁵³ is an `int`, so that its digits are those that were written, whether a double holds it or not. */
function longIntegerOf(number: number, written?: string): bigint | undefined {
  if (Number.isSafeInteger(number) || !Number.isInteger(number)) return undefined
  const text = written ?? String(number)
  if (!/^-?\d{16,19}$/u.test(text)) return undefined
  const value = BigInt(text)
  return value >= int64.min && value <= int64.max ? value : undefined
}

/** Throws if the number is no integer of 64 bits. */
function rawToCel({ rawJSON: text }: RawNumber, path: readonly (string | number)[]): bigint {
  const value = longIntegerOf(Number(text), text)
  if (value !== undefined) return value
  const place = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')
  throw failed(`${place.slice(1) || 'the value'}: ${describeInexact(text)}`)
}

/**
 * Converts the result of an expression to JSON: times as RFC 3339, durations as seconds with an `s`, as Kubernetes
 * writes them. Throws for a value that JSON cannot hold exactly.
 */
export function toJson(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      if (isExact(String(value))) return Number(value)
      throw tooCostly(`the result ${value} is larger than the integers that JSON holds exactly; convert it to text with string(…)`)
    case 'number':
      if (Number.isFinite(value)) return value
      throw failed(`the result is ${Number.isNaN(value) ? 'not a number (NaN)' : 'infinite'}, which JSON cannot hold; check its operands`)
    case 'object':
      return value === null ? null : objectToJson(value)
    default:
      return value
  }
}

function objectToJson(value: object): unknown {
  if (Array.isArray(value)) return value.map(toJson)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), toJson(item)]))
  if (value instanceof UnsignedInt) return toJson(value.value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Duration) return durationText(value)
  if (value instanceof Uint8Array) throw failed('the result is bytes; convert it to text with .base64() or string(…)')
  if (value instanceof Optional) {
    if (value.hasValue()) return toJson(value.value())
    throw failed('the result is an optional without a value; add .orValue(…)')
  }
  throw failed('the result is a type, which is not a value; compare it with == instead')
}

const nanosPerSecond = 1_000_000_000n

export function nanosOf(duration: Duration): bigint {
  return duration.seconds * nanosPerSecond + BigInt(duration.nanos)
}

/** Throws if the duration is longer than the about 292 years that Kubernetes can express. */
export function durationOf(nanos: bigint): Duration {
  if (nanos > int64.max || nanos < int64.min) throw fault('numeric_overflow', 'the duration is longer than 292 years')
  return new Duration(nanos / nanosPerSecond, Number(nanos % nanosPerSecond))
}

/** The seconds of a duration as a decimal number with an `s`: `5400s`, `-0.25s`. */
export function durationText(duration: Duration): string {
  const nanos = nanosOf(duration)
  const size = nanos < 0n ? -nanos : nanos
  const fraction = String(size % nanosPerSecond)
    .padStart(9, '0')
    .replace(/0+$/u, '')
  return `${nanos < 0n ? '-' : ''}${size / nanosPerSecond}${fraction === '' ? '' : `.${fraction}`}s`
}
