import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../registry.ts'

export const taskBrokerConditions = {
  Ready: {
    meaning: 'Whether pools and queues can use the broker.',
    reasons: {
      Connected: { status: 'True', meaning: 'The broker answers.' },
      ConnectionFailed: {
        status: 'False',
        meaning: 'The broker does not answer. Check address, network and the Redis itself; it is tried again all the time.',
      },
    },
  },
  BrokerReachable: {
    meaning: 'Whether the operator has a working connection to the broker.',
    reasons: {
      Connected: { status: 'True', meaning: 'The broker answers.' },
      ConnectionFailed: {
        status: 'False',
        meaning: "The broker does not answer; the message is the connection's error. Pools hold their replicas meanwhile.",
      },
    },
  },
  Reconciling: {
    meaning: 'There only while True: the operator is trying to connect, and needs no change of the spec.',
    reasons: {
      ConnectionFailed: { status: 'True', meaning: 'The broker does not answer; it is tried again all the time.' },
    },
  },
} as const satisfies ConditionRegistry

export const taskBrokerEvents = {
  BrokerReachable: { type: 'Normal', action: 'Connect', meaning: 'The broker answers, for the first time or again.' },
  BrokerUnreachable: {
    type: 'Warning',
    action: 'Connect',
    meaning: "The broker stopped answering; the note is the connection's error. Check address, network and the Redis itself.",
  },
} as const satisfies EventRegistry

/** For example `brokerCondition('Ready', 'Connected', '…')`. */
export const brokerCondition = conditionsOf(taskBrokerConditions)
export const brokerEvent = eventsOf(taskBrokerEvents)
