/**
 * What has to become of the nodes of a graph: a brute-force evaluator, written from the rules as people read them and independently of the
 * product. It looks at every node again and again until nothing changes any more.
 */
export type OracleOutcome = 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped' | 'Omitted'

export type OracleNode = {
  readonly name: string
  readonly dependsOn: readonly { readonly name: string; readonly condition: 'Succeeded' | 'Failed' | 'Completed' }[]
  /** What its `when` comes to. */
  readonly when: 'true' | 'false' | 'fails'
  readonly required: boolean
  readonly isFinally: boolean
}

export type OracleGraph = { readonly nodes: readonly OracleNode[]; readonly onNodeFailure: 'Stop' | 'Continue' }

export type OracleState = {
  readonly nodes: ReadonlyMap<string, OracleOutcome | 'Running' | 'Pending'>
  /** Every node that has started so far. */
  readonly started: ReadonlySet<string>
  readonly stop?: 'Cancelled' | 'TimedOut' | undefined
  /** Nodes that timed out only because the run did. */
  readonly timedOutWithRun: ReadonlySet<string>
}

export function oracleBegin(graph: OracleGraph, stop?: 'Cancelled'): OracleState {
  const nodes = new Map(graph.nodes.map(({ name }) => [name, 'Pending' as const]))
  return whatFollows(graph, { nodes, started: new Set(), stop, timedOutWithRun: new Set() })
}

/** These nodes ended, all at once. */
export function oracleEnd(
  graph: OracleGraph,
  state: OracleState,
  ends: ReadonlyMap<string, OracleOutcome>,
  stoppedWithRun: ReadonlySet<string> = new Set(),
): OracleState {
  const timedOut = [...ends].filter(([name, outcome]) => outcome === 'TimedOut' && stoppedWithRun.has(name)).map(([name]) => name)
  return whatFollows(graph, {
    ...state,
    nodes: new Map([...state.nodes, ...ends]),
    timedOutWithRun: new Set([...state.timedOutWithRun, ...timedOut]),
  })
}

/** Nothing starts any more; `oracleEnd` says what becomes of nodes that run. */
export function oracleStop(graph: OracleGraph, state: OracleState, stop: 'Cancelled' | 'TimedOut'): OracleState {
  return whatFollows(graph, { ...state, stop })
}

const isFinal = (state: string | undefined): boolean => state !== 'Pending' && state !== 'Running'
const isFailure = (state: string | undefined): boolean => state === 'Failed' || state === 'TimedOut'

function whatFollows(graph: OracleGraph, from: OracleState): OracleState {
  let state = from
  for (;;) {
    const changes = graph.nodes.flatMap((node) => {
      const becomes = state.nodes.get(node.name) === 'Pending' ? decide(graph, state, node) : 'Pending'
      return becomes === 'Pending' ? [] : [[node.name, becomes] as const]
    })
    const [first] = changes
    if (first === undefined) return state
    const started = first[1] === 'Running' ? new Set([...state.started, first[0]]) : state.started
    state = { ...state, nodes: new Map([...state.nodes, first]), started }
  }
}

function decide(graph: OracleGraph, state: OracleState, node: OracleNode): OracleOutcome | 'Running' | 'Pending' {
  const { nodes } = state
  if (node.isFinally) {
    if (graph.nodes.some((each) => !each.isFinally && !isFinal(nodes.get(each.name)))) return 'Pending'
    if (state.stop === 'Cancelled' && state.started.size === 0) return 'Omitted'
  } else {
    const isBroken = node.dependsOn.some(({ name, condition }) => {
      const upstream = nodes.get(name)
      if (!isFinal(upstream) || condition === 'Completed') return false
      return condition === 'Succeeded' ? upstream !== 'Succeeded' : !isFailure(upstream)
    })
    if (isBroken) return 'Omitted'
    if (node.dependsOn.some(({ name }) => !isFinal(nodes.get(name)))) return 'Pending'
    if (state.stop !== undefined) return 'Omitted'
    const isStopped = graph.onNodeFailure === 'Stop' && failures(graph, state).length > 0
    if (isStopped && !reacts(graph, state, node)) return 'Omitted'
  }
  return node.when === 'true' ? 'Running' : node.when === 'false' ? 'Skipped' : 'Failed'
}

function reacts(graph: OracleGraph, state: OracleState, node: OracleNode): boolean {
  return node.dependsOn.some(({ name, condition }) => {
    const upstream = graph.nodes.find((each) => each.name === name)
    if (condition !== 'Succeeded' && isFailure(state.nodes.get(name))) return true
    return upstream !== undefined && state.nodes.get(name) !== 'Omitted' && reacts(graph, state, upstream)
  })
}

function failures(graph: OracleGraph, { nodes, timedOutWithRun }: OracleState): readonly OracleNode[] {
  return graph.nodes.filter(({ name, required }) => required && isFailure(nodes.get(name)) && !timedOutWithRun.has(name))
}

/** Undefined while any node is not final. */
export function oracleOutcome(graph: OracleGraph, state: OracleState): string | undefined {
  if ([...state.nodes.values()].some((each) => !isFinal(each))) return undefined
  if (failures(graph, state).length > 0) return 'Failed'
  if (state.stop !== undefined) return state.stop
  const inGraph = graph.nodes.filter(({ isFinally }) => !isFinally)
  const isIdle = inGraph.every(({ name }) => !state.started.has(name) && !isFailure(state.nodes.get(name)))
  return isIdle ? 'Skipped' : 'Succeeded'
}

/**
 * Everything that may become of a graph whose running nodes end in any order, each in one of its ways (none: it never ends by itself): one line per world. With `stop` also
 * what may become of it when the run is cancelled, or its time is over, at any moment: what runs then is stopped, or ends as it would have.
 */
export function oracleWorlds(
  graph: OracleGraph,
  endsOf: (node: string) => readonly OracleOutcome[],
  stop?: 'Cancelled' | 'TimedOut',
): ReadonlySet<string> {
  const worlds = new Set<string>()
  const seen = new Set<string>()
  const inGraph = new Set(graph.nodes.flatMap(({ name, isFinally }) => (isFinally ? [] : [name])))
  const visit = (state: OracleState): void => {
    const line = worldOf(graph, Object.fromEntries(state.nodes), oracleOutcome(graph, state))
    const key = `${line} ${state.stop} ${[...state.timedOutWithRun].toSorted().join(' ')} ${[...state.started].toSorted().join(' ')}`
    if (seen.has(key)) return
    seen.add(key)
    const running = [...state.nodes].filter(([, each]) => each === 'Running').map(([name]) => name)
    if (running.length === 0) worlds.add(line)
    for (const name of running) {
      for (const end of endsOf(name)) visit(oracleEnd(graph, state, new Map([[name, end]])))
      if (state.stop !== undefined && inGraph.has(name)) visit(oracleEnd(graph, state, new Map([[name, state.stop]]), new Set([name])))
    }
    const isOpen = [...inGraph].some((name) => !isFinal(state.nodes.get(name)))
    if (stop !== undefined && state.stop === undefined && isOpen) visit(oracleStop(graph, state, stop))
  }
  visit(oracleBegin(graph))
  if (stop === 'Cancelled') visit(oracleBegin(graph, stop))
  return worlds
}

/** A world in one line: `a Succeeded, b Omitted: Succeeded`. */
export function worldOf(graph: OracleGraph, nodes: Readonly<Record<string, string>>, outcome: string | undefined): string {
  return `${graph.nodes.map(({ name }) => `${name} ${nodes[name]}`).join(', ')}: ${outcome}`
}
