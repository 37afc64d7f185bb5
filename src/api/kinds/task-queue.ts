import type { Resource } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { boolean, dateTime, enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { alertingCondition } from './alerting-condition.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { overriddenCondition, overrideEvents, overrideDescription, overrideFields } from './override.ts'
import { maxLabelValueLength } from './references.ts'

const policyConflict =
  'Another TaskQueue that is older, or has the earlier name, decides about this queue. Nothing of this one is applied. Delete one of the two; the message names the other.'
const settingsUnreadable =
  'What was applied to the queue is recorded in a form that a later version wrote. Nothing is applied; run the version that wrote it.'

const taskQueueConditions = {
  Ready: {
    meaning: 'Whether what is declared holds for the queue. It never depends on how jobs end.',
    reasons: {
      Applied: { status: 'True', meaning: 'What is declared holds.' },
      Suspended: {
        status: 'True',
        meaning: 'What is declared holds: the queue is paused until spec.suspend is false, or the override ends.',
      },
      Standby: {
        status: 'True',
        meaning:
          'The queue is left to another cluster on the same broker, or spec.dispatch of the TaskBroker is Standby. Nothing is applied.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the queue goes on by itself.',
      },
      BrokerNotUsable: {
        status: 'False',
        meaning: 'The Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning: 'The broker does not answer, so nothing can be applied; what was applied goes on. `kubectl describe tmb` says why.',
      },
      PolicyConflict: { status: 'False', meaning: policyConflict },
      SettingsUnreadable: { status: 'False', meaning: settingsUnreadable },
    },
  },
  Reconciling: {
    meaning: 'There only while True: the operator is on its way to what is declared, and needs no help.',
    reasons: {
      WaitingForBroker: { status: 'True', meaning: 'The broker is missing or does not answer; the queue goes on by itself when it does.' },
      WaitingForDispatch: { status: 'True', meaning: 'The dispatch lease of this namespace is being claimed at the broker.' },
    },
  },
  Stalled: {
    meaning: 'There only while True: what is declared cannot hold until somebody changes something.',
    reasons: {
      PolicyConflict: { status: 'True', meaning: policyConflict },
      SettingsUnreadable: { status: 'True', meaning: settingsUnreadable },
    },
  },
  Drifted: {
    meaning: 'Whether the queue is in a state that is not declared and is left alone.',
    reasons: {
      PausedByOthers: {
        status: 'True',
        meaning: 'Somebody else paused the queue, and nothing here undoes that. Resume it where it was paused (bull-board, Queue.resume).',
      },
      AsDeclared: { status: 'False', meaning: 'The queue is as it is declared.' },
    },
  },
  Overridden: overriddenCondition,
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

const taskQueueEvents = {
  QueueSuspended: { type: 'Normal', action: 'Suspend', meaning: 'The queue was paused; running jobs end, no other starts.' },
  QueueResumed: { type: 'Normal', action: 'Resume', meaning: 'The pause of this TaskQueue was taken back.' },
  ConcurrencyChanged: {
    type: 'Normal',
    action: 'Limit',
    meaning: 'The global concurrency of the queue was changed; the note says from and to.',
  },
  DriftRepaired: {
    type: 'Warning',
    action: 'Repair',
    meaning:
      'Somebody else had changed what this TaskQueue declares (a resume, another concurrency); it holds again. Change the TaskQueue instead.',
  },
  PausedByOthers: {
    type: 'Warning',
    action: 'Watch',
    meaning: 'Somebody else paused the queue. It is left alone; resume it where it was paused.',
  },
  PolicyConflict: { type: 'Warning', action: 'Apply', meaning: policyConflict },
  SettingsUnreadable: { type: 'Warning', action: 'Apply', meaning: settingsUnreadable },
  BrokerNotFound: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace.',
  },
  BrokerNotUsable: { type: 'Warning', action: 'Connect', meaning: 'The Secret that the TaskBroker names is missing or wrong.' },
  BrokerUnreachable: { type: 'Warning', action: 'Connect', meaning: 'The broker does not answer, so nothing can be applied.' },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `queueCondition('Ready', 'Applied', '…')`. */
export const queueCondition = conditionsOf(taskQueueConditions)
export const queueEvent = eventsOf(taskQueueEvents)

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
