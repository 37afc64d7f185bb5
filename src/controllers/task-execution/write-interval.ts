import type { TaskExecutionStatus } from '../../api/index.ts'

const [leastMs, mostMs] = [1_000, 30_000]

/**
 * How long the table of nodes and the words of a run are held back after a write: a tenth of the time that it has taken so far. Whoever watches a
 * short run sees it move, and a run of hours whose nodes end all the time writes as rarely as everything else.
 */
export function gaugeIntervalMs({ startTime }: Pick<TaskExecutionStatus, 'startTime'>, nowMs: number): number {
  const takenMs = startTime === undefined ? 0 : nowMs - Date.parse(startTime)
  return Math.min(mostMs, Math.max(leastMs, takenMs / 10))
}
