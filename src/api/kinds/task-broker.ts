import type { Resource } from '../object.ts'
import { enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { conditionList, observedGeneration } from './condition-list.ts'
import { declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { maxLabelValueLength, secretRef } from './references.ts'
import { taskBrokerConditions, taskBrokerEvents } from './task-broker-reasons.ts'

/** `redis:6379`, `10.0.0.7:6379`, `[fd00::7]:6379`. One rule and not a pattern beside it, so that there is one readable answer. */
const hostAndPort =
  "self.matches('^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:.]+\\\\]):[0-9]{1,5}$')" +
  " && int(self.substring(self.lastIndexOf(':') + 1)) >= 1 && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535"

const standalone = object({
  description: 'One Redis or Valkey server.',
  fields: {
    address: string({
      description:
        'Address of the server as host:port, as seen from the operator and from the worker pods. May be changed: the operator reconnects, ' +
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
    'Secret with the key `password` and, for a user of an ACL, `username`. It is read again every minute and when the broker refuses what it ' +
    'holds, so that a password can be rotated: set the new one beside the old, change the Secret, remove the old one minutes later.',
})

const tls = object({
  description: 'Connect with TLS. `{}` trusts the certificate authorities of the image.',
  fields: {
    caSecretRef: optional(secretRef({ description: 'Secret with the key `ca.crt`: the authorities to trust instead, in PEM.' })),
    clientCertificateSecretRef: optional(
      secretRef({
        description: 'Secret of the type kubernetes.io/tls, with `tls.crt` and `tls.key`, where the broker asks for a certificate.',
      }),
    ),
    serverName: optional(
      string({
        description: "Name that the broker's certificate is checked against. Omitted: the host of the address.",
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
        "Prefix of all keys in Redis: BullMQ's option of the same name, which producers must use too. Taskmill's own keys live under it as well, " +
        'so one ACL pattern covers all. Cannot be changed.',
      minLength: 1,
      maxLength: 64,
      pattern: '^[A-Za-z0-9_{][A-Za-z0-9_.:{}-]*$',
      default: 'bull',
      immutable: 'keyPrefix cannot be changed: the queues would be left behind. Create another TaskBroker.',
    }),
    credentialsSecretRef: optional(credentialsSecretRef),
    tls: optional(tls),
    dispatch: enumeration({
      description:
        'Whether this cluster dispatches the slots of the schedules that use the broker. Active: unless another cluster of the same installation ' +
        'does, which keeps its turn until it was silent for 30 s. Standby: it leaves them to another one, and gives its own turn back at once. ' +
        'Pools scale in either case.',
      values: ['Active', 'Standby'],
      default: 'Active',
    }),
  },
})

const status = object({
  description: 'What the operator found out about the broker. Written by the operator only.',
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
        description:
          'Memory that the server uses, and after the slash its maxmemory where it has one. Written when it has changed notably.',
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
        description: "How far the broker's clock is ahead of the operator's (negative: behind); there only while it is more than 2 s.",
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
  description:
    'A TaskBroker says where the queues of a namespace live: a Redis or Valkey server, how one gets in, and a key prefix. The one named ' +
    '`default` is used by every WorkerPool and TaskSchedule of the namespace that names none.',
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
      description: 'Memory used, and the limit where there is one.',
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
