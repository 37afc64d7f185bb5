/** What is wrong with an expression, where, and what to write instead. */
import { EvaluationError, ParseError, TypeError as CelTypeError } from '@marcbachmann/cel-js'
import { errorMessage, taskmillError, TaskmillError } from '../errors/index.ts'

export function failed(message: string): TaskmillError {
  return taskmillError('TM_EXPRESSION_FAILED', message)
}

export function tooCostly(message: string): TaskmillError {
  return taskmillError('TM_EXPRESSION_TOO_COSTLY', message)
}

export function isCelError(error: unknown): error is EvaluationError | ParseError | CelTypeError {
  return error instanceof EvaluationError || error instanceof ParseError || error instanceof CelTypeError
}

/** Converts an error to a TaskmillError; `offset` is where the expression starts in the user's text. */
export function toExpressionError(
  error: unknown,
  phase: 'compile' | 'evaluate',
  source: string,
  offset: number,
  names: readonly string[],
): TaskmillError {
  if (error instanceof TaskmillError) return error
  const what = (isCelError(error) ? error.summary : errorMessage(error)).replaceAll(/google\.protobuf\.(?=Timestamp|Duration)/gu, '')
  const at = isCelError(error) ? error.range?.start : undefined
  const hint = isCelError(error) ? (adviceOf(error) ?? hintFor(error.code, what, source, names)) : undefined
  const code =
    isCelError(error) && error.code === 'limit_exceeded'
      ? 'TM_EXPRESSION_TOO_COSTLY'
      : phase === 'compile'
        ? 'TM_EXPRESSION_INVALID'
        : 'TM_EXPRESSION_FAILED'
  const where = at === undefined ? '' : ` at character ${offset + at + 1}`
  return taskmillError(code, `${decapitalised(what)}${where}${hint === undefined ? '' : `; ${hint}`}`, { cause: error })
}

function adviceOf(error: Error): string | undefined {
  return 'advice' in error && typeof error.advice === 'string' ? error.advice : undefined
}

function hintFor(code: string, what: string, source: string, names: readonly string[]): string | undefined {
  switch (code) {
    case 'unknown_variable':
      if (/\w\.\w+-\w/u.test(source)) return 'write a name with a dash in brackets: nodes["with-dash"]'
      return names.length === 0 ? 'no names are known here; write text in quotes' : `known names: ${names.join(', ')}; write text in quotes`
    case 'no_such_key':
      return 'check with has(…) first, or write .?name.orValue(…)'
    case 'no_such_overload':
      if (/^no such overload: [-!]/u.test(what)) return 'write - before a number and ! before a condition'
      return 'both sides must have the same type, or be numbers; convert with double(…), int(…) or string(…)'
    case 'no_matching_overload':
      return 'docs/expressions.md lists the functions; convert values with int(…), double(…), string(…), timestamp(…), duration(…)'
    case 'division_by_zero':
      return 'check first: b != 0 ? a / b : 0'
    case 'limit_exceeded':
      return 'split it up, or let the task compute it'
    case 'invalid_macro_argument':
      return 'write list.all(x, x > 0) with a plain name, and has(a.b) with a field'
    default:
      if (/(?<![=!<>])=(?!=)/u.test(source)) return 'write == for equality'
      if (/(?<!&)&(?!&)/u.test(source)) return 'write && for and'
      if (/(?<!\|)\|(?!\|)/u.test(source)) return 'write || for or'
      return what.includes('EOF') ? 'the end of the expression is missing' : undefined
  }
}

function decapitalised(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
