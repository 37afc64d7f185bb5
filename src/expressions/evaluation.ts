/**
 * Evaluates operators, members, map literals and functions by our own rules; everything else of a syntax tree (macros,
 * `&&`, `||`, `?:`, names) is evaluated by the library.
 */
import { EvaluationError, type ASTNode } from '@marcbachmann/cel-js'
import { functions, memberInHas } from './environment.ts'
import { callFunction, overloadsOf } from './functions.ts'
import { binaryOperators, hasMember, memberOrThrow, negative, optionalMemberOf, toKey } from './operators.ts'
import { fault, typeOf } from './values.ts'

export type Evaluator = { run(node: ASTNode, context: unknown): unknown }
export type Evaluate = (evaluator: Evaluator, node: ASTNode, context: unknown) => unknown

/** What a node computes, from the values of the nodes below it. */
type Own = { readonly of: readonly ASTNode[]; readonly compute: (values: readonly unknown[]) => unknown }

/** Returns our evaluation of a node; undefined if the library evaluates it. `weigh` is told the arguments of calls. */
export function ownEvaluation(node: ASTNode, weigh: (values: readonly unknown[]) => void): Evaluate | undefined {
  const own = ownOf(node, weigh)
  if (own === undefined) return undefined
  const { of, compute } = own
  return (evaluator, _, context) => {
    const values = of.map((child) => evaluator.run(child, context))
    try {
      return compute(values)
    } catch (error) {
      throw error instanceof EvaluationError && error.range === undefined ? error.withAst(node) : error
    }
  }
}

function ownOf(node: ASTNode, weigh: (values: readonly unknown[]) => void): Own | undefined {
  switch (node.op) {
    case '.':
      return { of: [node.args[0]], compute: ([of]) => memberOrThrow(of, node.args[1]) }
    case '.?':
      return { of: [node.args[0]], compute: ([of]) => optionalMemberOf(of, node.args[1]) }
    case '[]':
      return { of: node.args, compute: ([of, key]) => memberOrThrow(of, key) }
    case '[?]':
      return { of: node.args, compute: ([of, key]) => optionalMemberOf(of, key) }
    case 'map':
      return { of: node.args.flat(), compute: mapOf }
    case '-_':
      return { of: [node.args], compute: ([value]) => negative(value) }
    case '!_':
      return { of: [node.args], compute: ([value]) => not(value) }
    case 'call': {
      const member = memberInHas(node)
      if (member !== undefined) return { of: [member.args[0]], compute: ([of]) => hasMember(of, member.args[1]) }
      return callOf(node.args[0], undefined, node.args[1], weigh)
    }
    case 'rcall':
      return callOf(node.args[0], node.args[1], node.args[2], weigh)
    default:
      return node.op in binaryOperators ? operatorOf(node as ASTNode & { op: keyof typeof binaryOperators }) : undefined
  }
}

function operatorOf(node: ASTNode & { op: keyof typeof binaryOperators }): Own {
  const operate = binaryOperators[node.op]
  return { of: node.args, compute: ([a, b]) => operate(a, b) }
}

function callOf(
  name: string,
  receiver: ASTNode | undefined,
  args: readonly ASTNode[],
  weigh: (values: readonly unknown[]) => void,
): Own | undefined {
  const of = receiver === undefined ? args : [receiver, ...args]
  const overloads = overloadsOf(functions, name, receiver !== undefined, of.length)
  if (overloads === undefined) return undefined
  return {
    of,
    compute: (values) => {
      weigh(values)
      return callFunction(overloads, values)
    },
  }
}

function not(value: unknown): boolean {
  if (typeof value === 'boolean') return !value
  throw fault('no_such_overload', `no such overload: !${typeOf(value)}`)
}

/** Takes keys and values in turn. */
function mapOf(values: readonly unknown[]): ReadonlyMap<unknown, unknown> {
  const result = new Map<unknown, unknown>()
  for (let at = 0; at < values.length; at += 2) {
    const key = toKey(values[at])
    if (!['string', 'int', 'bool'].includes(typeOf(key)))
      throw fault('invalid_map_key', `a key of a map must be a text, a whole number or a boolean, not ${typeOf(key)}`)
    if (result.has(key)) throw fault('invalid_map_key', `the map has the key ${String(key)} twice`)
    result.set(key, values[at + 1])
  }
  return result
}
