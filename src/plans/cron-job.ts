/** What a TaskSchedule with the engine CronJob asks of its CronJob, and what a CronJob cannot do although the schema admits it. */
import type { JobTemplate, TaskSchedule } from '../api/index.ts'
import type { Slot } from '../contract/index.ts'
import { compileJobTemplate } from '../graph/index.ts'
import { type ClockConflict, defaultClockRule, findClockConflict, type Timing } from '../scheduling/index.ts'
import type { PushFaults } from './fault.ts'
import { hashOf } from './hash.ts'

/** What its CronJob is made of, besides labels. */
export type CronJobPlan = {
  readonly name: string
  readonly schedule: string
  readonly timeZone: string
  readonly concurrencyPolicy: 'Allow' | 'Forbid' | 'Replace'
  readonly startingDeadlineSeconds: number | undefined
}

/** Longest name of a CronJob: its Jobs add a hyphen and the minutes since 1970, and their pods carry that as a label. */
const maxCronJobName = 52
const hashLength = 8

/** Returns the name of the CronJob of a schedule: its own, or the beginning of it and a hash. */
export function cronJobName({ name }: { readonly name: string }): string {
  if (name.length <= maxCronJobName) return name
  const head = name.slice(0, maxCronJobName - hashLength - 1).replace(/[-.]+$/u, '')
  return `${head}-${hashOf(name).slice(0, hashLength)}`
}

/** What the clocks of a CronJob do to times of day. */
const cronJobClockRule = { gap: 'Skip', overlap: 'Both' } as const
/** `Skip` drops slots that are later than this, as with the engine Taskmill. */
const skippedAfterSeconds = 30

export function cronJobPlanOf({ metadata, spec }: TaskSchedule, timing: Timing): CronJobPlan | undefined {
  const { concurrencyPolicy, missedRuns, startingDeadlineSeconds } = spec
  if (spec.engine !== 'CronJob' || !('schedules' in timing) || concurrencyPolicy === 'Queue') return undefined
  const [schedule = ''] = timing.schedules
  return {
    name: cronJobName(metadata),
    schedule: asCronJobReads(schedule),
    timeZone: timing.timeZone,
    concurrencyPolicy,
    startingDeadlineSeconds:
      missedRuns === 'Skip' ? Math.min(skippedAfterSeconds, startingDeadlineSeconds ?? Infinity) : startingDeadlineSeconds,
  }
}

/** A CronJob knows Sunday as 0 only: `5-7` and `FRI-SUN` become `5,6,0`. */
function asCronJobReads(expression: string): string {
  const fields = expression.trim().split(/\s+/u)
  const weekdays = fields[4]
  if (fields.length !== 5 || weekdays === undefined || !/(?:^|[,-])7|-SUN/iu.test(weekdays)) return expression
  return [...fields.slice(0, 4), weekdays.split(',').map(withoutSeven).join(',')].join(' ')
}

function withoutSeven(entry: string): string {
  const { first = '', last, step = '1' } = /^(?<first>[^-/]+)(?:-(?<last>[^/]+))?(?:\/(?<step>\d+))?$/u.exec(entry)?.groups ?? {}
  if (last === undefined) return first === '7' ? entry.replace('7', '0') : entry
  const from = Number.isNaN(Number(first)) ? weekdayNames.indexOf(first.toUpperCase()) : Number(first)
  const endsWithWeek = last === '7' || (last.toUpperCase() === 'SUN' && from > 0)
  if (!endsWithWeek) return entry
  const days = Array.from({ length: 8 - from }, (_, index) => from + index).filter((day) => (day - from) % Number(step) === 0)
  return [...new Set(days.map((day) => day % 7))].join(',')
}

const weekdayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

/** Clocks are looked at for ten years from here on: not from now, so that lint and the operator give the same answer. */
const reference: Slot = Date.UTC(2027, 0) / 1000

/** Reports what only shows in the template and on the clocks. */
export function findCronJobFaults(
  schedule: TaskSchedule,
  timing: Timing,
  faults: PushFaults<'InvalidSchedule' | 'InvalidExpression'>,
): void {
  const { spec } = schedule
  if (spec.engine !== 'CronJob') return
  if (spec.job !== undefined) findSlotUses(spec.job, faults)
  if (!('schedules' in timing)) return
  const conflict = findClockConflict(timing, timing.dst ?? defaultClockRule, cronJobClockRule, reference)
  if (conflict === undefined) return
  const [expression = ''] = spec.schedules ?? []
  const remedy =
    'Write dst: {gap: Skip, overlap: Both}, which is what a CronJob does, or another time, or set engine: Taskmill to keep one run on each day'
  faults.push({
    reason: 'InvalidSchedule',
    field: 'spec.schedules[0]',
    message: `${conflictWords(expression, spec.timeZone, conflict)}. ${remedy}`,
  })
}

function conflictWords(expression: string, timeZone: string, { kind, date }: ClockConflict): string {
  const named = JSON.stringify(expression)
  return kind === 'Gap'
    ? `on ${date}, clocks in ${timeZone} skip a time of ${named}: a CronJob starts nothing then, but without dst the run is due at the end of the gap`
    : `on ${date}, clocks in ${timeZone} show a time of ${named} twice: a CronJob starts it both times, but without dst only the first is due`
}

/** A CronJob has one template for all of its Jobs. */
function findSlotUses(job: JobTemplate, faults: PushFaults<'InvalidExpression'>): void {
  const compiled = compileJobTemplate(job, 'spec.job', { variables: ['slot'] })
  if (!compiled.ok) return
  for (const { field } of compiled.template.uses) {
    const message =
      'uses slot, but a CronJob has one template for all slots. Set engine: Taskmill, or let the container read the end of its label ' +
      'batch.kubernetes.io/job-name, which is the slot in minutes since 1970'
    faults.push({ reason: 'InvalidExpression', field, message })
  }
}
