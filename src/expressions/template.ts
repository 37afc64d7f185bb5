import { taskmillError } from '../errors/index.ts'
import { describeInexact, isRawNumber } from '../json/index.ts'
import { compileAt, type CompileOptions, type Expression } from './compile.ts'
import { failed } from './explain.ts'
import type { Use } from './uses.ts'

/**
 * Compiles a text with `$(CEL)` in it. A text that is a single expression keeps the type of its value; otherwise values
 * are inserted into the text, lists and maps as JSON. `$$(` means `$(`. Throws as `compile` does.
 */
export function compileTemplate(source: string, options: CompileOptions): Expression {
  const parts = split(source).map((part) => (typeof part === 'string' ? part : compileAt(part.source, part.offset, options)))
  const [first] = parts
  if (parts.length === 1 && first !== undefined && typeof first !== 'string') return first
  return textFrom(parts)
}

/** The same where only a text is possible: a text that is a single expression is converted to text as well. */
export function compileText(source: string, options: CompileOptions): TextExpression {
  return textFrom([compileTemplate(source, options)])
}

/** An expression that yields a text. */
export type TextExpression = Omit<Expression, 'evaluate'> & { evaluate(variables: Readonly<Record<string, unknown>>): string }

function textFrom(parts: readonly (string | Expression)[]): TextExpression {
  return {
    uses: parts.flatMap((part) => (typeof part === 'string' ? [] : part.uses)),
    comparisons: parts.flatMap((part) => (typeof part === 'string' ? [] : part.comparisons)),
    type: 'string',
    evaluate: (variables) => parts.map((part) => (typeof part === 'string' ? part : textOf(part.evaluate(variables)))).join(''),
  }
}

type Embedded = { readonly source: string; readonly offset: number }

function split(source: string): readonly (string | Embedded)[] {
  const parts: (string | Embedded)[] = []
  let text = ''
  for (let at = 0; at < source.length;) {
    if (source.startsWith('$$(', at)) {
      text += '$('
      at += 3
    } else if (source.startsWith('$(', at)) {
      const end = closing(source, at + 2)
      if (text !== '') parts.push(text)
      text = ''
      parts.push({ source: source.slice(at + 2, end), offset: at + 2 })
      at = end + 1
    } else {
      text += source[at++]
    }
  }
  if (text !== '' || parts.length === 0) parts.push(text)
  return parts
}

/**
 * Returns the position of the parenthesis that closes the one before `start`. Parentheses in CEL's quotes do not count.
 */
function closing(source: string, start: number): number {
  const token = /(?<raw>[rR][bB]?|[bB][rR])?(?<quote>"""|'''|"|')|[()]/gu
  token.lastIndex = start
  let open = 1
  for (let found = token.exec(source); found !== null; found = token.exec(source)) {
    const { raw, quote } = found.groups ?? {}
    if (quote !== undefined) token.lastIndex = endOfText(source, token.lastIndex, quote, raw !== undefined)
    else if ((open += found[0] === '(' ? 1 : -1) === 0) return found.index
  }
  throw taskmillError('TM_EXPRESSION_INVALID', `"$(" at character ${start - 1} is not closed with ")"; write "$$(" for a literal "$("`)
}

function endOfText(source: string, start: number, quote: string, isRaw: boolean): number {
  for (let at = start; at < source.length; at++) {
    if (source[at] === '\\' && !isRaw) at++
    else if (source.startsWith(quote, at)) return at + quote.length
  }
  return source.length
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null) throw failed('null cannot be put into a text; choose another value with ?: or .orValue(…)')
  return JSON.stringify(value)
}

type Variables = Readonly<Record<string, unknown>>

/** A JSON value with compiled texts. */
export type CompiledDocument = {
  readonly uses: readonly { readonly use: Use; readonly field: string }[]
  /**
   * Returns the value with all its expressions evaluated. Throws as expressions do, with the path of the text in the
   * message.
   */
  evaluate(variables: Variables): unknown
}

/** `InvalidNumber`: a number with more digits than its receiver could read. */
export type DocumentFault = {
  readonly reason: 'InvalidExpression' | 'InvalidNumber'
  readonly field: string
  readonly message: string
}

/** Maximum depth of lists and objects: enough for users, and safe for the stack. */
const maxDepth = 100

/** A part without expressions is the value itself: most payloads have none, and there are thousands of them. */
type Part = { readonly constant: unknown } | ((variables: Variables) => unknown)
const valueOf = (part: Part, variables: Variables): unknown => (typeof part === 'function' ? part(variables) : part.constant)
type Scope = { readonly options: CompileOptions; readonly faults: DocumentFault[]; readonly uses: { use: Use; field: string }[] }

/**
 * Compiles every text in a JSON value, also nested ones, as `compileTemplate` does. Keys are not compiled. Returns all
 * faults, not only the first; a number that JavaScript cannot hold is one.
 */
export function compileDocument(
  value: unknown,
  field: string,
  options: CompileOptions,
): { readonly ok: true; readonly document: CompiledDocument } | { readonly ok: false; readonly faults: readonly DocumentFault[] } {
  const scope: Scope = { options, faults: [], uses: [] }
  const part = compilePart(value, field, scope, 0)
  return scope.faults.length > 0
    ? { ok: false, faults: scope.faults }
    : { ok: true, document: { uses: scope.uses, evaluate: evaluatorOf(part) } }
}

/** Holds nothing of what was needed to compile. */
function evaluatorOf(part: Part): CompiledDocument['evaluate'] {
  return typeof part === 'function' ? part : () => part.constant
}

function compilePart(value: unknown, field: string, scope: Scope, depth: number): Part {
  if (typeof value === 'string' && value.includes('$(')) return compileLeaf(value, field, scope)
  if (typeof value !== 'object' || value === null) return { constant: value }
  if (isRawNumber(value)) {
    scope.faults.push({ reason: 'InvalidNumber', field, message: describeInexact(value.rawJSON) })
    return { constant: undefined }
  }
  if (depth === maxDepth) {
    scope.faults.push({ reason: 'InvalidExpression', field, message: `lists and objects nest deeper than ${maxDepth} here` })
    return { constant: undefined }
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compilePart(item, `${field}[${index}]`, scope, depth + 1))
    return items.some(isDynamic) ? (variables) => items.map((item) => valueOf(item, variables)) : { constant: value }
  }
  const fields = Object.entries(value).map(([name, own]) => [name, compilePart(own, `${field}.${name}`, scope, depth + 1)] as const)
  if (!fields.some(([, own]) => isDynamic(own))) return { constant: value }
  return (variables) => Object.fromEntries(fields.map(([name, own]) => [name, valueOf(own, variables)]))
}

const isDynamic = (part: Part): boolean => typeof part === 'function'

function compileLeaf(source: string, field: string, { options, faults, uses }: Scope): Part {
  try {
    const template = compileTemplate(source, options)
    uses.push(...template.uses.map((use) => ({ use, field })))
    return (variables) => template.evaluate(variables)
  } catch (error) {
    faults.push({ reason: 'InvalidExpression', field, message: describeError(error) })
    return { constant: undefined }
  }
}

/** Returns what is wrong with an expression in one sentence, without the parser's own message. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
