import { Environment, type ParseResult, Optional, type ASTNode } from '@marcbachmann/cel-js'
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { taskmillError } from '../errors/index.ts'
import { toExpressionError, tooCostly, failed } from './explain.ts'
import { defaultLimits, meterOf, type ExpressionLimits } from './meter.ts'

export type CompileOptions = {
  /** The names that the expression may use; any other name is an error. */
  readonly variables: readonly string[]
  readonly limits?: ExpressionLimits
}

/** A compiled expression; can be evaluated any number of times. */
export type Expression = {
  /** The variables and members that it uses. */
  readonly uses: readonly Use[]
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
  const limits = { ...defaultLimits, ...options.limits }
  const names = options.variables
  if (source.trim() === '') throw taskmillError('TM_EXPRESSION_INVALID', 'the expression is empty')
  if (source.length > limits.sourceLength) throw tooCostly(`the expression is longer than ${limits.sourceLength} characters; split it up`)
  let parsed: ParseResult
  let type = 'dyn'
  try {
    parsed = environment(names, limits).parse(source)
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
    type,
    evaluate(variables) {
      meter.reset()
      try {
        const given = Object.fromEntries(
          names.filter((name) => variables[name] !== undefined).map((name) => [name, toCel(variables[name], meter.step)]),
        )
        const result: unknown = parsed(given)
        meter.check()
        return fromCel(result)
      } catch (error) {
        throw toExpressionError(error, 'evaluate', source, offset, names)
      }
    },
  }
}

function environment(names: readonly string[], limits: Required<ExpressionLimits>): Environment {
  const result = new Environment({
    unlistedVariablesAreDyn: false,
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: limits.nodes, maxDepth: limits.depth },
  })
  for (const name of names) result.registerVariable(name, 'dyn')
  return result
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
  const expression = compiled.get(rule) ?? compile(rule, { variables: ['self', 'oldSelf'] })
  compiled.set(rule, expression)
  const holds = expression.evaluate({ self, oldSelf })
  if (typeof holds !== 'boolean')
    throw taskmillError('TM_EXPRESSION_FAILED', `the rule ${JSON.stringify(rule)} yields ${typeof holds}, but must yield true or false`)
  return holds
}

/**
 * Converts a JSON value for CEL: whole numbers become `int` (a BigInt), all others `double`. Calls `count` for every
 * value.
 */
function toCel(value: unknown, count: () => void): unknown {
  count()
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map((item) => toCel(item, count))
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, toCel(item, count)]),
  )
}

/**
 * Converts the result of an expression to JSON: times as RFC 3339, durations as seconds with an `s`, as Kubernetes
 * writes them.
 */
function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') {
    if (BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))) return Number(value)
    throw tooCostly(`the result ${value} is larger than the integers that JSON holds exactly; convert it to text with string(…)`)
  }
  if (value instanceof UnsignedInt) return fromCel(value.valueOf())
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Duration) return `${Number(value.seconds) + value.nanos / 1e9}s`
  if (value instanceof Uint8Array) throw failed('the result is bytes; convert it to text with .base64() or string(…)')
  if (value instanceof Optional) {
    if (value.hasValue()) return fromCel(value.value())
    throw failed('the result is an optional without a value; add .orValue(…)')
  }
  if (Array.isArray(value)) return value.map(fromCel)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), fromCel(item)]))
  if (value === null || typeof value !== 'object') return value
  if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromCel(item)]))
  }
  throw failed('the result is a type, which is not a value; compare it with == instead')
}

/**
 * A variable and the members of it that an expression names; the same for `nodes.a.result`, `nodes["a"].result` and
 * `has(nodes.a.result)`.
 */
export type Use = readonly [variable: string, ...members: string[]]

/**
 * Returns what an expression uses of its variables, each once, in the order of the text. A use ends where the name of a
 * member is computed: `nodes[x]` uses all of `nodes`. Loop variables are not included.
 */
function usesOf(tree: ASTNode, variables: readonly string[]): readonly Use[] {
  const found = new Map<string, Use>()
  collect(tree, (use) => {
    if (variables.includes(use[0])) found.set(JSON.stringify(use), use)
  })
  return [...found.values()]
}

function collect(value: unknown, add: (use: Use) => void): void {
  if (Array.isArray(value)) for (const item of value) collect(item, add)
  else if (isNode(value)) {
    const use = memberOf(value)
    if (use === undefined) collect(value.args, add)
    else add(use)
  }
}

/** Returns the whole member chain that ends here, if it starts with a variable and names every member. */
function memberOf({ op, args }: ASTNode): Use | undefined {
  if (op === 'id') return [args]
  if (op !== '.' && op !== '.?' && op !== '[]' && op !== '[?]') return undefined
  const [of, member] = args
  const name = typeof member === 'string' ? member : isNode(member) && member.op === 'value' ? member.args : undefined
  const use = typeof name === 'string' ? memberOf(of) : undefined
  return use === undefined || typeof name !== 'string' ? undefined : [...use, name]
}

function isNode(value: unknown): value is ASTNode {
  return value !== null && typeof value === 'object' && 'op' in value && 'args' in value
}
