/**
 * The operators of CEL on values. Numbers mix: an operation with a double yields a double, and `==`, `<` and `in`
 * compare numbers exactly, whatever their types.
 *
 * Throws for what has no value: a division by zero, an integer beyond 64 bits, a double that would be infinite.
 */
import { Optional } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { durationOf, fault, int64, nanosOf, typeOf } from './values.ts'

export const binaryOperators = {
  '+': (a, b) => numbers('+', a, b) ?? sum(a, b),
  '-': (a, b) => numbers('-', a, b) ?? difference(a, b),
  '*': (a, b) => numbers('*', a, b) ?? noOverload('*', a, b),
  '/': (a, b) => numbers('/', a, b) ?? noOverload('/', a, b),
  '%': (a, b) => numbers('%', a, b) ?? noOverload('%', a, b),
  '<': (a, b) => compare('<', a, b) < 0,
  '<=': (a, b) => compare('<=', a, b) <= 0,
  '>': (a, b) => compare('>', a, b) > 0,
  '>=': (a, b) => compare('>=', a, b) >= 0,
  '==': (a, b) => isEqual(a, b),
  '!=': (a, b) => !isEqual(a, b),
  in: (a, b) => isIn(a, b),
} as const satisfies Readonly<Record<string, (a: unknown, b: unknown) => unknown>>

type Arithmetic = '+' | '-' | '*' | '/' | '%'

const wholeNumbers: Readonly<Record<Arithmetic, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

const doubles: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

/** Returns undefined if the operands are not numbers that go together. */
function numbers(op: Arithmetic, a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    rejectZero(op, b === 0n)
    return toInt(wholeNumbers[op](a, b))
  }
  if (a instanceof UnsignedInt && b instanceof UnsignedInt) {
    rejectZero(op, b.value === 0n)
    return toUint(wholeNumbers[op](a.value, b.value))
  }
  if (typeof a !== 'number' && typeof b !== 'number') return undefined
  const [left, right] = [numeric(a), numeric(b)]
  if (left === undefined || right === undefined) return undefined
  const [x, y] = [Number(left), Number(right)]
  rejectZero(op, y === 0)
  const result = doubles[op](x, y)
  if (!Number.isFinite(result) && Number.isFinite(x) && Number.isFinite(y))
    throw fault('numeric_overflow', `number overflow: ${x} ${op} ${y} is too large`)
  return result
}

function rejectZero(op: Arithmetic, isZero: boolean): void {
  if (isZero && op === '/') throw fault('division_by_zero', 'division by zero')
  if (isZero && op === '%') throw fault('division_by_zero', 'modulo by zero')
}

/** Throws if the value does not fit into 64 bits. */
export function toInt(value: bigint): bigint {
  if (value >= int64.min && value <= int64.max) return value
  throw fault('numeric_overflow', `integer overflow: ${value} does not fit into 64 bits`)
}

/** Throws if the value is negative or does not fit into 64 bits. */
export function toUint(value: bigint): UnsignedInt {
  if (value >= 0n && value < 2n ** 64n) return new UnsignedInt(value)
  throw fault('numeric_overflow', `unsigned integer overflow: ${value} is ${value < 0n ? 'negative' : 'larger than 64 bits'}`)
}

/** Returns a number as JavaScript compares it exactly with any other; undefined for other values. */
export function numeric(value: unknown): bigint | number | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value
  return value instanceof UnsignedInt ? value.value : undefined
}

export function negative(value: unknown): unknown {
  if (typeof value === 'bigint') return toInt(-value)
  if (typeof value === 'number') return -value
  throw fault('no_such_overload', `no such overload: -${typeOf(value)}`)
}

function sum(a: unknown, b: unknown): unknown {
  if (typeof a === 'string' && typeof b === 'string') return a + b
  if (Array.isArray(a) && Array.isArray(b)) return [...(a as unknown[]), ...(b as unknown[])]
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Uint8Array.from([...a, ...b])
  if (a instanceof Duration && b instanceof Duration) return durationOf(nanosOf(a) + nanosOf(b))
  if (a instanceof Date && b instanceof Duration) return later(a, nanosOf(b))
  if (a instanceof Duration && b instanceof Date) return later(b, nanosOf(a))
  return noOverload('+', a, b)
}

function difference(a: unknown, b: unknown): unknown {
  if (a instanceof Duration && b instanceof Duration) return durationOf(nanosOf(a) - nanosOf(b))
  if (a instanceof Date && b instanceof Duration) return later(a, -nanosOf(b))
  if (a instanceof Date && b instanceof Date) return durationOf(BigInt(a.getTime() - b.getTime()) * 1_000_000n)
  return noOverload('-', a, b)
}

function later(time: Date, nanos: bigint): Date {
  const nanosPerMs = 1_000_000n
  const wholeMs = nanos / nanosPerMs - (nanos % nanosPerMs < 0n ? 1n : 0n)
  return toTimestamp(time.getTime() + Number(wholeMs))
}

/** Throws if the time is not within the years 1 to 9999. */
export function toTimestamp(ms: number): Date {
  if (ms >= -62_135_596_800_000 && ms <= 253_402_300_799_999) return new Date(ms)
  throw fault('numeric_overflow', 'the time is not within the years 1 to 9999')
}

function noOverload(op: string, a: unknown, b: unknown): never {
  throw fault('no_such_overload', `no such overload: ${typeOf(a)} ${op} ${typeOf(b)}`)
}

/** Returns the order of two values; throws for values that have none, NaN among them. */
export function compare(op: string, a: unknown, b: unknown): -1 | 0 | 1 {
  const [x, y] = [numeric(a), numeric(b)]
  if (x !== undefined && y !== undefined) return order(x, y)
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return order(Number(a), Number(b))
  if (a instanceof Date && b instanceof Date) return order(a.getTime(), b.getTime())
  if (a instanceof Duration && b instanceof Duration) return order(nanosOf(a), nanosOf(b))
  if (a instanceof Uint8Array && b instanceof Uint8Array) return order(Buffer.compare(a, b), 0)
  return noOverload(op, a, b)
}

function order(a: bigint | number, b: bigint | number): -1 | 0 | 1 {
  if (a < b) return -1
  if (a > b) return 1
  if (a >= b) return 0
  throw fault('no_such_overload', 'a comparison with NaN, which is not a number', 'check for it with x != x')
}

/** By code points, where JavaScript compares UTF-16 units: they differ beyond U+FFFF. */
function compareTexts(a: string, b: string): -1 | 0 | 1 {
  let at = 0
  while (at < a.length && at < b.length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  const rank = (text: string): number => {
    const unit = at < text.length ? text.charCodeAt(at) : -1
    return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit
  }
  return order(rank(a), rank(b))
}

/** Values of different types are not equal, except numbers, which are compared by value. */
export function isEqual(a: unknown, b: unknown): boolean {
  const [x, y] = [numeric(a), numeric(b)]
  // eslint-disable-next-line eqeqeq
  if (x !== undefined && y !== undefined) return x == y
  const type = typeOf(a)
  if (type !== typeOf(b)) return false
  switch (type) {
    case 'list':
      return areListsEqual(a as unknown[], b as unknown[])
    case 'map':
      return areMapsEqual(asMap(a), asMap(b))
    case 'timestamp':
    case 'duration':
    case 'bytes':
      return compare('==', a, b) === 0
    case 'optional':
      return areOptionalsEqual(a as Optional, b as Optional)
    default:
      return a === b
  }
}

function areListsEqual(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => isEqual(item, b[index]))
}

function areMapsEqual(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, item]) => b.has(key) && isEqual(item, b.get(key)))
}

function areOptionalsEqual(a: Optional, b: Optional): boolean {
  return a.hasValue() && b.hasValue() ? isEqual(a.value(), b.value()) : a.hasValue() === b.hasValue()
}

function isIn(item: unknown, collection: unknown): boolean {
  if (Array.isArray(collection)) return collection.some((other) => isEqual(item, other))
  if (typeOf(collection) === 'map') return asMap(collection).has(toKey(item))
  return noOverload('in', item, collection)
}

function asMap(value: unknown): ReadonlyMap<unknown, unknown> {
  return value instanceof Map ? value : new Map(Object.entries(value as object))
}

/** Numbers are one kind of key: `1`, `1u` and `1.0` find the same entry. */
export function toKey(value: unknown): unknown {
  if (value instanceof UnsignedInt) return value.value
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value
}

/** Returns `of[key]`; undefined if a list or map does not have it. Throws if the value has no members. */
export function memberOf(of: unknown, key: unknown): unknown {
  switch (typeOf(of)) {
    case 'list': {
      const index = toKey(key)
      if (typeof index === 'bigint') return (of as unknown[])[Number(index)]
      throw fault('invalid_index_type', `a list has no member ${shown(key)}`, 'its index must be a whole number')
    }
    case 'map':
      return asMap(of).get(toKey(key))
    default:
      throw fault('no_such_member', `a value of type ${typeOf(of)} has no member ${shown(key)}`, 'only lists and maps have members')
  }
}

/** The same for `of.key` and `of[key]`, which throw if it does not exist, and which look into optionals. */
export function memberOrThrow(of: unknown, key: unknown): unknown {
  if (of instanceof Optional) return optionalMemberOf(of, key)
  const member = memberOf(of, key)
  if (member !== undefined) return member
  if (Array.isArray(of)) throw fault('index_out_of_bounds', `index out of bounds: ${shown(key)}, but the list has ${of.length} elements`)
  throw fault('no_such_key', `No such key: ${typeof key === 'string' ? key : shown(key)}`)
}

/** The same for `of.?key` and `of[?key]`. */
export function optionalMemberOf(of: unknown, key: unknown): Optional {
  if (!(of instanceof Optional)) return Optional.of(memberOf(of, key))
  return of.hasValue() ? Optional.of(memberOf(of.value(), key)) : Optional.none()
}

export function hasMember(of: unknown, key: unknown): boolean {
  return optionalMemberOf(of, key).hasValue()
}

function shown(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key) : (numeric(key)?.toString() ?? typeOf(key))
}
