/** What a log that the broker has under the name of an object means to that object: pure. */
import type { TaskExecutionStatus } from '../../api/index.ts'
import { viewNodes, type Run, viewRun } from '../../graph/index.ts'
import type { RunVerdict } from '../../services/runs/index.ts'
import { isFinal } from './status.ts'

export type LogOwner = {
  /** What the object begins its own run with. */
  readonly token: string
  readonly status: TaskExecutionStatus | undefined
  /** This process saw an object of that name go, and this cluster wrote the log last. */
  readonly isOfDeparted: boolean
}

/**
 * Identity is the name: a log that is there is continued, whoever began it, so that a restored backup runs nothing again. Unless its object was
 * seen to go: then people wanted another run. Once status has told of a run, the log has to know at least as much.
 */
export function verdictOn(run: Run, { token, status, isOfDeparted }: LogOwner): RunVerdict {
  if (status?.startTime === undefined) return isOfDeparted && isContinued(run, token) ? 'Former' : 'Continued'
  return isBehind(run, status) ? 'Behind' : 'Continued'
}

/** Whether the run was begun by another object than the one of this token. */
export function isContinued({ begun }: Run, token: string): boolean {
  return begun !== undefined && begun.token !== token
}

function isBehind(run: Run, status: TaskExecutionStatus): boolean {
  const view = viewRun(run)
  if (view === undefined) return true
  if (isFinal(status.state)) return view.finished === undefined
  const states = new Map(viewNodes(run).map(({ name, state }) => [name, progress(state)]))
  return (status.nodes ?? []).some(({ name, state }) => progress(state) > (states.get(name) ?? -1))
}

function progress(state: string): number {
  return state === 'Pending' ? 0 : state === 'Running' || state === 'Stopping' ? 1 : 2
}
