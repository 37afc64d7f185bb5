/** The entries that the log of a run gets: how a node starts or ends, and how the run ends. */
import { errorMessage } from '../errors/index.ts'
import type { Archived, Begun, Ended, Finished, NodeEnd, NodeOutcome, PlanNode, Started } from './log.ts'
import type { Effect } from './node-expressions.ts'
import type { Removal, Run } from './run.ts'
import { type NodeState, outcomeOf, type RunState, type Totals } from './transitions.ts'

/** Largest result, in bytes of JSON, that the log keeps. */
const maxResultBytes = 16_384
const maxMessageLength = 1_024

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
    slot: of?.spec.slot ?? plan.slot,
  }
}

/**
 * Converts an end to a log entry. Long messages are cut. A result that is too large is dropped, and the message says
 * so.
 */
export function toEndedEntry({ result, message, ...end }: NodeEnd, nowMs: number): Ended {
  const bytes = result === undefined ? 0 : new TextEncoder().encode(JSON.stringify(result)).length
  const isKept = bytes <= maxResultBytes
  const note = isKept ? undefined : `its result of ${bytes} bytes was dropped; at most ${maxResultBytes} bytes are kept`
  const said = [message?.slice(0, maxMessageLength), note].filter((each) => each !== undefined)
  return {
    v: 1,
    kind: 'Ended',
    atMs: nowMs,
    ...end,
    ...(said.length === 0 ? {} : { message: said.join('; ') }),
    ...(result === undefined || !isKept ? {} : { result }),
  }
}

/** Returns the end of a node whose effect was removed, or cannot be removed because a worker runs it. */
export function endStoppedNode(spec: PlanNode, { why, ofRun }: NonNullable<NodeState['stopping']>, removal: Removal, nowMs: number): Ended {
  const cause =
    why === 'Cancelled'
      ? 'the run was cancelled'
      : ofRun
        ? 'the time limit of the run passed'
        : `it took longer than ${spec.timeoutSeconds} s`
  const where = `its job still runs in queue ${spec.task?.queue ?? ''}, but its end no longer counts`
  return {
    v: 1,
    kind: 'Ended',
    atMs: nowMs,
    node: spec.name,
    outcome: why,
    reason: why === 'Cancelled' ? 'RunCancelled' : ofRun ? 'RunTimedOut' : 'TimeoutExceeded',
    message: removal === 'Running' ? `${cause}; ${where}` : cause,
  }
}

/** Returns the end of the run, once all its nodes are final. */
export function toFinishedEntry({ totals, graph }: RunState, nowMs: number): Finished {
  const outcome = outcomeOf(totals)
  const { reason, message } = reasonOf(outcome, totals, graph.nodes.length)
  return { v: 1, kind: 'Finished', atMs: nowMs, outcome, reason, message }
}

/** So long after its end a run is archived. */
const archivedAfterMs = 7 * 86_400_000

/** Returns what to keep of a run in place of its log, once it ended seven days ago; undefined: all of it. */
export function archiveOf({ begun, state }: Pick<Run, 'begun' | 'state'>, nowMs: number): Archived | undefined {
  const { finished, isDeleting } = state?.totals ?? {}
  if (begun === undefined || finished === undefined || isDeleting === true || !isArchivable(finished.atMs, nowMs)) return undefined
  const { atMs, outcome, reason, message } = finished
  return { v: 1, kind: 'Archived', atMs, token: begun.token, outcome, reason, message }
}

export function isArchivable(endedAtMs: number, nowMs: number): boolean {
  return nowMs >= endedAtMs + archivedAfterMs
}

function reasonOf(outcome: Finished['outcome'], totals: Totals, count: number): { readonly reason: string; readonly message: string } {
  switch (outcome) {
    case 'Succeeded':
      return { reason: 'Succeeded', message: `${totals.succeeded} of ${count} ${nodeWord(count)} succeeded` }
    case 'Failed': {
      const [first] = totals.failures
      const told = totals.failures.map(({ node, reason, message }) => `${node}: ${reason}${message === undefined ? '' : `, ${message}`}`)
      const more = totals.failedRequired - told.length
      const text = [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
      return { reason: first?.reason ?? 'Failed', message: text.slice(0, maxMessageLength) }
    }
    case 'TimedOut':
      return {
        reason: 'TimeoutExceeded',
        message: `the time limit passed before all nodes had ended; ${totals.succeeded} of ${count} succeeded`,
      }
    case 'Cancelled':
      return { reason: 'Cancelled', message: `the run was cancelled; ${totals.succeeded} of ${count} ${nodeWord(count)} succeeded before` }
    case 'Skipped':
      return { reason: 'Skipped', message: 'no node had to run: their conditions were all false' }
  }
}

function nodeWord(count: number): string {
  return count === 1 ? 'node' : 'nodes'
}
