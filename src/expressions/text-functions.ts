/** Functions on texts, as in Kubernetes. Positions count code points, not UTF-16 units. */
import { formatText } from './format.ts'
import { checkSize, define, grouped, joined, method, type Overload } from './functions.ts'
import { regularExpression } from './regular-expression.ts'
import { fault } from './values.ts'

/** A text by code points; the usual one without any beyond U+FFFF is taken as it is. */
type Points = { readonly length: number; slice(from: number, to?: number): string }

function pointsOf(text: string): Points {
  if (!/[\u{D800}-\u{DFFF}]/u.test(text) && !/[^\0-\u{FFFF}]/u.test(text)) return text
  const points = Array.from(text)
  return { length: points.length, slice: (from, to) => points.slice(from, to).join('') }
}

function position(name: string, at: bigint, length: number): number {
  if (at >= 0n && at <= BigInt(length)) return Number(at)
  throw fault('index_out_of_range', `index out of range: ${name} at ${at} of a text with ${length} characters`)
}

function charAt(text: string, at: bigint): string {
  const points = pointsOf(text)
  const from = position('charAt', at, points.length)
  return points.slice(from, from + 1)
}

function substring(text: string, from: bigint, to?: bigint): string {
  const points = pointsOf(text)
  const start = position('substring', from, points.length)
  const end = to === undefined ? points.length : position('substring', to, points.length)
  if (end < start) throw fault('index_out_of_range', `index out of range: substring from ${start} to ${end}`)
  return points.slice(start, end)
}

/** Converts a position in UTF-16 units to one in code points. */
function inPoints(text: string, unit: number): bigint {
  return BigInt(unit < 0 ? -1 : pointsOf(text.slice(0, unit)).length)
}

function unitOf(text: string, at: bigint, name: string): number {
  const points = pointsOf(text)
  return points.slice(0, position(name, at, points.length)).length
}

function indexOf(text: string, other: string, from = 0n): bigint {
  if (from > text.length) return other === '' ? from : -1n
  return inPoints(text, text.indexOf(other, unitOf(text, from, 'indexOf')))
}

function lastIndexOf(text: string, other: string, from?: bigint): bigint {
  if (from !== undefined && from > text.length) return other === '' ? from : -1n
  const start = from === undefined ? text.length : unitOf(text, from, 'lastIndexOf')
  return inPoints(text, text.lastIndexOf(other, start))
}

function replace(text: string, from: string, to: string, atMost = -1n): string {
  if (atMost === 0n) return text
  const pieces = from === '' ? ['', ...Array.from(text), ''] : text.split(from)
  const count = Number(atMost)
  const kept = atMost < 0n || pieces.length - 1 <= count ? pieces : [...pieces.slice(0, count), pieces.slice(count).join(from)]
  return joined(kept, to)
}

function split(text: string, separator: string, atMost = -1n): readonly string[] {
  if (atMost === 0n) return []
  const pieces = separator === '' ? Array.from(text) : text.split(separator)
  const count = Number(atMost)
  if (atMost < 0n || pieces.length <= count) return pieces
  return [...pieces.slice(0, count - 1), pieces.slice(count - 1).join(separator)]
}

function join(texts: readonly string[], separator = ''): string {
  if (texts.some((text) => typeof text !== 'string'))
    throw fault('no_matching_overload', 'join needs a list of texts', 'convert with map(x, string(x))')
  return joined(texts, separator)
}

const space = String.raw`[\t-\r \x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+`
const around = new RegExp(`^${space}|${space}$`, 'gu')

/** In double quotes, with the escapes of CEL. */
function quote(text: string): string {
  const named: Readonly<Record<string, string>> = {
    '\u0007': 'a',
    '\b': 'b',
    '\f': 'f',
    '\n': 'n',
    '\r': 'r',
    '\t': 't',
    '\v': 'v',
    '\\': '\\',
    '"': '"',
  }
  return `"${text.toWellFormed().replace(/[\p{Cc}\\"]/gu, (character) => (named[character] === undefined ? character : `\\${named[character]}`))}"`
}

function findAll(text: string, pattern: string, atMost: number): readonly string[] {
  const found: string[] = []
  if (atMost === 0) return found
  let endedAt = -1
  for (const { 0: match, index } of text.matchAll(regularExpression(pattern))) {
    // As in RE2, nothing is found once more where the last match ended, nor within a character.
    if (match === '' && (index === endedAt || /^[\uDC00-\uDFFF]/.test(text.charAt(index)))) continue
    endedAt = index + match.length
    found.push(match)
    // Each search may read the whole rest of the text.
    checkSize(found.length * text.length * 0.01)
    if (found.length === atMost) break
  }
  return found
}

const ascii = { lower: /[A-Z]+/gu, upper: /[a-z]+/gu } as const

export const textFunctions: readonly Overload[] = [
  method('charAt', ['string', 'int'], 'string', charAt),
  method('contains', ['string', 'string'], 'bool', (text, other) => text.includes(other)),
  method('endsWith', ['string', 'string'], 'bool', (text, other) => text.endsWith(other)),
  method('find', ['string', 'string'], 'string', (text, pattern) => findAll(text, pattern, 1)[0] ?? ''),
  method('findAll', ['string', 'string'], 'list<string>', (text, pattern) => findAll(text, pattern, -1)),
  method('findAll', ['string', 'string', 'int'], 'list<string>', (text, pattern, atMost) => findAll(text, pattern, Number(atMost))),
  method('format', ['string', 'list'], 'string', formatText),
  method('indexOf', ['string', 'string'], 'int', (text, other) => indexOf(text, other)),
  method('indexOf', ['string', 'string', 'int'], 'int', indexOf),
  method('join', ['list<string>'], 'string', (texts) => join(texts)),
  method('join', ['list<string>', 'string'], 'string', join),
  method('lastIndexOf', ['string', 'string'], 'int', (text, other) => lastIndexOf(text, other)),
  method('lastIndexOf', ['string', 'string', 'int'], 'int', lastIndexOf),
  method('lowerAscii', ['string'], 'string', (text) => text.replace(ascii.lower, (letters) => letters.toLowerCase())),
  method('matches', ['string', 'string'], 'bool', (text, pattern) => text.search(regularExpression(pattern)) >= 0),
  method('replace', ['string', 'string', 'string'], 'string', (text, from, to) => replace(text, from, to)),
  method('replace', ['string', 'string', 'string', 'int'], 'string', replace),
  method('reverse', ['string'], 'string', (text) => Array.from(text).toReversed().join('')),
  method('size', ['string'], 'int', (text) => BigInt(pointsOf(text).length)),
  define('size', ['string'], 'int', (text) => BigInt(pointsOf(text).length)),
  method('split', ['string', 'string'], 'list<string>', (text, separator) => split(text, separator)),
  method('split', ['string', 'string', 'int'], 'list<string>', split),
  method('startsWith', ['string', 'string'], 'bool', (text, other) => text.startsWith(other)),
  method('substring', ['string', 'int'], 'string', (text, from) => substring(text, from)),
  method('substring', ['string', 'int', 'int'], 'string', substring),
  method('trim', ['string'], 'string', (text) => text.replace(around, '')),
  method('upperAscii', ['string'], 'string', (text) => text.replace(ascii.upper, (letters) => letters.toUpperCase())),
  grouped('strings', 'quote', ['string'], 'string', quote),
]
