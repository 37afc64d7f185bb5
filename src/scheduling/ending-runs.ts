/**
 * How the schedule itself ends runs: by their deadlines, or to replace them. A run that is cancelled is marked first, then cancelled, then
 * recorded, so that its outcome is the same whichever process finishes.
 */
import type { Slot } from '../contract/index.ts'
import type { ActiveRun, Ending, Knowledge, Ledger, RunObservation, RunOutcome, SchedulePlan, Step } from './ledger.ts'
import { withEndings, withOutcome } from './transitions.ts'

/** What has to be done about runs that exceed a deadline, in this order. */
type OverdueRuns = {
  readonly look: readonly Slot[]
  readonly remove: readonly Slot[]
  readonly cancel: readonly { readonly slot: Slot; readonly ending: Ending; readonly startedAtMs?: number | undefined }[]
  readonly outcomes: readonly RunOutcome[]
}

/**
 * Ends runs that never start or never end, so that they no longer block the schedule. A run that has not started is
 * removed from its queue first.
 */
export function endOverdueRuns(ledger: Ledger, plan: SchedulePlan, knowledge: Knowledge, nowMs: number): Step | undefined {
  const { look, remove, cancel, outcomes } = findOverdueRuns(ledger, plan, knowledge, nowMs)
  if (look.length > 0) return { kind: 'Look', slots: look }
  if (remove.length > 0) return { kind: 'Remove', slots: remove }
  if (cancel.length > 0) return { kind: 'Write', what: 'cancel', ledger: withEndings(ledger, cancel) }
  return withoutRuns(ledger, outcomes)
}

/** Ends all these runs by one write: there may be a thousand. */
function withoutRuns(ledger: Ledger, outcomes: readonly RunOutcome[]): Step | undefined {
  if (outcomes.length === 0) return undefined
  return { kind: 'Write', what: 'free', ledger: outcomes.reduce(withOutcome, ledger), ends: outcomes }
}

/**
 * Cancels the runs that are marked for it, and records their outcomes. A run that ended before it could be cancelled
 * keeps its own outcome: its end is on the way.
 */
export function finishCancels(ledger: Ledger, { cancelled }: Knowledge, nowMs: number): Step | undefined {
  const slots = ledger.active.filter(({ slot, ending }) => ending !== undefined && !cancelled.has(slot)).map(({ slot }) => slot)
  if (slots.length > 0) return { kind: 'Cancel', slots }
  const outcomes = ledger.active.flatMap(({ slot, ending, startedAtMs }): readonly RunOutcome[] => {
    const result = cancelled.get(slot)
    if (ending === undefined || result === 'Ended') return []
    const runsOn = result === 'Running' ? '; its job is active in a worker, which Taskmill cannot stop: it continues there' : ''
    const started = startedAtMs === undefined ? {} : { startedAtMs }
    return [{ slot, succeeded: false, reason: ending.reason, message: `${ending.message}${runsOn}`, ...started, finishedAtMs: nowMs }]
  })
  return withoutRuns(ledger, outcomes)
}

/** How long to wait for an end that is on its way, if no event announces it. */
export const endPatienceMs = 1_000

/** The ends of a run that Taskmill cancelled. */
const cancelledReasons: readonly RunOutcome['reason'][] = ['JobRemoved', 'ExecutionRemoved', 'Cancelled']

/** Returns the outcome that counts: an end that is the effect of cancelling the run has the reason for which it was cancelled. */
export function outcomeOfEnd({ active }: Ledger, end: RunOutcome): RunOutcome {
  const ending = active.find(({ slot }) => slot === end.slot)?.ending
  return ending === undefined || !cancelledReasons.includes(end.reason) ? end : { ...end, ...ending }
}

/**
 * Finds the runs that exceed `pendingDeadlineSeconds` (from the dispatch to the first start) or `runDeadlineSeconds`
 * (from the first start), and those that are gone. Asks for an observation of a run only when one of its deadlines may have passed, or nothing of it
 * was found, because each costs a round trip.
 */
export function findOverdueRuns(ledger: Ledger, plan: SchedulePlan, { looked, removed, missing }: Knowledge, nowMs: number): OverdueRuns {
  /**
   * Each run passes through at most three steps: observe it, remove it if it has not started, record that it failed.
   */
  const found = {
    look: [] as Slot[],
    remove: [] as Slot[],
    cancel: [] as OverdueRuns['cancel'][number][],
    outcomes: [] as RunOutcome[],
  }
  for (const run of ledger.active) {
    const { slot } = run
    const seen = looked.get(slot)
    const isMissing = run.ending === undefined && seen === undefined && missing?.has(slot) === true
    const deadlineMs = isMissing ? nowMs : deadlineOf(run, plan, seen, nowMs)
    if (deadlineMs === undefined || deadlineMs > nowMs) continue
    if (seen === undefined) found.look.push(slot)
    else if (seen.state === 'Absent') found.outcomes.push(vanished(slot, nowMs))
    else if (seen.state === 'Active' || seen.startedAtMs !== undefined) {
      const message = `not ended within ${plan.runDeadlineSeconds} s`
      const { startedAtMs } = seen
      if (plan.onDeadline === 'Cancel') found.cancel.push({ slot, ending: { reason: 'RunDeadlineExceeded', message }, startedAtMs })
      else found.outcomes.push(failed(slot, 'RunDeadlineExceeded', message, seen, nowMs))
    } else if (seen.state === 'Waiting') {
      const answer = removed.get(slot)
      const trouble = seen.trouble === undefined ? '' : `: ${seen.trouble}`
      const message = `not started within ${plan.pendingDeadlineSeconds} s${trouble}`
      if (answer === undefined) found.remove.push(slot)
      else if (answer !== 'Started') found.outcomes.push(failed(slot, 'PendingDeadlineExceeded', message, seen, nowMs))
    }
  }
  return found
}

/** A run that cannot be ended yet is looked at again after this time. */
const lookAgainMs = 60_000

/**
 * Returns when the run's deadline passes, or may pass: a run that was not observed may have started at its dispatch.
 */
export function deadlineOf(run: ActiveRun, plan: SchedulePlan, seen: RunObservation | undefined, nowMs: number): number | undefined {
  // It is being cancelled.
  if (run.ending !== undefined) return undefined
  const { pendingDeadlineSeconds, runDeadlineSeconds } = plan
  const pending = pendingDeadlineSeconds === undefined ? undefined : run.dispatchedAtMs + pendingDeadlineSeconds * 1000
  const from = (startMs: number): number | undefined => (runDeadlineSeconds === undefined ? undefined : startMs + runDeadlineSeconds * 1000)
  if (seen === undefined) return earliest(pending, from(run.dispatchedAtMs))
  // The end of this run is already on its way.
  if (seen.state === 'Ended') return undefined
  if (seen.state === 'Absent') return nowMs
  if (seen.startedAtMs !== undefined) return from(seen.startedAtMs)
  if (seen.state === 'Active') return from(nowMs)
  const spares = plan.isPendingDefault === true && seen.isStuck !== true
  return earliest(pending !== undefined && spares ? Math.max(pending, nowMs + lookAgainMs) : pending, from(nowMs))
}

/** Someone removed the job. Its end will never arrive, so the run must not stay active for ever. */
function vanished(slot: Slot, nowMs: number): RunOutcome {
  const message = 'the job is gone, and its end was never recorded'
  return { slot, succeeded: false, reason: 'JobRemoved', message, finishedAtMs: nowMs }
}

function failed(
  slot: Slot,
  reason: 'PendingDeadlineExceeded' | 'RunDeadlineExceeded',
  message: string,
  { startedAtMs }: RunObservation,
  nowMs: number,
): RunOutcome {
  return { slot, succeeded: false, reason, message, ...(startedAtMs === undefined ? {} : { startedAtMs }), finishedAtMs: nowMs }
}

export function earliest(...moments: readonly (number | undefined)[]): number | undefined {
  const known = moments.filter((moment) => moment !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
