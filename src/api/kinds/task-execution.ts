import type { Resource } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { dateTime, enumeration, type Infer, integer, list, listMap, object, openObject, optional, string } from '../schema/index.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { jobTemplateOf } from './job-template.ts'
import { maxLabelValueLength, requiredRef } from './references.ts'
import { maxRunNodes, runOutcomes } from './task-dependency.ts'
import { taskTemplateOf } from './task-template.ts'

const failed = 'It cannot succeed any more: the message says which node failed and why. Correct that, and create another TaskExecution.'
const timedOut =
  'Its time was over before all nodes had ended. Look at the pool of the queue, or give it more time in another TaskExecution.'

const taskExecutionConditions = {
  Succeeded: {
    meaning: 'How the run ended: the reason is its state. Unknown while it has no outcome; the reason then says what it waits for.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'All required nodes succeeded.' },
      Skipped: { status: 'True', meaning: 'No node had to run: the conditions of all of them were false.' },
      Failed: { status: 'False', meaning: failed },
      TimedOut: { status: 'False', meaning: timedOut },
      Cancelled: { status: 'False', meaning: 'Somebody cancelled it, by spec.desiredState.' },
      Running: { status: 'Unknown', meaning: 'It is on its way; the message says what it waits for.' },
      Cancelling: { status: 'Unknown', meaning: 'Its jobs are being taken back; nothing new starts.' },
      SourceNotFound: {
        status: 'Unknown',
        meaning: 'The TaskSchedule or TaskDependency that it names does not exist. Create it; the run begins by itself.',
      },
      BrokerNotFound: {
        status: 'Unknown',
        meaning: 'Its TaskBroker does not exist. Create it in this namespace; the run goes on by itself.',
      },
      BrokerNotUsable: {
        status: 'Unknown',
        meaning: 'The Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'Unknown',
        meaning: 'The broker does not answer; what runs goes on, and the run too when it answers. `kubectl describe tmb` says why.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      Standby: {
        status: 'Unknown',
        meaning: 'Another cluster on the same broker dispatches here, or spec.dispatch of the TaskBroker is Standby.',
      },
      LogUnreadable: {
        status: 'Unknown',
        meaning:
          'The log of the run in the broker is damaged, or a later version wrote it. It is not written over; run the version that wrote it.',
      },
    },
  },
  Failed: {
    meaning: 'There only while True: the run ended without success.',
    reasons: { Failed: { status: 'True', meaning: failed }, TimedOut: { status: 'True', meaning: timedOut } },
  },
  Reconciling: {
    meaning: 'There only while True: the run has no outcome yet.',
    reasons: { InProgress: { status: 'True', meaning: 'It waits, or is on its way; Succeeded says which.' } },
  },
  Stalled: {
    meaning: 'There only while True: the run ended without success, so that tools which wait for it need not wait any longer.',
    reasons: { Failed: { status: 'True', meaning: failed }, TimedOut: { status: 'True', meaning: timedOut } },
  },
} as const satisfies ConditionRegistry

const taskExecutionEvents = {
  Started: { type: 'Normal', action: 'Run', meaning: 'The run began; the note says what it is a run of.' },
  Continued: {
    type: 'Normal',
    action: 'Run',
    meaning:
      'An object of the same name had begun a run, and its log is still in the broker (after a restored backup, or when it was deleted and created again while no operator ran): that run goes on, or its outcome is shown; nothing runs again.',
  },
  LedgerRegressed: {
    type: 'Warning',
    action: 'Run',
    meaning:
      'The broker knows less of the run than its status tells (it was restored from an older state, or keeps nothing). What came back is taken back, nothing is started again, and the run has failed.',
  },
  NodeFailed: { type: 'Warning', action: 'Run', meaning: 'A node failed or timed out; the note says which and why.' },
  Succeeded: { type: 'Normal', action: 'Run', meaning: 'The run succeeded.' },
  Skipped: { type: 'Normal', action: 'Run', meaning: 'The run ended, and no node had to run.' },
  Failed: { type: 'Warning', action: 'Run', meaning: 'The run failed; the note says why.' },
  TimedOut: { type: 'Warning', action: 'Run', meaning: 'The time of the run was over before all nodes had ended.' },
  Cancelled: { type: 'Normal', action: 'Cancel', meaning: 'The run was cancelled.' },
} as const satisfies EventRegistry

/** For example `executionCondition('Succeeded', 'Running', '…')`. */
export const executionCondition = conditionsOf(taskExecutionConditions)
export const executionEvent = eventsOf(taskExecutionEvents)

const maxCount = Number.MAX_SAFE_INTEGER
const maxTimeoutSeconds = 366 * 86_400

const spec = object({
  description: 'What is run, once. Once the run has begun only desiredState and ttlSecondsAfterFinished can be changed.',
  rules: [
    {
      rule: '[has(self.task), has(self.job), has(self.scheduleRef), has(self.dependencyRef)].exists_one(isSet, isSet)',
      message: 'exactly one of task, job, scheduleRef, dependencyRef must be set',
      fieldPath: '.task',
    },
    {
      rule: '!has(self.brokerRef) || has(self.task) || has(self.job)',
      message: 'brokerRef goes with task and job only: a schedule or a graph runs on its own broker. Remove brokerRef',
      fieldPath: '.brokerRef',
    },
    {
      rule: '!has(self.payload) || has(self.scheduleRef)',
      message: "payload goes with scheduleRef only, whose template's payload it changes; a task has its own, a graph has parameters",
      fieldPath: '.payload',
    },
    {
      rule: '!has(self.parameters) || has(self.dependencyRef)',
      message: 'parameters go with dependencyRef only. Remove parameters',
      fieldPath: '.parameters',
    },
    {
      rule: "self.desiredState == 'Cancelled' || oldSelf.desiredState == 'Running'",
      message: 'a run that was cancelled cannot go on. Create another TaskExecution',
      fieldPath: '.desiredState',
      reason: 'FieldValueForbidden',
    },
  ],
  fields: {
    brokerRef: optional(
      requiredRef({
        description:
          'The TaskBroker, in the same namespace, that holds the queue and the log of the run; the one named default where it is left out.',
        what: 'TaskBroker',
      }),
    ),
    task: optional(
      taskTemplateOf({
        description: 'The job that is added. Any BullMQ worker of the queue can run it.',
        names: '`$(slot)` stands for slotTime, and any CEL expression over it may stand in its place;',
      }),
    ),
    job: optional(
      jobTemplateOf({
        description: 'The Kubernetes Job that is created. It has no result.',
        names: '`$(slot)` stands for slotTime, and any CEL expression over it may stand in its place;',
      }),
    ),
    scheduleRef: optional(
      requiredRef({
        description:
          'The TaskSchedule, in the same namespace, whose task or graph is run now, also while it is suspended. It counts neither as one of its slots nor for its concurrencyPolicy.',
        what: 'TaskSchedule',
      }),
    ),
    dependencyRef: optional(
      requiredRef({ description: 'The TaskDependency, in the same namespace, whose graph is run.', what: 'TaskDependency' }),
    ),
    payload: optional(
      openObject({
        description:
          "Fields that are merged over the payload of the schedule's task, objects field by field. A schedule that starts a graph has none.",
        example: { retainDays: 1 },
        fields: {},
      }),
    ),
    parameters: optional(
      openObject({ description: 'Values that are merged over the parameters of the graph.', example: { retainDays: 1 }, fields: {} }),
    ),
    slotTime: optional(dateTime({ description: 'What $(slot) stands for; when the TaskExecution was created where it is left out.' })),
    timeoutSeconds: optional(
      integer({
        description: "Seconds from the begin of the run to its end; instead of the graph's own where it is a run of one.",
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    desiredState: enumeration({
      description:
        'Cancelled: what waits is taken back, nothing starts any more but the nodes of finally, and the run ends as Cancelled. A job that a worker runs goes on and does not count any more; a Kubernetes Job is deleted with its pods.',
      values: ['Running', 'Cancelled'],
      default: 'Running',
    }),
    ttlSecondsAfterFinished: optional(
      integer({
        description: 'Seconds after its end at which the TaskExecution is deleted; without it: never.',
        minimum: 0,
        maximum: maxTimeoutSeconds,
      }),
    ),
  },
})

/** What cannot be changed once a run has begun: what it was begun with. */
const pinned = ['brokerRef', 'task', 'job', 'scheduleRef', 'dependencyRef', 'payload', 'parameters', 'slotTime', 'timeoutSeconds']
const isSame = (field: string) =>
  `(has(self.spec.${field}) ? has(oldSelf.spec.${field}) && self.spec.${field} == oldSelf.spec.${field} : !has(oldSelf.spec.${field}))`

const text = (description: string, maxLength: number) => optional(string({ description, maxLength }))
const moment = (description: string) => optional(dateTime({ description }))
const count = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

const node = object({
  description: 'What became of one node.',
  fields: {
    name: string({
      description: 'Name of the node; of a single task: task, of a single Job: job.',
      minLength: 1,
      maxLength: maxLabelValueLength,
    }),
    state: enumeration({
      description:
        'Pending: it waits for other nodes. Running: its job is in the queue, or a worker runs it; its Kubernetes Job is there, or is to be created. Skipped: its `when` was false. Omitted: a condition that it needs can no longer hold, or the run stopped before it.',
      values: ['Pending', 'Running', 'Stopping', 'Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped', 'Omitted'],
    }),
    attempt: count('Attempts that were made.'),
    startTime: moment('When its job was added to the queue, or its Kubernetes Job was created.'),
    finishTime: moment('When it ended.'),
    worker: text('The worker that ran it last; of a Kubernetes Job that failed, its last pod.', 253),
    job: text('Its Kubernetes Job: kubectl logs job/NAME.', maxLabelValueLength),
    reason: text('Why it ended as it did, in one word.', 128),
    message: text('Why, in words.', 1024),
  },
})

const status = object({
  description: 'What became of the run, as its log in the broker says. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    state: optional(
      enumeration({
        description: 'Pending: it has not begun. The others but Running are final.',
        values: ['Pending', 'Running', ...runOutcomes],
      }),
    ),
    source: text('What it is a run of; a column of kubectl get.', 80),
    broker: text('The TaskBroker that holds its log.', maxLabelValueLength),
    dependency: text('The TaskDependency whose graph it runs.', maxLabelValueLength),
    schedule: text('The TaskSchedule that has started it, or whose template it runs.', maxLabelValueLength),
    progress: text('How many nodes are final, of how many; a column of kubectl get.', 64),
    waitingFor: text('What it waits for; a column of kubectl get.', 256),
    startTime: moment('When the run began.'),
    finishTime: moment('When it ended.'),
    attempts: count('Attempts of its jobs, over all nodes that ended.'),
    queueSeconds: count('Seconds until a worker took up the first job.'),
    durationSeconds: count('Seconds from begin to end.'),
    result: text('What the task returned, as JSON of at most 1,024 bytes; of a graph nothing.', 1024),
    failureMessage: text('Which node failed, and why.', 2048),
    nodes: optional(listMap({ description: 'Each node.', keys: ['name'], maxItems: maxRunNodes, items: node })),
    nodeTable: optional(
      list({
        description:
          'The same as lines of text, for kubectl describe; of more than 40 nodes those that run or failed, and how many others there are.',
        maxItems: 42,
        items: string({ description: 'One line of the table.', maxLength: 256 }),
      }),
    ),
  },
})

export const taskExecution = declareKind({
  kind: 'TaskExecution',
  plural: 'taskexecutions',
  singular: 'taskexecution',
  shortNames: ['tex'],
  description:
    "A TaskExecution is one run: of a task, of a Kubernetes Job, of a schedule's template or of a graph. It runs once, whatever happens to the operator meanwhile; deleting it while it runs cancels it.",
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Source', type: 'string', jsonPath: '.status.source', description: 'What it is a run of.' },
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'How far it is, or how it ended.' },
    { name: 'Progress', type: 'string', jsonPath: '.status.progress', description: 'Nodes that are final, of all nodes.' },
    { name: 'Waiting-For', type: 'string', jsonPath: '.status.waitingFor', description: 'What it waits for.' },
    { name: 'Started', type: 'date', jsonPath: '.status.startTime', description: 'Since when it runs.' },
  ],
  spec,
  status,
  rules: [
    {
      rule: `!has(self.status) || !has(self.status.startTime) || (${pinned.map(isSame).join(' && ')})`,
      message: 'a run that has begun cannot be changed, but for desiredState and ttlSecondsAfterFinished. Create another TaskExecution',
      fieldPath: '.spec',
      reason: 'FieldValueForbidden',
    },
  ],
  conditions: taskExecutionConditions,
  events: taskExecutionEvents,
})

export type TaskExecution = ObjectOf<typeof taskExecution>
export type TaskExecutionSpec = Infer<typeof spec>
export type TaskExecutionStatus = Infer<typeof status>

export const taskExecutions: Resource<TaskExecution> = resourceOf(taskExecution)

type FinalState = Exclude<NonNullable<TaskExecutionStatus['state']>, 'Pending' | 'Running'>

/** How a run ended; undefined while it has not. */
export function finalStateOf({ status: told }: Pick<TaskExecution, 'status'>): FinalState | undefined {
  const state = told?.state
  return state === 'Pending' || state === 'Running' ? undefined : state
}
