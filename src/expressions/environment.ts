/**
 * What expressions can use: the library's macros, types and static checks, with our operators and functions. The
 * library knows the signatures of ours, so that it finds wrong types before the evaluation; their values are computed
 * by `evaluation.ts`.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { conversions } from './conversions.ts'
import { type Overload, tableOf } from './functions.ts'
import { listFunctions } from './list-functions.ts'
import { textFunctions } from './text-functions.ts'
import { timeFunctions } from './time-functions.ts'
import { Namespace } from './values.ts'

const all: readonly Overload[] = [...conversions, ...textFunctions, ...listFunctions, ...timeFunctions]

export const functions = tableOf(all)

const groups = {
  strings: class Strings extends Namespace {},
  lists: class Lists extends Namespace {},
  sets: class Sets extends Namespace {},
}

/** Operators between numbers of different types, which the library refuses; their values come from `operators.ts`. */
const mixed = [
  ...['int double', 'double int', 'uint double', 'double uint'].flatMap((pair) => {
    const [left, right] = pair.split(' ')
    return ['+', '-', '*', '/', '%'].map((op) => `${left} ${op} ${right}: double`)
  }),
  'double % double: double',
  ...['int double', 'int uint', 'uint double'].map((pair) => pair.replace(' ', ' == ')),
  ...['int double', 'double int', 'int uint', 'uint int', 'uint double', 'double uint'].map((pair) => {
    const [left, right] = pair.split(' ')
    return `${left} in list<${right}>`
  }),
  ...['<', '<=', '>', '>='].map((op) => `bytes ${op} bytes`),
  'optional<A> == optional<A>',
]

function unreachable(): never {
  throw new Error('this operator or function is evaluated elsewhere')
}

function createEnvironment(): Environment {
  const environment = new Environment({ unlistedVariablesAreDyn: false, enableOptionalTypes: true, homogeneousAggregateLiterals: false })
  for (const [name, type] of Object.entries(groups)) {
    environment.registerType(type.name, type)
    environment.registerConstant(name, type.name, new type())
  }
  const known = new Set(environment.getDefinitions().functions.map(({ signature }) => signature))
  for (const { signature } of all) {
    const declared = signature.replace(/^(?<group>strings|lists|sets)(?=\.)/u, (group) => groups[group as keyof typeof groups].name)
    if (!known.has(declared)) environment.registerFunction(declared, unreachable, { async: false })
  }
  for (const signature of mixed) environment.registerOperator(signature, unreachable)
  return environment
}

const base = createEnvironment()

/** Returns an environment whose expressions may use these names. */
export function environmentFor(names: readonly string[], limits: { readonly nodes: number; readonly depth: number }): Environment {
  const result = base.clone({ limits: { maxAstNodes: limits.nodes, maxDepth: limits.depth } })
  for (const name of names) result.registerVariable(name, 'dyn')
  return result
}

type Checker = { check(node: ASTNode, context: unknown): unknown; getType(name: string): unknown }
type Check = (checker: Checker, node: ASTNode, context: unknown) => unknown

/**
 * Gives a node a check of its own where the library's is narrower than CEL: the elements of `[]` and `{}` are of any
 * type, and `has(…)` takes a member of any value.
 */
export function widenCheck(node: ASTNode): void {
  const check = wideCheckOf(node)
  if (check !== undefined) Object.defineProperty(node, 'check', { value: check })
}

function wideCheckOf(node: ASTNode): Check | undefined {
  if ((node.op === 'list' || node.op === 'map') && node.args.length === 0) return (checker) => checker.getType(node.op)
  const member = memberInHas(node)
  if (member === undefined) return undefined
  return (checker, _, context) => {
    checker.check(member.args[0], context)
    return checker.getType('bool')
  }
}

/** Returns the member of `has(value.member)`; undefined for any other node. */
export function memberInHas(node: ASTNode): (ASTNode & { op: '.' }) | undefined {
  if (node.op !== 'call' || node.args[0] !== 'has') return undefined
  const [argument] = node.args[1]
  return node.args[1].length === 1 && argument?.op === '.' ? argument : undefined
}
