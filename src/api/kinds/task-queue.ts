import type { Resource } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { boolean, dateTime, enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { alertingCondition } from './alerting-condition.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { overriddenCondition, overrideEvents, overrideDescription, overrideFields } from './override.ts'
import { maxLabelValueLength } from './references.ts'

const policyConflict =
  'Another TaskQueue, which is older or has the earlier name, configures this queue. Nothing of this one is applied. Delete one of ' +
  'the two; the message names the other.'
const settingsUnreadable =
  'A later version of Taskmill recorded the settings of the queue in a form that this version cannot read. Nothing is applied. Run ' +
  'the version that wrote it.'

const taskQueueConditions = {
  Ready: {
    meaning: 'Whether the declared settings are applied to the queue. It does not depend on how jobs end.',
    reasons: {
      Applied: { status: 'True', meaning: 'The declared settings are applied.' },
      Suspended: {
        status: 'True',
        meaning: 'The declared settings are applied: the queue is paused until spec.suspend is false or the override ends.',
      },
      Standby: {
        status: 'True',
        meaning:
          'Another cluster on the same broker configures the queue, or spec.dispatch of the TaskBroker is Standby. Nothing is applied.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the operator then continues by itself.',
      },
      BrokerNotUsable: {
        status: 'False',
        meaning: 'A Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning:
          'The broker does not answer, so nothing can be applied. Settings that were applied stay in effect. `kubectl describe tmb` says why.',
      },
      PolicyConflict: { status: 'False', meaning: policyConflict },
      SettingsUnreadable: { status: 'False', meaning: settingsUnreadable },
    },
  },
  Reconciling: {
    meaning: 'Present only while True: the operator is applying the spec and needs no help.',
    reasons: {
      WaitingForBroker: {
        status: 'True',
        meaning: 'The broker is missing or does not answer. The operator continues by itself when it answers.',
      },
      WaitingForDispatch: { status: 'True', meaning: 'The operator is claiming the dispatch lease of this namespace at the broker.' },
    },
  },
  Stalled: {
    meaning: 'Present only while True: the spec cannot be applied until a user changes something.',
    reasons: {
      PolicyConflict: { status: 'True', meaning: policyConflict },
      SettingsUnreadable: { status: 'True', meaning: settingsUnreadable },
    },
  },
  Drifted: {
    meaning: 'Whether the queue has a state that is not declared and that the operator leaves alone.',
    reasons: {
      PausedByOthers: {
        status: 'True',
        meaning:
          'Someone paused the queue by other means, and the operator does not undo that. Resume it where it was paused (bull-board, ' +
          'Queue.resume).',
      },
      AsDeclared: { status: 'False', meaning: 'The queue has the declared state.' },
    },
  },
  Overridden: overriddenCondition,
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

const taskQueueEvents = {
  QueueSuspended: { type: 'Normal', action: 'Suspend', meaning: 'The queue was paused. Running jobs end; no other job starts.' },
  QueueResumed: { type: 'Normal', action: 'Resume', meaning: 'The pause of this TaskQueue was removed.' },
  ConcurrencyChanged: {
    type: 'Normal',
    action: 'Limit',
    meaning: 'The global concurrency of the queue was changed; the note says from and to.',
  },
  DriftRepaired: {
    type: 'Warning',
    action: 'Repair',
    meaning:
      'Someone changed by other means what this TaskQueue declares (a resume, another concurrency); the operator restored it. Change the ' +
      'TaskQueue instead.',
  },
  PausedByOthers: {
    type: 'Warning',
    action: 'Watch',
    meaning: 'Someone paused the queue by other means. The operator leaves it paused; resume it where it was paused.',
  },
  PolicyConflict: { type: 'Warning', action: 'Apply', meaning: policyConflict },
  SettingsUnreadable: { type: 'Warning', action: 'Apply', meaning: settingsUnreadable },
  BrokerNotFound: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace.',
  },
  BrokerNotUsable: { type: 'Warning', action: 'Connect', meaning: 'A Secret that the TaskBroker names is missing or wrong.' },
  BrokerUnreachable: { type: 'Warning', action: 'Connect', meaning: 'The broker does not answer, so nothing can be applied.' },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `queueCondition('Ready', 'Applied', '…')`. */
export const queueCondition = conditionsOf(taskQueueConditions)
export const queueEvent = eventsOf(taskQueueEvents)

const maxCount = Number.MAX_SAFE_INTEGER
const yearSeconds = 366 * 86_400
/** A late retry of a slot or run must still find its ended job, or it would run it again. */
const leastRetentionSeconds = 600

const brokerRef = object({
  description: 'The TaskBroker, in the same namespace, that holds the queue.',
  default: {},
  immutable: 'brokerRef cannot be changed: the settings applied to the queue would stay behind. Create another TaskQueue.',
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
      description: `How long ${what} are kept, whoever added them. At least 10 minutes, because the jobs of schedules prevent a late retry from running a slot twice. A job can be removed earlier by the options that it was added with.`,
      minimum: leastRetentionSeconds,
      maximum: yearSeconds,
    }),
  )

const retention = object({
  description:
    'How long ended jobs stay in the queue. If a field is missing, the options of each job decide. When a job of a schedule ends, ' +
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
    suspend: boolean({ description: 'Replaces spec.suspend. true pauses the queue; false lets a suspended queue run for a while.' }),
  },
})

const spec = object({
  description: 'The settings of the queue, for all workers and producers.',
  fields: {
    brokerRef,
    queueName: string({
      description: 'Name of the BullMQ queue, as the producers write it. No colon, comma, braces or white space, and no dot at the start.',
      minLength: 1,
      maxLength: 128,
      pattern: '^[^.:,{}\\p{Z}\\x00-\\x1f\\x7f][^:,{}\\p{Z}\\x00-\\x1f\\x7f]*$',
      example: 'email_tasks',
      immutable: 'queueName cannot be changed: the settings applied to the queue would stay behind. Create another TaskQueue.',
    }),
    suspend: boolean({
      description:
        "True: the queue is paused, as by BullMQ's Queue.pause. Running jobs end, no other job starts, and producers can still add jobs. " +
        'While this is false, the operator shows a pause that someone else set, but leaves it alone.',
      default: false,
    }),
    maxConcurrency: optional(
      integer({
        description:
          "Highest number of jobs of the queue that run at the same time, over all workers: BullMQ's global concurrency. A WorkerPool scales " +
          'to no more replicas than that needs. If several pools consume the queue, each of them may scale that far, because any of them may ' +
          'get its jobs.',
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
  description: 'Content of the queue, and the settings in effect. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    ready: count('Jobs that could start now: waiting, prioritized and due delayed ones, rounded to three digits.'),
    active: count('Jobs that workers run.'),
    delayed: count('Jobs whose start time is in the future, rounded to three digits.'),
    failed: count('Jobs that failed for good and are still kept, rounded to three digits.'),
    oldestJobTime: optional(dateTime({ description: 'Since when the oldest job that could start waits. Missing when none waits.' })),
    arrivalsPerMinute: count(
      'Jobs added within the last minute, rounded to three digits, including those that BullMQ dropped as duplicates.',
    ),
    departuresPerMinute: count('Jobs that left within the last minute: succeeded, failed for good or removed; rounded to three digits.'),
    limit: count('The global concurrency that BullMQ applies, whoever set it. Missing when there is none.'),
    suspended: optional(
      enumeration({
        description:
          'Whether the queue is paused. No. Yes: by spec.suspend. Override: by spec.override. ByOthers: by someone else; the operator leaves ' +
          'it alone.',
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
    'A TaskQueue configures a BullMQ queue for all its workers: whether it is suspended, how many jobs run at once, and how long ended ' +
    'jobs are kept. A queue does not need a TaskQueue. Deleting a TaskQueue removes the settings that it applied, and nothing else.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Ready', type: 'integer', jsonPath: '.status.ready', description: 'Jobs that could start now.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.active', description: 'Jobs that workers run.' },
    { name: 'Delayed', type: 'integer', jsonPath: '.status.delayed', description: 'Jobs whose start time is in the future.' },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failed', description: 'Jobs that failed for good and are still kept.' },
    { name: 'Oldest', type: 'date', jsonPath: '.status.oldestJobTime', description: 'How long the oldest job that could start waits.' },
    { name: 'Limit', type: 'integer', jsonPath: '.status.limit', description: 'Highest number of jobs that run at once.' },
    { name: 'Suspended', type: 'string', jsonPath: '.status.suspended', description: 'Whether the queue is paused, and by whom.' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Whether the declared settings are applied.',
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
