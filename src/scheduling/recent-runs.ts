/**
 * The last ten runs of a schedule, in short: its history, for people to read. Nothing is decided by it. There are thousands
 * of ledgers, and each is in memory, so a run takes about 40 bytes.
 */
import type { RunOutcome, RunReason, StoredRun } from './ledger.ts'

export type RecentRun = Pick<RunOutcome, 'slot' | 'succeeded' | 'reason' | 'startedAtMs' | 'attemptsMade' | 'finishedAtMs'>

const keptRuns = 10

/** Appends a run that has ended, and drops the oldest of more than ten. */
export function withRecentRun(recent: readonly StoredRun[] | undefined, run: RunOutcome): readonly StoredRun[] {
  const { slot, reason, finishedAtMs, startedAtMs, attemptsMade } = run
  const startedAfterMs = startedAtMs === undefined ? null : startedAtMs - slot * 1000
  const stored = [slot, reason, finishedAtMs - slot * 1000, startedAfterMs, attemptsMade ?? null] as const
  return [...(recent ?? []), stored].slice(-keptRuns)
}

/** The runs that ended last, the newest end first. */
export function recentRuns(recent: readonly StoredRun[] = []): readonly RecentRun[] {
  return recent.toReversed().map(([slot, reason, finishedAfterMs, startedAfterMs, attemptsMade]) => ({
    slot,
    succeeded: isSuccess(reason),
    reason,
    finishedAtMs: slot * 1000 + finishedAfterMs,
    ...(startedAfterMs === null ? {} : { startedAtMs: slot * 1000 + startedAfterMs }),
    ...(attemptsMade === null ? {} : { attemptsMade }),
  }))
}

/** A graph in which no node had to run is as good as one that succeeded. */
function isSuccess(reason: RunReason): boolean {
  return reason === 'Succeeded' || reason === 'Skipped'
}
