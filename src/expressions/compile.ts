import { type ASTNode, ParseError, type ParseResult } from '@marcbachmann/cel-js'
import { taskmillError } from '../errors/index.ts'
import { environmentFor, widenCheck } from './environment.ts'
import { toExpressionError, tooCostly } from './explain.ts'
import { defaultLimits, meterOf, type ExpressionLimits } from './meter.ts'
import { type Comparison, comparisonsOf, isNode, type Use, usesOf } from './uses.ts'
import { fromJson, fromSchema, int64, type ToCel, toJson } from './values.ts'

export type CompileOptions = {
  /** The names that the expression may use; any other name is an error. */
  readonly variables: readonly string[]
  readonly limits?: ExpressionLimits
}

/** A compiled expression; can be evaluated any number of times. */
export type Expression = {
  /** The variables and members that it uses. */
  readonly uses: readonly Use[]
  /** The literal texts with which it compares members. */
  readonly comparisons: readonly Comparison[]
  /** CEL's name for the type of its value; `dyn` if it is not known before the evaluation. */
  readonly type: string
  /** JSON in, JSON out. Throws TM_EXPRESSION_FAILED or TM_EXPRESSION_TOO_COSTLY. */
  evaluate(variables: Readonly<Record<string, unknown>>): unknown
}

/**
 * Compiles a CEL expression. Throws TM_EXPRESSION_INVALID or TM_EXPRESSION_TOO_COSTLY with the position and what to
 * write instead.
 */
export function compile(source: string, options: CompileOptions): Expression {
  return compileAt(source, 0, options)
}

/** The same for an expression that starts at `offset` of the user's text. */
export function compileAt(source: string, offset: number, options: CompileOptions): Expression {
  return compileWith(fromJson, source, offset, options)
}

function compileWith(toCel: ToCel, source: string, offset: number, options: CompileOptions): Expression {
  const limits = { ...defaultLimits, ...options.limits }
  const names = options.variables
  if (source.trim() === '') throw taskmillError('TM_EXPRESSION_INVALID', 'the expression is empty')
  if (source.length > limits.sourceLength) throw tooCostly(`the expression is longer than ${limits.sourceLength} characters; split it up`)
  let parsed: ParseResult
  let type = 'dyn'
  let comparisons: readonly Comparison[]
  try {
    parsed = environmentFor(names, limits).parse(source)
    comparisons = comparisonsOf(parsed.ast, names)
    prepare(parsed.ast)
    const check = parsed.check()
    if (check.error !== undefined) throw check.error
    type = check.type ?? type
  } catch (error) {
    throw toExpressionError(error, 'compile', source, offset, names)
  }
  const uses = usesOf(parsed.ast, names)
  const meter = meterOf(parsed.ast, limits)
  return {
    uses,
    comparisons,
    type,
    evaluate(variables) {
      meter.reset()
      try {
        const given = Object.fromEntries(names.map((name) => [name, variables[name]]))
        const result: unknown = parsed(toCel(given, meter.step) as object)
        meter.check()
        return toJson(result)
      } catch (error) {
        throw toExpressionError(error, 'evaluate', source, offset, names)
      }
    },
  }
}

/** Readies a syntax tree for the library's check. Throws for literals that the library would misread. */
function prepare(value: unknown, isNegated = false): void {
  if (Array.isArray(value)) for (const item of value) prepare(item)
  if (!isNode(value)) return
  widenCheck(value)
  if (value.op !== 'value') prepare(value.args, value.op === '-_')
  else if (typeof value.args === 'bigint' && value.args > int64.max + (isNegated ? 1n : 0n))
    throw misread(value, `the integer ${value.args} does not fit into 64 bits`, 'write it as a double with .0, or as text in quotes')
  else if (value.args instanceof Uint8Array && /[^ -~\s]/u.test(value.input.slice(value.start, value.end)))
    throw misread(value, 'bytes in quotes hold only ASCII', 'write bytes("…"), or escapes such as \\xc3')
}

function misread(node: ASTNode, message: string, advice: string): ParseError {
  return Object.assign(new ParseError({ code: 'invalid_literal', message, node }), { advice })
}

/** The rules of our own CRDs: a small fixed set. */
const compiled = new Map<string, Expression>()

/**
 * Whether a value satisfies a rule of `x-kubernetes-validations`, as the API server evaluates it. A rule that mentions
 * `oldSelf` holds if there is no old value. Throws as `compile` and `evaluate` do; the API server treats a failing rule
 * as violated.
 */
export function evaluateRule(rule: string, self: unknown, oldSelf?: unknown): boolean {
  if (oldSelf === undefined && /\boldSelf\b/u.test(rule)) return true
  const expression = compiled.get(rule) ?? compileWith(fromSchema, rule, 0, { variables: ['self', 'oldSelf'] })
  compiled.set(rule, expression)
  const holds = expression.evaluate({ self, oldSelf })
  if (typeof holds !== 'boolean')
    throw taskmillError('TM_EXPRESSION_FAILED', `the rule ${JSON.stringify(rule)} yields ${typeof holds}, but must yield true or false`)
  return holds
}
