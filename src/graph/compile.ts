import { describeInexact, findInexactNumbers } from '../json/index.ts'
import { findComponents, findCycle, upstreamOf } from './components.ts'
import { compileNode, type NodeExpressions } from './node-expressions.ts'
import type { EdgeCondition, PlanNode, RunPlan } from './log.ts'

export type Edge = { readonly node: number; readonly condition: EdgeCondition }

/** A node as the engine sees it. Other nodes are referred to by their index in `Graph.nodes`. */
export type GraphNode = {
  readonly spec: PlanNode
  readonly isFinally: boolean
  readonly upstream: readonly Edge[]
  readonly downstream: readonly Edge[]
  readonly expressions: NodeExpressions
  /** The nodes that its expressions read. */
  readonly named: readonly number[]
}

/** A compiled plan without faults. */
export type Graph = {
  readonly plan: RunPlan
  /** First the nodes of `plan.nodes`, then those of `plan.finally`. */
  readonly nodes: readonly GraphNode[]
  readonly indexOf: ReadonlyMap<string, number>
}

/**
 * `Cycle` lists the path. `InvalidExpression` covers syntax, unknown names, types, and nodes that are not upstream.
 * `InvalidNumber`: a number in a payload or parameter has more digits than its receiver could read.
 */
export type GraphFaultReason = 'Cycle' | 'UnknownNode' | 'DuplicateNode' | 'FinallyDependency' | 'InvalidExpression' | 'InvalidNumber'

/** What is wrong with a plan. `field` is a path within the plan: `nodes[2].dependsOn[0]`. */
export type GraphFault = { readonly reason: GraphFaultReason; readonly field: string; readonly message: string }

export type CompiledGraph = { readonly ok: true; readonly graph: Graph } | { readonly ok: false; readonly faults: readonly GraphFault[] }

/** Checks a plan and compiles it, in O(nodes + edges). Returns all faults, not only the first. */
export function compileGraph(plan: RunPlan): CompiledGraph {
  const faults: GraphFault[] = []
  const specs = [...plan.nodes, ...plan.finally]
  const fieldOf = (index: number): string => (index < plan.nodes.length ? `nodes[${index}]` : `finally[${index - plan.nodes.length}]`)
  const indexOf = indexNodes(specs, fieldOf, faults)
  const upstream = specs.map((spec, index) => edgesOf(spec, fieldOf(index), index >= plan.nodes.length, indexOf, plan, faults))
  const downstream = specs.map((): Edge[] => [])
  for (const [node, edges] of upstream.entries()) for (const { node: from, condition } of edges) downstream[from]?.push({ node, condition })
  const expressions = specs.map((spec, index) => compileNode(spec, fieldOf(index), (fault) => faults.push(fault)))
  for (const { field, text } of findInexactNumbers(plan.parameters, 'parameters'))
    faults.push({ reason: 'InvalidNumber', field, message: describeInexact(text) })
  const neighbours = upstream.map((edges) => edges.map(({ node }) => node))
  const components = findComponents(neighbours)
  faults.push(...findCycleFaults(components, neighbours, specs, plan))
  const named = checkNames({ plan, specs, expressions, indexOf, neighbours, components }, faults)
  if (faults.length > 0) return { ok: false, faults }
  const nodes = specs.map((spec, index): GraphNode => ({
    spec,
    isFinally: index >= plan.nodes.length,
    upstream: upstream[index] ?? [],
    downstream: downstream[index] ?? [],
    expressions: expressions[index] as NodeExpressions,
    named: named[index] ?? [],
  }))
  return { ok: true, graph: { plan, nodes, indexOf } }
}

/** If several nodes have the same name, the first one counts. */
function indexNodes(specs: readonly PlanNode[], fieldOf: (index: number) => string, faults: GraphFault[]): ReadonlyMap<string, number> {
  const indexOf = new Map<string, number>()
  for (const [index, { name }] of specs.entries()) {
    const first = indexOf.get(name)
    if (first === undefined) indexOf.set(name, index)
    else
      faults.push({
        reason: 'DuplicateNode',
        field: `${fieldOf(index)}.name`,
        message: `${fieldOf(first)} has the same name ${name}; rename one of them`,
      })
  }
  return indexOf
}

function edgesOf(
  spec: PlanNode,
  field: string,
  isFinally: boolean,
  indexOf: ReadonlyMap<string, number>,
  plan: RunPlan,
  faults: GraphFault[],
): readonly Edge[] {
  if (isFinally && spec.dependsOn.length > 0) {
    const message = `${spec.name} runs after all nodes and cannot depend on any; remove dependsOn, or move it to nodes`
    faults.push({ reason: 'FinallyDependency', field: `${field}.dependsOn`, message })
    return []
  }
  return spec.dependsOn.flatMap(({ name, condition }, at): readonly Edge[] => {
    const node = indexOf.get(name)
    if (node !== undefined && node < plan.nodes.length) return [{ node, condition }]
    const where = `${field}.dependsOn[${at}]`
    if (node === undefined) {
      const message = `${spec.name} depends on ${name}, but there is no such node`
      faults.push({ reason: 'UnknownNode', field: where, message })
    } else {
      const message = `${spec.name} depends on ${name}, which runs after all nodes; move ${name} to nodes`
      faults.push({ reason: 'FinallyDependency', field: where, message })
    }
    return []
  })
}

/** Returns one fault per strongly connected component: the shortest cycle through its first node. */
function findCycleFaults(
  components: readonly (readonly number[])[],
  upstream: readonly (readonly number[])[],
  specs: readonly PlanNode[],
  plan: RunPlan,
): readonly GraphFault[] {
  return components.flatMap((component): readonly GraphFault[] => {
    const cycle = findCycle(component, upstream)
    if (cycle === undefined) return []
    const [node = 0, next = node] = cycle
    const name = specs[node]?.name ?? ''
    const at = plan.nodes[node]?.dependsOn.findIndex((each) => each.name === specs[next]?.name) ?? 0
    const path = spelledOut([...cycle.map((each) => specs[each]?.name ?? ''), name])
    const message = `${name} depends on itself: ${path}; remove one of these dependencies`
    return [{ reason: 'Cycle', field: `nodes[${node}].dependsOn[${at}]`, message }]
  })
}

/** A longer path shows only this many names, from both ends. */
const maxSpelled = 100

function spelledOut(names: readonly string[]): string {
  if (names.length <= maxSpelled) return names.join(' -> ')
  const half = maxSpelled / 2
  return [...names.slice(0, half), `(${names.length - 2 * half} more)`, ...names.slice(-half)].join(' -> ')
}

type Named = {
  readonly plan: RunPlan
  readonly specs: readonly PlanNode[]
  readonly expressions: readonly NodeExpressions[]
  readonly indexOf: ReadonlyMap<string, number>
  readonly neighbours: readonly (readonly number[])[]
  readonly components: readonly (readonly number[])[]
}

/**
 * Checks what expressions may read: upstream nodes, their status and result, and the values of the run. Returns the
 * nodes that each expression names.
 */
function checkNames(of: Named, faults: GraphFault[]): readonly (readonly number[])[] {
  const { plan, specs, expressions, indexOf, neighbours, components } = of
  const named = expressions.map(({ uses }) => nodesNamed(uses, indexOf))
  const direct = named.map((nodes, index) => new Set(nodes.length === 0 ? [] : neighbours[index]))
  const far = new Set(named.flatMap((nodes, index) => nodes.filter((node) => direct[index]?.has(node) !== true)))
  const isUpstream = upstreamOf(components, neighbours, far)
  for (const [index, { uses }] of expressions.entries()) {
    const isFinally = index >= plan.nodes.length
    const reachable = (node: number): boolean =>
      isFinally ? node < plan.nodes.length : direct[index]?.has(node) === true || isUpstream(node, index)
    for (const { use, field } of uses) {
      const message = describeWrongName(use, specs[index]?.name ?? '', isFinally, indexOf, reachable)
      if (message !== undefined) faults.push({ reason: 'InvalidExpression', field, message })
    }
  }
  return named
}

function nodesNamed(uses: NodeExpressions['uses'], indexOf: ReadonlyMap<string, number>): readonly number[] {
  const nodes = uses.flatMap(({ use: [variable, name] }) => (variable === 'nodes' && name !== undefined ? [indexOf.get(name)] : []))
  return [...new Set(nodes)].filter((node) => node !== undefined)
}

function describeWrongName(
  [variable, member, part]: readonly string[],
  node: string,
  isFinally: boolean,
  indexOf: ReadonlyMap<string, number>,
  reachable: (node: number) => boolean,
): string | undefined {
  if (variable === 'run') {
    const known = ['name', 'startTime', ...(isFinally ? ['outcome'] : [])]
    if (member === undefined || known.includes(member)) return undefined
    const hint = member === 'outcome' ? '; only finally nodes know the outcome' : ''
    return `run has no ${member}; known: ${known.join(', ')}${hint}`
  }
  if (variable !== 'nodes') return undefined
  if (member === undefined) return 'name each node in the text: nodes.name.status, nodes["name-with-dashes"].result'
  const index = indexOf.get(member)
  if (index === undefined) return `there is no node ${member}`
  if (!reachable(index)) {
    return isFinally
      ? `${member} is a finally node too and runs at the same time`
      : `${member} is not upstream of ${node}, so its result is not known yet; add it to dependsOn`
  }
  if (part === undefined || part === 'status' || part === 'result') return undefined
  return `nodes.${member} has no ${part}; known: status, result`
}
