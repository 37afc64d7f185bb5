/** Events for what changed between two statuses of a graph. Pure. */
import { dependencyEvent, findCondition, type TaskDependencyStatus, type WantedEvent } from '../../api/index.ts'

/** A graph is reported as invalid once for each reason, and again after each edit that leaves it invalid. */
export function transitionEvents(before: TaskDependencyStatus | undefined, after: TaskDependencyStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Stalled')
  const now = findCondition(after.conditions, 'Stalled')
  const isNew = was?.reason !== now?.reason || before?.observedGeneration !== after.observedGeneration
  return now !== undefined && isNew ? [dependencyEvent('GraphInvalid', now.message ?? '')] : []
}
