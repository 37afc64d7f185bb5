import type { Resource } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { boolean, dateTime, enumeration, type Infer, integer, listMap, object, openObject, optional, string } from '../schema/index.ts'
import { alertingCondition } from './alerting-condition.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { jobTemplateOf } from './job-template.ts'
import { maxLabelValueLength, namedRef } from './references.ts'
import { taskTemplateOf } from './task-template.ts'

const cycle = 'Nodes wait for each other. The message spells the path out; remove one of its dependencies.'
const unknownNode = 'A node depends on one that does not exist. The message names the field; correct the name, or add the node.'
const duplicateNode = 'Two nodes have the same name, one of them in finally. Give one of them another name.'
const finallyDependency =
  'Nodes of finally run after all others: they depend on nothing, and nothing depends on them. Remove the dependency.'
const invalidExpression =
  'An expression cannot be compiled, or names what is not known there. The message names the field and what is known.'
const templateInvalid =
  "The API server refuses the template of a node's Kubernetes Job; the message has its words. Correct the template: a run that comes to this node fails."

const taskDependencyConditions = {
  Ready: {
    meaning: 'Whether runs of the graph can begin. It never depends on how runs end.',
    reasons: {
      GraphValid: { status: 'True', meaning: 'The graph is sound, and its TaskBroker is there.' },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; runs that wait for it go on by themselves.',
      },
      Cycle: { status: 'False', meaning: cycle },
      UnknownNode: { status: 'False', meaning: unknownNode },
      DuplicateNode: { status: 'False', meaning: duplicateNode },
      FinallyDependency: { status: 'False', meaning: finallyDependency },
      InvalidExpression: { status: 'False', meaning: invalidExpression },
      TemplateInvalid: { status: 'False', meaning: templateInvalid },
    },
  },
  Reconciling: {
    meaning: 'There only while True: what is missing may come by itself.',
    reasons: { BrokerNotFound: { status: 'True', meaning: 'The TaskBroker of brokerRef does not exist yet.' } },
  },
  Stalled: {
    meaning: 'There only while True: no run can succeed until somebody changes the spec.',
    reasons: {
      Cycle: { status: 'True', meaning: cycle },
      UnknownNode: { status: 'True', meaning: unknownNode },
      DuplicateNode: { status: 'True', meaning: duplicateNode },
      FinallyDependency: { status: 'True', meaning: finallyDependency },
      InvalidExpression: { status: 'True', meaning: invalidExpression },
      TemplateInvalid: { status: 'True', meaning: templateInvalid },
    },
  },
  LastRunSucceeded: {
    meaning: 'How the run that ended last ended. Missing until one has ended.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'It succeeded.' },
      Skipped: { status: 'True', meaning: 'No node had to run: the conditions of all of them were false.' },
      Failed: { status: 'False', meaning: 'A required node failed. `kubectl describe tex` of the run that the message names says which.' },
      TimedOut: { status: 'False', meaning: 'Its time was over before all nodes had ended.' },
      Cancelled: { status: 'False', meaning: 'Somebody cancelled it.' },
    },
  },
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

const taskDependencyEvents = {
  GraphInvalid: {
    type: 'Warning',
    action: 'Validate',
    meaning: 'The graph has a fault, and no run of it can succeed. The note names the field and what to correct.',
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
  '`$(nodes.NAME.result)` and `$(nodes.NAME.status)` stand for what an upstream node returned and how it ended, `$(parameters.NAME)`, `$(slot)`, ' +
  '`$(run.name)` and `$(run.startTime)` for the facts of the run, and any CEL expression over them may stand in their place;'

const dependsOn = listMap({
  description: 'What the node waits for: all of these. A node without any starts at once.',
  keys: ['name'],
  maxItems: maxNodes,
  items: object({
    description: 'One edge of the graph.',
    fields: {
      name: string({ description: 'Name of the upstream node.', minLength: 1, maxLength: maxLabelValueLength }),
      condition: enumeration({
        description:
          'How the upstream node has to end. Failed holds when it failed or timed out; Completed as soon as it is final, however: also when it was skipped or omitted. A node whose condition can no longer hold is Omitted.',
        values: ['Succeeded', 'Failed', 'Completed'],
        default: 'Succeeded',
      }),
    },
  }),
})

/** `known`: what the expressions of the node may name. */
function nodeFields(known: string) {
  return {
    name: string({
      description: 'Name of the node. In expressions: nodes.NAME, or nodes["NAME"] where there are dashes in it.',
      minLength: 1,
      maxLength: maxLabelValueLength,
      pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$',
    }),
    when: optional(
      string({
        description:
          'CEL that yields true or false, asked when all that the node waits for has ended as it should. When it is false the node is Skipped.',
        minLength: 1,
        maxLength: 1024,
        example: 'nodes.summary.result.items > 0',
      }),
    ),
    timeoutSeconds: optional(
      integer({
        description:
          'Seconds from the start of the node to its end, waiting for a worker and retries included. Then it is TimedOut, and its job is taken out of the queue; one that a worker runs goes on and does not count any more. A Kubernetes Job is deleted with its pods.',
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    required: boolean({ description: 'Whether the run fails when this node does.', default: true }),
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

const oneOfTaskAndJob = {
  rule: 'has(self.task) != has(self.job)',
  message: 'exactly one of task, job must be set',
  fieldPath: '.task',
}

const spec = object({
  description: 'The graph, and what holds for its runs. A run keeps the graph that it began with.',
  fields: {
    brokerRef: namedRef({
      description: 'The TaskBroker, in the same namespace, that holds the queues of the nodes and the logs of the runs.',
      what: 'TaskBroker',
      immutable: 'brokerRef cannot be changed: runs would be left behind. Create another TaskDependency for the other broker.',
    }),
    parameters: optional(
      openObject({
        description: 'Values that expressions know as parameters.NAME; a TaskExecution may give others.',
        example: { retainDays: 30 },
        fields: {},
      }),
    ),
    timeoutSeconds: optional(
      integer({
        description:
          'Seconds from the begin of a run to the end of its last node. Then what runs is stopped (TimedOut); the nodes of finally still run.',
        minimum: 1,
        maximum: maxTimeoutSeconds,
      }),
    ),
    onNodeFailure: enumeration({
      description:
        'What a failed required node does to the others. Stop: nothing starts any more but what reacts to a failure (an edge Failed or Completed to a failed node) and what follows that. Continue: whatever does not depend on it goes on.',
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
        rules: [oneOfTaskAndJob],
        fields: { ...nodeFields(names), dependsOn: optional(dependsOn) },
      }),
    }),
    finally: optional(
      listMap({
        description:
          'Nodes that run once all others are final, however the run went; they know `run.outcome`. They depend on nothing, and start together.',
        keys: ['name'],
        maxItems: maxFinally,
        items: object({
          description: 'One node: a task or a Kubernetes Job that runs at the end.',
          rules: [oneOfTaskAndJob],
          fields: nodeFields(`\`$(run.outcome)\` stands for the outcome of the nodes; ${names}`),
        }),
      }),
    ),
  },
})

const count = (description: string) => optional(integer({ description, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

const status = object({
  description: 'Whether the graph is sound, and what became of its runs. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    nodes: count('How many nodes the graph has, finally included.'),
    activeRuns: count('Runs of the graph that have no outcome yet.'),
    lastRunTime: optional(dateTime({ description: 'When the newest run began.' })),
    lastRunName: optional(string({ description: 'Name of the TaskExecution that ended last.', maxLength: maxLabelValueLength })),
    lastResult: optional(enumeration({ description: 'Outcome of that run.', values: runOutcomes })),
  },
})

export const taskDependency = declareKind({
  kind: 'TaskDependency',
  plural: 'taskdependencies',
  singular: 'taskdependency',
  shortNames: ['tdep'],
  description:
    'A TaskDependency is a named graph of tasks and Kubernetes Jobs: which runs after which, under which conditions and time limits. It does nothing by itself: a TaskExecution runs it.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes', description: 'How many nodes the graph has.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.activeRuns', description: 'Runs without an outcome.' },
    { name: 'Last', type: 'date', jsonPath: '.status.lastRunTime', description: 'Since when the newest run began.' },
    { name: 'Result', type: 'string', jsonPath: '.status.lastResult', description: 'Outcome of the run that ended last.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether runs can begin.',
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
