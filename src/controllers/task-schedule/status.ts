/** What people read about a schedule: pure, from a world to a status. */
import {
  keepCondition,
  kubeTime,
  scheduleCondition,
  setConditions,
  type TaskSchedule,
  type TaskScheduleStatus,
  type WantedCondition,
} from '../../api/index.ts'
import { slotTime, type Slot } from '../../contract/index.ts'
import { timingOf } from '../../plans/index.ts'
import {
  type ActiveRun,
  dueAt,
  dueOf,
  dueUpTo,
  type Ledger,
  mostStatusNext,
  type RecentRun,
  recentRuns,
  type RunOutcome,
  runsLeft,
  unsettledRun,
  waitingSlots,
} from '../../scheduling/index.ts'
import { describeSituation, type RecordWords, type Situation } from '../../services/engine/index.ts'
import { activeRuns } from './blockage.ts'
import type { RunDetail, ScheduleSituation, Suspension, World } from './gather.ts'
import { groupConditions, groupWords } from './group.ts'
import { blockedConditions, outcomeConditions, shortTime } from './run-conditions.ts'

const shownActive = 10

export function statusOf(world: World): TaskScheduleStatus {
  const { schedule, status, nowMs, ledger } = world
  const next = nextRunsOf(world)
  const { ready, standing } = health(world, next)
  const last = ledger?.lastRun
  const wanted = [
    ready,
    ...standing,
    ...suspendedConditions(world),
    ...overriddenConditions(world.suspension),
    ...blockedConditions(world),
    ...groupConditions(world.group),
    ...driftedConditions(world),
    ...(ledger === undefined
      ? carried(status, ['LastRunSucceeded', 'Late', 'Overlapping', 'LedgerRegressed'])
      : outcomeConditions(world, ledger)),
  ]
  const [first] = next
  return {
    ...(ledger === undefined ? carriedFields(status) : ledgerFields(world, ledger)),
    observedGeneration: schedule.metadata.generation ?? 0,
    schedule: scheduleText(schedule),
    ...(hasClock(schedule) ? { timeZone: schedule.spec.timeZone } : {}),
    ...(first === undefined ? {} : { next: shortTime(first.dueAt), nextRuns: next.map((run) => slotTime(run.dueAt)) }),
    reason: chooseReason(ready, wanted, last),
    conditions: setConditions(status?.conditions, wanted, nowMs, schedule.metadata.generation),
  }
}

/** Whether it depends on the clocks of a place when it is due. */
function hasClock({ spec }: TaskSchedule): boolean {
  return spec.schedules !== undefined || spec.calendars !== undefined
}

function scheduleText(schedule: TaskSchedule): string {
  const timing = timingOf(schedule)
  return `${timesText(timing)}${timing.jitterSeconds === undefined ? '' : `, jitter ${timing.jitterSeconds}s`}`
}

function timesText(timing: ReturnType<typeof timingOf>): string {
  if ('schedules' in timing) return timing.schedules.join('; ')
  if ('at' in timing) {
    const [first = 0, ...others] = timing.at.toSorted((a, b) => a - b)
    return `at ${shortTime(first)}${others.length === 0 ? '' : ` and ${others.length} more`}`
  }
  return `every ${timing.everySeconds}s${timing.offsetSeconds === undefined ? '' : ` + ${timing.offsetSeconds}s`}`
}

const idle: readonly ScheduleSituation['kind'][] = ['Standby', 'NoDependency', 'Unusable', 'Invalid', 'Withheld']

type NextRun = { readonly slot: Slot; readonly dueAt: Slot }

/** The next slots, and when their runs are due; none while no slot would be dispatched. */
function nextRunsOf(world: World): readonly NextRun[] {
  const { due, situation, suspension, nowMs } = world
  if (due === undefined || suspension.isSuspended || idle.includes(situation.kind)) return []
  const next: NextRun[] = []
  const most = Math.min(mostStatusNext, futureRuns(world))
  for (let after = dueUpTo(due, Math.floor(nowMs / 1000)); next.length < most;) {
    const slot = due.slots.next(after)
    if (slot === undefined) break
    next.push({ slot, dueAt: dueAt(due, slot) })
    after = slot
  }
  return next
}

function dispatchedRuns({ ledger, status }: World): number {
  return ledger?.dispatched ?? status?.dispatchedRuns ?? 0
}

/** How many future slots `maxRuns` admits, with those whose jobs are placed ahead. */
function futureRuns(world: World): number {
  const { schedule, ledger, nowMs } = world
  const { maxRuns } = schedule.spec
  if (maxRuns === undefined) return Infinity
  if (ledger === undefined) return maxRuns - dispatchedRuns(world)
  return runsLeft(ledger, timingOf(schedule)) + ledger.open.filter((open) => dueOf(open) * 1000 > nowMs).length
}

/** Why no other slot will ever be due by this spec; undefined: it does not end. */
function completionOf(world: World): WantedCondition | undefined {
  const { maxRuns, at, endTime } = world.schedule.spec
  const next = 'to continue, or delete this TaskSchedule'
  if (maxRuns !== undefined && futureRuns(world) <= 0) {
    const waiting = describeWaiting(world)
    const runs = maxRuns === 1 ? 'the one run of maxRuns was' : `all ${maxRuns} runs of maxRuns were`
    const words = waiting === '' ? `${runs} dispatched` : `maxRuns ${maxRuns} is reached${waiting}`
    return scheduleCondition('Completed', 'MaxRunsReached', `${words}. Next: raise it ${next}`)
  }
  if (at !== undefined) {
    const last = at.toSorted((a, b) => Date.parse(a) - Date.parse(b)).at(-1) ?? ''
    return scheduleCondition(
      'Completed',
      'LastTimePassed',
      `the last time of at, ${last}, has passed${passedTimes(world.schedule)}. Next: add later ones ${next}`,
    )
  }
  if (endTime === undefined) return undefined
  return scheduleCondition('Completed', 'EndTimePassed', `no slot is left up to endTime ${endTime}. Next: set a later one ${next}`)
}

/** `; 1 of 3 had passed when this TaskSchedule was created, and did not run`; nothing if all were in the future. */
function passedTimes({ metadata, spec: { at = [] } }: TaskSchedule): string {
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? '')
  const passed = at.filter((time) => Date.parse(time) <= createdAtMs).length
  return passed === 0 ? '' : `; ${passed} of ${at.length} times had passed when this TaskSchedule was created, and did not run`
}

type Health = { readonly ready: WantedCondition; readonly standing: readonly WantedCondition[] }

function health(world: World, [next]: readonly NextRun[]): Health {
  const { schedule, situation, suspension, warnings } = world
  switch (situation.kind) {
    case 'Invalid': {
      const { reason, message } = situation.fault
      return { ready: scheduleCondition('Ready', reason, message), standing: [scheduleCondition('Stalled', reason, message)] }
    }
    case 'NoDependency': {
      const message = `TaskDependency "${situation.name}" does not exist in this namespace, so no slot is dispatched. Next: create it`
      return {
        ready: scheduleCondition('Ready', 'DependencyNotFound', message),
        standing: [scheduleCondition('Stalled', 'DependencyNotFound', message)],
      }
    }
    case 'Unusable': {
      const { reason } = situation
      const message = `${situation.field}: ${situation.message}`
      return { ready: scheduleCondition('Ready', reason, message), standing: [scheduleCondition('Stalled', reason, message)] }
    }
    case 'Withheld': {
      const { reason, message } = situation
      return { ready: scheduleCondition('Ready', reason, message), standing: [scheduleCondition('Stalled', reason, message)] }
    }
    case 'Postponed': {
      const message = `a due slot waits: ${situation.message}`
      return {
        ready: scheduleCondition('Ready', 'StartPostponed', message),
        standing: [scheduleCondition('Reconciling', 'StartPostponed', message)],
      }
    }
    case 'NoBroker':
    case 'NotUsable':
    case 'Unreachable':
    case 'Unreadable':
    case 'Pending':
    case 'Standby':
      return obstructed(situation, schedule)
    case 'Driven': {
      const completed = next === undefined && !suspension.isSuspended ? completionOf(world) : undefined
      const ready = completed === undefined ? driven(world, next) : scheduleCondition('Ready', 'Completed', completed.message)
      const warned = warnings.length === 0 ? ready : { ...ready, message: `${ready.message}. The API server warns: ${warnings.join('; ')}` }
      return { ready: warned, standing: completed === undefined ? [] : [completed] }
    }
  }
}

function driven(world: World, next: NextRun | undefined): WantedCondition {
  const { schedule, suspension } = world
  const { maxRuns, timeZone } = schedule.spec
  if (suspension.isSuspended) return scheduleCondition('Ready', 'Suspended', suspendedWords(schedule, suspension))
  if (next === undefined) return scheduleCondition('Ready', 'NoSlotLeft', 'there is no future slot')
  const counted = maxRuns === undefined ? '' : `; ${dispatchedRuns(world)} of ${maxRuns} runs dispatched`
  const { slot, dueAt: due } = next
  const nominal = due === slot ? '' : `, slot ${shortTime(slot)}`
  const words = `next ${shortTime(due)}${localTime(due, timeZone)}${nominal}${counted}${passedTimes(schedule)}${describeWaiting(world)}`
  return scheduleCondition('Ready', 'SlotScheduled', words)
}

/** `; 3 slots wait for run 2026-11-29T00:00Z, the first is 2026-11-29T01:00Z`. */
function describeWaiting(world: World): string {
  const { ledger } = world
  const [first, ...more] = ledger === undefined ? [] : waitingSlots(ledger)
  if (ledger === undefined || first === undefined) return ''
  const awaited = awaitedWords(world, ledger)
  return more.length === 0
    ? `; slot ${shortTime(first)} waits${awaited}`
    : `; ${more.length + 1} slots wait${awaited}, the first is ${shortTime(first)}`
}

/** ` for run 2026-11-29T00:00Z`, ` for group warehouse (…)`. */
function awaitedWords({ schedule, group }: World, ledger: Ledger): string {
  const [active] = ledger.active
  const awaited = active ?? (schedule.spec.dependsOnPast === true ? unsettledRun(ledger) : undefined)
  if (awaited !== undefined) return ` for run ${shortTime(awaited.slot)}${active === undefined ? ', which failed' : ''}`
  return group === undefined ? '' : ` for ${groupWords(group)}`
}

const recordWords: RecordWords<'LedgerUnreadable'> = {
  verb: 'dispatch',
  unreadable: {
    reason: 'LedgerUnreadable',
    next: "run the version that wrote it, or delete this TaskSchedule's ledger in the broker",
  },
}

function obstructed(situation: Situation, { spec }: TaskSchedule): Health {
  const { reason, message, meanwhile } = describeSituation(situation, spec.brokerRef.name, recordWords)
  const ready = scheduleCondition('Ready', reason, message)
  if (meanwhile === undefined) return { ready, standing: [] }
  const standing =
    meanwhile === 'Stalled'
      ? scheduleCondition('Stalled', 'LedgerUnreadable', message)
      : scheduleCondition('Reconciling', meanwhile, message)
  return { ready, standing: [standing] }
}

function ledgerFields({ details }: World, ledger: Ledger): Partial<TaskScheduleStatus> {
  const { dispatched, lastDispatched, lastRun: last, lastSuccess, lastFailure, consecutiveFailures, missed } = ledger
  const active = activeRuns(ledger)
  const waiting = waitingSlots(ledger).length
  const recent = recentRuns(ledger.recent)
  return {
    dispatchedRuns: dispatched,
    activeRuns: active.length,
    ...(active.length === 0 ? {} : { active: active.slice(0, shownActive).map((run) => activeRun(run, details.get(run.slot))) }),
    ...(waiting === 0 ? {} : { waitingSlots: waiting }),
    ...(lastDispatched === undefined ? {} : { lastScheduleTime: slotTime(lastDispatched.slot) }),
    ...(last === undefined ? {} : { lastResult: resultOf(last) }),
    ...(lastSuccess === undefined
      ? {}
      : { lastSuccessTime: kubeTime(lastSuccess.finishedAtMs), lastSuccessSlotTime: slotTime(lastSuccess.slot) }),
    ...(lastSuccess?.result === undefined ? {} : { lastSuccessResult: lastSuccess.result }),
    ...(lastFailure === undefined ? {} : { lastFailureTime: kubeTime(lastFailure.finishedAtMs), lastFailureReason: lastFailure.reason }),
    ...(lastFailure?.message === undefined ? {} : { lastFailureMessage: lastFailure.message.slice(0, 2048) }),
    consecutiveFailures,
    ...(recent.length === 0 ? {} : { recentRuns: recent.map(recentRun) }),
    missedRuns: Object.entries(missed)
      .map(([reason, { count, lastSlot, isLowerBound }]) => ({
        reason,
        count,
        ...(isLowerBound && { lowerBound: true }),
        lastSlotTime: slotTime(lastSlot),
      }))
      .toSorted((a, b) => (a.reason < b.reason ? -1 : 1)),
  }
}

type Active = NonNullable<TaskScheduleStatus['active']>[number]

function activeRun({ slot }: ActiveRun, { run, startedAtMs, waitingFor }: RunDetail = {}): Active {
  return {
    slotTime: slotTime(slot),
    ...(run === undefined ? {} : { run }),
    ...(startedAtMs === undefined ? {} : { startedTime: kubeTime(startedAtMs) }),
    ...(waitingFor === undefined ? {} : { waitingFor: waitingFor.slice(0, 256) }),
  }
}

type Recent = NonNullable<TaskScheduleStatus['recentRuns']>[number]

function recentRun({ slot, succeeded, reason, startedAtMs, finishedAtMs, attemptsMade }: RecentRun): Recent {
  return {
    slotTime: slotTime(slot),
    result: resultOf({ succeeded, reason }),
    ...(reason === 'Succeeded' ? {} : { reason }),
    finishTime: kubeTime(finishedAtMs),
    ...(startedAtMs === undefined ? {} : { durationSeconds: Math.max(0, Math.round((finishedAtMs - startedAtMs) / 1000)) }),
    ...(attemptsMade === undefined ? {} : { attempts: attemptsMade }),
  }
}

function resultOf({ succeeded, reason }: Pick<RunOutcome, 'succeeded' | 'reason'>): NonNullable<TaskScheduleStatus['lastResult']> {
  if (reason === 'Replaced') return 'Replaced'
  return succeeded ? 'Succeeded' : 'Failed'
}

/** Fields that stay as they were while no ledger can be read. */
function carriedFields(status: TaskScheduleStatus | undefined): Partial<TaskScheduleStatus> {
  const {
    conditions: _conditions,
    next: _next,
    nextRuns: _nextRuns,
    reason: _reason,
    timeZone: _timeZone,
    ...kept
  } = status ?? { observedGeneration: -1 }
  return kept
}

function carried(status: TaskScheduleStatus | undefined, types: readonly string[]): readonly WantedCondition[] {
  return types.flatMap((type) => keepCondition(status?.conditions, type) ?? [])
}

/** The REASON column: the first fault, or why there is none. */
function chooseReason(ready: WantedCondition, all: readonly WantedCondition[], last: RunOutcome | undefined): string {
  const override = all.find(({ type }) => type === 'Overridden')
  if (ready.reason === 'Suspended' && override !== undefined) return override.reason
  if (ready.status !== 'True' || ready.reason !== 'SlotScheduled') return ready.reason
  const blocked = all.find(({ type }) => type === 'Blocked')
  if (blocked !== undefined) return blocked.reason
  if (last !== undefined && !last.succeeded) return last.reason
  return (
    all.find(({ type, status }) => (type === 'Late' || type === 'LedgerRegressed') && status === 'True')?.reason ??
    override?.reason ??
    ready.reason
  )
}

/** Conditions that may change with each run: of a schedule that is due each second, each second. */
const outcomeTypes = ['LastRunSucceeded', 'Late', 'Overlapping']

/** A status is written at once when this changes. */
export function transitionOf(status: TaskScheduleStatus): unknown {
  return [status.observedGeneration, status.schedule, factsOf(status, (type) => !outcomeTypes.includes(type))]
}

/** A status is written when this changes, but at most once in 5 s; all the rest are gauges, which wait for those of other objects. */
export function outcomeOf(status: TaskScheduleStatus): unknown {
  return [status.reason, status.lastScheduleTime, status.activeRuns, factsOf(status, (type) => outcomeTypes.includes(type))]
}

function factsOf({ conditions = [] }: TaskScheduleStatus, isMeant: (type: string) => boolean): unknown {
  return conditions.flatMap(({ type, status, reason }) => (isMeant(type) ? [[type, status, reason]] : []))
}

/** An edit of its primitive that is only reported. */
function driftedConditions({ drift, schedule }: World): readonly WantedCondition[] {
  if (drift === undefined) return []
  const next = `Next: kubectl patch tsch ${schedule.metadata.name} --type merge -p '{"spec":{"driftPolicy":"Repair"}}' repairs it`
  return [scheduleCondition('Drifted', 'Edited', `${drift}. ${next}`)]
}

function suspendedConditions({ schedule, suspension }: World): readonly WantedCondition[] {
  if (!suspension.isSuspended) return []
  return [scheduleCondition('Suspended', suspension.override === undefined ? 'BySpec' : 'ByOverride', suspendedWords(schedule, suspension))]
}

/** Why nothing is dispatched. */
function suspendedWords({ metadata }: TaskSchedule, { override }: Suspension): string {
  return override === undefined
    ? 'spec.suspend is true: slots are not dispatched. Next: set it to false'
    : `spec.override: ${override}: slots are not dispatched. Next: taskmill resume tsch/${metadata.name} ends it earlier`
}

function overriddenConditions({ override }: Suspension): readonly WantedCondition[] {
  return override === undefined ? [] : [scheduleCondition('Overridden', 'OverrideActive', override)]
}

/** ` (01:00 Europe/Berlin)`; nothing for UTC, which the slot is in already. */
function localTime(slot: Slot, timeZone: string): string {
  if (timeZone === 'UTC') return ''
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  return ` (${format.format(slot * 1000)} ${timeZone})`
}
