/**
 * Limits the work of one evaluation. CEL always terminates, but nested loops and doubled lists can take longer than the
 * process can afford. So every step of the evaluator is counted, and every value that it makes is measured.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { type Evaluate, ownEvaluation } from './evaluation.ts'
import { tooCostly } from './explain.ts'

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

/** A call counts one more step for so many characters or elements of its arguments. */
const sizePerStep = 100

/** Adds a meter to every node of a new syntax tree, and gives our operators and functions to the nodes that have them. */
export function meterOf(tree: ASTNode, limits: Required<ExpressionLimits>): Meter {
  let steps = 0
  let exceeded: Error | undefined
  const step = (count = 1) => {
    steps += count
    if (exceeded === undefined && steps > limits.steps)
      exceeded = tooCostly(`the evaluation takes more than ${limits.steps} steps; use less data`)
    if (exceeded !== undefined) throw exceeded
  }
  const measure = (value: unknown): unknown => {
    if (sizeOf(value) <= limits.valueSize) return value
    exceeded ??= tooCostly(`an intermediate value has more than ${limits.valueSize} characters or elements; use less data`)
    throw exceeded
  }
  const weigh = (values: readonly unknown[]) => {
    step(Math.floor(values.reduce((sum: number, value) => sum + sizeOf(value), 0) / sizePerStep))
  }
  for (const node of nodesOf(tree)) {
    const own = ownEvaluation(node, weigh)
    // On its first run the evaluator replaces this function of a node by a specialised one. The setter keeps the meter
    // around it.
    let inner = own ?? (node as unknown as { evaluate: Evaluate }).evaluate
    const metered: Evaluate = (evaluator, self, context) => {
      step()
      return measure(inner.call(self, evaluator, self, context))
    }
    Object.defineProperty(node, 'evaluate', {
      get: () => metered,
      set(next: Evaluate) {
        inner = own ?? next
      },
    })
  }
  return {
    step: () => {
      step()
    },
    check: () => {
      if (exceeded !== undefined) throw exceeded
    },
    reset: () => {
      steps = 0
      exceeded = undefined
    },
  }
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array ? value.length : 0
}

function* nodesOf(value: unknown): Generator<ASTNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item)
  else if (value !== null && typeof value === 'object' && 'op' in value && 'args' in value) {
    yield value as ASTNode
    yield* nodesOf(value.args)
  }
}
