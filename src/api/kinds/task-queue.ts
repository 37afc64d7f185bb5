import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { conditionList, observedGeneration } from './condition-list.ts'
import { declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { overrideDescription, overrideFields } from './override.ts'
import { maxLabelValueLength } from './references.ts'
import { taskQueueConditions, taskQueueEvents } from './task-queue-reasons.ts'

const maxCount = Number.MAX_SAFE_INTEGER
const yearSeconds = 366 * 86_400
/** Ended jobs of schedules and runs are what a late repeat finds instead of running them again. */
const leastRetentionSeconds = 600

const brokerRef = object({
  description: 'The TaskBroker, in the same namespace, that holds the queue.',
  default: {},
  immutable: 'brokerRef cannot be changed: what was applied to the queue would be left behind. Create another TaskQueue.',
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

const age = (what: string) =>
  optional(
    integer({
      description:
        `How long ${what} are kept, whoever added them. Not shorter than 10 minutes, for those of schedules keep a late repeat from running them again. ` +
        'Jobs go as well when the options that they were added with say so.',
      minimum: leastRetentionSeconds,
      maximum: yearSeconds,
    }),
  )

const retention = object({
  description:
    'For how long jobs that have ended stay in the queue. What is left out is left to the options of the jobs. When a job of a schedule ends, ' +
    'BullMQ itself removes all completed jobs of its queue that are older than a day, and failed ones older than a week.',
  rules: [
    {
      rule: 'has(self.completedSeconds) || has(self.failedSeconds)',
      message: 'retention needs at least one of completedSeconds and failedSeconds',
    },
  ],
  fields: { completedSeconds: age('jobs that succeeded'), failedSeconds: age('jobs that failed for good') },
})

const override = object({
  description: overrideDescription,
  fields: {
    ...overrideFields,
    suspend: boolean({ description: 'Instead of suspend: true pauses the queue, false lets a suspended one be worked on for a while.' }),
  },
})

const spec = object({
  description: 'What holds for the queue, whoever works on it.',
  fields: {
    brokerRef,
    queueName: string({
      description: 'Name of the BullMQ queue, as the producers write it. No colon, comma, braces or white space, and no dot at the start.',
      minLength: 1,
      maxLength: 128,
      pattern: '^[^.:,{}\\p{Z}\\x00-\\x1f\\x7f][^:,{}\\p{Z}\\x00-\\x1f\\x7f]*$',
      example: 'email_tasks',
      immutable: 'queueName cannot be changed: what was applied to the queue would be left behind. Create another TaskQueue.',
    }),
    suspend: boolean({
      description:
        "True: the queue is paused, as by BullMQ's Queue.pause. Running jobs end, no other starts, jobs can be added. A pause by somebody else is " +
        'left alone while this is false, and shown.',
      default: false,
    }),
    maxConcurrency: optional(
      integer({
        description:
          "Most jobs of the queue that run at the same time, over all workers: BullMQ's global concurrency. A WorkerPool asks for no more replicas than that needs; of several pools on the queue each does, since nobody can say beforehand which of them will run its jobs.",
        minimum: 1,
        maximum: 1_000_000,
      }),
    ),
    retention: optional(retention),
    override: optional(override),
  },
})

const count = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

const status = object({
  description: 'What is in the queue, and what holds for it. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    ready: count('Jobs that could run now and do not: waiting, prioritized and due delayed ones, rounded to three digits.'),
    active: count('Jobs that run.'),
    delayed: count('Jobs that are to run later, rounded to three digits.'),
    failed: count('Jobs that failed for good and are still kept, rounded to three digits.'),
    oldestJobTime: optional(dateTime({ description: 'Since when the oldest job that could run waits. Missing when none waits.' })),
    arrivalsPerMinute: count(
      'Jobs that were added within the last minute, rounded to three digits; also those that BullMQ took for duplicates.',
    ),
    departuresPerMinute: count('Jobs that left within the last minute: succeeded, failed for good or removed; rounded to three digits.'),
    limit: count('The global concurrency that BullMQ keeps to, whoever set it. Missing when there is none.'),
    suspended: optional(
      enumeration({
        description:
          'Whether the queue is paused: No; Yes, by spec.suspend; Override, by spec.override; ByOthers: by somebody else, which is left alone.',
        values: ['No', 'Yes', 'Override', 'ByOthers'],
      }),
    ),
  },
})

export const taskQueue = declareKind({
  kind: 'TaskQueue',
  plural: 'taskqueues',
  singular: 'taskqueue',
  shortNames: ['tq'],
  description:
    'A TaskQueue says what holds for a BullMQ queue whoever works on it: whether it is suspended, how many jobs run at once, how long ended ones ' +
    'are kept. A queue needs none. Deleting it takes back what it applied, and nothing else.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Ready', type: 'integer', jsonPath: '.status.ready', description: 'Jobs that could run now and do not.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.active', description: 'Jobs that run.' },
    { name: 'Delayed', type: 'integer', jsonPath: '.status.delayed', description: 'Jobs that are to run later.' },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failed', description: 'Jobs that failed for good and are kept.' },
    { name: 'Oldest', type: 'date', jsonPath: '.status.oldestJobTime', description: 'How long the oldest job waits that could run.' },
    { name: 'Limit', type: 'integer', jsonPath: '.status.limit', description: 'Most jobs that run at once.' },
    { name: 'Suspended', type: 'string', jsonPath: '.status.suspended', description: 'Whether the queue is paused, and by whom.' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Whether what is declared holds.',
      priority: 1,
    },
  ],
  spec,
  status,
  conditions: taskQueueConditions,
  events: taskQueueEvents,
})

export type TaskQueue = ObjectOf<typeof taskQueue>
export type TaskQueueSpec = Infer<typeof spec>
export type TaskQueueStatus = Infer<typeof status>

export const taskQueues: Resource<TaskQueue> = resourceOf(taskQueue)
