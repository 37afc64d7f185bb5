/** What an entry changes. The same code applies stored entries to the run and planned entries to a draft. */
import type { Graph } from './compile.ts'
import type { Ended, Finished, LaterEntry, RunOutcome, StopReason, EdgeCondition, NodeOutcome } from './log.ts'

export type NodeState = {
  readonly phase: 'Pending' | 'Started' | 'Stopping' | 'Final'
  /** Number of edges whose upstream node is not final yet. */
  readonly unmet: number
  /** The first upstream node that did not end as its edge requires. */
  readonly broken?: number
  /** The node reacts to a failure, or follows one that does: `onNodeFailure: Stop` does not stop it. */
  readonly reacts?: boolean
  readonly startedAtMs?: number
  /** The log says that its effect existed. */
  readonly isPlaced?: boolean
  /** `ofRun`: it stops because the run as a whole is stopped. */
  readonly stopping?: { readonly why: StopReason; readonly ofRun: boolean }
  readonly ended?: Ended
}

export type Totals = {
  /** Number of nodes that are not final, without those of `finally`. */
  readonly pending: number
  readonly pendingFinally: number
  readonly started: number
  readonly succeeded: number
  /** Nodes that failed, or timed out by their own limit. */
  readonly failed: number
  readonly failedRequired: number
  /** The first few failures of required nodes. */
  readonly failures: readonly Ended[]
  /** `onNodeFailure` is Stop, and a required node has failed. */
  readonly isStopped: boolean
  readonly cancellingAtMs?: number
  readonly timedOutAtMs?: number
  /** Outcome of the run when the last node was final, without those of `finally`, which can read it. */
  readonly nodesOutcome?: RunOutcome
  readonly finished?: Finished
  /** Only `Delete` may follow. */
  readonly isDeleting?: true
}

/** The state of a run: the stored one, or one that is planned on top of it. */
export type RunState = {
  readonly graph: Graph
  totals: Totals
  node(index: number): NodeState
  setNode(index: number, state: NodeState): void
  /** Marks a node as ready to be decided. */
  makeReady(index: number): void
}

const maxFailures = 3

export function createInitialState(graph: Graph): { readonly nodes: readonly NodeState[]; readonly totals: Totals } {
  const pending = graph.plan.nodes.length
  return {
    nodes: graph.nodes.map(({ upstream }) => ({ phase: 'Pending', unmet: upstream.length })),
    totals: {
      pending,
      pendingFinally: graph.plan.finally.length,
      started: 0,
      succeeded: 0,
      failed: 0,
      failedRequired: 0,
      failures: [],
      isStopped: false,
      ...(pending === 0 ? { nodesOutcome: 'Skipped' } : {}),
    },
  }
}

/** Returns the nodes that can be decided when the run starts. */
export function findInitialNodes({ nodes, plan }: Graph): readonly number[] {
  return [...nodes.keys()].filter((index) => nodes[index]?.upstream.length === 0 && (index < plan.nodes.length || plan.nodes.length === 0))
}

export function applyEntryTo(state: RunState, entry: LaterEntry): void {
  const { totals } = state
  switch (entry.kind) {
    case 'Started': {
      const index = indexOf(state, entry.node)
      state.setNode(index, { ...state.node(index), phase: 'Started', startedAtMs: entry.atMs })
      state.totals = { ...totals, started: totals.started + 1 }
      return
    }
    case 'Placed': {
      const index = indexOf(state, entry.node)
      state.setNode(index, { ...state.node(index), isPlaced: true })
      return
    }
    case 'Stopping': {
      const index = indexOf(state, entry.node)
      const isStopped = totals.cancellingAtMs !== undefined || totals.timedOutAtMs !== undefined
      const ofRun = isStopped && state.graph.nodes[index]?.isFinally !== true
      state.setNode(index, { ...state.node(index), phase: 'Stopping', stopping: { why: entry.why, ofRun } })
      return
    }
    case 'Ended':
      return endNode(state, indexOf(state, entry.node), entry)
    case 'Cancelling':
      state.totals = { ...totals, cancellingAtMs: entry.atMs }
      return
    case 'TimedOut':
      state.totals = { ...totals, timedOutAtMs: entry.atMs }
      return
    case 'Finished':
      state.totals = { ...totals, finished: entry }
      return
    case 'Deleting':
      state.totals = { ...totals, isDeleting: true }
  }
}

function indexOf({ graph }: RunState, name: string): number {
  const index = graph.indexOf.get(name)
  if (index === undefined) throw new TypeError(`there is no node ${name} in the plan`)
  return index
}

/** An end that is delivered twice changes nothing. */
function endNode(state: RunState, index: number, entry: Ended): void {
  const node = state.node(index)
  const of = state.graph.nodes[index]
  if (of === undefined || node.phase === 'Final') return
  state.setNode(index, { ...node, phase: 'Final', ended: entry })
  const isFailure = entry.outcome === 'Failed' || (entry.outcome === 'TimedOut' && node.stopping?.ofRun !== true)
  state.totals = countEnd(state, entry, isFailure && of.spec.required, isFailure, of.isFinally)
  const passesOn = node.reacts === true && entry.outcome !== 'Omitted'
  for (const edge of of.downstream)
    settleEdge(state, edge.node, { from: index, condition: edge.condition, outcome: entry.outcome, passesOn })
  if (!of.isFinally && state.totals.pending === 0) {
    state.totals = { ...state.totals, nodesOutcome: outcomeOf(state.totals) }
    for (let each = state.graph.plan.nodes.length; each < state.graph.nodes.length; each++) state.makeReady(each)
  }
}

/** Updates the totals, so that the state of the run is known in O(1) also with 10,000 nodes. */
function countEnd({ totals, graph }: RunState, entry: Ended, isRequired: boolean, isFailure: boolean, isFinally: boolean): Totals {
  return {
    ...totals,
    pending: totals.pending - (isFinally ? 0 : 1),
    pendingFinally: totals.pendingFinally - (isFinally ? 1 : 0),
    succeeded: totals.succeeded + (entry.outcome === 'Succeeded' ? 1 : 0),
    failed: totals.failed + (isFailure ? 1 : 0),
    failedRequired: totals.failedRequired + (isRequired ? 1 : 0),
    failures: isRequired && totals.failures.length < maxFailures ? [...totals.failures, entry] : totals.failures,
    isStopped: totals.isStopped || (isRequired && graph.plan.onNodeFailure === 'Stop'),
  }
}

type Met = { readonly from: number; readonly condition: EdgeCondition; readonly outcome: NodeOutcome; readonly passesOn: boolean }

/**
 * Counts down the edges of a downstream node. It becomes ready when all its edges hold, or as soon as one is broken.
 */
function settleEdge(state: RunState, index: number, { from, condition, outcome, passesOn }: Met): void {
  const node = state.node(index)
  const breaks = !holds(condition, outcome)
  const reacts = node.reacts === true || passesOn || (condition !== 'Succeeded' && isFailed(outcome))
  const unmet = node.unmet - 1
  state.setNode(index, { ...node, unmet, reacts, ...(breaks && node.broken === undefined ? { broken: from } : {}) })
  if (node.phase !== 'Pending' || node.broken !== undefined) return
  if (breaks || unmet === 0) state.makeReady(index)
}

function isFailed(outcome: NodeOutcome): boolean {
  return outcome === 'Failed' || outcome === 'TimedOut'
}

function holds(condition: EdgeCondition, outcome: NodeOutcome): boolean {
  return condition === 'Completed' || (condition === 'Failed' ? isFailed(outcome) : outcome === 'Succeeded')
}

/** Computes the outcome over all required nodes that have ended so far, wherever they are in the graph. */
export function outcomeOf(totals: Totals): RunOutcome {
  if (totals.failedRequired > 0) return 'Failed'
  if (totals.nodesOutcome !== undefined) return totals.nodesOutcome
  if (totals.timedOutAtMs !== undefined) return 'TimedOut'
  if (totals.cancellingAtMs !== undefined) return 'Cancelled'
  return totals.started === 0 && totals.failed === 0 ? 'Skipped' : 'Succeeded'
}
