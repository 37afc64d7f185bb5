import { exactlyOneOf } from '../members.ts'
import type { Resource } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { boolean, dateTime, enumeration, type Infer, integer, listMap, object, openObject, optional, string } from '../schema/index.ts'
import { alertingCondition } from './alerting-condition.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { jobTemplateOf } from './job-template.ts'
import { maxLabelValueLength, namedRef } from './references.ts'
import { taskTemplateOf } from './task-template.ts'

const cycle = 'The dependencies form a cycle. The message lists the path; remove one of its dependencies.'
const unknownNode = 'A node depends on a node that does not exist. The message names the field; correct the name, or add the node.'
const duplicateNode = 'Two nodes have the same name (nodes and finally share one set of names). Rename one of them.'
const finallyDependency =
  'The nodes of finally run after all others: they have no dependencies, and no node can depend on them. Remove the dependency.'
const invalidExpression =
  'An expression does not compile, or uses a name that is not known there. The message names the field and the known names.'
const invalidNumber =
  'A number in a payload or the parameters has more digits than workers can read. The message names the field. Write the number as ' +
  'text, in quotes.'
const templateInvalid =
  "The API server refuses the template of a node's Kubernetes Job; the message quotes it. Correct the template: a run that reaches " +
  'this node fails.'

const taskDependencyConditions = {
  Ready: {
    meaning: 'Whether runs of the graph can start. It does not depend on how runs end.',
    reasons: {
      GraphValid: { status: 'True', meaning: 'The graph is valid, and its TaskBroker exists.' },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; waiting runs then continue by themselves.',
      },
      Cycle: { status: 'False', meaning: cycle },
      UnknownNode: { status: 'False', meaning: unknownNode },
      DuplicateNode: { status: 'False', meaning: duplicateNode },
      FinallyDependency: { status: 'False', meaning: finallyDependency },
      InvalidExpression: { status: 'False', meaning: invalidExpression },
      InvalidNumber: { status: 'False', meaning: invalidNumber },
      TemplateInvalid: { status: 'False', meaning: templateInvalid },
    },
  },
  Reconciling: {
    meaning: 'Present only while True: something is missing that may still appear.',
    reasons: { BrokerNotFound: { status: 'True', meaning: 'The TaskBroker of brokerRef does not exist yet.' } },
  },
  Stalled: {
    meaning: 'Present only while True: no run can succeed until a user changes the spec.',
    reasons: {
      Cycle: { status: 'True', meaning: cycle },
      UnknownNode: { status: 'True', meaning: unknownNode },
      DuplicateNode: { status: 'True', meaning: duplicateNode },
      FinallyDependency: { status: 'True', meaning: finallyDependency },
      InvalidExpression: { status: 'True', meaning: invalidExpression },
      InvalidNumber: { status: 'True', meaning: invalidNumber },
      TemplateInvalid: { status: 'True', meaning: templateInvalid },
    },
  },
  LastRunSucceeded: {
    meaning: 'Outcome of the run that ended last. Missing until a run has ended.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'The run succeeded.' },
      Skipped: { status: 'True', meaning: 'No node had to run: their conditions were all false.' },
      Failed: { status: 'False', meaning: 'A required node failed. `kubectl describe tex` of the run that the message names says which.' },
      TimedOut: { status: 'False', meaning: 'The time limit of the run passed before all nodes had ended.' },
      Cancelled: { status: 'False', meaning: 'A user cancelled the run.' },
    },
  },
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

const taskDependencyEvents = {
  GraphInvalid: {
    type: 'Warning',
    action: 'Validate',
    meaning: 'The graph is invalid, and no run of it can succeed. The note names the field and what to correct.',
  },
} as const satisfies EventRegistry

/** For example `dependencyCondition('Ready', 'GraphValid', '…')`. */
export const dependencyCondition = conditionsOf(taskDependencyConditions)
export const dependencyEvent = eventsOf(taskDependencyEvents)

const maxTimeoutSeconds = 366 * 86_400
const maxNodes = 500
const maxFinally = 32
/** Of a run: all its nodes. */
export const maxRunNodes = maxNodes + maxFinally

/** The outcomes of a run. */
export const runOutcomes = ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped'] as const

const names =
  'use `$(nodes.NAME.result)` and `$(nodes.NAME.status)` for the result and the final state of an upstream node, ' +
  '`$(parameters.NAME)`, `$(slot)`, `$(run.name)` and `$(run.startTime)` for values of the run, or any CEL expression over them;'

const dependsOn = listMap({
  description: 'The upstream nodes that this node waits for, all of them. A node without dependsOn starts at once.',
  keys: ['name'],
  maxItems: maxNodes,
  items: object({
    description: 'One edge of the graph.',
    fields: {
      name: string({ description: 'Name of the upstream node.', minLength: 1, maxLength: maxLabelValueLength }),
      condition: enumeration({
        description:
          'How the upstream node must end. Failed: it failed or timed out. Completed: it reached any final state, also Skipped or Omitted. A ' +
          'node whose condition can no longer hold is Omitted.',
        values: ['Succeeded', 'Failed', 'Completed'],
        default: 'Succeeded',
      }),
    },
  }),
})

/** What a node runs: one of them is set. `known`: what the expressions of the node may name. */
function nodeExecutors(known: string) {
  return {
    task: optional(
      taskTemplateOf({
        description: 'The job that is added when the node starts. Any BullMQ worker of the queue can run it.',
        names: known,
      }),
    ),
    job: optional(
      jobTemplateOf({
        description: 'The Kubernetes Job that is created when the node starts. It has no result.',
        names: known,
      }),
    ),
  }
}

/** `known`: what the expressions of the node may name. */
function nodeFields(known: string) {
  return {
    name: string({
      description: 'Name of the node. In expressions: nodes.NAME, or nodes["NAME"] if the name has a dash.',
      minLength: 1,
      maxLength: maxLabelValueLength,
      pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$',
    }),
    when: optional(
      string({
        description:
          'CEL expression that yields true or false, evaluated when all dependencies have ended as required. If it is false, the node is ' +
          'Skipped.',
        minLength: 1,
        maxLength: 1024,
        example: 'nodes.summary.result.items > 0',
      }),
    ),
    timeoutSeconds: optional(
      integer({
        description:
          'Seconds from the start of the node to its end, including the wait for a worker and retries. After that the node is TimedOut: ' +
          'Taskmill removes its job from the queue, or deletes its Kubernetes Job with the pods. A job that a worker already runs continues, ' +
          'but its end no longer counts.',
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    required: boolean({ description: 'Whether the run fails when this node does.', default: true }),
    ...nodeExecutors(known),
  }
}

const oneExecutor = exactlyOneOf(nodeExecutors(names), '.task')

const spec = object({
  description: 'The graph, and the settings of its runs. A run keeps the graph with which it started.',
  fields: {
    brokerRef: namedRef({
      description: 'The TaskBroker, in the same namespace, that holds the queues of the nodes and the logs of the runs.',
      what: 'TaskBroker',
      immutable: 'brokerRef cannot be changed: the runs would stay behind. Create another TaskDependency for the other broker.',
    }),
    parameters: optional(
      openObject({
        description: 'Values that expressions read as parameters.NAME. A TaskExecution can override them.',
        example: { retainDays: 30 },
        fields: {},
      }),
    ),
    timeoutSeconds: optional(
      integer({
        description:
          'Seconds from the start of a run to the end of its last node. After that the running nodes are stopped (TimedOut); the nodes of ' +
          'finally still run.',
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    onNodeFailure: enumeration({
      description:
        'What a failed required node does to the others. Stop: no other node starts, except nodes that react to a failure (an edge Failed ' +
        'or Completed to a failed node) and those that depend on them. Continue: every node that does not depend on the failed one continues.',
      values: ['Stop', 'Continue'],
      default: 'Stop',
    }),
    nodes: listMap({
      description: 'The nodes of the graph.',
      keys: ['name'],
      minItems: 1,
      maxItems: maxNodes,
      items: object({
        description: 'One node: a task or a Kubernetes Job, and when it runs.',
        rules: [oneExecutor],
        fields: { ...nodeFields(names), dependsOn: optional(dependsOn) },
      }),
    }),
    finally: optional(
      listMap({
        description:
          'Nodes that run after all others are final, whatever the outcome; they can read `run.outcome`. They have no dependencies and start ' +
          'together.',
        keys: ['name'],
        maxItems: maxFinally,
        items: object({
          description: 'One node: a task or a Kubernetes Job that runs at the end.',
          rules: [oneExecutor],
          fields: nodeFields(`\`$(run.outcome)\` is the outcome of the nodes; ${names}`),
        }),
      }),
    ),
  },
})

const count = (description: string) => optional(integer({ description, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

const status = object({
  description: 'Whether the graph is valid, and its runs. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    nodes: count('Number of nodes of the graph, including finally.'),
    activeRuns: count('Number of runs of the graph without an outcome.'),
    lastRunTime: optional(dateTime({ description: 'Start time of the newest run.' })),
    lastRunName: optional(string({ description: 'Name of the TaskExecution that ended last.', maxLength: maxLabelValueLength })),
    lastResult: optional(enumeration({ description: 'Outcome of that run.', values: runOutcomes })),
  },
})

export const taskDependency = declareKind({
  kind: 'TaskDependency',
  plural: 'taskdependencies',
  singular: 'taskdependency',
  shortNames: ['tdep'],
  referredBy: ['dependencyRef'],
  description:
    'A TaskDependency is a named graph of tasks and Kubernetes Jobs: their order, conditions and time limits. It does nothing by ' +
    'itself: a TaskExecution runs it.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes', description: 'Number of nodes of the graph.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.activeRuns', description: 'Number of runs without an outcome.' },
    { name: 'Last', type: 'date', jsonPath: '.status.lastRunTime', description: 'Time since the newest run started.' },
    { name: 'Result', type: 'string', jsonPath: '.status.lastResult', description: 'Outcome of the run that ended last.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether runs can start.',
    },
  ],
  spec,
  status,
  conditions: taskDependencyConditions,
  events: taskDependencyEvents,
})

export type TaskDependency = ObjectOf<typeof taskDependency>
export type TaskDependencySpec = Infer<typeof spec>
export type TaskDependencyStatus = Infer<typeof status>

export const taskDependencies: Resource<TaskDependency> = resourceOf(taskDependency)

export type NodeExecutorName = keyof ReturnType<typeof nodeExecutors>
