import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, listMap, object, openObject, optional, set, string } from '../schema/index.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { jobTemplateOf } from './job-template.ts'
import { overrideDescription, overrideFields } from './override.ts'
import { maxLabelValueLength, requiredRef } from './references.ts'
import { taskScheduleConditions, taskScheduleEvents } from './task-schedule-reasons.ts'
import { taskTemplate } from './task-template.ts'

const maxCount = Number.MAX_SAFE_INTEGER
const yearSeconds = 366 * 86_400

const brokerRef = object({
  description: 'The TaskBroker, in the same namespace, that holds the queue and the ledger of this schedule.',
  default: {},
  immutable: 'brokerRef cannot be changed: the ledger would be left behind. Create another TaskSchedule for the other broker.',
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
    suspend: boolean({ description: 'Instead of suspend: true stops the dispatch, false lets a suspended schedule run for a while.' }),
  },
})

const spec = object({
  description: 'When something runs, and under which policies. A change never fires slots of the past.',
  rules: [
    {
      rule: 'has(self.schedules) != has(self.everySeconds)',
      message: 'exactly one of schedules, everySeconds must be set',
      fieldPath: '.schedules',
    },
    {
      rule: "!has(self.everySeconds) || self.timeZone == 'UTC'",
      message: 'timeZone goes with schedules only: everySeconds counts from 1970-01-01T00:00:00Z, the same everywhere. Remove timeZone',
      fieldPath: '.timeZone',
    },
    {
      rule: '[has(self.task), has(self.job), has(self.dependencyRef)].exists_one(isSet, isSet)',
      message: 'exactly one of task, job, dependencyRef must be set',
      fieldPath: '.task',
    },
    {
      rule: '!has(self.parameters) || has(self.dependencyRef)',
      message: 'parameters go with dependencyRef only; a task has its payload, a job its args. Remove parameters',
      fieldPath: '.parameters',
    },
  ],
  fields: {
    brokerRef,
    schedules: optional(
      set({
        description:
          'Cron expressions of 5 or 6 fields (the sixth, in front, is seconds), with names (MON, JAN), L, W, #, or @hourly, @daily, @weekly, @monthly, @yearly. ' +
          'A moment that several of them name is one slot.',
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
    timeZone: string({
      description: 'IANA time zone in which schedules are meant.',
      minLength: 1,
      maxLength: 64,
      default: 'UTC',
      example: 'Europe/Berlin',
    }),
    suspend: boolean({
      description: 'True: no slot is dispatched. Slots that fall due meanwhile are counted as missed (Suspended) and never made up for.',
      default: false,
    }),
    concurrencyPolicy: enumeration({
      description:
        'Whether a slot is dispatched while a run of this schedule is active, which it is from its dispatch to its final outcome, retries included. With Forbid the slot is missed (Overlap).',
      values: ['Allow', 'Forbid'],
      default: 'Allow',
    }),
    missedRuns: enumeration({
      description:
        'What becomes of slots that were not dispatched in time, after an outage for example. Latest: the newest of them runs. Skip: none that is later than 30 s runs. All: they all run, in order, up to missedRunsLimit; with Forbid the first of them, while it runs the others are Overlap.',
      values: ['Latest', 'Skip', 'All'],
      default: 'Latest',
    }),
    missedRunsLimit: integer({
      description: 'With missedRuns All: as many run at most, the newest ones; the others are counted as missed (TooManyMissed).',
      minimum: 1,
      maximum: 100,
      default: 10,
    }),
    startingDeadlineSeconds: deadline(
      'How late a slot may still be dispatched; later it is counted as missed (StartingDeadlineExceeded). Without it: however late.',
    ),
    pendingDeadlineSeconds: deadline(
      'A run that no worker has started so long after its dispatch is taken back and counts as failed, which frees a schedule with Forbid; of a graph: that has not begun; of a Kubernetes Job: of which no pod is up.',
    ),
    runDeadlineSeconds: deadline(
      'A run that has not ended so long after the start of its current attempt, of a graph or a Kubernetes Job after its begin, counts as failed, which frees a schedule with Forbid. The run itself goes on.',
    ),
    deletionPolicy: enumeration({
      description:
        'What becomes of its runs when this TaskSchedule is deleted. Delete: jobs that have not started are removed with its ledger, and its TaskExecutions and Kubernetes Jobs are deleted, which cancels those that run. Orphan: all of it stays, and a TaskSchedule of the same name continues.',
      values: ['Delete', 'Orphan'],
      default: 'Delete',
    }),
    engine: enumeration({
      description: 'Who dispatches the slots. Taskmill: the operator, each slot exactly once.',
      values: ['Taskmill'],
      default: 'Taskmill',
    }),
    task: optional(taskTemplate),
    job: optional(
      jobTemplateOf({
        description: 'The Kubernetes Job that is created for each slot, at its time.',
        names: '`$(slot)` stands for the slot in RFC 3339, and any CEL expression over it may stand in its place;',
      }),
    ),
    dependencyRef: optional(
      requiredRef({
        description:
          'The TaskDependency, in the same namespace, whose graph is run at each slot: by a TaskExecution of its own, which is deleted a day after its end.',
        what: 'TaskDependency',
      }),
    ),
    parameters: optional(
      openObject({
        description:
          'Values that are merged over the parameters of the graph. In their texts, nested ones too, `$(slot)` stands for the slot in RFC 3339, and any CEL expression over it may stand in its place; `$$(` stands for `$(`.',
        example: { day: '$(slot)' },
        fields: {},
      }),
    ),
    override: optional(override),
  },
})

const text = (description: string, maxLength: number) => optional(string({ description, maxLength }))
const moment = (description: string) => optional(dateTime({ description }))
const count = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

const status = object({
  description: 'What became of the slots, as the ledger in the broker says. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    schedule: text('The expressions, or the interval, as one text; a column of kubectl get.', 4608),
    timeZone: text('The time zone in which schedules are meant; missing with everySeconds.', 64),
    nextRuns: optional(
      set({ description: 'The next slots, at most five.', maxItems: 5, items: dateTime({ description: 'A slot to come.' }) }),
    ),
    next: text('The next slot, to the minute where it is one; a column of kubectl get.', 32),
    activeRuns: count('Runs that were dispatched and have no final outcome yet.'),
    lastScheduleTime: moment('The newest slot that was dispatched.'),
    lastSuccessTime: moment('When a run succeeded last.'),
    lastFailureTime: moment('When a run failed for good last.'),
    lastFailureMessage: text('What that run said.', 2048),
    lastResult: optional(enumeration({ description: 'Outcome of the run that ended last.', values: ['Succeeded', 'Failed'] })),
    consecutiveFailures: count('Runs that failed since the last one that succeeded.'),
    missedRuns: optional(
      listMap({
        description: 'Slots that were not dispatched, by reason, since the ledger began.',
        keys: ['reason'],
        maxItems: 16,
        items: object({
          description: 'One reason.',
          fields: {
            reason: string({ description: 'Why: Overlap, Suspended, Superseded, Skipped, and so on.', minLength: 1, maxLength: 64 }),
            count: integer({ description: 'How many slots.', minimum: 0, maximum: maxCount }),
            lastSlotTime: dateTime({ description: 'The newest of them.' }),
          },
        }),
      }),
    ),
    reason: text('The one reason among the conditions that matters most now; a column of kubectl get.', 1024),
  },
})

export const taskSchedule = declareKind({
  kind: 'TaskSchedule',
  plural: 'taskschedules',
  singular: 'taskschedule',
  shortNames: ['tsch'],
  description:
    'A TaskSchedule adds a job to a queue, creates a Kubernetes Job or runs a graph at each of its slots, exactly once per slot, whatever happens to the operator meanwhile, and says what became of the runs.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Schedule', type: 'string', jsonPath: '.status.schedule', description: 'When it runs.' },
    { name: 'TZ', type: 'string', jsonPath: '.status.timeZone', description: 'In which time zone.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.activeRuns', description: 'Runs without a final outcome.' },
    { name: 'Last', type: 'date', jsonPath: '.status.lastScheduleTime', description: 'Since when the newest dispatched slot was due.' },
    { name: 'Result', type: 'string', jsonPath: '.status.lastResult', description: 'Outcome of the run that ended last.' },
    { name: 'Fails', type: 'integer', jsonPath: '.status.consecutiveFailures', description: 'Failures since the last success.' },
    { name: 'Next', type: 'string', jsonPath: '.status.next', description: 'The next slot.' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'The reason that matters most now.' },
  ],
  spec,
  status,
  conditions: taskScheduleConditions,
  events: taskScheduleEvents,
})

export type TaskSchedule = ObjectOf<typeof taskSchedule>
export type TaskScheduleSpec = Infer<typeof spec>
export type TaskScheduleStatus = Infer<typeof status>

export const taskSchedules: Resource<TaskSchedule> = resourceOf(taskSchedule)
