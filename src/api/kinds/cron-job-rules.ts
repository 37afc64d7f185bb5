/** What a CronJob cannot do, and what to write instead: rules of a TaskSchedule with the engine CronJob. */
import type { ValidationRule } from '../schema/index.ts'

export const cronJobRules: readonly ValidationRule[] = [
  {
    rule: "self.engine != 'CronJob' || has(self.job)",
    message: 'a CronJob creates Kubernetes Jobs only. Set job instead of task or dependencyRef, or engine: Taskmill',
    fieldPath: '.engine',
  },
  {
    rule: "self.engine != 'CronJob' || has(self.schedules) && size(self.schedules) == 1",
    message: 'a CronJob has one expression. Write exactly one in schedules, or set engine: Taskmill',
    fieldPath: '.schedules',
  },
  {
    rule:
      "self.engine != 'CronJob' || !has(self.schedules) || self.schedules.all(e, e.startsWith('@') || " +
      "e.matches('^\\\\s*\\\\S+\\\\s+\\\\S+\\\\s+[^\\\\sLWlw]+\\\\s+\\\\S+\\\\s+[^\\\\sLl#]+\\\\s*$'))",
    message:
      'a CronJob reads five fields without L, W and #: minute, hour, day of month, month, day of week. Write such an expression, or set ' +
      'engine: Taskmill',
    fieldPath: '.schedules',
  },
  ...(['calendars', 'startTime', 'endTime', 'maxRuns'] as const).map((field) => ({
    rule: `self.engine != 'CronJob' || !has(self.${field})`,
    message: `a CronJob knows no ${field}. Remove ${field}, or set engine: Taskmill`,
    fieldPath: `.${field}`,
  })),
  {
    rule: "self.engine != 'CronJob' || !has(self.jitterSeconds)",
    message: 'a CronJob knows no jitterSeconds. Write H for a field of schedules instead, or set engine: Taskmill',
    fieldPath: '.jitterSeconds',
  },
  {
    rule: "self.engine != 'CronJob' || self.concurrencyPolicy != 'Queue'",
    message: 'a CronJob lets no slot wait. Set concurrencyPolicy: Allow, Forbid or Replace, or engine: Taskmill',
    fieldPath: '.concurrencyPolicy',
  },
  {
    rule: "self.engine != 'CronJob' || self.missedRuns != 'All'",
    message: 'a CronJob makes up for the newest missed slot only. Set missedRuns: Latest or Skip, or engine: Taskmill',
    fieldPath: '.missedRuns',
  },
  ...(['pendingDeadlineSeconds', 'runDeadlineSeconds'] as const).map((field) => ({
    rule: `self.engine != 'CronJob' || !has(self.${field})`,
    message: `a CronJob knows no ${field}. Set job.spec.activeDeadlineSeconds instead, or engine: Taskmill`,
    fieldPath: `.${field}`,
  })),
  {
    rule: "self.engine != 'CronJob' || !has(self.dst) || self.dst.gap == 'Skip' && self.dst.overlap == 'Both'",
    message:
      'a CronJob skips times that clocks skip, and starts both of those that they show twice. Write dst: {gap: Skip, overlap: Both}, or set ' +
      'engine: Taskmill',
    fieldPath: '.dst',
  },
  {
    rule: "!has(self.driftPolicy) || self.engine != 'Taskmill'",
    message: 'driftPolicy goes with another engine only: with engine Taskmill there is nothing that could be edited. Remove driftPolicy',
    fieldPath: '.driftPolicy',
  },
]
