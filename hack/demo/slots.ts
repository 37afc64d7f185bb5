/**
 * Which slots the demo's schedules had, computed from their specs second by second and not by Taskmill's own rules, held against what the
 * handlers wrote. Pure.
 */
import { Cron } from 'croner'
import type { AssistantState, ScheduleView, SlotRuns } from './state.ts'

/** `lost`: due, not run, and not reported as missed either. `lateMs`: from each slot to the moment at which its handler began. */
export type SlotAccount = {
  readonly due: number
  readonly ran: number
  readonly missed: number
  readonly lost: number
  readonly doubled: number
  readonly lateMs: readonly number[]
}

/** The slots after `fromMs` until `untilMs`, as a handler writes them down. In UTC: the demo's schedules are due each minute, or more often. */
export function dueSlots(
  { schedules = [], everySeconds, offsetSeconds = 0 }: ScheduleView['spec'],
  fromMs: number,
  untilMs: number,
): readonly string[] {
  const crons = schedules.map((expression) => new Cron(expression, { timezone: 'UTC', paused: true }))
  const isDue = (second: number): boolean =>
    everySeconds === undefined ? crons.some((cron) => cron.match(new Date(second * 1000))) : (second - offsetSeconds) % everySeconds === 0
  const first = Math.floor(fromMs / 1000) + 1
  const seconds = Array.from({ length: Math.max(0, Math.floor(untilMs / 1000) - first + 1) }, (_, index) => first + index)
  return seconds.filter(isDue).map((second) => new Date(second * 1000).toISOString().replace('.000Z', 'Z'))
}

/** What became of the slots of one schedule so far. */
export function accountOf(schedule: ScheduleView, state: AssistantState, nowMs: number): SlotAccount {
  const { window, missedBefore } = state
  const due = window === undefined ? [] : dueSlots(schedule.spec, window.fromMs, Math.min(nowMs, window.untilMs))
  const runs = slotRuns(schedule, state)
  const ran = due.flatMap((slot) => (runs[slot] === undefined ? [] : [{ slot, times: runs[slot][0], beganMs: runs[slot][1] }]))
  const missed = Math.max(0, missedRuns(schedule) - (missedBefore[schedule.name] ?? 0))
  return {
    due: due.length,
    ran: ran.length,
    missed,
    lost: Math.max(0, due.length - ran.length - missed),
    doubled: ran.filter(({ times }) => times > 1).length,
    lateMs: ran.map(({ slot, beganMs }) => beganMs - Date.parse(slot)),
  }
}

/** What the handlers wrote: of a task which slot it ran for, of a graph the first step of the run that the slot began. */
function slotRuns({ name, spec }: ScheduleView, { slots, runs, graphs }: AssistantState): SlotRuns[string] {
  if (spec.dependencyRef === undefined) return slots[name] ?? {}
  const begun = runs.flatMap(({ name: run, schedule, slot }) => {
    const book = graphs[run]
    const times = book?.steps['fetch-calendar']
    return schedule !== name || slot === undefined || book === undefined || times === undefined
      ? []
      : [[new Date(slot).toISOString().replace('.000Z', 'Z'), [times, book.beganMs] as const] as const]
  })
  return Object.fromEntries(begun)
}

/** That of several schedules together, by default of all of the assistant. */
export function totalAccount(state: AssistantState, nowMs: number, schedules = state.schedules): SlotAccount {
  const accounts = schedules.map((schedule) => accountOf(schedule, state, nowMs))
  const sum = (of: (account: SlotAccount) => number): number => accounts.reduce((total, account) => total + of(account), 0)
  return {
    due: sum(({ due }) => due),
    ran: sum(({ ran }) => ran),
    missed: sum(({ missed }) => missed),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    lateMs: accounts.flatMap(({ lateMs }) => lateMs).toSorted((a, b) => a - b),
  }
}

/** All that the status of a schedule reports as missed, whatever the reason. */
export function missedRuns({ status }: ScheduleView): number {
  return (status?.missedRuns ?? []).reduce((total, { count }) => total + count, 0)
}
