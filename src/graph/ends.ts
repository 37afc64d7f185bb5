/** How the ends of nodes and of the run are recorded. */
import type { Ended, Finished, PlanNode, NodeEnd } from './log.ts'
import type { Removal } from './run.ts'
import { type NodeState, outcomeOf, type RunState, type Totals } from './transitions.ts'

/** Largest result, in bytes of JSON, that the log keeps. */
export const maxResultBytes = 16_384
const maxMessageLength = 1_024

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

function reasonOf(outcome: Finished['outcome'], totals: Totals, count: number): { readonly reason: string; readonly message: string } {
  switch (outcome) {
    case 'Succeeded':
      return { reason: 'Succeeded', message: `${totals.succeeded} of ${count} ${nodes(count)} succeeded` }
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
      return { reason: 'Cancelled', message: `the run was cancelled; ${totals.succeeded} of ${count} ${nodes(count)} succeeded before` }
    case 'Skipped':
      return { reason: 'Skipped', message: 'no node had to run: their conditions were all false' }
  }
}

function nodes(count: number): string {
  return count === 1 ? 'node' : 'nodes'
}
