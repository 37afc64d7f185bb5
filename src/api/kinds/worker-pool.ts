import { exactlyOneOf, memberOf, type Member, namesOf } from '../members.ts'
import type { Resource } from '../object.ts'
import { object, optional, string, boolean, dateTime, enumeration, type Infer, integer, listMap } from '../schema/index.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { podTemplate } from './job-template.ts'
import { overrideDescription, overrideFields } from './override.ts'
import { brokerRef, maxLabelValueLength } from './references.ts'
import { workerPoolConditions, workerPoolEvents } from './worker-pool-reasons.ts'

const variable = (description: string, example: string) =>
  optional(string({ description, minLength: 1, maxLength: 128, pattern: '^[A-Za-z_][A-Za-z0-9_]*$', example }))

/** Names, because a foreign image brings its own: Taskmill only fills in what belongs to each. */
const brokerEnv = object({
  description:
    'Environment variables for an image that was not made for Taskmill: under which names it finds the broker. The TASKMILL_… variables ' +
    "are always set as well. All of them come before the template's own variables, which can refer to them as $(NAME).",
  fields: {
    url: variable(
      'The whole address as one URL: redis://:password@host:port, or rediss:// with TLS. It contains the user name only if `username` is ' +
        'set as well. Kubernetes composes it from the Secret when the pod starts. Special characters in the password are not escaped: use ' +
        'only letters, digits, - and _ in it, or use the variables below.',
      'REDIS_URL',
    ),
    address: variable('Host and port, as host:port.', 'REDIS_ADDRESS'),
    host: variable('The host; an IPv6 address without brackets.', 'REDIS_HOST'),
    port: variable('The port alone.', 'REDIS_PORT'),
    username: variable('Name of the ACL user: the key `username` of the credentials Secret, which must have that key.', 'REDIS_USERNAME'),
    password: variable('The password: the key `password` of the credentials Secret. A changed password needs new pods.', 'REDIS_PASSWORD'),
    keyPrefix: variable("BullMQ's prefix.", 'REDIS_PREFIX'),
  },
})

const maxCount = Number.MAX_SAFE_INTEGER
const mostReplicas = 10_000
const defaultMaxReplicas = 10

const queues = listMap({
  description: 'The queues that the pods of this pool consume. A queue may be consumed by several pools.',
  keys: ['name'],
  minItems: 1,
  maxItems: 100,
  items: object({
    description: 'One queue.',
    fields: {
      name: string({
        description:
          'Name of the BullMQ queue, as the producers write it. No colon, comma, braces or white space, and no dot at the start.',
        minLength: 1,
        maxLength: 128,
        pattern: '^[^.:,{}\\p{Z}\\x00-\\x1f\\x7f][^:,{}\\p{Z}\\x00-\\x1f\\x7f]*$',
        example: 'email_tasks',
      }),
    },
  }),
})

const scaleDown = object({
  description: 'How the pool scales down.',
  default: {},
  fields: {
    stabilizationWindowSeconds: integer({
      description: 'Seconds during which fewer replicas must have been enough before any is removed. 0 removes them at once.',
      minimum: 0,
      maximum: 3600,
      default: 300,
    }),
  },
})

const modes = ['Auto', 'DryRun', 'Manual'] as const

const override = object({
  description: overrideDescription,
  rules: [
    {
      rule: 'has(self.mode) || has(self.replicas) || (has(self.suspend) && self.suspend)',
      message: 'an override of a pool needs at least one of mode, replicas and suspend: true',
    },
    {
      rule: "!has(self.replicas) || !has(self.mode) || self.mode == 'Manual'",
      message: 'replicas are a manual setting: leave mode out, or set it to Manual',
      fieldPath: '.mode',
    },
    {
      rule: '!has(self.suspend) || !self.suspend || (!has(self.mode) && !has(self.replicas))',
      message: 'suspend means 0 replicas in every mode: leave mode and replicas out',
      fieldPath: '.suspend',
    },
  ],
  fields: {
    ...overrideFields,
    mode: optional(enumeration({ description: 'Replaces scaling.mode. Manual without replicas keeps the current number.', values: modes })),
    replicas: optional(
      integer({
        description: 'Number of replicas, whatever the queues need and whatever minReplicas and maxReplicas are.',
        minimum: 0,
        maximum: mostReplicas,
      }),
    ),
    suspend: optional(boolean({ description: 'True: no pods. Running pods drain as in any scale-in.' })),
  },
})

const scaling = object({
  description:
    'How many replicas the pool has: the jobs that wait, are due or run, divided by targetBacklogPerReplica, between minReplicas and ' +
    'maxReplicas. While a queue cannot be read, the operator keeps the number. If a user scales the Deployment itself to 0, the pool ' +
    'stays at 0 until the Deployment gets another number.',
  default: {},
  rules: [
    {
      rule: 'self.minReplicas <= self.maxReplicas',
      message: `minReplicas must not exceed maxReplicas (default ${defaultMaxReplicas})`,
      fieldPath: '.minReplicas',
    },
  ],
  fields: {
    mode: enumeration({
      description:
        'Who decides the number. Auto: the operator sets what the queues need. DryRun: the operator shows in status.decision what it would ' +
        'set, and leaves the replicas alone. Manual: users decide, by spec.replicas or the scale subresource, whatever minReplicas and ' +
        'maxReplicas are; the current number stays until a user sets another one.',
      values: modes,
      default: 'Auto',
    }),
    minReplicas: integer({
      description: 'Lowest number of replicas. With 0 the pool runs no pods while it is idle; the next job starts one.',
      minimum: 0,
      maximum: mostReplicas,
      default: 0,
    }),
    maxReplicas: integer({ description: 'Highest number of replicas.', minimum: 1, maximum: mostReplicas, default: defaultMaxReplicas }),
    targetBacklogPerReplica: integer({
      description: 'Number of jobs, waiting and running, per replica. A lower value means more replicas and shorter queues.',
      minimum: 1,
      maximum: 1_000_000,
      default: 10,
    }),
    behavior: object({
      description: 'How fast the pool scales, in the words of the HorizontalPodAutoscaler.',
      default: {},
      fields: { scaleDown },
    }),
  },
})

const targetRef = object({
  description:
    'An existing Deployment in the same namespace. The operator sets only its replicas. It adds the label taskmill.dev/pool and the ' +
    'annotation taskmill.dev/written-replicas, and removes them when the pool is deleted or targets another one. It adds no environment ' +
    'to its pods.',
  fields: {
    kind: enumeration({ description: 'Kind of the object that is scaled.', values: ['Deployment'], default: 'Deployment' }),
    name: string({
      description: 'Name of the Deployment.',
      minLength: 1,
      maxLength: 253,
      pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
      example: 'email-worker',
    }),
  },
})

/** Where the pods of a pool come from. */
const podSources = { template: optional(podTemplate), targetRef: optional(targetRef) }

const spec = object({
  description: 'The desired state of the pool.',
  rules: [
    { ...exactlyOneOf(podSources), message: 'exactly one of template and targetRef must be set' },
    {
      rule: '!(has(self.brokerEnv) && has(self.targetRef))',
      message: 'brokerEnv needs a template: the operator adds no environment to the pods of the Deployment of targetRef',
      fieldPath: '.brokerEnv',
    },
    {
      rule: 'has(self.targetRef) == has(oldSelf.targetRef)',
      message: 'a pool cannot change between template and targetRef: its pods would stay behind. Create another WorkerPool.',
      reason: 'FieldValueForbidden',
    },
  ],
  fields: {
    replicas: integer({
      description:
        'Replicas that users want while scaling.mode is Manual; `kubectl scale` writes it. It has no effect in the other modes. In Manual ' +
        'it has no effect either while it still is the number that was there when Manual began: until then the replicas stay as they are.',
      minimum: 0,
      maximum: mostReplicas,
      default: 0,
    }),
    brokerRef,
    queues,
    concurrency: integer({
      description: 'Jobs that one pod runs at the same time, over all its queues together.',
      minimum: 1,
      maximum: 1000,
      default: 1,
    }),
    scaling,
    drainTimeoutSeconds: integer({
      description:
        "Seconds for which a stopping pod may continue its running jobs. Unfinished jobs then return to their queue. The pod's grace period " +
        'is derived from it.',
      minimum: 0,
      maximum: 86_400,
      default: 30,
    }),
    brokerEnv: optional(brokerEnv),
    ...podSources,
    override: optional(override),
  },
})

const replicaCount = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

const status = object({
  description: 'The current state of the pool. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    desiredReplicas: replicaCount('Replicas that the operator wants now, or would want in DryRun.'),
    // The scale subresource admits no more.
    replicas: optional(integer({ description: 'Pods that the Deployment has.', minimum: 0, maximum: 2 ** 31 - 1 })),
    selector: optional(
      string({
        description: 'Label selector of the pods, for the scale subresource.',
        maxLength: 4096,
        example: 'taskmill.dev/pool=email',
      }),
    ),
    ignoredReplicas: replicaCount(
      'The spec.replicas that is not in effect, because no user has written another number since Manual began.',
    ),
    replicasBeforeOverride: replicaCount(
      'Replicas to restore when the override ends, if scaling.mode would not restore them: it is DryRun, or Manual without a new number.',
    ),
    readyReplicas: replicaCount('Pods that are ready.'),
    ready: optional(string({ description: 'Ready pods of desired pods.', maxLength: 32, example: '5/7' })),
    busy: optional(string({ description: 'Running jobs, and slots of all ready pods.', maxLength: 40, example: '18/20' })),
    backlog: optional(
      integer({
        description: 'Jobs that could start now: waiting, prioritized and due delayed ones, rounded to three digits.',
        minimum: 0,
        maximum: maxCount,
      }),
    ),
    orphaned: optional(
      integer({
        description:
          'Orphaned jobs: they are active, but their worker died or was removed, and they have not yet returned to their queue. They keep the ' +
          'pool from scaling to 0. Missing when there are none.',
        minimum: 0,
        maximum: maxCount,
      }),
    ),
    oldestJobTime: optional(dateTime({ description: 'Since when the oldest job that could start waits. Missing when none waits.' })),
    decision: optional(
      string({
        description: 'Why the pool has this number of replicas, what limits the number, and what would change it.',
        maxLength: 4096,
      }),
    ),
    reason: optional(string({ description: 'The most important reason among the conditions; a column of kubectl get.', maxLength: 1024 })),
    lastScaleTime: optional(dateTime({ description: 'When the operator last changed the number of replicas.' })),
  },
})

export const workerPool = declareKind({
  kind: 'WorkerPool',
  plural: 'workerpools',
  singular: 'workerpool',
  shortNames: ['wp'],
  description:
    'A WorkerPool runs worker pods for queues and scales them with the work. It owns one Deployment of its own name, or scales an ' +
    'existing one. With minReplicas 0 (the default), no pod runs while there is no work.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Ready', type: 'string', jsonPath: '.status.ready', description: 'Ready pods of desired pods.' },
    { name: 'Desired', type: 'integer', jsonPath: '.status.desiredReplicas', description: 'Replicas that the operator wants.' },
    { name: 'Busy', type: 'string', jsonPath: '.status.busy', description: 'Running jobs, and all slots.' },
    { name: 'Backlog', type: 'integer', jsonPath: '.status.backlog', description: 'Jobs that could start now.' },
    { name: 'Oldest', type: 'date', jsonPath: '.status.oldestJobTime', description: 'How long the oldest of them waits.' },
    { name: 'Mode', type: 'string', jsonPath: '.spec.scaling.mode', description: 'Who decides the number of replicas.' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'The most important reason.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Age of the pool.' },
  ],
  spec,
  status,
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
  conditions: workerPoolConditions,
  events: workerPoolEvents,
})

export type WorkerPool = ObjectOf<typeof workerPool>
export type WorkerPoolSpec = Infer<typeof spec>
export type WorkerPoolStatus = Infer<typeof status>

export const workerPools: Resource<WorkerPool> = resourceOf(workerPool)

/** A Deployment of its own, from a template, or a target of another owner that is only scaled. */
export function podSourceOf(own: WorkerPoolSpec): Member<WorkerPoolSpec, keyof typeof podSources> {
  return memberOf(own, namesOf(podSources))
}
