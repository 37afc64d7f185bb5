/**
 * Regular expressions in RE2's syntax, as Kubernetes has them, on V8's engine without backtracking (flag `l`), which
 * takes time linear in the text. V8 refuses look-around and back-references as RE2 does. This file translates what the
 * two write differently and refuses the rest, so that no pattern means something else here than in Kubernetes.
 */
import { setFlagsFromString } from 'node:v8'
import { fault } from './values.ts'

setFlagsFromString('--enable-experimental-regexp-engine')

const remembered = new Map<string, RegExp>()

/** Throws if the pattern is not valid. */
export function regularExpression(pattern: string): RegExp {
  const known = remembered.get(pattern)
  if (known !== undefined) return known
  const { source, flags } = translate(pattern)
  let expression: RegExp
  try {
    expression = new RegExp(source, `lg${flags}`)
  } catch {
    throw invalid(pattern, 'use the syntax of RE2, without look-around and back-references')
  }
  if (remembered.size >= 100) remembered.clear()
  remembered.set(pattern, expression)
  return expression
}

function invalid(pattern: string, advice: string): Error {
  return fault('invalid_regular_expression', `the regular expression ${JSON.stringify(pattern)} is not valid`, advice)
}

/** ASCII, as in RE2; the texts stand inside of brackets. */
const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: String.raw`\x00-\x7F`,
  blank: String.raw`\t `,
  cntrl: String.raw`\x00-\x1F\x7F`,
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: String.raw`!-\/:-@\[-\x60{-~`,
  space: String.raw`\t\n\v\f\r `,
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

/** RE2's `\s` is narrower than JavaScript's; `\z` and `\A` are `$` and `^` unless lines are matched one by one. */
const escapes: Readonly<Record<string, { readonly outside: string; readonly inside: string }>> = {
  s: { outside: String.raw`[\t\n\f\r ]`, inside: String.raw`\t\n\f\r ` },
  S: { outside: anyBut(String.raw`\t\n\f\r `), inside: '' },
  D: { outside: anyBut('0-9'), inside: '' },
  W: { outside: anyBut('0-9A-Za-z_'), inside: '' },
  a: { outside: String.raw`\x07`, inside: String.raw`\x07` },
}

/** One character that is none of these. Without the flag `u`, which V8 refuses here, one beyond U+FFFF is two units. */
function anyBut(excluded: string): string {
  return String.raw`(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\uD800-\uDFFF${excluded}])`
}

type Scan = { readonly pattern: string; at: number; readonly ignoresCase: boolean; readonly linesAlone: boolean; readonly dot: string }

function translate(pattern: string): { source: string; flags: string } {
  const leading = /^\(\?(?<flags>[ims]+)\)/u.exec(pattern)?.[0] ?? ''
  const flags = leading.slice(2, -1)
  const scan: Scan = {
    pattern,
    at: leading.length,
    ignoresCase: flags.includes('i'),
    linesAlone: flags.includes('m'),
    dot: anyBut(flags.includes('s') ? '' : String.raw`\n`),
  }
  let source = ''
  while (scan.at < pattern.length) source += nextPart(scan)
  return { source, flags: [...new Set(flags.replaceAll('i', ''))].join('') }
}

function nextPart(scan: Scan): string {
  const { pattern, at } = scan
  const character = pattern[at] ?? ''
  if (character === '\\') return escaped(scan, false)
  if (character === '[') return bracketed(scan)
  if (pattern.startsWith('(?P<', at)) {
    scan.at += 4
    return '(?<'
  }
  if (/^\(\?[a-zA-Z-]*[):]/u.test(pattern.slice(at)) && !pattern.startsWith('(?:', at))
    throw invalid(pattern, 'flags such as (?i) stand only at its start')
  scan.at++
  if (character === '.') return scan.dot
  return scan.ignoresCase && /[a-zA-Z]/u.test(character) ? `[${character.toLowerCase()}${character.toUpperCase()}]` : character
}

function escaped(scan: Scan, isInside: boolean): string {
  const { pattern, at } = scan
  const letter = pattern[at + 1] ?? ''
  const rest = pattern.slice(at)
  if (/^\\[pPQEC]/u.test(rest)) throw invalid(pattern, String.raw`\p, \Q and \C are not supported; write the characters in brackets`)
  const code = /^\\x\{(?<code>[0-9a-fA-F]{1,6})\}/u.exec(rest)
  if (code !== null) {
    scan.at += code[0].length
    return String.raw`\u` + (code.groups?.['code'] ?? '').padStart(4, '0').slice(-4)
  }
  scan.at += 2
  if (/[Az]/u.test(letter)) {
    if (isInside || scan.linesAlone) throw invalid(pattern, String.raw`\A and \z are not supported here; write ^ and $ without (?m)`)
    return letter === 'A' ? '^' : '$'
  }
  const replaced = escapes[letter]
  if (replaced !== undefined && (!isInside || replaced.inside !== '')) return isInside ? replaced.inside : replaced.outside
  if (/[a-zA-Z]/u.test(letter) && !/[wWdDsSbBntrfvx]/u.test(letter)) throw invalid(pattern, `\\${letter} is unknown; write ${letter}`)
  return `\\${letter}`
}

/** Reads a class in brackets. */
function bracketed(scan: Scan): string {
  const { pattern } = scan
  const isNegated = pattern[scan.at + 1] === '^'
  let source = ''
  scan.at += isNegated ? 2 : 1
  let isFirst = true
  while (scan.at < pattern.length && (isFirst || pattern[scan.at] !== ']')) {
    source += inBrackets(scan)
    isFirst = false
  }
  if (pattern[scan.at] !== ']') throw invalid(pattern, 'a class in brackets is not closed with "]"')
  scan.at++
  return isNegated ? anyBut(source) : `[${source}]`
}

function inBrackets(scan: Scan): string {
  const { pattern, at } = scan
  const posix = /^\[:(?<not>\^?)(?<name>\w+):\]/u.exec(pattern.slice(at))
  if (posix !== null) {
    const characters = posixClasses[posix.groups?.['name'] ?? '']
    if (characters === undefined || posix.groups?.['not'] !== '') throw invalid(pattern, `${posix[0]} is unknown`)
    scan.at += posix[0].length
    return characters
  }
  if (pattern[at] === '\\') return escaped(scan, true)
  const range = /^(?<from>[a-zA-Z])(?:-(?<to>[a-zA-Z]))?/u.exec(pattern.slice(at))
  if (range !== null && scan.ignoresCase) {
    scan.at += range[0].length
    return range[0].toLowerCase() + range[0].toUpperCase()
  }
  scan.at++
  const character = pattern[at] ?? ''
  if (/[\uD800-\uDFFF]/.test(character)) throw invalid(pattern, 'write characters beyond U+FFFF outside of brackets, as (?:a|b)')
  return character === '[' || character === ']' ? `\\${character}` : character
}
