/** What people read about the runs of a schedule: pure, the conditions that follow from how they start, go on and end. */
import { keepCondition, kubeTime, scheduleCondition, type TaskSchedule, type WantedCondition } from '../../api/index.ts'
import { type Slot, slotTime } from '../../contract/index.ts'
import { cronJobName, timingOf } from '../../plans/index.ts'
import {
  type ActiveRun,
  dueAt,
  dueOf,
  type Ledger,
  type RunOutcome,
  type RunReason,
  runsLeft,
  unsettledRun,
} from '../../scheduling/index.ts'
import { activeRuns, startPatienceMs } from './blockage.ts'
import type { Blockage, RunDetail, World } from './gather.ts'

/** A slot that is dispatched later than this is late. */
const lateMs = 30_000
const regressionShownMs = 86_400_000

/** How the last run ended, and what is wrong with the present ones. */
export function outcomeConditions(world: World, ledger: Ledger): readonly WantedCondition[] {
  const regression = regressed(world, ledger)
  return [
    ...(ledger.lastRun === undefined ? [] : [lastRun(ledger.lastRun, world)]),
    late(world, ledger),
    ...overlappingConditions(ledger),
    ...(regression === undefined ? [] : [regression]),
  ]
}

function lastRun(run: RunOutcome, { schedule }: World): WantedCondition {
  return scheduleCondition('LastRunSucceeded', run.reason, describeRun(run, schedule))
}

/** What to do about a run that did not succeed, by its reason; `again` is the command that runs it once more. */
const afterFailure: Readonly<Record<Exclude<RunReason, 'Succeeded' | 'Skipped'>, (again: string) => string>> = {
  AttemptsExhausted: (again) => `correct the cause; ${again} runs it once more`,
  Failed: (again) => `look at the object that the message names; ${again} runs it once more`,
  TimedOut: () => 'find out what takes so long, or raise the time limit of the graph or the Job',
  Cancelled: (again) => `nothing, if that was meant; ${again} runs it once more`,
  JobRemoved: (again) => `nothing, if that was meant; ${again} runs it once more`,
  ExecutionRemoved: (again) => `nothing, if that was meant; ${again} runs it once more`,
  Refused: () => 'correct what the message names',
  PendingDeadlineExceeded: () => 'see whether the pool of its queue has workers, or its pod can start',
  Replaced: () => 'nothing, unless no run ever succeeds: then runs take longer than the interval',
  RunDeadlineExceeded: () => 'find out why it takes so long, or raise spec.runDeadlineSeconds',
}

/** `slot 2026-11-22T00:00Z, 4/4 attempts: "timeout" on file-7d9c-x2. Next: …`, as far as it is known. */
export function describeRun({ slot, reason, attemptsMade, attempts, message, worker }: RunOutcome, { metadata }: TaskSchedule): string {
  const tries = attemptsMade === undefined ? '' : `, ${attemptsMade}/${attempts ?? attemptsMade} attempts`
  const head = `slot ${shortTime(slot)}${tries}`
  const where = worker === undefined ? '' : ` on ${worker}`
  if (reason === 'Succeeded' || reason === 'Skipped') return `${head}${where}`
  const said = message === undefined ? '' : `: ${JSON.stringify(message)}`
  return `${head}${said}${where}. Next: ${afterFailure[reason](`taskmill run tsch/${metadata.name}`)}`
}

function late(world: World, ledger: Ledger): WantedCondition {
  const { schedule, suspension, due, nowMs, details, group } = world
  const { cursor, open, lastDispatched } = ledger
  const done = new Set(open.filter(({ state }) => state !== 'Intended').map(({ slot }) => slot))
  let next = runsLeft(ledger, timingOf(schedule)) === 0 ? undefined : due?.slots.next(cursor)
  while (next !== undefined && done.has(next)) next = due?.slots.next(next)
  const { engine, concurrencyPolicy } = schedule.spec
  // Once the run has ended, the CronJob controller may start the newest slot that was due meanwhile.
  const mayWait = engine === 'CronJob' && concurrencyPolicy === 'Forbid' && ledger.active.length > 0
  if (due !== undefined && next !== undefined && !suspension.isSuspended && !mayWait && dueAt(due, next) * 1000 + lateMs < nowMs) {
    const remedy = {
      Taskmill: 'the condition Ready says what prevents it',
      CronJob: `see what keeps the CronJob controller from it: kubectl describe cronjob ${cronJobName(schedule.metadata)}`,
      BullMQ: `a job scheduler adds a job when a worker takes the one before: see whether queue "${schedule.spec.task?.queue ?? ''}" has workers`,
    }[engine]
    const message = `slot ${shortTime(next)} is due and was not dispatched. Next: ${remedy}`
    return scheduleCondition('Late', 'SlotOverdue', message)
  }
  const waiting = activeRuns(ledger).find(
    ({ slot, dispatchedAtMs }) => details.get(slot)?.isStarted === false && dispatchedAtMs + startPatienceMs <= nowMs,
  )
  if (waiting !== undefined) return scheduleCondition('Late', 'NotStarted', notStartedWords(waiting, details.get(waiting.slot)))
  const delayMs = lastDispatched === undefined ? 0 : lastDispatched.atMs - dueOf(lastDispatched) * 1000
  if (lastDispatched !== undefined && delayMs > lateMs) {
    const words = `slot ${shortTime(lastDispatched.slot)} was dispatched ${Math.round(delayMs / 1000)} s after it was due`
    const why =
      schedule.spec.concurrencyPolicy === 'Queue'
        ? `, and may have waited for the run before it${group === undefined ? '' : ` or for room in group ${group.name}`}. Next: find out why runs take longer than the interval`
        : '. Next: nothing, if the operator or the broker was away; the next slot in time ends this'
    return scheduleCondition('Late', 'DispatchedLate', `${words}${why}`)
  }
  return scheduleCondition('Late', 'InTime', 'no slot is overdue')
}

function notStartedWords({ slot, dispatchedAtMs }: ActiveRun, { run, waitingFor }: RunDetail = {}): string {
  const what = run === undefined ? 'its job' : run
  const where = waitingFor === undefined ? '' : `; ${what} waits: ${waitingFor}`
  const next = run === undefined ? 'see whether a pool of its queue has free workers: kubectl get wp' : `kubectl describe ${run}`
  return `the run of slot ${shortTime(slot)} was dispatched at ${kubeTime(dispatchedAtMs)}, and nothing has started it${where}. Next: ${next}`
}

function overlappingConditions(ledger: Ledger): readonly WantedCondition[] {
  const runs = activeRuns(ledger)
  const [oldest] = runs
  if (oldest === undefined || runs.length < 2) return []
  const message = `${runs.length} runs are active, the oldest of slot ${shortTime(oldest.slot)}. status.active says what they wait for`
  return [scheduleCondition('Overlapping', 'RunsOverlap', message)]
}

function regressed({ nowMs }: World, ledger: Ledger): WantedCondition | undefined {
  const { regressedAtMs } = ledger
  if (regressedAtMs === undefined || nowMs - regressedAtMs > regressionShownMs) return undefined
  return scheduleCondition('LedgerRegressed', 'LedgerBehind', describeRegression(ledger))
}

function lost(count: number, isLowerBound: boolean): string {
  if (count === 0 && isLowerBound) return 'it is not known how many slots are missed'
  return `${isLowerBound ? 'at least ' : ''}${count} ${count === 1 ? 'slot is' : 'slots are'} missed`
}

export function describeRegression({ cursor, missed }: Ledger): string {
  const { count, isLowerBound }: { readonly count: number; readonly isLowerBound?: true } = missed['LedgerRegressed'] ?? { count: 0 }
  return `the broker lost acknowledged data: ${lost(count, isLowerBound === true)}, and no slot up to ${shortTime(cursor)} fires again. Next: check the persistence of the broker`
}

/** The oldest run that does not go on, and how many more there are. */
export function blockedConditions(world: World): readonly WantedCondition[] {
  const { blockages, schedule } = world
  const kept = keptBlocked(world)
  if (kept !== undefined) return [kept]
  const [first] = blockages.blocked
  if (first === undefined) return unsettledConditions(world)
  const more = blockages.blocked.length - 1
  const others = more === 0 ? '' : ` and ${more} more ${more === 1 ? 'run' : 'runs'}`
  const { concurrencyPolicy } = schedule.spec
  const held = concurrencyPolicy === 'Allow' ? '' : `. With ${concurrencyPolicy}, ${heldWords[concurrencyPolicy]}; ${endWords(first)}`
  return [scheduleCondition('Blocked', first.reason, `${runWords(first.slot)}${others}: ${first.message}${held}`)]
}

/** With `dependsOnPast`, what keeps the slots after a failed run from starting, and how they continue. */
function unsettledConditions({ schedule, ledger, situation }: World): readonly WantedCondition[] {
  const { metadata, spec } = schedule
  const failed = ledger === undefined || spec.dependsOnPast !== true ? undefined : unsettledRun(ledger)
  if (failed === undefined || ledger === undefined || ledger.active.length > 0 || situation.kind !== 'Driven') return []
  const message =
    `${runWords(failed.slot)}: it did not succeed (${failed.reason}), and with dependsOnPast no later slot starts. Next: correct the cause, then ` +
    `taskmill run tsch/${metadata.name}; when that run has succeeded, the slots continue. Or set dependsOnPast: false`
  return [scheduleCondition('Blocked', 'PreviousRunFailed', message)]
}

function runWords(slot: Slot): string {
  return `run of slot ${shortTime(slot)}`
}

/**
 * What was said last of a run that was not looked at yet: after a start, or while the broker is away, it is unknown whether that still holds. A
 * cluster on standby knows nothing of the runs any more.
 */
function keptBlocked({ status, situation, blockages: { unknown } }: World): WantedCondition | undefined {
  const former = keepCondition(status?.conditions, 'Blocked')
  if (former === undefined || situation.kind === 'Standby') return undefined
  const isAbout = (slot: Slot) => [': ', ' and '].some((next) => former.message.startsWith(`${runWords(slot)}${next}`))
  return unknown === 'All' || [...unknown].some(isAbout) ? former : undefined
}

const heldWords = {
  Forbid: 'slots are missed until that run ends',
  Queue: 'slots wait until that run ends',
  Replace: 'the next slot replaces that run',
} as const

/** How people can end what holds up the slots. */
function endWords({ hasBegun, endedBy }: Blockage): string {
  if (!hasBegun) return 'an edit of the template starts it anew'
  return `it has begun, so an edit does not change it${endedBy === undefined ? '' : `. Next, to end it: ${endedBy}`}`
}

/** `2026-11-29T00:00Z`; with seconds only where there are any. */
export function shortTime(slot: Slot): string {
  return slotTime(slot).replace(/:00Z$/u, 'Z')
}
