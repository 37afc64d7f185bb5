/** What an expression says about its variables, found in its syntax tree. */
import type { ASTNode } from '@marcbachmann/cel-js'

/**
 * A variable and the members of it that an expression names; the same for `nodes.a.result`, `nodes["a"].result` and
 * `has(nodes.a.result)`.
 */
export type Use = readonly [variable: string, ...members: string[]]

/**
 * Returns what an expression uses of its variables, each once, in the order of the text. A use ends where the name of a
 * member is computed: `nodes[x]` uses all of `nodes`. Loop variables are not included.
 */
export function usesOf(tree: ASTNode, variables: readonly string[]): readonly Use[] {
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

export function isNode(value: unknown): value is ASTNode {
  return value !== null && typeof value === 'object' && 'op' in value && 'args' in value
}

/** A member and a literal text that it is compared with by ==, != or in. */
export type Comparison = { readonly use: Use; readonly text: string }

/** Returns every comparison of a member of the variables with a literal text, in the order of the text. */
export function comparisonsOf(tree: ASTNode, variables: readonly string[]): readonly Comparison[] {
  const own = comparedIn(tree).filter(({ use }) => variables.includes(use[0]))
  const below = (Array.isArray(tree.args) ? tree.args : []).flatMap((child: unknown) => childNodes(child))
  return [...own, ...below.flatMap((child) => comparisonsOf(child, variables))]
}

function childNodes(value: unknown): readonly ASTNode[] {
  if (Array.isArray(value)) return value.flatMap(childNodes)
  return isNode(value) ? [value] : []
}

function comparedIn({ op, args }: ASTNode): readonly Comparison[] {
  if (op !== '==' && op !== '!=' && op !== 'in') return []
  const [left, right] = args
  const pairs: readonly (readonly [ASTNode, ASTNode])[] = [
    [left, right],
    [right, left],
  ]
  return pairs.flatMap(([side, other]) => {
    const use = memberOf(side)
    return use === undefined ? [] : textsIn(other).map((text) => ({ use, text }))
  })
}

/** A literal text, or the texts of a literal list. */
function textsIn({ op, args }: ASTNode): readonly string[] {
  if (op === 'value') return typeof args === 'string' ? [args] : []
  return op === 'list' ? args.flatMap(textsIn) : []
}
