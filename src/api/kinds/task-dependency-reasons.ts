import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../registry.ts'
import { alertingCondition } from './alerting-condition.ts'

const cycle = 'Nodes wait for each other. The message spells the path out; remove one of its dependencies.'
const unknownNode = 'A node depends on one that does not exist. The message names the field; correct the name, or add the node.'
const duplicateNode = 'Two nodes have the same name, one of them in finally. Give one of them another name.'
const finallyDependency =
  'Nodes of finally run after all others: they depend on nothing, and nothing depends on them. Remove the dependency.'
const invalidExpression =
  'An expression cannot be compiled, or names what is not known there. The message names the field and what is known.'
const templateInvalid =
  "The API server refuses the template of a node's Kubernetes Job; the message has its words. Correct the template: a run that comes to this node fails."

export const taskDependencyConditions = {
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

export const taskDependencyEvents = {
  GraphInvalid: {
    type: 'Warning',
    action: 'Validate',
    meaning: 'The graph has a fault, and no run of it can succeed. The note names the field and what to correct.',
  },
} as const satisfies EventRegistry

/** For example `dependencyCondition('Ready', 'GraphValid', '…')`. */
export const dependencyCondition = conditionsOf(taskDependencyConditions)
export const dependencyEvent = eventsOf(taskDependencyEvents)
