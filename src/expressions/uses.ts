import type { ASTNode } from '@marcbachmann/cel-js'

/** A variable and the members of it that an expression names: `nodes.a.result`, `nodes["a"].result` and `has(nodes.a.result)` alike. */
export type Use = readonly [variable: string, ...members: string[]]

/**
 * What an expression uses of its variables, each once, in the order of the text. A use ends where the name of a member is not in the text:
 * `nodes[x]` uses all of `nodes`. Names that are bound by a loop are none of the variables.
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

/** The whole chain that ends here, if it begins with a variable and every member is named. */
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
