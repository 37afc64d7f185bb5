/**
 * Visits every world that can be reached from the first one, breadth first, until a rule is broken. `keyOf` says which worlds are the same.
 */
export function explore<World>(
  first: World,
  {
    keyOf,
    successors,
    problemOf,
  }: {
    readonly keyOf: (world: World) => string
    readonly successors: (world: World) => Iterable<World>
    readonly problemOf: (world: World) => string | undefined
  },
): { readonly states: number; readonly problem: string | undefined } {
  const visited = new Set([keyOf(first)])
  let frontier = [first]
  while (frontier.length > 0) {
    const following: World[] = []
    for (const world of frontier) {
      const problem = problemOf(world)
      if (problem !== undefined) return { states: visited.size, problem }
      for (const next of successors(world)) {
        const key = keyOf(next)
        if (visited.has(key)) continue
        visited.add(key)
        following.push(next)
      }
    }
    frontier = following
  }
  return { states: visited.size, problem: undefined }
}
