/**
 * A graph of 10,000 nodes: what it costs to plan it, and what one completion in it costs. The peer of the plan orders the graph depth first,
 * by recursion; that of a completion looks at every node and edge for what is ready now. Both know nothing of templates, expressions, limits
 * of time or a log.
 */
import {
  applyEntry,
  compileGraph,
  createRun,
  nextRunStep,
  notePlaced,
  type NodeEnd,
  type Run,
  type RunPlan,
} from '../../src/graph/index.ts'
import { random } from '../support/random.ts'
import { printComparison } from './table.ts'

const count = 10_000
const task = { type: 'bench', queue: 'bench', retry: { maxRetries: 0, initialDelaySeconds: 0 } }

/** Every node depends on up to three of the hundred before it, and each hundredth has a `when`. */
function randomPlan(seed: number): RunPlan {
  const rng = random(seed)
  const nodes = Array.from({ length: count }, (_, index) => {
    const upstream = [1, 2, 3].map(() => index - 1 - Math.floor(rng() * 100)).filter((each) => each >= 0)
    const dependsOn = [...new Set(upstream)].map((each) => ({ name: `n${each}`, condition: 'Succeeded' as const }))
    const [first] = dependsOn
    const when = index % 100 === 99 && first !== undefined ? { when: `nodes.${first.name}.status == "Succeeded"` } : {}
    return { name: `n${index}`, dependsOn, required: true, task, ...when }
  })
  return { name: 'bench', nodes, finally: [], onNodeFailure: 'Stop', parameters: {} }
}

export function benchGraph(rounds: number): void {
  const plans = { ours: [] as number[], peer: [] as number[] }
  const completions = { ours: [] as number[], peer: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    const plan = randomPlan(round)
    plans.ours.push(timed(() => compileGraph(plan)))
    plans.peer.push(timed(() => orderOf(plan)))
    completions.ours.push(...completeAll(plan))
    completions.peer.push(...completeSome(plan, 200))
  }
  printComparison(`plan a graph of ${count.toLocaleString('en')} nodes`, 'ms', plans.ours, plans.peer, 'plain depth-first order')
  const title = `one completion in it, from its end to what starts then, its log folded (each of all)`
  printComparison(title, 'µs', completions.ours, completions.peer, 'look at all nodes')
}

function timed(act: () => unknown): number {
  const startedMs = performance.now()
  act()
  return performance.now() - startedMs
}

/** Runs the whole graph; how long each completion took, in µs. */
function completeAll(plan: RunPlan): readonly number[] {
  const compiled = compileGraph(plan)
  if (!compiled.ok) throw new Error('the plan has faults')
  const begin = { token: 'bench', graph: compiled.graph }
  const run = createRun()
  const waiting: string[] = []
  const times: number[] = []
  settle(run, [], begin, waiting)
  for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
    const end: NodeEnd = { node, outcome: 'Succeeded', reason: 'Succeeded' }
    times.push(1_000 * timed(() => settle(run, [end], begin, waiting)))
  }
  if (times.length !== count) throw new Error(`${times.length} nodes have run`)
  return times
}

function settle(run: Run, ends: readonly NodeEnd[], begin: Parameters<typeof nextRunStep>[1]['begin'], waiting: string[]): void {
  for (let ended = ends; ;) {
    const step = nextRunStep(run, { desired: 'Running', ended, begin }, 0)
    if (step.kind === 'Append') for (const entry of step.entries) applyEntry(run, entry)
    else if (step.kind === 'Acknowledge') ended = []
    else if (step.kind !== 'Place') return
    else {
      const names = step.nodes.map(({ name }) => name)
      waiting.push(...names)
      notePlaced(run, names)
    }
  }
}

/** Depth first, by recursion, as most would write it: an order, or a cycle. */
function orderOf({ nodes }: RunPlan): readonly string[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const order: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (name: string): void => {
    if (state.get(name) === 'done') return
    if (state.get(name) === 'open') throw new Error(`${name} is in a cycle`)
    state.set(name, 'open')
    for (const edge of byName.get(name)?.dependsOn ?? []) visit(edge.name)
    state.set(name, 'done')
    order.push(name)
  }
  for (const { name } of nodes) visit(name)
  return order
}

/** So many of the completions, spread over the whole run; how long each took, in µs. */
function completeSome({ nodes }: RunPlan, some: number): readonly number[] {
  const succeeded = new Set<string>()
  const started = new Set<string>()
  const times: number[] = []
  for (const [index, { name }] of nodes.entries()) {
    succeeded.add(name)
    if (index % (count / some) !== 0) {
      started.add(name)
      continue
    }
    const look = (): unknown =>
      nodes.filter((node) => !started.has(node.name) && node.dependsOn.every((edge) => succeeded.has(edge.name))).map((node) => node.name)
    times.push(1_000 * timed(look))
    started.add(name)
  }
  return times
}
