import { taskmillError } from '../errors/index.ts'
import { compile, type Expression } from './compile.ts'

/** Our own CRDs' rules: a fixed handful. */
const compiled = new Map<string, Expression>()

/**
 * Whether a value satisfies a rule of `x-kubernetes-validations`, as the API server judges it. A rule that mentions `oldSelf` holds
 * when there is no old value. Throws as `compile` and `evaluate` do; the API server takes a rule that fails for violated.
 */
export function evaluateRule(rule: string, self: unknown, oldSelf?: unknown): boolean {
  if (oldSelf === undefined && /\boldSelf\b/u.test(rule)) return true
  const expression = compiled.get(rule) ?? compile(rule, { variables: ['self', 'oldSelf'] })
  compiled.set(rule, expression)
  const holds = expression.evaluate({ self, oldSelf })
  if (typeof holds !== 'boolean')
    throw taskmillError('TM_EXPRESSION_FAILED', `the rule ${JSON.stringify(rule)} yields ${typeof holds}, not true or false`)
  return holds
}
