import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../registry.ts'

/** What keeps the broker from being reached, in the same words in each condition that it shows in. */
const causes = {
  ConnectionFailed: 'The broker does not answer. Check address, network and the Redis itself; it is tried again all the time.',
  TLSFailed:
    'The connection was made, and TLS failed: one side does not trust the certificate of the other, its name is another one, or the server speaks no TLS. Check spec.tls and the Secrets that it names.',
  AuthenticationFailed:
    'The broker does not accept the user name or password, wants some, or does not allow the user what is needed. Check the Secret of credentialsSecretRef and the ACL; a corrected Secret is picked up within a minute.',
  SecretNotFound: 'A Secret that the spec names does not exist. Create it in this namespace; it is picked up within a minute.',
  SecretForbidden: 'The operator may not read a Secret that the spec names. Give it the verb get on Secrets in this namespace.',
  SecretInvalid: 'A Secret that the spec names has not the keys that it needs, or they hold nothing usable. The message names them.',
} as const

export const taskBrokerConditions = {
  Ready: {
    meaning: 'Whether pools, queues and schedules can use the broker.',
    reasons: {
      Connected: { status: 'True', meaning: 'The broker answers.' },
      ConnectionFailed: { status: 'False', meaning: causes.ConnectionFailed },
      TLSFailed: { status: 'False', meaning: causes.TLSFailed },
      AuthenticationFailed: { status: 'False', meaning: causes.AuthenticationFailed },
      SecretNotFound: { status: 'False', meaning: causes.SecretNotFound },
      SecretForbidden: { status: 'False', meaning: causes.SecretForbidden },
      SecretInvalid: { status: 'False', meaning: causes.SecretInvalid },
    },
  },
  BrokerReachable: {
    meaning: 'Whether the operator has a working connection to the broker. Pools hold their replicas while it has not.',
    reasons: {
      Connected: { status: 'True', meaning: 'The broker answers.' },
      ConnectionFailed: { status: 'False', meaning: causes.ConnectionFailed },
      TLSFailed: { status: 'False', meaning: causes.TLSFailed },
      AuthenticationFailed: { status: 'False', meaning: causes.AuthenticationFailed },
      SecretNotFound: { status: 'Unknown', meaning: `Not tried. ${causes.SecretNotFound}` },
      SecretForbidden: { status: 'Unknown', meaning: `Not tried. ${causes.SecretForbidden}` },
      SecretInvalid: { status: 'Unknown', meaning: `Not tried. ${causes.SecretInvalid}` },
    },
  },
  Reconciling: {
    meaning: 'There only while True: the operator is trying to connect, and needs no change of the spec.',
    reasons: {
      ConnectionFailed: { status: 'True', meaning: causes.ConnectionFailed },
      TLSFailed: { status: 'True', meaning: causes.TLSFailed },
      AuthenticationFailed: { status: 'True', meaning: causes.AuthenticationFailed },
      SecretNotFound: { status: 'True', meaning: causes.SecretNotFound },
      SecretForbidden: { status: 'True', meaning: causes.SecretForbidden },
    },
  },
  Stalled: {
    meaning: 'There only while True: the broker cannot be used until somebody changes something.',
    reasons: {
      SecretInvalid: { status: 'True', meaning: causes.SecretInvalid },
    },
  },
  Degraded: {
    meaning:
      'Whether the server is set up in a way that may lose jobs or slots, though it answers. With several of these, the reason is the first and the message has all.',
    reasons: {
      UnsafeEvictionPolicy: {
        status: 'True',
        meaning: 'The maxmemory-policy is not noeviction: Redis deletes jobs when memory runs out. Set it to noeviction.',
      },
      NoPersistence: {
        status: 'True',
        meaning: 'Nothing survives a restart of the server: jobs and the ledgers of schedules are lost with it. Set appendonly yes.',
      },
      ClockSkewed: {
        status: 'True',
        meaning: "The clocks of broker and operator differ by more than 2 s: delayed jobs start early or late. Check the nodes' NTP.",
      },
      LegacyRepeatables: {
        status: 'True',
        meaning:
          'Queues hold repeatable jobs of a BullMQ before version 6, which newer workers do not repeat. Remove them, or write TaskSchedules instead.',
      },
      AsExpected: { status: 'False', meaning: 'There is nothing to object to.' },
    },
  },
  Dispatching: {
    meaning: 'Whether this cluster dispatches the slots of the schedules that use the broker.',
    reasons: {
      Active: { status: 'True', meaning: 'It does.' },
      Standby: { status: 'False', meaning: 'The spec says Standby: another cluster is to do it.' },
      DispatchedElsewhere: {
        status: 'False',
        meaning:
          'Another cluster of the same installation does. Its turn ends when it is set to Standby, or was silent for 30 s. Where both are strangers, give each an installation of its own (a value of the chart).',
      },
      Pending: { status: 'Unknown', meaning: 'The broker has not said yet whose turn it is.' },
    },
  },
} as const satisfies ConditionRegistry

export const taskBrokerEvents = {
  BrokerReachable: { type: 'Normal', action: 'Connect', meaning: 'The broker answers, for the first time or again.' },
  BrokerUnreachable: {
    type: 'Warning',
    action: 'Connect',
    meaning:
      'The broker stopped answering, or refuses the operator; the note says why. Check address, network, credentials and the Redis itself.',
  },
  DispatchStarted: { type: 'Normal', action: 'Dispatch', meaning: 'This cluster dispatches the slots of schedules from now on.' },
  DispatchStopped: {
    type: 'Normal',
    action: 'Dispatch',
    meaning: 'This cluster leaves the slots of schedules to another one; the note says why.',
  },
} as const satisfies EventRegistry

/** For example `brokerCondition('Ready', 'Connected', '…')`. */
export const brokerCondition = conditionsOf(taskBrokerConditions)
export const brokerEvent = eventsOf(taskBrokerEvents)
