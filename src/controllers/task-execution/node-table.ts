/** The nodes of a run as lines of text: `kubectl describe` shows the fields of a list without telling one node from the next. Pure. */
import type { TaskExecutionStatus } from '../../api/index.ts'

type NodeStatus = NonNullable<TaskExecutionStatus['nodes']>[number]

/** Of a run with more nodes only those with something to say are shown. */
export const mostRows = 40
/** The schema's limit for a line. */
export const mostColumns = 256

const header = ['NODE', 'STATE', 'ATTEMPT', 'TOOK', 'WORKER', 'REASON'] as const

export function nodeTable(nodes: readonly NodeStatus[]): readonly string[] {
  const [shown, others] = nodes.length <= mostRows ? [nodes, []] : selected(nodes)
  const rows = [header, ...shown.map(rowOf)]
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return [...lines, ...others].map((line) => line.trimEnd().slice(0, mostColumns))
}

function selected(nodes: readonly NodeStatus[]): readonly [readonly NodeStatus[], readonly string[]] {
  const isOfNote = ({ state }: NodeStatus): boolean => ['Running', 'Stopping', 'Failed', 'TimedOut'].includes(state)
  const shown = nodes.filter(isOfNote).slice(0, mostRows)
  const counts = Map.groupBy(
    nodes.filter((node) => !shown.includes(node)),
    ({ state }) => state,
  )
  return [shown, [`and ${[...counts].map(([state, those]) => `${those.length} ${state}`).join(', ')}`]]
}

function rowOf({ name, state, attempt, startTime, finishTime, worker, reason, message }: NodeStatus): readonly string[] {
  const tookMs = startTime === undefined || finishTime === undefined ? undefined : Date.parse(finishTime) - Date.parse(startTime)
  // For a node that did not run, the words are enough.
  const isPlain = reason === undefined || reason === state || state === 'Skipped' || state === 'Omitted'
  const why = isPlain ? message : [reason, message].filter((each) => each !== undefined).join(': ')
  return [
    name,
    state,
    attempt === undefined ? '-' : String(attempt),
    tookMs === undefined ? '-' : duration(tookMs),
    worker ?? '-',
    why ?? '-',
  ]
}

/** `8s`, `2m5s`, `3h`: as kubectl writes ages. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [days, hours, minutes] = [86_400, 3_600, 60].map((unit) => Math.floor(seconds / unit))
  if (minutes === undefined || minutes === 0) return `${seconds}s`
  if (hours === undefined || hours === 0) return seconds % 60 === 0 || minutes >= 10 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (days === undefined || days === 0) return minutes % 60 === 0 || hours >= 8 ? `${hours}h` : `${hours}h${minutes % 60}m`
  return `${days}d`
}
