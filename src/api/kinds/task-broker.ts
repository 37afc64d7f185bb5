import type { Resource } from '../object.ts'
import { type Infer, object, optional, string } from '../schema/index.ts'
import { conditionList, observedGeneration } from './condition-list.ts'
import { declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { maxLabelValueLength } from './references.ts'
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
  },
})

export const taskBroker = declareKind({
  kind: 'TaskBroker',
  plural: 'taskbrokers',
  singular: 'taskbroker',
  shortNames: ['tmb'],
  description:
    'A TaskBroker says where the queues of a namespace live: a Redis or Valkey server and a key prefix. The one named `default` is used ' +
    'by every WorkerPool of the namespace that names none.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    {
      name: 'Reachable',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="BrokerReachable")].status',
      description: 'Whether the broker answers.',
    },
    { name: 'Version', type: 'string', jsonPath: '.status.version', description: 'Version of the server.' },
    { name: 'Eviction', type: 'string', jsonPath: '.status.evictionPolicy', description: 'maxmemory-policy; should be noeviction.' },
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
