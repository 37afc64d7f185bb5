import { runSourceOf, type RunSourceName, type TaskExecution, type TaskExecutionStatus } from '../../api/index.ts'
import type { NodeOutcome, RunOutcome } from '../../graph/index.ts'
import type { Metrics } from '../../observability/index.ts'

/** All outcomes: series that stay at 0 exist too. */
const runOutcomes: Readonly<Record<RunOutcome, true>> = { Succeeded: true, Failed: true, TimedOut: true, Cancelled: true, Skipped: true }
const nodeOutcomes: Readonly<Record<NodeOutcome, true>> = { ...runOutcomes, Omitted: true }

/** Opens the series as soon as there is a run. */
export function openRun(metrics: Metrics, execution: TaskExecution, dependency: string | undefined): void {
  const { namespace = '' } = execution.metadata
  const source = sourceOf(execution)
  const series = metrics.of('Namespace', namespace)
  for (const outcome of Object.keys(runOutcomes)) series.add('taskmill_execution_runs_total', { source, outcome }, 0)
  series.open('taskmill_execution_duration_seconds', { source })
  series.open('taskmill_execution_queue_seconds', { source })
  if (dependency === undefined) return
  const graph = metrics.of('TaskDependency', `${namespace}/${dependency}`)
  for (const outcome of Object.keys(runOutcomes)) graph.add('taskmill_dependency_runs_total', { outcome }, 0)
  for (const outcome of Object.keys(nodeOutcomes)) series.add('taskmill_dependency_nodes_total', { outcome }, 0)
}

/** Counts a run whose status says for the first time that it ended. */
export function countRun(metrics: Metrics, execution: TaskExecution, status: TaskExecutionStatus): void {
  const { namespace = '' } = execution.metadata
  const source = sourceOf(execution)
  const outcome = status.state ?? 'Failed'
  const series = metrics.of('Namespace', namespace)
  series.add('taskmill_execution_runs_total', { source, outcome })
  if (status.durationSeconds !== undefined) series.observe('taskmill_execution_duration_seconds', { source }, status.durationSeconds)
  if (status.queueSeconds !== undefined) series.observe('taskmill_execution_queue_seconds', { source }, status.queueSeconds)
  const { dependency } = status
  if (dependency === undefined) return
  const graph = metrics.of('TaskDependency', `${namespace}/${dependency}`)
  graph.add('taskmill_dependency_runs_total', { outcome })
  for (const { state } of status.nodes ?? []) {
    if (Object.hasOwn(nodeOutcomes, state)) series.add('taskmill_dependency_nodes_total', { outcome: state })
  }
}

const sources: Readonly<Record<RunSourceName, string>> = {
  task: 'Task',
  job: 'Job',
  scheduleRef: 'TaskSchedule',
  dependencyRef: 'TaskDependency',
}

function sourceOf({ spec }: TaskExecution): string {
  return sources[runSourceOf(spec).kind]
}
