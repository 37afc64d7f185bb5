import { Environment, type ParseResult } from '@marcbachmann/cel-js'
import { taskmillError } from '../errors/index.ts'
import { explain, tooCostly } from './explain.ts'
import { defaultLimits, meterOf, type ExpressionLimits } from './meter.ts'
import { type Use, usesOf } from './uses.ts'
import { fromCel, toCel } from './values.ts'

export type CompileOptions = {
  /** The names that it may use; any other is refused at compilation. */
  readonly variables: readonly string[]
  readonly limits?: ExpressionLimits
}

/** A compiled expression; can be evaluated any number of times. */
export type Expression = {
  /** What it uses of the variables. */
  readonly uses: readonly Use[]
  /** CEL's name of the type of its value; `dyn` where that is not known before the evaluation. */
  readonly type: string
  /** JSON in, JSON out. Throws TM_EXPRESSION_FAILED or TM_EXPRESSION_TOO_COSTLY. */
  evaluate(variables: Readonly<Record<string, unknown>>): unknown
}

/** Compiles bare CEL. Throws TM_EXPRESSION_INVALID or TM_EXPRESSION_TOO_COSTLY with the position and what to write instead. */
export function compile(source: string, options: CompileOptions): Expression {
  return compileAt(source, 0, options)
}

/** The same for an expression that begins at `offset` of what the user wrote. */
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
    throw explain(error, 'compile', source, offset, names)
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
        throw explain(error, 'evaluate', source, offset, names)
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
