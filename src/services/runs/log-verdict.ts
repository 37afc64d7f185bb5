/** What a log that the broker has under the name of an object means to that object: pure. */
import { finalStateOf, type TaskExecutionStatus } from '../../api/index.ts'
import { tokenOfRun, viewNodes, type Run, viewRun } from '../../graph/index.ts'

/**
 * `Continued`: the object continues the run. `Former`: an object that is gone had begun it; it is removed, with all that it began, and a new
 * run begins. `Behind`: the broker has come back with less than is known; what came back with it is removed, and nothing begins.
 */
export type LogVerdict = 'Continued' | 'Former' | 'Behind'

export type LogOwner = {
  /** What the object begins its own run with. */
  readonly token: string
  /** As it was written last. */
  readonly status: TaskExecutionStatus | undefined
  /** The cluster in which an object of that name was deleted, as this process saw; undefined: it saw no deletion. */
  readonly deletedIn: string | undefined
}

/**
 * Identity is the name: an existing log is continued, whatever object began it, so that a restored backup runs nothing again. If the
 * deletion of its object was seen, people wanted another run. Once the status shows a run, the log has to hold at least as much. `cluster`
 * wrote it last.
 */
export function judgeLog(run: Run, cluster: string | undefined, { token, status, deletedIn }: LogOwner): LogVerdict {
  // Nothing is newer than an archived log.
  if (status?.startTime !== undefined && run.archived === undefined) return isBehind(run, status) ? 'Behind' : 'Continued'
  if (status?.startTime !== undefined) return 'Continued'
  const isOfDeleted = deletedIn !== undefined && cluster === deletedIn
  return isOfDeleted && isContinued(run, token) ? 'Former' : 'Continued'
}

/** Whether another object than the one of this token has begun the run. */
export function isContinued(run: Run, token: string): boolean {
  const own = tokenOfRun(run)
  return own !== undefined && own !== token
}

function isBehind(run: Run, status: TaskExecutionStatus): boolean {
  const view = viewRun(run)
  if (view === undefined) return true
  if (finalStateOf({ status }) !== undefined) return view.finished === undefined
  const states = new Map(viewNodes(run).map(({ name, state }) => [name, progressOf(state)]))
  return (status.nodes ?? []).some(({ name, state }) => progressOf(state) > (states.get(name) ?? -1))
}

function progressOf(state: string): number {
  return state === 'Pending' ? 0 : state === 'Running' || state === 'Stopping' ? 1 : 2
}
