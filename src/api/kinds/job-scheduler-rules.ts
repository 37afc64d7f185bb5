/** What a job scheduler of BullMQ cannot do, and what to write instead: rules of a TaskSchedule with the engine BullMQ. */
import type { ValidationRule } from '../schema/index.ts'

const isOther = "self.engine != 'BullMQ'"
const unknownFields = {
  calendars: 'a job scheduler leaves no slot out',
  jitterSeconds: 'a job scheduler delays no job',
  maxRuns: 'a job scheduler begins to count anew with each edit',
  startingDeadlineSeconds: 'a job scheduler starts a late run however late it is',
  pendingDeadlineSeconds: 'a job scheduler takes no run back',
  runDeadlineSeconds: 'a job scheduler ends no run',
} as const

export const jobSchedulerRules: readonly ValidationRule[] = [
  {
    rule: `${isOther} || has(self.task)`,
    message: 'a job scheduler adds jobs to a queue only. Set task instead of job or dependencyRef, or engine: Taskmill',
    fieldPath: '.engine',
  },
  {
    rule: `${isOther} || !has(self.at)`,
    message: 'a job scheduler knows no single times. Write schedules or everySeconds instead of at, or set engine: Taskmill',
    fieldPath: '.at',
  },
  {
    rule: `${isOther} || !has(self.schedules) || size(self.schedules) == 1`,
    message: 'a job scheduler has one expression. Write exactly one in schedules, or set engine: Taskmill',
    fieldPath: '.schedules',
  },
  ...Object.entries(unknownFields).map(([field, why]) => ({
    rule: `${isOther} || !has(self.${field})`,
    message: `${why}. Remove ${field}, or set engine: Taskmill`,
    fieldPath: `.${field}`,
  })),
  {
    rule: `${isOther} || !has(self.endTime) || !has(self.everySeconds)`,
    message:
      'with everySeconds, a job scheduler adds one more job after its end. Write schedules instead, remove endTime, or set engine: Taskmill',
    fieldPath: '.endTime',
  },
  {
    rule: `${isOther} || self.concurrencyPolicy == 'Allow'`,
    message: 'a job scheduler adds jobs whether others run or not. Set concurrencyPolicy: Allow, or engine: Taskmill',
    fieldPath: '.concurrencyPolicy',
  },
  {
    rule: `${isOther} || self.missedRuns == 'Latest'`,
    message: 'a job scheduler makes up for all missed slots with one run. Set missedRuns: Latest, or engine: Taskmill',
    fieldPath: '.missedRuns',
  },
  {
    rule: `${isOther} || !has(self.dst) || self.dst.gap == 'RunAfterGap' && self.dst.overlap == 'First'`,
    message: 'a job scheduler has a rule of its own for changes of clocks, which is near the default. Remove dst, or set engine: Taskmill',
    fieldPath: '.dst',
  },
]
