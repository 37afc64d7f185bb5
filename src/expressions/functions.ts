/**
 * How a function of CEL is defined and called. An overload is chosen by the types of the arguments. Where a whole
 * number is expected, a double without a fraction is accepted, because that is how JSON's whole numbers arrive.
 */
import type { Optional } from '@marcbachmann/cel-js'
import type { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { tooCostly } from './explain.ts'
import { fault, type Namespace, typeOf } from './values.ts'

type Values = {
  readonly string: string
  readonly int: bigint
  readonly uint: UnsignedInt
  readonly double: number
  readonly bool: boolean
  readonly bytes: Uint8Array
  readonly list: readonly unknown[]
  readonly 'list<string>': readonly string[]
  readonly map: ReadonlyMap<unknown, unknown>
  readonly timestamp: Date
  readonly duration: Duration
  readonly optional: Optional
  readonly dyn: unknown
}

type ParameterType = keyof Values

export type Overload = {
  readonly name: string
  readonly isMethod: boolean
  readonly parameters: readonly string[]
  /** The library's notation, with which it checks types before the evaluation. */
  readonly signature: string
  readonly call: (...values: never[]) => unknown
}

/** A type in the library's notation. */
function declared(type: string): string {
  const names: Readonly<Record<string, string>> = {
    timestamp: 'google.protobuf.Timestamp',
    duration: 'google.protobuf.Duration',
    list: 'list<dyn>',
    map: 'map<dyn, dyn>',
  }
  return names[type] ?? type
}

/** Defines `name(…)`. */
export function define<const P extends readonly ParameterType[]>(
  name: string,
  parameters: P,
  result: string,
  call: (...values: { -readonly [I in keyof P]: Values[P[I]] }) => unknown,
): Overload {
  const signature = `${name}(${parameters.map(declared).join(', ')}): ${declared(result)}`
  return { name, isMethod: false, parameters, signature, call }
}

/** Defines `value.name(…)`; the first parameter is the value. */
export function method<const P extends readonly [ParameterType, ...ParameterType[]]>(
  name: string,
  parameters: P,
  result: string,
  call: (...values: { -readonly [I in keyof P]: Values[P[I]] }) => unknown,
): Overload {
  const [receiver, ...others] = parameters.map(declared)
  const signature = `${receiver}.${name}(${others.join(', ')}): ${declared(result)}`
  return { name, isMethod: true, parameters, signature, call }
}

/** Defines `group.name(…)`. */
export function grouped<const P extends readonly ParameterType[]>(
  group: string,
  name: string,
  parameters: P,
  result: string,
  call: (...values: { -readonly [I in keyof P]: Values[P[I]] }) => unknown,
): Overload {
  const signature = `${group}.${name}(${parameters.map(declared).join(', ')}): ${declared(result)}`
  const withoutGroup = (_: Namespace, ...values: never[]) => (call as Overload['call'])(...values)
  return { name, isMethod: true, parameters: ['namespace', ...parameters], signature, call: withoutGroup }
}

export type Overloads = ReadonlyMap<string, readonly Overload[]>

function keyOf(name: string, isMethod: boolean, count: number): string {
  return `${isMethod ? '.' : ''}${name}/${count}`
}

export function tableOf(all: readonly Overload[]): Overloads {
  return Map.groupBy(all, ({ name, isMethod, parameters }) => keyOf(name, isMethod, parameters.length))
}

/** Returns the overloads of a function, for so many arguments, the receiver of a method included. */
export function overloadsOf(table: Overloads, name: string, isMethod: boolean, count: number): readonly Overload[] | undefined {
  return table.get(keyOf(name, isMethod, count))
}

export function callFunction(overloads: readonly Overload[], values: readonly unknown[]): unknown {
  const types = values.map(typeOf)
  const exact = overloads.find(({ parameters }) => parameters.every((type, index) => accepts(type, types[index])))
  if (exact !== undefined) return exact.call(...(values as never[]))
  const whole = values.map((value) => (typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value))
  const lenient = overloads.find(({ parameters }) => parameters.every((type, index) => accepts(type, typeOf(whole[index]))))
  if (lenient !== undefined)
    return lenient.call(...(whole.map((value, index) => (lenient.parameters[index] === 'dyn' ? values[index] : value)) as never[]))
  throw fault('no_matching_overload', describeMismatch(overloads, values))
}

function accepts(parameter: string, type: string | undefined): boolean {
  return parameter === 'dyn' || parameter.split('<')[0] === type
}

function describeMismatch([first]: readonly Overload[], values: readonly unknown[]): string {
  const types = values.map(typeOf)
  const [receiver, ...others] = types
  const written = first?.isMethod === true ? `${receiver}.${first.name}(${others.join(', ')})` : `${first?.name}(${types.join(', ')})`
  const fraction = values.find((value): value is number => typeof value === 'number' && !Number.isInteger(value))
  const reason = fraction === undefined ? '' : `, because ${fraction} is not a whole number`
  return `found no matching overload for '${written}'${reason}`
}

/** Nothing larger is built, whatever the limits of an expression are, so that memory suffices. */
const largestText = 1_000_000

/** Throws before a text of so many characters is built. */
export function checkSize(size: number): void {
  if (size > largestText) throw tooCostly(`a text would have ${size} characters; use less data`)
}

export function joined(texts: readonly string[], separator = ''): string {
  checkSize(texts.reduce((size, text) => size + text.length + separator.length, 0))
  return texts.join(separator)
}
