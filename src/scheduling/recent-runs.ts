/**
 * The last ten runs of a schedule, in short: its history, for people to read. Nothing is decided by it. There are thousands
 * of ledgers, and each is in memory, so the history is one text of about 40 bytes for a run.
 *
 * A run is `SLOT REASON ENDED STARTED ATTEMPTS`, the times in ms after the slot, `-` for what is not known. Runs are
 * separated by `;`, the newest end last.
 */
import type { RunOutcome, RunReason } from './ledger.ts'

export type RecentRun = Pick<RunOutcome, 'slot' | 'succeeded' | 'reason' | 'startedAtMs' | 'attemptsMade' | 'finishedAtMs'>

const keptRuns = 10
const unknown = '-'

/** Appends a run that has ended, and drops the oldest of more than ten. */
export function withRecentRun(recent: string | undefined, run: RunOutcome): string {
  const { slot, reason, finishedAtMs, startedAtMs, attemptsMade } = run
  const afterMs = (atMs: number | undefined) => (atMs === undefined ? unknown : atMs - slot * 1000)
  const entry = [slot, reason, afterMs(finishedAtMs), afterMs(startedAtMs), attemptsMade ?? unknown].join(' ')
  return [...(recent === undefined ? [] : recent.split(';')), entry].slice(-keptRuns).join(';')
}

/** Returns the runs that ended last, the newest end first. */
export function recentRuns(recent: string | undefined): readonly RecentRun[] {
  if (recent === undefined) return []
  return recent.split(';').map(parseRun).toReversed()
}

function parseRun(entry: string): RecentRun {
  const [slotText, reason, finished, started, attempts] = entry.split(' ')
  const slot = Number(slotText)
  return {
    slot,
    succeeded: reason === 'Succeeded' || reason === 'Skipped',
    reason: reason as RunReason,
    finishedAtMs: slot * 1000 + Number(finished),
    ...(started === unknown ? {} : { startedAtMs: slot * 1000 + Number(started) }),
    ...(attempts === unknown ? {} : { attemptsMade: Number(attempts) }),
  }
}
