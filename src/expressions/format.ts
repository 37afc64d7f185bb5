/** `"%s of %.1f".format([…])`, as in Kubernetes. */
import { UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { textOf } from './conversions.ts'
import { checkSize } from './functions.ts'
import { numeric } from './operators.ts'
import { fault, typeOf } from './values.ts'

const defaultPrecision = 6
const largestPrecision = 50

export function formatText(text: string, values: readonly unknown[]): string {
  let used = 0
  let size = 0
  const result = text.replace(
    /%(?:%|(?<precision>\.\d+)?(?<clause>.?))/gsu,
    (whole, precision: string | undefined, clause: string | undefined) => {
      if (whole === '%%') return '%'
      if (used >= values.length) throw fault('invalid_format', `format has ${values.length} values, but the text has more clauses`)
      const made = formatValue(clause ?? '', precision === undefined ? undefined : Number(precision.slice(1)), values[used++])
      size += made.length
      checkSize(size)
      return made
    },
  )
  if (used < values.length) throw fault('invalid_format', `format has ${values.length} values, but the text has only ${used} clauses`)
  return result
}

function formatValue(clause: string, precision: number | undefined, value: unknown): string {
  if (precision !== undefined && precision > largestPrecision)
    throw fault('invalid_format', `format has a precision of ${precision}`, `at most ${largestPrecision} is possible`)
  switch (clause) {
    case 's':
      return shown(value, false)
    case 'd':
      return String(wholeNumber(clause, value))
    case 'f':
      return notFinite(value) ?? fixed(Number(number(clause, value)), precision ?? defaultPrecision)
    case 'e':
      return notFinite(value) ?? scientific(Number(number(clause, value)), precision ?? defaultPrecision)
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : wholeNumber(clause, value).toString(2)
    case 'o':
      return wholeNumber(clause, value).toString(8)
    case 'x':
      return hexadecimal(value)
    case 'X':
      return hexadecimal(value).toUpperCase()
    default:
      throw fault('invalid_format', `format does not know %${clause}`, 'write %s, %d, %f, %e, %b, %o, %x, %X, or %% for a percent sign')
  }
}

function number(clause: string, value: unknown): bigint | number {
  const result = numeric(value)
  if (result === undefined)
    throw fault('invalid_format', `%${clause} formats numbers, but the value is of type ${typeOf(value)}`, 'write %s')
  return result
}

function wholeNumber(clause: string, value: unknown): bigint {
  const result = number(clause, value)
  if (typeof result === 'bigint') return result
  if (Number.isInteger(result)) return BigInt(result)
  throw fault('invalid_format', `%${clause} formats whole numbers, but the value is ${result}`, 'write %f, or convert with int(…)')
}

function notFinite(value: unknown): string | undefined {
  return typeof value === 'number' && !Number.isFinite(value) ? textOf(value) : undefined
}

/** So many digits show every double of a usual size exactly. */
const exactPrecision = 60

/** JavaScript rounds a value exactly in the middle up, Kubernetes to the even digit: 2.5 becomes 2. */
function fixed(value: number, precision: number): string {
  const exact = value.toFixed(exactPrecision)
  const cut = exact.length - exactPrecision + precision
  const isMiddle = /^50*$/u.test(exact.slice(cut))
  return isMiddle && /[02468]\.?$/u.test(exact.slice(0, cut)) ? exact.slice(0, cut).replace(/\.$/u, '') : value.toFixed(precision)
}

/** An exponent of at least two digits: `1.052033e+03`. */
function scientific(value: number, precision: number): string {
  return value.toExponential(precision).replace(/(?<sign>[+-])(?<digit>\d)$/u, '$<sign>0$<digit>')
}

function hexadecimal(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex')
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : wholeNumber('x', value).toString(16)
}

/** A value for people; texts in lists and maps are quoted. */
function shown(value: unknown, isQuoted: boolean): string {
  if (typeof value === 'string') return isQuoted ? JSON.stringify(value) : value
  if (value === null) return 'null'
  if (Array.isArray(value)) return `[${value.map((item) => shown(item, true)).join(', ')}]`
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => `${shown(key, true)}: ${shown(item, true)}`)
    return `{${entries.toSorted().join(', ')}}`
  }
  return value instanceof UnsignedInt ? String(value.value) : textOf(value)
}
