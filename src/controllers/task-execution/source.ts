import { runSourceOf, type TaskExecution } from '../../api/index.ts'
import { parseSlotRun } from '../../plans/index.ts'

/** What it is a run of, as kubectl names things: `tdep/morning-summary`. */
export function sourceOf({ spec }: TaskExecution): string {
  const source = runSourceOf(spec)
  switch (source.kind) {
    case 'dependencyRef':
      return `tdep/${source.value.name}`
    case 'scheduleRef':
      return `tsch/${source.value.name}`
    case 'job':
      return 'job'
    case 'task':
      return `task/${source.value.type}`.slice(0, 80)
  }
}

/** The schedule by which it was started, or which it refers to. */
export function scheduleOf(execution: TaskExecution): string | undefined {
  return parseSlotRun(execution)?.schedule ?? execution.spec.scheduleRef?.name
}
