/**
 * Returns the strongly connected components of a graph, each after all components that it depends on (Tarjan, without
 * recursion, so that 10,000 nodes in a row do not overflow the stack). For a graph without cycles that is a topological
 * order; a component with several members is a cycle.
 */
export function findComponents(upstream: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const components: number[][] = []
  const found = new Int32Array(upstream.length).fill(-1)
  const low = new Int32Array(upstream.length)
  const isOpen = new Uint8Array(upstream.length)
  const open: number[] = []
  let count = 0
  const enter = (node: number): { node: number; next: number } => {
    found[node] = low[node] = count++
    isOpen[node] = 1
    open.push(node)
    return { node, next: 0 }
  }
  const lowest = (node: number, value: number): void => {
    if (value < (low[node] ?? 0)) low[node] = value
  }
  for (const root of upstream.keys()) {
    if (found[root] !== -1) continue
    const path = [enter(root)]
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const { node } = frame
      const next = upstream[node]?.[frame.next++]
      if (next === undefined) {
        path.pop()
        const parent = path.at(-1)
        if (parent !== undefined) lowest(parent.node, low[node] ?? 0)
        if (low[node] === found[node]) components.push(close(open, isOpen, node))
      } else if (found[next] === -1) {
        path.push(enter(next))
      } else if (isOpen[next] === 1) {
        lowest(node, found[next] ?? 0)
      }
    }
  }
  return components
}

function close(open: number[], isOpen: Uint8Array, root: number): number[] {
  const members = open.splice(open.lastIndexOf(root))
  for (const member of members) isOpen[member] = 0
  return members.toSorted((a, b) => a - b)
}

/** Returns the shortest path from the first node of a component back to itself; undefined: there is none. */
export function findCycle(component: readonly number[], upstream: readonly (readonly number[])[]): readonly number[] | undefined {
  const [first = 0] = component
  const members = new Set(component)
  const cameFrom = new Map<number, number>()
  const queue = [first]
  for (const node of queue) {
    for (const next of upstream[node] ?? []) {
      if (next === first) return pathTo(node, cameFrom)
      if (!members.has(next) || cameFrom.has(next)) continue
      cameFrom.set(next, node)
      queue.push(next)
    }
  }
  return undefined
}

function pathTo(end: number, cameFrom: ReadonlyMap<number, number>): readonly number[] {
  const path: number[] = []
  for (let at: number | undefined = end; at !== undefined; at = cameFrom.get(at)) path.push(at)
  return path.toReversed()
}

/**
 * Returns a test whether a node is upstream of another, directly or not, for the asked nodes only. Each component has
 * one bit per asked node, so the cost is edges × asked / 32.
 */
export function upstreamOf(
  components: readonly (readonly number[])[],
  upstream: readonly (readonly number[])[],
  asked: ReadonlySet<number>,
): (node: number, of: number) => boolean {
  const bitOf = new Map([...asked].map((node, bit) => [node, bit]))
  const words = Math.ceil(asked.size / 32)
  const componentOf = new Map(components.flatMap((members, at) => members.map((member) => [member, at])))
  const table = new Uint32Array(components.length * words)
  const mark = (word: number, bits: number): void => {
    table[word] = (table[word] ?? 0) | bits
  }
  for (const [at, members] of components.entries()) {
    for (const edge of members.flatMap((member) => upstream[member] ?? [])) {
      const bit = bitOf.get(edge)
      if (bit !== undefined) mark(at * words + (bit >>> 5), 1 << (bit & 31))
      const from = (componentOf.get(edge) ?? at) * words
      for (let word = 0; word < words; word++) mark(at * words + word, table[from + word] ?? 0)
    }
  }
  return (node, of) => {
    const bit = bitOf.get(node)
    const at = componentOf.get(of)
    return bit !== undefined && at !== undefined && ((table[at * words + (bit >>> 5)] ?? 0) & (1 << (bit & 31))) !== 0
  }
}
