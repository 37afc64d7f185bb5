/**
 * Limits the work of one evaluation. CEL always terminates, but nested loops and doubled lists can take longer than the
 * process can afford. So every step of the evaluator is counted, and every value that it makes is measured.
 */
import { setFlagsFromString } from 'node:v8'
import type { ASTNode } from '@marcbachmann/cel-js'
import { failed, tooCostly } from './explain.ts'

export type ExpressionLimits = {
  /** Characters of the source. Default 4,096. */
  readonly sourceLength?: number
  /** Nodes of the syntax tree. Default 1,000. */
  readonly nodes?: number
  /** Depth of nesting. Default 50. */
  readonly depth?: number
  /** Steps of one evaluation, including its input values. Default 100,000. */
  readonly steps?: number
  /** Characters of a text, or elements of a list, of every intermediate value. Default 100,000. */
  readonly valueSize?: number
}

export const defaultLimits: Required<ExpressionLimits> = {
  sourceLength: 4_096,
  nodes: 1_000,
  depth: 50,
  steps: 100_000,
  valueSize: 100_000,
}

export type Meter = {
  /** Counts one step; throws TM_EXPRESSION_TOO_COSTLY beyond the limit. */
  step(): void
  /** Throws if a limit was exceeded, even if the expression itself swallowed the error (`false && …`). */
  check(): void
  /** Restarts the count. */
  reset(): void
}

type Evaluate = (evaluator: Evaluator, node: ASTNode, context: unknown) => unknown
type Evaluator = { run(node: ASTNode, context: unknown): unknown }

/** Adds a meter to every node of a new syntax tree. */
export function meterOf(tree: ASTNode, limits: Required<ExpressionLimits>): Meter {
  let steps = 0
  let exceeded: Error | undefined
  const step = () => {
    if (exceeded === undefined && ++steps > limits.steps)
      exceeded = tooCostly(`the evaluation takes more than ${limits.steps} steps; use less data`)
    if (exceeded !== undefined) throw exceeded
  }
  const measure = (value: unknown): unknown => {
    const size = typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array ? value.length : 0
    if (size <= limits.valueSize) return value
    exceeded ??= tooCostly(`an intermediate value has more than ${limits.valueSize} characters or elements; use less data`)
    throw exceeded
  }
  for (const node of nodesOf(tree)) {
    // On its first run the evaluator replaces this function of a node by a specialised one. The setter keeps the meter
    // around it.
    let inner = (node as unknown as { evaluate: Evaluate }).evaluate
    const metered: Evaluate = (evaluator, self, context) => {
      step()
      return measure(linearMatch(node, evaluator, context) ?? inner.call(self, evaluator, self, context))
    }
    Object.defineProperty(node, 'evaluate', {
      get: () => metered,
      set(next: Evaluate) {
        inner = next
      },
    })
  }
  return {
    step,
    check: () => {
      if (exceeded !== undefined) throw exceeded
    },
    reset: () => {
      steps = 0
      exceeded = undefined
    },
  }
}

function* nodesOf(value: unknown): Generator<ASTNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item)
  else if (value !== null && typeof value === 'object' && 'op' in value && 'args' in value) {
    yield value as ASTNode
    yield* nodesOf(value.args)
  }
}

/**
 * V8 then supports regular expressions without backtracking (flag `l`), as CEL requires. It refuses look-around and
 * back-references, as RE2 does.
 */
setFlagsFromString('--enable-experimental-regexp-engine')
const linearTime = 'l'

/**
 * Evaluates `text.matches(pattern)` in linear time; undefined for everything else, and for arguments of other types.
 */
function linearMatch(node: ASTNode, evaluator: Evaluator, context: unknown): boolean | undefined {
  if (node.op !== 'rcall' || node.args[0] !== 'matches') return undefined
  const [, receiver, [argument]] = node.args
  if (argument === undefined) return undefined
  const text = evaluator.run(receiver, context)
  const pattern = evaluator.run(argument, context)
  if (typeof text !== 'string' || typeof pattern !== 'string') return undefined
  let expression: RegExp
  try {
    expression = new RegExp(pattern, linearTime)
  } catch {
    throw failed(
      `the regular expression ${JSON.stringify(pattern)} is not valid; use RE2's syntax, without look-around and back-references`,
    )
  }
  return expression.test(text)
}
