import { errorMessage } from '../errors/index.ts'
import { compileGraph, type Graph } from './compile.ts'
import { type Archived, type Begun, executorOf, type ExecutorName, type RunEntry, parseEntry } from './log.ts'
import { applyEntryTo, createInitialState, findInitialNodes, type NodeState, type RunState } from './transitions.ts'

/**
 * The result of removing the effect of a node. `Running`: a worker runs it, and it cannot be interrupted. `Ended`: its
 * end was, or will be, delivered.
 */
export type Removal = 'Removed' | 'Running' | 'Ended' | 'Absent'

/** Why the effect of a node can never be created. */
export type Refusal = { readonly reason: string; readonly message: string }

/** The effect of a node cannot be created now; it is retried. `isRefused`: as things are, the next try comes to the same. */
export type Postponement = { readonly untilMs: number; readonly tries: number; readonly message: string; readonly isRefused: boolean }

/**
 * A run as this process knows it: its log, folded, and what was learned about effects since. It is changed in place, so
 * that an entry costs only what it changes. In doubt, the caller folds the log again, which forgets what was learned.
 */
export type Run = {
  /** Number of folded entries: the length that the next append expects. */
  length: number
  begun: Begun | undefined
  /** It ended long ago, and this is all that is kept of it. */
  archived: Archived | undefined
  state: RunState | undefined
  /** Nodes that can be decided now. */
  readonly ready: Set<number>
  /** Nodes that are started or stopping. */
  readonly active: Set<number>
  readonly running: Set<number>
  /** Started nodes whose effect is not known to exist. */
  readonly unplaced: Set<number>
  /** Nodes whose Kubernetes Job or TaskExecution is known to have existed, while the log does not say so yet. */
  readonly unnoted: Set<number>
  /** Stopping nodes for which the result of the removal is not known. */
  readonly unremoved: Set<number>
  readonly removed: Map<number, Removal>
  readonly refused: Map<number, Refusal>
  /** Nodes whose effect is retried later. */
  readonly postponed: Map<number, Postponement>
  readonly deadlines: Deadlines
}

export function createRun(): Run {
  return {
    length: 0,
    begun: undefined,
    archived: undefined,
    state: undefined,
    ready: new Set(),
    active: new Set(),
    running: new Set(),
    unplaced: new Set(),
    unnoted: new Set(),
    unremoved: new Set(),
    removed: new Map(),
    refused: new Map(),
    postponed: new Map(),
    deadlines: createDeadlines(),
  }
}

export type FoldedRun = { readonly ok: true; readonly run: Run } | { readonly ok: false; readonly message: string }

/**
 * Folds stored entries into a run, in their order, from `run.length` on. A log that cannot be read must not be written
 * to: a later version may have written it.
 */
export function foldRun(documents: readonly string[], run: Run = createRun()): FoldedRun {
  try {
    for (const document of documents) applyEntry(run, parseEntry(document))
    return { ok: true, run }
  } catch (error) {
    return { ok: false, message: `entry ${run.length} of the run's log cannot be read: ${errorMessage(error)}` }
  }
}

/** Applies an entry that is stored. */
export function applyEntry(run: Run, entry: RunEntry): Run {
  if (run.archived !== undefined) throw new TypeError(`${entry.kind} comes after Archived`)
  if (entry.kind === 'Begun') begin(run, entry)
  else if (entry.kind === 'Archived') archive(run, entry)
  else if (run.state === undefined) throw new TypeError(`${entry.kind} comes before Begun`)
  else applyEntryTo(run.state, entry)
  run.length += 1
  return run
}

function begin(run: Run, entry: Begun): void {
  if (run.begun !== undefined) throw new TypeError('Begun appears twice')
  const compiled = compileGraph(entry.plan)
  if (!compiled.ok) throw new TypeError(compiled.faults.map(({ field, message }) => `${field}: ${message}`).join('; '))
  beginRun(run, entry, compiled.graph)
}

function archive(run: Run, entry: Archived): void {
  if (run.length > 0) throw new TypeError('Archived does not stand alone')
  run.archived = entry
}

/** The token of the object that began the run; undefined: there is no run. */
export function tokenOfRun({ begun, archived }: Pick<Run, 'begun' | 'archived'>): string | undefined {
  return begun?.token ?? archived?.token
}

export function beginRun(run: Run, entry: Begun, graph: Graph): void {
  run.begun = entry
  run.state = stateOf(run, graph)
  for (const index of findInitialNodes(graph)) run.ready.add(index)
}

/** Returns a state that also maintains the sets which the next step needs. */
function stateOf(run: Run, graph: Graph): RunState {
  const { nodes, totals } = createInitialState(graph)
  const states: NodeState[] = [...nodes]
  const nodeAt = (index: number): NodeState => states[index] ?? { phase: 'Final', unmet: 0 }
  return {
    graph,
    totals,
    node: nodeAt,
    makeReady: (index) => void run.ready.add(index),
    setNode(index, state) {
      const before = nodeAt(index).phase
      states[index] = state
      if (state.isPlaced === true) {
        run.unplaced.delete(index)
        run.unnoted.delete(index)
      }
      if (state.phase === before) return
      run.ready.delete(index)
      put(run.active, index, state.phase === 'Started' || state.phase === 'Stopping')
      put(run.running, index, state.phase === 'Started')
      put(run.unplaced, index, state.phase === 'Started')
      put(run.unremoved, index, state.phase === 'Stopping')
      run.unnoted.delete(index)
      run.removed.delete(index)
      run.refused.delete(index)
      run.postponed.delete(index)
      const { timeoutSeconds } = graph.nodes[index]?.spec ?? {}
      if (state.phase === 'Started' && timeoutSeconds !== undefined) {
        run.deadlines.add({ atMs: (state.startedAtMs ?? 0) + timeoutSeconds * 1000, node: index })
      }
      for (
        let first = run.deadlines.first();
        first !== undefined && nodeAt(first.node).phase !== 'Started';
        first = run.deadlines.first()
      ) {
        run.deadlines.removeFirst()
      }
    },
  }
}

function put(set: Set<number>, index: number, isIn: boolean): void {
  if (isIn) set.add(index)
  else set.delete(index)
}

/**
 * Whether the log must record that the effect of a node existed. A queue remembers its jobs; the API server does not
 * remember a deleted Job or TaskExecution.
 */
const needsPlacedEntry: Readonly<Record<ExecutorName, boolean>> = { task: false, job: true, run: true }

/** Notes that the effects of these nodes exist, or have existed. */
export function notePlaced(run: Run, nodes: readonly string[]): void {
  for (const index of indexesOf(run, nodes)) {
    run.unplaced.delete(index)
    const spec = run.state?.graph.nodes[index]?.spec
    if (spec !== undefined && needsPlacedEntry[executorOf(spec).kind] && run.state?.node(index).isPlaced !== true) run.unnoted.add(index)
    run.postponed.delete(index)
    run.removed.delete(index)
  }
}

/** Notes the result of removing the effect of a node. */
export function noteRemoved(run: Run, node: string, removal: Removal): void {
  for (const index of indexesOf(run, [node])) {
    run.unremoved.delete(index)
    run.removed.set(index, removal)
    // If the node is still wanted, its effect must be created again.
    if (run.running.has(index)) run.unplaced.add(index)
  }
}

/** Notes that the effect of a node was refused for good. */
export function noteRefused(run: Run, node: string, refusal: Refusal): void {
  for (const index of indexesOf(run, [node])) run.refused.set(index, refusal)
}

const leastPauseMs = 1_000
const mostPauseMs = 60_000

/** Notes that the effect of a node could not be created now. The pause doubles with each try, from 1 s to 60 s. */
export function notePostponed(
  run: Run,
  node: string,
  { message, isRefused }: Pick<Postponement, 'message' | 'isRefused'>,
  nowMs: number,
): void {
  for (const index of indexesOf(run, [node])) {
    const tries = (run.postponed.get(index)?.tries ?? 0) + 1
    const pauseMs = Math.min(mostPauseMs, leastPauseMs * 2 ** (tries - 1))
    run.postponed.set(index, { untilMs: nowMs + pauseMs, tries, message, isRefused })
  }
}

function indexesOf(run: Run, nodes: readonly string[]): readonly number[] {
  return nodes.map((node) => run.state?.graph.indexOf.get(node)).filter((index) => index !== undefined && run.active.has(index)) as number[]
}

/** The deadlines of nodes, the earliest first: a binary heap. */
type Deadline = { readonly atMs: number; readonly node: number }

type Deadlines = {
  /** Returns the earliest deadline. */
  first(): Deadline | undefined
  add(deadline: Deadline): void
  removeFirst(): void
  /** Returns all deadlines that have passed, in no order. The cost follows their number. */
  passed(nowMs: number): readonly Deadline[]
}

function createDeadlines(): Deadlines {
  const heap: Deadline[] = []
  const atMs = (index: number): number => heap[index]?.atMs ?? Infinity
  const swap = (a: number, b: number): void => {
    const [first, second] = [heap[a], heap[b]]
    if (first === undefined || second === undefined) return
    heap[a] = second
    heap[b] = first
  }
  return {
    first: () => heap[0],
    add(deadline) {
      heap.push(deadline)
      for (let at = heap.length - 1, parent = (at - 1) >> 1; at > 0 && atMs(at) < atMs(parent); at = parent, parent = (at - 1) >> 1) {
        swap(at, parent)
      }
    },
    removeFirst() {
      swap(0, heap.length - 1)
      heap.pop()
      for (let at = 0; ;) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        const least = atMs(right) < atMs(left) ? right : left
        if (atMs(least) >= atMs(at)) return
        swap(at, least)
        at = least
      }
    },
    passed(nowMs) {
      const found: Deadline[] = []
      const indexes = [0]
      for (const index of indexes) {
        const deadline = heap[index]
        if (deadline === undefined || deadline.atMs > nowMs) continue
        found.push(deadline)
        indexes.push(2 * index + 1, 2 * index + 2)
      }
      return found
    },
  }
}
