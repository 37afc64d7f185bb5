/** Functions on lists, sets and maps, as in Kubernetes. */
import { Optional } from '@marcbachmann/cel-js'
import { define, grouped, method, type Overload } from './functions.ts'
import { binaryOperators, compare, isEqual, numeric } from './operators.ts'
import { fault, typeOf } from './values.ts'

function sum(list: readonly unknown[]): unknown {
  const other = list.find((item) => numeric(item) === undefined && typeOf(item) !== 'duration')
  if (other !== undefined)
    throw fault(
      'no_matching_overload',
      `sum adds numbers or durations, but the list has a value of type ${typeOf(other)}`,
      'choose the values with map(x, x.count)',
    )
  return list.length === 0 ? 0n : list.reduce(binaryOperators['+'])
}

/** Returns the smallest element for `sign` 1, the largest for −1. */
function extreme(list: readonly unknown[], sign: 1 | -1, name: string): unknown {
  if (list.length === 0) throw fault('index_out_of_bounds', `${name} of an empty list`, 'check size(…) > 0 first')
  return list.reduce((best, item) => (compare(name, item, best) === -sign ? item : best))
}

function isSorted(list: readonly unknown[]): boolean {
  return list.every((item, index) => index === 0 || compare('isSorted', list[index - 1], item) < 1)
}

function slice(list: readonly unknown[], from: bigint, to: bigint): readonly unknown[] {
  if (from >= 0n && from <= to && to <= BigInt(list.length)) return list.slice(Number(from), Number(to))
  throw fault('index_out_of_range', `index out of range: slice from ${from} to ${to} of a list with ${list.length} elements`)
}

function distinct(list: readonly unknown[]): readonly unknown[] {
  const seen = new Set<unknown>()
  return list.filter((item, index) => {
    // The same text is the same element; other values are compared one by one.
    if (typeof item !== 'string') return list.findIndex((other) => isEqual(other, item)) === index
    return !seen.has(item) && seen.add(item)
  })
}

function range(count: bigint): readonly bigint[] {
  if (count > 100_000n) throw fault('index_out_of_range', `a list of ${count} numbers is too long`)
  return Array.from({ length: Number(count) }, (_, index) => BigInt(index))
}

function flatten(list: readonly unknown[], depth: bigint): readonly unknown[] {
  if (depth < 0n) throw fault('index_out_of_range', 'flatten needs a depth of 0 or more')
  return list.flat(Number(depth))
}

function containsAll(list: readonly unknown[], others: readonly unknown[]): boolean {
  return others.every((other) => list.some((item) => isEqual(item, other)))
}

export const listFunctions: readonly Overload[] = [
  method('distinct', ['list'], 'list', distinct),
  method('first', ['list'], 'optional<dyn>', ([first]) => Optional.of(first)),
  method('flatten', ['list'], 'list', (list) => flatten(list, 1n)),
  method('flatten', ['list', 'int'], 'list', flatten),
  method('indexOf', ['list', 'dyn'], 'int', (list, item) => BigInt(list.findIndex((other) => isEqual(other, item)))),
  method('isSorted', ['list'], 'bool', isSorted),
  method('last', ['list'], 'optional<dyn>', (list) => Optional.of(list.at(-1))),
  method('lastIndexOf', ['list', 'dyn'], 'int', (list, item) => BigInt(list.findLastIndex((other) => isEqual(other, item)))),
  method('max', ['list'], 'dyn', (list) => extreme(list, -1, 'max')),
  method('min', ['list'], 'dyn', (list) => extreme(list, 1, 'min')),
  method('reverse', ['list'], 'list', (list) => list.toReversed()),
  method('size', ['bytes'], 'int', (bytes) => BigInt(bytes.length)),
  method('size', ['list'], 'int', (list) => BigInt(list.length)),
  method('size', ['map'], 'int', (map) => BigInt(map.size)),
  define('size', ['bytes'], 'int', (bytes) => BigInt(bytes.length)),
  define('size', ['list'], 'int', (list) => BigInt(list.length)),
  define('size', ['map'], 'int', (map) => BigInt(map.size)),
  method('slice', ['list', 'int', 'int'], 'list', slice),
  method('sort', ['list'], 'list', (list) => list.toSorted((a, b) => compare('sort', a, b))),
  method('sum', ['list'], 'dyn', sum),
  grouped('lists', 'range', ['int'], 'list', range),
  grouped('sets', 'contains', ['list', 'list'], 'bool', containsAll),
  grouped('sets', 'equivalent', ['list', 'list'], 'bool', (a, b) => containsAll(a, b) && containsAll(b, a)),
  grouped('sets', 'intersects', ['list', 'list'], 'bool', (a, b) => a.some((item) => b.some((other) => isEqual(item, other)))),
]
