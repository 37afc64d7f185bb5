import { executionEvent, findCondition, type TaskExecution, type TaskExecutionStatus, type WantedEvent } from '../../api/index.ts'
import type { RunEntry } from '../../graph/index.ts'
import { slotTime } from '../../contract/index.ts'
import { parseSlotRun } from '../../plans/index.ts'
import { sourceOf } from './status.ts'

/** Of one append so many failed nodes get an Event each. */
const mostFailures = 5

const outcomeEvents = {
  Succeeded: 'Succeeded',
  Failed: 'Failed',
  TimedOut: 'TimedOut',
  Cancelled: 'Cancelled',
  Skipped: 'Skipped',
} as const

function slotWords(execution: TaskExecution): string {
  const run = parseSlotRun(execution)
  return run === undefined ? '' : ` for slot ${slotTime(run.slot)} of tsch/${run.schedule}`
}

/** An Event when a run is blocked, and again only when something else blocks it. */
export function blockedEvents(before: TaskExecutionStatus | undefined, after: TaskExecutionStatus): readonly WantedEvent[] {
  const now = findCondition(after.conditions, 'Blocked')
  const isNew = now !== undefined && findCondition(before?.conditions, 'Blocked')?.reason !== now.reason
  return isNew ? [executionEvent('RunBlocked', `${now.reason}: ${now.message}`)] : []
}

/** Events for entries that were just recorded. */
export function entryEvents(entries: readonly RunEntry[], execution: TaskExecution): readonly WantedEvent[] {
  const failures: string[] = []
  const events = entries.flatMap((entry): readonly WantedEvent[] => {
    if (entry.kind === 'Begun') return [executionEvent('Started', `a run of ${sourceOf(execution)}${slotWords(execution)}`)]
    if (entry.kind === 'Finished') return [executionEvent(outcomeEvents[entry.outcome], entry.message)]
    if (entry.kind === 'Ended' && (entry.outcome === 'Failed' || entry.outcome === 'TimedOut')) {
      const { node, reason, message, attemptsMade, attempts, worker } = entry
      const tries = attemptsMade === undefined ? '' : `, ${attemptsOf(attemptsMade, attempts)}`
      failures.push(
        `${node}: ${reason}${tries}${message === undefined ? '' : `: ${message}`}${worker === undefined ? '' : ` on ${worker}`}`,
      )
    }
    return []
  })
  const more = failures.length - mostFailures
  const notes = [...failures.slice(0, mostFailures), ...(more > 0 ? [`and ${more} more nodes`] : [])]
  return [...notes.map((note) => executionEvent('NodeFailed', note)), ...events]
}

/** `3/4 attempts`; a Kubernetes Job has no fixed number of attempts. */
function attemptsOf(made: number, most: number | undefined): string {
  return most === undefined ? `${made} ${made === 1 ? 'attempt' : 'attempts'}` : `${made}/${most} attempts`
}

export const continuedWords =
  'it continues the run that an object of the same name had started, whose log is still in the broker. Next: for another run, delete ' +
  'it and create it again, or use another name'
