import type { Resource } from '../object.ts'
import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { maxLabelValueLength, secretRef } from './references.ts'

/** Why the broker cannot be reached, with the same text in each condition. */
const causes = {
  ConnectionFailed: 'The broker does not answer. Check the address, the network and the Redis server. The operator keeps retrying.',
  TLSFailed:
    "The TCP connection succeeded, but TLS failed: one side does not trust the other's certificate, the name does not match, or the " +
    'server does not speak TLS. Check spec.tls and its Secrets.',
  AuthenticationFailed:
    'The broker does not accept the user name or password, requires one, or does not allow the user a needed command. Check the Secret ' +
    'of credentialsSecretRef and the ACL. The operator uses a corrected Secret within a minute.',
  SecretNotFound: 'A Secret that the spec names does not exist. Create it in this namespace; the operator uses it within a minute.',
  SecretForbidden: 'The operator may not read a Secret that the spec names. Grant it the verb get on Secrets in this namespace.',
  SecretInvalid: 'A Secret that the spec names lacks a required key, or the value is not usable. The message names the key.',
} as const

const taskBrokerConditions = {
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
    meaning: 'Whether the operator has a working connection to the broker. While it has none, pools hold their replicas.',
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
    meaning: 'Present only while True: the operator is trying to connect. The spec needs no change.',
    reasons: {
      ConnectionFailed: { status: 'True', meaning: causes.ConnectionFailed },
      TLSFailed: { status: 'True', meaning: causes.TLSFailed },
      AuthenticationFailed: { status: 'True', meaning: causes.AuthenticationFailed },
      SecretNotFound: { status: 'True', meaning: causes.SecretNotFound },
      SecretForbidden: { status: 'True', meaning: causes.SecretForbidden },
    },
  },
  Stalled: {
    meaning: 'Present only while True: the broker cannot be used until a user changes something.',
    reasons: {
      SecretInvalid: { status: 'True', meaning: causes.SecretInvalid },
    },
  },
  Degraded: {
    meaning:
      'Whether the server answers but its configuration can lose jobs or slots. If several reasons apply, the first is the reason and the ' +
      'message lists all.',
    reasons: {
      UnsafeEvictionPolicy: {
        status: 'True',
        meaning: 'The maxmemory-policy is not noeviction: Redis deletes jobs when memory runs out. Set it to noeviction.',
      },
      NoPersistence: {
        status: 'True',
        meaning: 'Nothing survives a restart of the server: jobs and the ledgers of schedules are lost. Set appendonly yes.',
      },
      ClockSkewed: {
        status: 'True',
        meaning: "The clocks of broker and operator differ by more than 2 s: delayed jobs start early or late. Check the nodes' NTP.",
      },
      LegacyRepeatables: {
        status: 'True',
        meaning:
          'Queues hold repeatable jobs of a BullMQ before version 6, which newer workers do not repeat. Remove them, or write TaskSchedules ' +
          'instead.',
      },
      AsExpected: { status: 'False', meaning: 'No problem was found.' },
    },
  },
  Dispatching: {
    meaning: 'Whether this cluster dispatches the slots of the schedules that use the broker.',
    reasons: {
      Active: { status: 'True', meaning: 'This cluster dispatches them.' },
      Standby: { status: 'False', meaning: 'The field spec.dispatch is Standby: another cluster dispatches them.' },
      DispatchedElsewhere: {
        status: 'False',
        meaning:
          'Another cluster of the same installation holds the dispatch lease. It gives the lease up when it is set to Standby, or when it was ' +
          'silent for 30 s. If the two clusters are unrelated, give each an installation name of its own (a value of the chart).',
      },
      Pending: { status: 'Unknown', meaning: 'The operator has not yet read from the broker who holds the dispatch lease.' },
    },
  },
} as const satisfies ConditionRegistry

const taskBrokerEvents = {
  BrokerReachable: { type: 'Normal', action: 'Connect', meaning: 'The broker answers, for the first time or again.' },
  BrokerUnreachable: {
    type: 'Warning',
    action: 'Connect',
    meaning:
      'The broker stopped answering, or refuses the operator; the note says why. Check the address, the network, the credentials and the ' +
      'Redis server.',
  },
  DispatchStarted: { type: 'Normal', action: 'Dispatch', meaning: 'This cluster now dispatches the slots of schedules.' },
  DispatchStopped: {
    type: 'Normal',
    action: 'Dispatch',
    meaning: 'This cluster no longer dispatches the slots of schedules; the note says why.',
  },
} as const satisfies EventRegistry

/** For example `brokerCondition('Ready', 'Connected', '…')`. */
export const brokerCondition = conditionsOf(taskBrokerConditions)
export const brokerEvent = eventsOf(taskBrokerEvents)

/** `redis:6379`, `10.0.0.7:6379`, `[fd00::7]:6379`. One rule and not a pattern beside it, so that there is one readable answer. */
const hostAndPort =
  "self.matches('^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:.]+\\\\]):[0-9]{1,5}$')" +
  " && int(self.substring(self.lastIndexOf(':') + 1)) >= 1 && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535"

const standalone = object({
  description: 'One Redis or Valkey server.',
  fields: {
    address: string({
      description:
        'Address of the server as host:port, as seen from the operator and from the worker pods. Can be changed: the operator reconnects, ' +
        'and the pools roll out pods with the new address.',
      minLength: 1,
      maxLength: 261,
      example: 'redis.redis.svc:6379',
      rules: [{ rule: hostAndPort, message: 'must be host:port with a port from 1 to 65535, for example redis:6379 or [fd00::7]:6379' }],
    }),
  },
})

const credentialsSecretRef = secretRef({
  description:
    'Secret with the key `password` and, for a user of an ACL, `username`. The operator reads it every minute, and whenever the broker ' +
    'refuses the credentials. To rotate a password: add the new one beside the old, change the Secret, and remove the old one some ' +
    'minutes later.',
})

const tls = object({
  description: 'Connect with TLS. `{}` trusts the certificate authorities of the image.',
  fields: {
    caSecretRef: optional(secretRef({ description: 'Secret with the key `ca.crt`: the authorities to trust instead, in PEM.' })),
    clientCertificateSecretRef: optional(
      secretRef({
        description: 'Secret of type kubernetes.io/tls, with `tls.crt` and `tls.key`, if the broker asks for a client certificate.',
      }),
    ),
    serverName: optional(
      string({
        description: "Name that the broker's certificate is checked against. Default: the host of the address.",
        minLength: 1,
        maxLength: 253,
        pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$',
        example: 'redis.acme.dev',
      }),
    ),
  },
})

const spec = object({
  description: 'Where the queues are.',
  fields: {
    standalone,
    keyPrefix: string({
      description:
        "Prefix of all keys in Redis: BullMQ's option of the same name, which producers must use too. Taskmill's own keys have the same " +
        'prefix, so that one ACL pattern covers all. Cannot be changed.',
      minLength: 1,
      maxLength: 64,
      pattern: '^[A-Za-z0-9_{][A-Za-z0-9_.:{}-]*$',
      default: 'bull',
      immutable: 'keyPrefix cannot be changed: the queues would stay behind. Create another TaskBroker.',
    }),
    credentialsSecretRef: optional(credentialsSecretRef),
    tls: optional(tls),
    dispatch: enumeration({
      description:
        'Whether this cluster dispatches the slots of the schedules that use the broker. Active: it does, unless another cluster of the ' +
        'same installation holds the dispatch lease, which ends when that cluster was silent for 30 s. Standby: it leaves the slots to ' +
        'another cluster and gives up the lease at once. Pools scale in either case.',
      values: ['Active', 'Standby'],
      default: 'Active',
    }),
  },
})

const status = object({
  description: 'What the operator knows about the broker. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    version: optional(string({ description: 'Version of the server.', maxLength: 64, example: '7.2.5' })),
    evictionPolicy: optional(
      string({
        description: "The server's maxmemory-policy. Anything but noeviction may lose jobs when memory runs out.",
        maxLength: 64,
        example: 'noeviction',
      }),
    ),
    memory: optional(
      string({
        description: 'Memory that the server uses and, after the slash, its maxmemory if it has one. Updated only on a notable change.',
        maxLength: 64,
        example: '1.2Mi/256Mi',
      }),
    ),
    persistence: optional(
      enumeration({
        description: 'What survives a restart of the server: its append-only file (AOF), snapshots only (RDB), or nothing (None).',
        values: ['AOF', 'RDB', 'None'],
      }),
    ),
    appendFsync: optional(
      string({
        description: 'How often the append-only file reaches the disk; with everysec the last second may be lost.',
        maxLength: 16,
        example: 'everysec',
      }),
    ),
    dispatch: optional(
      enumeration({
        description: 'Whether this cluster dispatches the slots of schedules now; the condition Dispatching says why not.',
        values: ['Active', 'Standby'],
      }),
    ),
    clockSkewSeconds: optional(
      integer({
        description:
          "How far the broker's clock is ahead of the operator's (negative: behind). Present only while the difference is more than 2 s.",
        minimum: -2147483648,
        maximum: 2147483647,
      }),
    ),
  },
})

export const taskBroker = declareKind({
  kind: 'TaskBroker',
  plural: 'taskbrokers',
  singular: 'taskbroker',
  shortNames: ['tmb'],
  referredBy: ['brokerRef'],
  description:
    'A TaskBroker says where the queues of a namespace are: a Redis or Valkey server, its credentials, and a key prefix. A WorkerPool ' +
    'or TaskSchedule without brokerRef uses the TaskBroker named `default` of its namespace.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    {
      name: 'Reachable',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="BrokerReachable")].status',
      description: 'Whether the broker answers.',
    },
    { name: 'Version', type: 'string', jsonPath: '.status.version', description: 'Version of the server.' },
    {
      name: 'Memory',
      type: 'string',
      jsonPath: '.status.memory',
      description: 'Memory used, and the limit if there is one.',
    },
    { name: 'Eviction', type: 'string', jsonPath: '.status.evictionPolicy', description: 'maxmemory-policy; should be noeviction.' },
    {
      name: 'Dispatch',
      type: 'string',
      jsonPath: '.status.dispatch',
      description: 'Whether this cluster dispatches the slots of schedules.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Age of the TaskBroker.' },
  ],
  spec,
  status,
  conditions: taskBrokerConditions,
  events: taskBrokerEvents,
})

export type TaskBroker = ObjectOf<typeof taskBroker>
export type TaskBrokerSpec = Infer<typeof spec>
export type TaskBrokerStatus = Infer<typeof status>

export const taskBrokers: Resource<TaskBroker> = resourceOf(taskBroker)
