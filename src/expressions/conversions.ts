/** Conversions between types, with all overloads of the standard. */
import type { UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { define, type Overload } from './functions.ts'
import { toInt, toTimestamp, toUint } from './operators.ts'
import { durationOf, durationText, fault, int64, typeOf } from './values.ts'

function cannot(value: unknown, type: string, advice: string): never {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  throw fault('conversion_error', `${shown} cannot be converted to ${type}`, advice)
}

/** The text of a value that `string(…)` takes. */
export function textOf(value: unknown): string {
  switch (typeOf(value)) {
    case 'string':
      return value as string
    case 'double':
      return doubleText(value as number)
    case 'timestamp':
      return timestampText(value as Date)
    case 'duration':
      return durationText(value as never)
    case 'bytes':
      return bytesText(value as Uint8Array)
    default:
      return typeOf(value) === 'type' ? (value as { name: string }).name : String(value)
  }
}

/** As JSON writes a number; Kubernetes would write 1234567.0 as 1.234567e+06. */
function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

/** RFC 3339 without needless digits: `2026-11-29T08:00:00Z`. */
function timestampText(time: Date): string {
  return time.toISOString().replace(/\.?0*Z$/u, 'Z')
}

function bytesText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw fault('conversion_error', 'the bytes are not UTF-8 and cannot be converted to string', 'write .base64() or .hex()')
  }
}

function intOfText(text: string): bigint {
  if (!/^[+-]?\d{1,20}$/u.test(text)) return cannot(text, 'int', 'write digits only')
  return toInt(BigInt(text.replace(/^\+/u, '')))
}

function uintOfText(text: string): UnsignedInt {
  return /^\d{1,20}$/u.test(text) ? toUint(BigInt(text)) : cannot(text, 'uint', 'write digits only')
}

/** The whole part of a double. */
function whole(value: number, type: string): bigint {
  if (Number.isFinite(value)) return BigInt(Math.trunc(value))
  return cannot(doubleText(value), type, 'it has no whole part')
}

function intOfDouble(value: number): bigint {
  const result = whole(value, 'int')
  if (value > Number(int64.min) && value < Number(int64.max)) return result
  throw fault('numeric_overflow', `integer overflow: ${value} does not fit into 64 bits`)
}

function doubleOfText(text: string): number {
  if (/^[+-]?inf(?:inity)?$/iu.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (/^nan$/iu.test(text)) return Number.NaN
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/iu.test(text)) return cannot(text, 'double', 'write a decimal number')
  const result = Number(text)
  return Number.isFinite(result) ? result : cannot(text, 'double', 'it is too large')
}

const truths: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false])),
}

const timePattern = /^(?<day>\d{4}-\d\d-\d\d)T(?<clock>\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,9}))?(?<offset>Z|[+-]\d\d:\d\d)$/u

/** RFC 3339. Digits beyond milliseconds are cut off. */
function timestampOf(text: string): Date {
  const { day, clock, fraction = '', offset = '' } = timePattern.exec(text)?.groups ?? {}
  const local = new Date(`${day}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  const shift = new Date(`2000-01-01T00:00:00${offset}`)
  // A day such as February 30th moves on to March.
  if (Number.isNaN(local.getTime()) || Number.isNaN(shift.getTime()) || !local.toISOString().startsWith(`${day}T${clock}`))
    return cannot(text, 'timestamp', 'write RFC 3339, such as 2026-11-29T08:00:00Z')
  return toTimestamp(local.getTime() + shift.getTime() - Date.UTC(2000, 0, 1))
}

const nanosOfUnit: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ns: 1n,
}

function durationOfText(text: string): ReturnType<typeof durationOf> {
  if (/^[+-]?0$/u.test(text)) return durationOf(0n)
  if (text.length > 100 || !/^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+$/u.test(text))
    return cannot(text, 'duration', 'write 90s, 1h30m or 250ms; the largest unit is h')
  let nanos = 0n
  for (const { groups } of text.matchAll(/(?<whole>\d*)\.?(?<fraction>\d*)(?<unit>[a-zµμ]+)/gu)) {
    const unit = nanosOfUnit[groups?.['unit'] ?? ''] ?? 0n
    const fraction = groups?.['fraction'] ?? ''
    nanos += BigInt(groups?.['whole'] ?? '') * unit + (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length)
  }
  return durationOf(text.startsWith('-') ? -nanos : nanos)
}

export const conversions: readonly Overload[] = [
  define('bool', ['bool'], 'bool', (value) => value),
  define('bool', ['string'], 'bool', (text) => truths[text] ?? cannot(text, 'bool', 'write "true" or "false"')),
  define('bytes', ['bytes'], 'bytes', (value) => value),
  define('bytes', ['string'], 'bytes', (text) => new TextEncoder().encode(text)),
  define('double', ['double'], 'double', (value) => value),
  define('double', ['int'], 'double', Number),
  define('double', ['string'], 'double', doubleOfText),
  define('double', ['uint'], 'double', ({ value }) => Number(value)),
  define('duration', ['duration'], 'duration', (value) => value),
  define('duration', ['string'], 'duration', durationOfText),
  define('int', ['double'], 'int', intOfDouble),
  define('int', ['int'], 'int', (value) => value),
  define('int', ['string'], 'int', intOfText),
  define('int', ['timestamp'], 'int', (time) => BigInt(Math.floor(time.getTime() / 1_000))),
  define('int', ['uint'], 'int', ({ value }) => toInt(value)),
  define('string', ['bool'], 'string', textOf),
  define('string', ['bytes'], 'string', textOf),
  define('string', ['double'], 'string', textOf),
  define('string', ['duration'], 'string', textOf),
  define('string', ['int'], 'string', textOf),
  define('string', ['string'], 'string', textOf),
  define('string', ['timestamp'], 'string', textOf),
  define('string', ['uint'], 'string', ({ value }) => String(value)),
  define('timestamp', ['int'], 'timestamp', (seconds) => toTimestamp(Number(seconds) * 1_000)),
  define('timestamp', ['string'], 'timestamp', timestampOf),
  define('timestamp', ['timestamp'], 'timestamp', (value) => value),
  define('uint', ['double'], 'uint', (value) => toUint(whole(value, 'uint'))),
  define('uint', ['int'], 'uint', toUint),
  define('uint', ['string'], 'uint', uintOfText),
  define('uint', ['uint'], 'uint', (value) => value),
]
