import type { TaskExecution } from '../../api/index.ts'
import { slotRunOf } from '../../plans/index.ts'

/** What it is a run of, as kubectl names things: `tdep/morning-summary`. */
export function sourceOf({ spec }: TaskExecution): string {
  if (spec.dependencyRef !== undefined) return `tdep/${spec.dependencyRef.name}`
  if (spec.scheduleRef !== undefined) return `tsch/${spec.scheduleRef.name}`
  if (spec.job !== undefined) return 'job'
  return `task/${spec.task?.type ?? ''}`.slice(0, 80)
}

/** The schedule by which it was started, or which it refers to. */
export function scheduleOf(execution: TaskExecution): string | undefined {
  return slotRunOf(execution)?.schedule ?? execution.spec.scheduleRef?.name
}
