import { errorMessage } from '../errors/index.ts'
import type { Begun, Ended, Started, NodeOutcome } from './log.ts'
import type { Effect } from './node-expressions.ts'
import type { RunState } from './transitions.ts'

/**
 * Decides what happens to a node whose edges all hold, or one of whose edges can no longer hold: it starts, is skipped,
 * is omitted, or fails.
 */
export function decideNode(state: RunState, begun: Begun, index: number, nowMs: number): Started | Ended {
  const { totals, graph } = state
  const node = state.node(index)
  const of = graph.nodes[index]
  if (of === undefined) throw new RangeError(`there is no node ${index}`)
  const { name } = of.spec
  const ended = (outcome: NodeOutcome, reason: string, message: string): Ended => ({
    v: 1,
    kind: 'Ended',
    atMs: nowMs,
    node: name,
    outcome,
    reason,
    message,
  })
  if (node.broken !== undefined) {
    const edge = of.upstream.find((each) => each.node === node.broken)
    const upstream = state.node(node.broken).ended
    return ended(
      'Omitted',
      'ConditionNotMet',
      `it requires ${upstream?.node} to end as ${edge?.condition}, but it ended as ${upstream?.outcome}`,
    )
  }
  // A finally node cleans up what other nodes did. If nothing had started, there is nothing to clean up.
  if (of.isFinally && totals.cancellingAtMs !== undefined && totals.started === 0)
    return ended('Omitted', 'RunCancelled', 'the run was cancelled before any node had started')
  if (!of.isFinally) {
    if (totals.cancellingAtMs !== undefined) return ended('Omitted', 'RunCancelled', 'the run was cancelled before it started')
    if (totals.timedOutAtMs !== undefined) return ended('Omitted', 'RunTimedOut', 'the time limit of the run passed before it started')
    if (totals.isStopped && node.reacts !== true) {
      return ended('Omitted', 'RunStopped', `no other node starts after the failure of ${totals.failures[0]?.node} (onNodeFailure: Stop)`)
    }
  }
  try {
    const variables = variablesOf(state, begun, index)
    if (of.expressions.when !== undefined) {
      const holds = of.expressions.when.evaluate(variables)
      if (typeof holds !== 'boolean') throw new TypeError(`when yields ${JSON.stringify(holds)}, but must yield true or false`)
      if (!holds) return ended('Skipped', 'WhenFalse', `${of.spec.when} is false`)
    }
    // Evaluated here only to find errors; the value is evaluated again when the effect is placed.
    of.expressions.effect(variables)
  } catch (error) {
    return ended('Failed', 'InvalidExpression', errorMessage(error))
  }
  return { v: 1, kind: 'Started', atMs: nowMs, node: name }
}

/** Returns what the node runs, with its expressions evaluated. Throws as expressions do. */
export function effectOf(state: RunState, begun: Begun, index: number): Effect {
  const effect = state.graph.nodes[index]?.expressions.effect(variablesOf(state, begun, index))
  if (effect === undefined) throw new RangeError(`there is no node ${index}`)
  return effect
}

/**
 * Contains only the nodes that the expressions name, so that a node with many upstream nodes costs no more than it
 * reads.
 */
function variablesOf(state: RunState, begun: Begun, index: number): Readonly<Record<string, unknown>> {
  const { plan, nodes } = state.graph
  const of = nodes[index]
  const named = (of?.named ?? []).map((each) => {
    const { ended } = state.node(each)
    return [nodes[each]?.spec.name ?? '', { status: ended?.outcome, result: ended?.result }] as const
  })
  return {
    nodes: Object.fromEntries(named),
    run: {
      name: plan.name,
      startTime: new Date(begun.atMs).toISOString(),
      outcome: of?.isFinally === true ? state.totals.nodesOutcome : undefined,
    },
    parameters: plan.parameters,
    slot: plan.slot,
  }
}
