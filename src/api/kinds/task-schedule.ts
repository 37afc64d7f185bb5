import { exactlyOneOf, memberOf, type Member, namesOf } from '../members.ts'
import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, object, openObject, optional, set, string } from '../schema/index.ts'
import { declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { calendars } from './calendars.ts'
import { cronJobRules } from './cron-job-rules.ts'
import { jobSchedulerRules } from './job-scheduler-rules.ts'
import { jobTemplateOf } from './job-template.ts'
import { overrideDescription, overrideFields } from './override.ts'
import { maxLabelValueLength, requiredRef } from './references.ts'
import { taskScheduleConditions, taskScheduleEvents } from './task-schedule-reasons.ts'
import { taskScheduleStatus } from './task-schedule-status.ts'
import { taskTemplate } from './task-template.ts'

const yearSeconds = 366 * 86_400

const brokerRef = object({
  description: 'The TaskBroker, in the same namespace, that holds the queue and the ledger of this schedule.',
  default: {},
  immutable: 'brokerRef cannot be changed: the ledger would stay behind. Create another TaskSchedule for the other broker.',
  fields: {
    name: string({
      description: 'Name of the TaskBroker.',
      minLength: 1,
      maxLength: maxLabelValueLength,
      pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
      default: 'default',
    }),
  },
})

const deadline = (description: string) => optional(integer({ description, minimum: 1, maximum: yearSeconds }))

const override = object({
  description: overrideDescription,
  fields: {
    ...overrideFields,
    suspend: boolean({ description: 'Replaces spec.suspend. true stops the dispatch; false lets a suspended schedule run for a while.' }),
  },
})

/** When slots are due: one of them is set. */
const timings = {
  schedules: optional(
    set({
      description:
        'Cron expressions as of a CronJob: minute, hour, day of month, month, day of week. Also possible: seconds in front; L, W, # for days; ' +
        'and H for a value that follows from the name of the TaskSchedule, so that schedules spread (status.schedule shows it). A time that several expressions name is one slot. On days on which clocks change, a time of day is due once, when clocks ' +
        'first reach or pass it; what names every hour keeps its pace.',
      minItems: 1,
      maxItems: 16,
      items: string({ description: 'One cron expression.', minLength: 1, maxLength: 256, example: '0 1 * * 0' }),
    }),
  ),
  everySeconds: optional(
    integer({
      description: 'Seconds between two slots, counted from 1970-01-01T00:00:00Z: 900 means at minutes 0, 15, 30 and 45.',
      minimum: 1,
      maximum: yearSeconds,
    }),
  ),
  at: optional(
    set({
      description:
        'Single times, instead of a rule: each of them is one slot, and after the last one the schedule is Completed. A time that has passed ' +
        'when it is applied never fires.',
      minItems: 1,
      maxItems: 100,
      items: dateTime({ description: 'One time, to the second.', example: '2026-12-24T18:00:00+01:00' }),
    }),
  ),
} as const

/** What a slot starts: one of them is set. */
const slotStarts = {
  task: optional(taskTemplate),
  job: optional(
    jobTemplateOf({
      description: 'The Kubernetes Job that is created for each slot, when it is due.',
      names: '`$(slot)` is the time of the slot in RFC 3339, and any CEL expression over it can be used;',
    }),
  ),
  dependencyRef: optional(
    requiredRef({
      description:
        'The TaskDependency, in the same namespace, whose graph runs at each slot, by a TaskExecution of its own. It is deleted a day after ' +
        'its end.',
      what: 'TaskDependency',
    }),
  ),
} as const

const spec = object({
  description: 'When something runs, and under which policies. A change never fires slots of the past.',
  rules: [
    ...cronJobRules,
    ...jobSchedulerRules,
    exactlyOneOf(timings, '.schedules'),
    {
      rule: "has(self.schedules) || has(self.calendars) || self.timeZone == 'UTC'",
      message:
        'timeZone goes with schedules and calendars only: everySeconds counts from 1970-01-01T00:00:00Z in every time zone, and each time in at ' +
        'has its own offset. Remove timeZone',
      fieldPath: '.timeZone',
    },
    {
      rule: '!has(self.offsetSeconds) || has(self.everySeconds)',
      message: 'offsetSeconds goes with everySeconds only; a cron expression names its minutes and seconds. Remove offsetSeconds',
      fieldPath: '.offsetSeconds',
    },
    {
      rule: '!has(self.offsetSeconds) || !has(self.everySeconds) || self.offsetSeconds < self.everySeconds',
      message: 'offsetSeconds must be below everySeconds, because it shifts each slot within its interval. Write 0 to everySeconds - 1',
      fieldPath: '.offsetSeconds',
    },
    {
      rule: '!has(self.jitterSeconds) || !has(self.everySeconds) || self.jitterSeconds < self.everySeconds',
      message: 'jitterSeconds must be below everySeconds, because a run is due before the next slot. Write 0 to everySeconds - 1',
      fieldPath: '.jitterSeconds',
    },
    {
      rule: '!has(self.dst) || has(self.schedules)',
      message: 'dst goes with schedules only: no change of clocks moves everySeconds and at. Remove dst',
      fieldPath: '.dst',
    },
    {
      rule: '!has(self.startTime) || !has(self.at)',
      message: 'startTime does not go with at: leave out the times before it instead. Remove startTime',
      fieldPath: '.startTime',
    },
    {
      rule: '!has(self.endTime) || !has(self.at)',
      message: 'endTime does not go with at: leave out the times after it instead. Remove endTime',
      fieldPath: '.endTime',
    },
    {
      rule: '!has(self.startTime) || !has(self.endTime) || timestamp(self.startTime) < timestamp(self.endTime)',
      message: 'endTime must be after startTime, because slots are due between them. Write a later endTime, or an earlier startTime',
      fieldPath: '.endTime',
    },
    exactlyOneOf(slotStarts, '.task'),
    {
      rule: "!has(self.queueLimit) || self.concurrencyPolicy == 'Queue'",
      message:
        'queueLimit goes with concurrencyPolicy Queue only: no slot waits otherwise. Remove queueLimit, or set concurrencyPolicy: Queue',
      fieldPath: '.queueLimit',
    },
    {
      rule: "!has(self.concurrencyGroup) || self.concurrencyPolicy == 'Queue'",
      message:
        'with concurrencyGroup slots wait for room in the group, which they do with concurrencyPolicy Queue only. Set concurrencyPolicy: Queue, ' +
        'or remove concurrencyGroup',
      fieldPath: '.concurrencyGroup',
    },
    {
      rule: "!has(self.dependsOnPast) || !self.dependsOnPast || self.concurrencyPolicy == 'Queue'",
      message:
        'with dependsOnPast slots wait for the run before them, which they do with concurrencyPolicy Queue only. Set concurrencyPolicy: Queue, or ' +
        'remove dependsOnPast',
      fieldPath: '.dependsOnPast',
    },
    {
      rule: "self.concurrencyPolicy != 'Replace' || self.missedRuns != 'All'",
      message:
        'with concurrencyPolicy Replace only the newest slot runs, so missedRuns All has no effect. Set missedRuns: Latest, or concurrencyPolicy: ' +
        'Queue to run them all',
      fieldPath: '.missedRuns',
    },
    {
      rule: '!has(self.onDeadline) || has(self.runDeadlineSeconds)',
      message: 'onDeadline says what runDeadlineSeconds does to a run, and that is not set. Set runDeadlineSeconds, or remove onDeadline',
      fieldPath: '.onDeadline',
    },
    {
      rule: '!has(self.parameters) || has(self.dependencyRef)',
      message: 'parameters go with dependencyRef only; a task has its payload, a job its args. Remove parameters',
      fieldPath: '.parameters',
    },
  ],
  fields: {
    brokerRef,
    ...timings,
    offsetSeconds: optional(
      integer({
        description:
          'Shifts all slots of everySeconds by this time, so that schedules with one interval do not start together: with everySeconds 900 ' +
          'and offsetSeconds 60, slots are at minutes 1, 16, 31 and 46. It is below everySeconds.',
        minimum: 0,
        maximum: yearSeconds,
      }),
    ),
    jitterSeconds: optional(
      integer({
        description:
          'Delays each run by 0 to this many seconds, so that schedules with the same slots do not start together. The delay of a slot follows from ' +
          'the slot and the name of the TaskSchedule: it looks random, is the same in each process, and ends before the next slot. status.nextRuns has it in. ' +
          'The slot itself, $(slot) and the names of runs stay as they are. startingDeadlineSeconds counts from the end of the delay.',
        minimum: 0,
        maximum: yearSeconds,
      }),
    ),
    timeZone: string({
      description: 'IANA time zone of the schedules and the calendars. Offsets such as +02:00 are refused.',
      minLength: 1,
      maxLength: 64,
      default: 'UTC',
      example: 'Europe/Berlin',
    }),
    calendars: optional(calendars),
    dst: optional(
      object({
        description:
          'What happens to times of day on days on which the clocks of timeZone change. For schedules that name some hours. An expression that ' +
          'names every hour keeps its pace in real time, whatever this says.',
        fields: {
          gap: enumeration({
            description: 'A time that clocks skip. RunAfterGap: it is due at the end of the gap. Skip: it is not due on that day.',
            values: ['RunAfterGap', 'Skip'],
            default: 'RunAfterGap',
          }),
          overlap: enumeration({
            description: 'A time that clocks show twice. First: it is due the first time only. Both: it is due both times.',
            values: ['First', 'Both'],
            default: 'First',
          }),
        },
      }),
    ),
    startTime: optional(
      dateTime({ description: 'The first moment at which a slot can be due. Earlier ones are not due, and do not count as missed.' }),
    ),
    endTime: optional(
      dateTime({
        description:
          'The last moment at which a slot can be due. After the last slot the schedule is Completed: nothing more is dispatched, and the ' +
          'object stays. A later endTime continues it from now on.',
      }),
    ),
    maxRuns: optional(
      integer({
        description:
          'After so many dispatched slots the schedule is Completed. status.dispatchedRuns counts them since the ledger was created, however ' +
          'their runs end; missed slots and runs by hand do not count. A higher value continues the schedule from now on.',
        minimum: 1,
        maximum: 2 ** 31 - 1,
      }),
    ),
    suspend: boolean({
      description: 'True: no slot is dispatched. Slots that are due meanwhile count as missed (Suspended) and are never caught up.',
      default: false,
    }),
    concurrencyPolicy: enumeration({
      description:
        'Whether a slot is dispatched while a run of this schedule is active. A run is active from its dispatch to its final outcome, ' +
        'including retries. Allow: it is. Forbid: the slot is missed (Overlap). Replace: the active run is ' +
        'cancelled as far as possible (see onDeadline), and the slot is dispatched; the replaced run has neither succeeded nor failed. Queue: ' +
        'the slot waits until no run is active, behind earlier ' +
        'slots, at most queueLimit of them.',
      values: ['Allow', 'Forbid', 'Replace', 'Queue'],
      default: 'Allow',
    }),
    queueLimit: optional(
      integer({
        description:
          'With concurrencyPolicy Queue: how many slots may wait. A slot that is due when so many wait is missed (QueueFull). Default: 10.',
        minimum: 1,
        maximum: 100,
      }),
    ),
    concurrencyGroup: optional(
      object({
        description:
          'With concurrencyPolicy Queue: a limit over several schedules. All TaskSchedules of this namespace and TaskBroker that name the same ' +
          'group have at most `limit` active runs together. A due slot that finds no room waits; room goes to the oldest slot. Runs by hand and ' +
          'backfills do not count.',
        fields: {
          name: string({
            description: 'Name of the group: lower-case letters, digits and hyphens. Nothing else declares it.',
            minLength: 1,
            maxLength: 63,
            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
            example: 'warehouse',
          }),
          limit: integer({
            description:
              'How many runs of the group may be active. Write the same number in all its schedules: if they differ, the lowest counts (condition ' +
              'GroupLimitDiffers).',
            minimum: 1,
            maximum: 1000,
          }),
        },
      }),
    ),
    dependsOnPast: optional(
      boolean({
        description:
          'With concurrencyPolicy Queue. True: a slot also waits until the run before it has succeeded. After a failure, the slots continue ' +
          'when a run by hand succeeds (taskmill run tsch/NAME), or when dependsOnPast is set to false.',
      }),
    ),
    missedRuns: enumeration({
      description:
        'What happens to slots that were not dispatched in time, for example after an outage. Latest: the newest of them runs. Skip: none ' +
        'that is more than 30 s late runs. All: they all run, in order, up to missedRunsLimit; with Forbid only the first runs, and slots ' +
        'that are due while it runs are missed (Overlap); with Queue they wait for each other.',
      values: ['Latest', 'Skip', 'All'],
      default: 'Latest',
    }),
    missedRunsLimit: integer({
      description:
        'With missedRuns All: the highest number of late slots that run: the newest ones. The others count as missed (TooManyMissed).',
      minimum: 1,
      maximum: 100,
      default: 10,
    }),
    startingDeadlineSeconds: deadline(
      'How late a slot may still be dispatched. After that it counts as missed (StartingDeadlineExceeded), also if it waits with Queue. ' +
        'Without it: however late.',
    ),
    pendingDeadlineSeconds: deadline(
      'If no worker starts a run within this time after its dispatch, Taskmill removes the run and counts it as failed, so that a ' +
        'schedule with Forbid or Queue can continue. A graph has started when its first node has; a Kubernetes Job when a pod is running. ' +
        'Without it, a Kubernetes Job of a schedule with Forbid or Queue has 900 s, unless one of its containers has run or its spec.suspend is true; ' +
        'other runs wait for ever.',
    ),
    runDeadlineSeconds: deadline(
      'If a run does not end within this time after the start of its current attempt (a graph or a Kubernetes Job: after its start), it ' +
        'counts as failed, so that a schedule with Forbid or Queue can continue. What happens to the run: onDeadline.',
    ),
    onDeadline: optional(
      enumeration({
        description:
          'What happens to a run that exceeds runDeadlineSeconds. Abandon: it continues, and its end no longer counts. Cancel: Taskmill ' +
          'deletes a Kubernetes Job, cancels a graph, and removes a job that waits in its queue; a job that is active in a worker cannot be ' +
          'stopped and continues. Default: Abandon.',
        values: ['Abandon', 'Cancel'],
      }),
    ),
    deletionPolicy: enumeration({
      description:
        'What happens to its runs when this TaskSchedule is deleted. Delete: Taskmill removes the jobs that have not started and the ' +
        'ledger, and deletes its TaskExecutions and Kubernetes Jobs, which cancels running ones. Orphan: everything stays, and a ' +
        'TaskSchedule of the same name continues.',
      values: ['Delete', 'Orphan'],
      default: 'Delete',
    }),
    engine: enumeration({
      description:
        'Who starts the runs. Taskmill: the operator, each slot exactly once. CronJob: a CronJob of the same name, which the operator ' +
        'creates from job and keeps in step; it follows the Jobs into the same status. BullMQ: a job scheduler of the same name in task.queue, ' +
        'made from task, likewise. A change of the engine loses and doubles no slot.',
      values: ['Taskmill', 'CronJob', 'BullMQ'],
      default: 'Taskmill',
    }),
    driftPolicy: optional(
      enumeration({
        description:
          'With another engine than Taskmill: what happens when a user edits the CronJob or job scheduler. Repair: the operator writes what this TaskSchedule ' +
          'says. Report: it leaves the edit, and the condition Drifted says what differs. One that is gone is created again. Default: Repair.',
        values: ['Repair', 'Report'],
      }),
    ),
    ...slotStarts,
    parameters: optional(
      openObject({
        description:
          'Values that are merged into the parameters of the graph. In their texts, also nested ones, `$(slot)` is the time of the slot in ' +
          'RFC 3339, and any CEL expression over it can be used; write `$$(` for `$(`.',
        example: { day: '$(slot)' },
        fields: {},
      }),
    ),
    override: optional(override),
  },
})

export const taskSchedule = declareKind({
  kind: 'TaskSchedule',
  plural: 'taskschedules',
  singular: 'taskschedule',
  shortNames: ['tsch'],
  referredBy: ['scheduleRef'],
  description:
    'A TaskSchedule adds a job to a queue, creates a Kubernetes Job or runs a graph at each of its slots. It does so exactly once per ' +
    'slot, even if the operator restarts, and records the outcome of each run.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Schedule', type: 'string', jsonPath: '.status.schedule', description: 'When it runs.' },
    { name: 'TZ', type: 'string', jsonPath: '.status.timeZone', description: 'In which time zone.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.activeRuns', description: 'Runs without a final outcome.' },
    { name: 'Last', type: 'date', jsonPath: '.status.lastScheduleTime', description: 'Time since the newest dispatched slot was due.' },
    { name: 'Result', type: 'string', jsonPath: '.status.lastResult', description: 'Outcome of the run that ended last.' },
    { name: 'Fails', type: 'integer', jsonPath: '.status.consecutiveFailures', description: 'Failures since the last success.' },
    { name: 'Next', type: 'string', jsonPath: '.status.next', description: 'When the next run is due.' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'The most important reason.' },
  ],
  spec,
  status: taskScheduleStatus,
  conditions: taskScheduleConditions,
  events: taskScheduleEvents,
})

export type TaskSchedule = ObjectOf<typeof taskSchedule>
export type TaskScheduleSpec = Infer<typeof spec>
export type TaskScheduleStatus = Infer<typeof taskScheduleStatus>

export const taskSchedules: Resource<TaskSchedule> = resourceOf(taskSchedule)

export type SlotStartName = keyof typeof slotStarts

/** What the slots of a schedule start. */
export function slotStartOf(own: TaskScheduleSpec): Member<TaskScheduleSpec, SlotStartName> {
  return memberOf(own, namesOf(slotStarts))
}

/** When its slots are due. */
export function timingMemberOf(own: TaskScheduleSpec): Member<TaskScheduleSpec, keyof typeof timings> {
  return memberOf(own, namesOf(timings))
}
