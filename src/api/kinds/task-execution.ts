import { exactlyOneOf, memberOf, type Member, namesOf } from '../members.ts'
import { type Resource, siblingKey } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { dateTime, enumeration, type Infer, integer, list, listMap, object, openObject, optional, string } from '../schema/index.ts'
import { blockedCondition, blockedEvents } from './blocked-condition.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { jobTemplateOf } from './job-template.ts'
import { maxLabelValueLength, requiredRef } from './references.ts'
import { maxRunNodes, runOutcomes } from './task-dependency.ts'
import { taskTemplateOf } from './task-template.ts'

const failed = 'The run failed. The message says which node failed and why. Correct the cause and create another TaskExecution.'
const timedOut =
  'The time limit of the run passed before all nodes had ended. Check the pool of the queue, or allow more time in another ' +
  'TaskExecution.'

const taskExecutionConditions = {
  Succeeded: {
    meaning: 'Outcome of the run: the reason is its state. Unknown while the run has no outcome; the reason then says what it waits for.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'All required nodes succeeded.' },
      Skipped: { status: 'True', meaning: 'No node had to run: their conditions were all false.' },
      Failed: { status: 'False', meaning: failed },
      TimedOut: { status: 'False', meaning: timedOut },
      Cancelled: { status: 'False', meaning: 'A user cancelled the run by spec.desiredState.' },
      Running: { status: 'Unknown', meaning: 'The run is in progress; the message says what it waits for.' },
      Cancelling: { status: 'Unknown', meaning: 'The run is being cancelled: its jobs are being removed, and nothing new starts.' },
      SourceNotFound: {
        status: 'Unknown',
        meaning:
          'The TaskSchedule or TaskDependency that it names, or a ConfigMap with calendars that a backfill needs, does not exist. Create it; the ' +
          'run then starts by itself.',
      },
      BrokerNotFound: {
        status: 'Unknown',
        meaning: 'Its TaskBroker does not exist. Create it in this namespace; the run then continues by itself.',
      },
      BrokerNotUsable: {
        status: 'Unknown',
        meaning: 'A Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'Unknown',
        meaning:
          'The broker does not answer. Running jobs continue, and the run continues when the broker answers. `kubectl describe tmb` says why.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      Standby: {
        status: 'Unknown',
        meaning: 'Another cluster on the same broker dispatches here, or spec.dispatch of the TaskBroker is Standby.',
      },
      Paused: {
        status: 'Unknown',
        meaning: '`spec.desiredState` is Paused: what runs continues, and nothing new starts. Set it to Running to go on.',
      },
      Scheduled: {
        status: 'Unknown',
        meaning:
          'The time at which the run is to start (spec.startTime, or spec.delaySeconds after its creation) has not come. The message says when.',
      },
      LogUnreadable: {
        status: 'Unknown',
        meaning:
          'The log of the run in the broker is damaged, or a later version of Taskmill wrote it. The operator does not overwrite it. Run the ' +
          'version that wrote it.',
      },
    },
  },
  Failed: {
    meaning: 'Present only while True: the run ended without success.',
    reasons: { Failed: { status: 'True', meaning: failed }, TimedOut: { status: 'True', meaning: timedOut } },
  },
  Reconciling: {
    meaning: 'Present only while True: the run has no outcome yet.',
    reasons: { InProgress: { status: 'True', meaning: 'The run waits or is in progress; the condition Succeeded says which.' } },
  },
  Stalled: {
    meaning: 'Present only while True: the run ended without success. Tools that wait for it can stop waiting.',
    reasons: { Failed: { status: 'True', meaning: failed }, TimedOut: { status: 'True', meaning: timedOut } },
  },
  Blocked: blockedCondition,
} as const satisfies ConditionRegistry

const taskExecutionEvents = {
  ...blockedEvents,
  Started: { type: 'Normal', action: 'Run', meaning: 'The run started; the note says what it runs.' },
  Continued: {
    type: 'Normal',
    action: 'Run',
    meaning:
      'The broker still has the log of a run that an object of the same name started (after a restored backup, or when the object was ' +
      'deleted and recreated while no operator ran). That run continues, or its outcome is shown. Nothing runs twice.',
  },
  LedgerRegressed: {
    type: 'Warning',
    action: 'Run',
    meaning:
      'The broker has a shorter log of the run than its status shows: it was restored from an older state, or does not persist. The ' +
      'operator removes the jobs that came back, starts nothing again, and marks the run as failed.',
  },
  NodeFailed: { type: 'Warning', action: 'Run', meaning: 'A node failed or timed out; the note says which and why.' },
  Succeeded: { type: 'Normal', action: 'Run', meaning: 'The run succeeded.' },
  Skipped: { type: 'Normal', action: 'Run', meaning: 'The run ended without running any node.' },
  Failed: { type: 'Warning', action: 'Run', meaning: 'The run failed; the note says why.' },
  TimedOut: { type: 'Warning', action: 'Run', meaning: 'The time limit of the run passed before all nodes had ended.' },
  Cancelled: { type: 'Normal', action: 'Cancel', meaning: 'The run was cancelled.' },
} as const satisfies EventRegistry

/** For example `executionCondition('Succeeded', 'Running', '…')`. */
export const executionCondition = conditionsOf(taskExecutionConditions)
export const executionEvent = eventsOf(taskExecutionEvents)

const maxCount = Number.MAX_SAFE_INTEGER
const maxTimeoutSeconds = 366 * 86_400

/** What is run: one of them is set. */
const runSources = {
  task: optional(
    taskTemplateOf({
      description: 'The job that is added. Any BullMQ worker of the queue can run it.',
      names: '`$(slot)` is slotTime, and any CEL expression over it can be used;',
    }),
  ),
  job: optional(
    jobTemplateOf({
      description: 'The Kubernetes Job that is created. It has no result.',
      names: '`$(slot)` is slotTime, and any CEL expression over it can be used;',
    }),
  ),
  scheduleRef: optional(
    requiredRef({
      description:
        'The TaskSchedule, in the same namespace, whose task or graph runs now, even while it is suspended. The run is not one of its slots ' +
        'and does not count for its concurrencyPolicy.',
      what: 'TaskSchedule',
    }),
  ),
  dependencyRef: optional(
    requiredRef({ description: 'The TaskDependency, in the same namespace, whose graph runs.', what: 'TaskDependency' }),
  ),
} as const

/** At most as many as a graph has nodes. */
export const maxBackfillRuns = 500
export const maxParallelBackfillRuns = 100

const range = object({
  description:
    'Backfill: runs the task, Job or graph of the schedule once for each of its slots in this range, by the times and calendars that it has when ' +
    'the run starts. Each is a node of this TaskExecution; that of a graph is a TaskExecution of its own, which goes with this one. They are not ' +
    'slots of the schedule: its ledger, its policies and its status know nothing of them.',
  rules: [
    {
      rule: 'timestamp(self.from) <= timestamp(self.to)',
      message: 'to is before from, so that the range has no slot. Exchange them',
      fieldPath: '.to',
    },
    {
      rule: "timestamp(self.from) >= timestamp('1970-01-01T00:00:00Z')",
      message: 'no slot is before 1970. Write a later time',
      fieldPath: '.from',
    },
  ],
  fields: {
    from: dateTime({ description: 'The first moment of the range, from 1970 on.' }),
    to: dateTime({ description: 'The last moment of the range; at most the creation of the TaskExecution.' }),
    order: enumeration({
      description: 'Which slots run first.',
      values: ['OldestFirst', 'NewestFirst'],
      default: 'OldestFirst',
    }),
    parallelism: integer({
      description: 'How many slots run at once. A slot that fails does not stop the others.',
      minimum: 1,
      maximum: maxParallelBackfillRuns,
      default: 1,
    }),
    maxRuns: integer({
      description: 'A range with more slots than this is refused, and the message says how many it has.',
      minimum: 1,
      maximum: maxBackfillRuns,
      default: 100,
    }),
  },
})

const spec = object({
  description: 'What to run, once. After the run has started, only desiredState and ttlSecondsAfterFinished can be changed.',
  rules: [
    exactlyOneOf(runSources, '.task'),
    {
      rule: '!has(self.brokerRef) || has(self.task) || has(self.job)',
      message: 'brokerRef goes with task and job only: a schedule or a graph runs on its own broker. Remove brokerRef',
      fieldPath: '.brokerRef',
    },
    {
      rule: '!has(self.payload) || has(self.scheduleRef)',
      message:
        'payload goes with scheduleRef only, where it changes the payload of the template; a task has its own payload, a graph has parameters',
      fieldPath: '.payload',
    },
    {
      rule: '!has(self.parameters) || has(self.dependencyRef)',
      message: 'parameters go with dependencyRef only. Remove parameters',
      fieldPath: '.parameters',
    },
    {
      rule: '!has(self.range) || has(self.scheduleRef)',
      message: 'range goes with scheduleRef only: its slots are those of a schedule. Set scheduleRef, or remove range',
      fieldPath: '.range',
    },
    {
      rule: '!has(self.range) || !has(self.slotTime)',
      message: 'with range, each run has a slot of its own. Remove slotTime',
      fieldPath: '.slotTime',
    },
    {
      rule: '!has(self.startTime) || !has(self.delaySeconds)',
      message: 'startTime and delaySeconds both say when the run starts. Remove one of them',
      fieldPath: '.delaySeconds',
    },
    {
      rule: "self.desiredState == 'Cancelled' || oldSelf.desiredState != 'Cancelled'",
      message: 'a cancelled run cannot continue. Create another TaskExecution',
      fieldPath: '.desiredState',
      reason: 'FieldValueForbidden',
    },
  ],
  fields: {
    brokerRef: optional(
      requiredRef({
        description: 'The TaskBroker, in the same namespace, that holds the queue and the log of the run. Default: the one named default.',
        what: 'TaskBroker',
      }),
    ),
    ...runSources,
    payload: optional(
      openObject({
        description:
          "Fields that are merged into the payload of the schedule's task, objects field by field. Not possible for a schedule that starts a " +
          'graph.',
        example: { retainDays: 1 },
        fields: {},
      }),
    ),
    range: optional(range),
    parameters: optional(
      openObject({ description: 'Values that are merged into the parameters of the graph.', example: { retainDays: 1 }, fields: {} }),
    ),
    startTime: optional(
      dateTime({
        description:
          'The run does not start before this time, on the clock of the broker. A time in the past starts it at once. Without it and ' +
          'delaySeconds: at once.',
      }),
    ),
    delaySeconds: optional(
      integer({
        description: 'Instead of startTime: seconds after the creation of the TaskExecution before which the run does not start.',
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    slotTime: optional(
      dateTime({
        description:
          'The value of $(slot). Default: the time at which the run is to start (startTime, delaySeconds), or else its creation.',
      }),
    ),
    timeoutSeconds: optional(
      integer({
        description: 'Seconds from the start of the run to its end. Overrides the time limit of the graph.',
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    desiredState: enumeration({
      description:
        'Paused: nothing new starts, and what runs continues; the time limit of the run continues too. Cancelled: Taskmill removes the jobs that wait, deletes running Kubernetes Jobs with their pods, and starts nothing more except ' +
        'the nodes of finally; then the run ends as Cancelled. A job that a worker already runs continues, but its end no longer counts.',
      values: ['Running', 'Paused', 'Cancelled'],
      default: 'Running',
    }),
    ttlSecondsAfterFinished: optional(
      integer({
        description: 'Seconds after its end at which the TaskExecution is deleted. Without it: never.',
        minimum: 0,
        maximum: maxTimeoutSeconds,
      }),
    ),
  },
})

/** What cannot be changed once a run has begun: what it was begun with. */
const pinned = [
  'brokerRef',
  ...namesOf(runSources),
  'payload',
  'range',
  'parameters',
  'startTime',
  'delaySeconds',
  'slotTime',
  'timeoutSeconds',
]
const isSame = (field: string) =>
  `(has(self.spec.${field}) ? has(oldSelf.spec.${field}) && self.spec.${field} == oldSelf.spec.${field} : !has(oldSelf.spec.${field}))`

const text = (description: string, maxLength: number) => optional(string({ description, maxLength }))
const moment = (description: string) => optional(dateTime({ description }))
const count = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

const node = object({
  description: 'State of one node.',
  fields: {
    name: string({
      description: 'Name of the node. For a single task: task. For a single Job: job.',
      minLength: 1,
      maxLength: maxLabelValueLength,
    }),
    state: enumeration({
      description:
        'Pending: it waits for other nodes. Running: its job is in the queue or a worker runs it; its Kubernetes Job exists or is about to ' +
        'be created. Skipped: its `when` was false. Omitted: a condition that it needs can no longer hold, or the run stopped before it.',
      values: ['Pending', 'Running', 'Stopping', 'Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped', 'Omitted'],
    }),
    attempt: count('Number of attempts made.'),
    startTime: moment('When its job was added to the queue, or its Kubernetes Job was created.'),
    finishTime: moment('When the node ended.'),
    worker: text('The worker that ran it last. For a failed Kubernetes Job: its last pod.', 253),
    job: text('Its Kubernetes Job: kubectl logs job/NAME.', maxLabelValueLength),
    execution: text('Its TaskExecution, for a slot that starts a graph: kubectl describe tex/NAME.', maxLabelValueLength),
    reason: text('Why the node ended in this state, in one word.', 128),
    message: text('Why, in words.', 1024),
  },
})

const status = object({
  description: 'State of the run, as recorded in its log in the broker. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    state: optional(
      enumeration({
        description: 'Pending: the run has not started. All other states except Running are final.',
        values: ['Pending', 'Running', ...runOutcomes],
      }),
    ),
    source: text('What it runs; a column of kubectl get.', 80),
    broker: text('The TaskBroker that holds the log of the run.', maxLabelValueLength),
    dependency: text('The TaskDependency whose graph it runs.', maxLabelValueLength),
    schedule: text('The TaskSchedule that started it, or whose template it runs.', maxLabelValueLength),
    progress: text('Number of final nodes and of all nodes; a column of kubectl get.', 64),
    waitingFor: text('What it waits for; a column of kubectl get.', 256),
    startTime: moment('When the run started.'),
    finishTime: moment('When the run ended.'),
    attempts: count('Number of attempts of its jobs, over all nodes that ended.'),
    queueSeconds: count('Seconds until a worker started the first job.'),
    durationSeconds: count('Seconds from start to end.'),
    result: text('What the task returned, as JSON of at most 1,024 bytes. Empty for a graph.', 1024),
    failureMessage: text('Which node failed, and why.', 2048),
    nodes: optional(listMap({ description: 'Each node.', keys: ['name'], maxItems: maxRunNodes, items: node })),
    nodeTable: optional(
      list({
        description:
          'The nodes as lines of text, for kubectl describe. For more than 40 nodes: those that run or failed, and the number of the others.',
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
    "A TaskExecution is one run: of a task, of a Kubernetes Job, of a schedule's template, or of a graph. It runs once, even if " +
    'the operator restarts. Deleting it while it runs cancels the run.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Source', type: 'string', jsonPath: '.status.source', description: 'What it runs.' },
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'State or outcome of the run.' },
    { name: 'Progress', type: 'string', jsonPath: '.status.progress', description: 'Number of final nodes and of all nodes.' },
    { name: 'Waiting-For', type: 'string', jsonPath: '.status.waitingFor', description: 'What it waits for.' },
    { name: 'Started', type: 'date', jsonPath: '.status.startTime', description: 'Time since the run started.' },
  ],
  spec,
  status,
  rules: [
    {
      rule: `!has(self.status) || !has(self.status.startTime) || (${pinned.map(isSame).join(' && ')})`,
      message: 'a run that has started cannot be changed, except desiredState and ttlSecondsAfterFinished. Create another TaskExecution',
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

export type RunSourceName = keyof typeof runSources

/** What an execution is a run of. */
export function runSourceOf(own: TaskExecutionSpec): Member<TaskExecutionSpec, RunSourceName> {
  return memberOf(own, namesOf(runSources))
}

/** Before this time (Unix ms) the run does not start; undefined: it starts at once. */
export function plannedStartMs({ metadata, spec: { startTime, delaySeconds } }: TaskExecution): number | undefined {
  if (startTime !== undefined) return Date.parse(startTime)
  return delaySeconds === undefined ? undefined : Date.parse(metadata.creationTimestamp ?? '') + delaySeconds * 1000
}

type FinalState = Exclude<NonNullable<TaskExecutionStatus['state']>, 'Pending' | 'Running'>

/** How a run ended; undefined while it has not. */
export function finalStateOf({ status: told }: Pick<TaskExecution, 'status'>): FinalState | undefined {
  const state = told?.state
  return state === 'Pending' || state === 'Running' ? undefined : state
}

/** `namespace/name` of the graph that the run carries out, also where a schedule names it. Undefined while it is not known, and without a graph. */
export function dependencyKeyOf(execution: TaskExecution): string | undefined {
  const name = execution.spec.dependencyRef?.name ?? execution.status?.dependency
  return name === undefined ? undefined : siblingKey(execution, name)
}
