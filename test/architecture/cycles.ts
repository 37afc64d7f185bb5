/** The first cycle of a directed graph as a path that ends where it starts, or undefined. Depth first, each node once: O(V+E). */
export function findCycle(edges: readonly { readonly from: string; readonly to: string }[]): string[] | undefined {
  const next = new Map<string, string[]>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const path: string[] = []

  const visit = (node: string): string[] | undefined => {
    const start = path.indexOf(node)
    if (start >= 0) return [...path.slice(start), node]
    if (done.has(node)) return undefined
    path.push(node)
    for (const target of next.get(node) ?? []) {
      const cycle = visit(target)
      if (cycle !== undefined) return cycle
    }
    path.pop()
    done.add(node)
    return undefined
  }

  for (const node of next.keys()) {
    const cycle = visit(node)
    if (cycle !== undefined) return cycle
  }
  return undefined
}
