/** What is to become of a run now: pure, from what was gathered. */
import { plannedStartMs, runSourceOf, type RunSourceName } from '../../api/index.ts'
import type { RunBeginning } from '../../graph/index.ts'
import { summarizeFaults, understandExecution } from '../../plans/index.ts'
import type { LogOwner } from '../../services/runs/index.ts'
import type { ExecutionSituation, Gathered } from './gather.ts'

/**
 * What a visit is made with. `begin`: what a run without a log begins with, and not before when. `obstacle`: why a run without a log has not
 * begun after the visit.
 */
export type Decision = {
  readonly desired: 'Running' | 'Paused' | 'Cancelled'
  readonly begin: RunBeginning | undefined
  readonly owner: LogOwner
  readonly obstacle: ExecutionSituation | undefined
}

export function decide({ execution, status, source, token, deletedIn }: Gathered): Decision {
  const owner = { token, status, deletedIn }
  const desired = execution.spec.desiredState
  if (!source.ok) return { desired, owner, begin: undefined, obstacle: { kind: 'NoSource', message: source.message } }
  // A run that began keeps the graph that its log holds.
  if (status?.startTime !== undefined) return { desired, owner, begin: undefined, obstacle: undefined }
  const understood = understandExecution(execution, source)
  if (understood.ok) {
    const notBeforeMs = plannedStartMs(execution)
    const obstacle = beginObstacle(desired, notBeforeMs)
    return { desired, owner, begin: { token, graph: understood.graph, notBeforeMs }, obstacle }
  }
  return { desired, owner, begin: undefined, obstacle: { kind: 'Hopeless', message: summarizeFaults(understood.faults).message } }
}

/** What a run without a log waits for. */
function beginObstacle(desired: Decision['desired'], notBeforeMs: number | undefined): ExecutionSituation | undefined {
  if (desired === 'Paused') return { kind: 'Paused' }
  return notBeforeMs === undefined ? undefined : { kind: 'Scheduled', startMs: notBeforeMs }
}

/** Whether it is known where its log is: without that, and without its source, there is nowhere to look. */
export function hasPlace({ source, status }: Gathered): boolean {
  return source.ok || status?.broker !== undefined
}

/** Whether the source is another object, which can be changed or deleted, so that the place of the log can no longer be found through it. */
const refersToOther: Readonly<Record<RunSourceName, boolean>> = { task: false, job: false, scheduleRef: true, dependencyRef: true }

/**
 * Whether its TaskBroker has to be written to the status before anything begins: where its log is must be known, whatever becomes of what it
 * refers to.
 */
export function isPlaceToBeNoted({ source, status, execution: { spec } }: Gathered): boolean {
  return status?.broker === undefined && source.ok && refersToOther[runSourceOf(spec).kind]
}
