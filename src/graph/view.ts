import type { Ended, Finished, NodeOutcome } from './log.ts'
import type { Postponement, Run } from './run.ts'

/** A node as shown to users. `Stopping`: its effect is being removed. */
export type NodeView = {
  readonly name: string
  readonly isFinally: boolean
  readonly required: boolean
  readonly state: 'Pending' | 'Running' | 'Stopping' | NodeOutcome
  /** When the start was decided. */
  readonly startedAtMs?: number | undefined
  /** When its time limit passes. */
  readonly untilMs?: number | undefined
  readonly ended?: Ended | undefined
  /** Why its effect cannot be created yet, and after how many tries. */
  readonly postponed?: Postponement | undefined
  /** While the node is pending: the upstream nodes that are not final. */
  readonly waitsFor: readonly string[]
}

/** Returns all nodes in the order of the plan, `finally` last; none if the run has not started. */
export function viewNodes({ state, postponed }: Run): readonly NodeView[] {
  if (state === undefined) return []
  const { nodes } = state.graph
  return nodes.map(({ spec, isFinally, upstream }, index) => {
    const { phase, startedAtMs, ended } = state.node(index)
    const waiting = phase === 'Pending' ? upstream.filter(({ node }) => state.node(node).phase !== 'Final') : []
    return {
      name: spec.name,
      isFinally,
      required: spec.required,
      state: ended?.outcome ?? (phase === 'Started' ? 'Running' : phase === 'Stopping' ? phase : 'Pending'),
      startedAtMs,
      untilMs: startedAtMs === undefined || spec.timeoutSeconds === undefined ? undefined : startedAtMs + spec.timeoutSeconds * 1000,
      ended,
      postponed: postponed.get(index),
      waitsFor: [...new Set(waiting.map(({ node }) => nodes[node]?.spec.name ?? ''))],
    }
  })
}

/** A run as shown to users. */
export type RunView = {
  readonly nodes: number
  readonly final: number
  readonly running: number
  /** Number of nodes that failed or timed out, required or not. */
  readonly failed: number
  readonly isCancelling: boolean
  readonly isTimedOut: boolean
  readonly finished: Finished | undefined
}

/** Summarizes a run in O(1); undefined: it has not started. Of an archived one the nodes are not known any more. */
export function viewRun({ state, active, archived }: Run): RunView | undefined {
  if (archived !== undefined) {
    const { token: _, ...finished } = archived
    const none = { nodes: 0, final: 0, running: 0, failed: 0 }
    return { ...none, isCancelling: false, isTimedOut: false, finished: { ...finished, kind: 'Finished' } }
  }
  if (state === undefined) return undefined
  const { pending, pendingFinally, failed, cancellingAtMs, timedOutAtMs, finished } = state.totals
  return {
    nodes: state.graph.nodes.length,
    final: state.graph.nodes.length - pending - pendingFinally,
    running: active.size,
    failed,
    isCancelling: cancellingAtMs !== undefined,
    isTimedOut: timedOutAtMs !== undefined,
    finished,
  }
}
