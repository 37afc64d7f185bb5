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
    'Names of environment variables under which an image that is not made for Taskmill finds the broker. The variables TASKMILL_… are always ' +
    "there beside them. They stand before the template's own, which may refer to them as $(NAME).",
  fields: {
    url: variable(
      'The whole in one: redis://:password@host:port, or rediss:// with TLS; with the name of the user only if `username` is set as well. Composed by ' +
        'Kubernetes from the Secret when the pod starts; special characters of the password are not escaped: use only letters, digits, - and _ in it, ' +
        'or the variables below.',
      'REDIS_URL',
    ),
    address: variable('Host and port, as host:port.', 'REDIS_ADDRESS'),
    host: variable('The host, an IPv6 address without brackets.', 'REDIS_HOST'),
    port: variable('The port alone.', 'REDIS_PORT'),
    username: variable('Name of the ACL user: the key `username` of the credentials Secret, which must then have it.', 'REDIS_USERNAME'),
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
      description: 'Seconds for which fewer replicas must have been enough before any is removed. 0 removes them at once.',
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
      message: 'replicas are what people decide: leave mode out, or set it to Manual',
      fieldPath: '.mode',
    },
    {
      rule: '!has(self.suspend) || !self.suspend || (!has(self.mode) && !has(self.replicas))',
      message: 'suspend is 0 replicas whatever the mode: leave mode and replicas out',
      fieldPath: '.suspend',
    },
  ],
  fields: {
    ...overrideFields,
    mode: optional(
      enumeration({ description: 'Instead of scaling.mode. Manual without replicas holds the number that is found.', values: modes }),
    ),
    replicas: optional(
      integer({
        description: 'As many replicas, whatever the queues ask for and minReplicas and maxReplicas say.',
        minimum: 0,
        maximum: mostReplicas,
      }),
    ),
    suspend: optional(boolean({ description: 'True: no pod. Those that run drain as at any scale-in.' })),
  },
})

const scaling = object({
  description:
    'How many replicas the pool has: the jobs that wait, are due or run, divided by targetBacklogPerReplica, within minReplicas and maxReplicas. ' +
    'While a queue cannot be read the number is held. Whoever scales the Deployment itself to 0 takes it out of scaling until it has another number.',
  default: {},
  rules: [
    {
      rule: 'self.minReplicas <= self.maxReplicas',
      message: `minReplicas must not exceed maxReplicas (${defaultMaxReplicas} where it is left out)`,
      fieldPath: '.minReplicas',
    },
  ],
  fields: {
    mode: enumeration({
      description:
        'Who decides the number. Auto: Taskmill writes what the queues ask for. DryRun: it says in status.decision what it would write, and ' +
        'leaves the replicas alone. Manual: people do, by spec.replicas or the scale subresource, whatever minReplicas and maxReplicas say; ' +
        'the number that is found stays until another one is written.',
      values: modes,
      default: 'Auto',
    }),
    minReplicas: integer({
      description: 'Fewest replicas. 0 lets the pool sleep without pods; the next job wakes it.',
      minimum: 0,
      maximum: mostReplicas,
      default: 0,
    }),
    maxReplicas: integer({ description: 'Most replicas.', minimum: 1, maximum: mostReplicas, default: defaultMaxReplicas }),
    targetBacklogPerReplica: integer({
      description: 'Jobs, waiting and running, that one replica is meant to have. Lower means more replicas and shorter queues.',
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
    'An existing Deployment in the same namespace, of which only the replicas are written. It gets the label taskmill.dev/pool and the ' +
    'annotation taskmill.dev/written-replicas, which are taken back when the pool goes or targets another one. Its pods get no environment.',
  fields: {
    kind: enumeration({ description: 'What is scaled.', values: ['Deployment'], default: 'Deployment' }),
    name: string({
      description: 'Name of the Deployment.',
      minLength: 1,
      maxLength: 253,
      pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
      example: 'email-worker',
    }),
  },
})

const spec = object({
  description: 'What the pool should be.',
  rules: [
    { rule: 'has(self.template) != has(self.targetRef)', message: 'exactly one of template and targetRef must be set' },
    {
      rule: '!(has(self.brokerEnv) && has(self.targetRef))',
      message: 'brokerEnv needs a template: nothing is injected into the pods of a Deployment that targetRef names',
      fieldPath: '.brokerEnv',
    },
    {
      rule: 'has(self.targetRef) == has(oldSelf.targetRef)',
      message: 'a pool cannot change between template and targetRef: its pods would be left behind. Create another WorkerPool.',
      reason: 'FieldValueForbidden',
    },
  ],
  fields: {
    replicas: integer({
      description:
        'Replicas that people want while scaling.mode is Manual; what `kubectl scale` writes. Without effect in the other modes, and also in ' +
        'Manual as long as it is the number that was there when Manual began: then the replicas are held as they are.',
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
        "Seconds that a stopping pod may go on with its running jobs. What is not finished then goes back to its queue. The pod's grace period follows it.",
      minimum: 0,
      maximum: 86_400,
      default: 30,
    }),
    brokerEnv: optional(brokerEnv),
    template: optional(podTemplate),
    targetRef: optional(targetRef),
    override: optional(override),
  },
})

const replicaCount = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

const status = object({
  description: 'What the pool is, as the operator saw it last. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    desiredReplicas: replicaCount('Replicas that the operator wants now, or would want in DryRun.'),
    // The scale subresource admits no more.
    replicas: optional(integer({ description: 'Pods that the Deployment has.', minimum: 0, maximum: 2 ** 31 - 1 })),
    selector: optional(
      string({
        description: 'Label selector of the pods, as the scale subresource wants it.',
        maxLength: 4096,
        example: 'taskmill.dev/pool=email',
      }),
    ),
    ignoredReplicas: replicaCount('The spec.replicas that is not acted upon, because nobody has written another one since Manual began.'),
    replicasBeforeOverride: replicaCount(
      'Replicas to go back to when the override ends, where scaling.mode would not bring them back: it is DryRun, or Manual and holds what it found.',
    ),
    readyReplicas: replicaCount('Pods that are ready.'),
    ready: optional(string({ description: 'Ready pods of desired pods.', maxLength: 32, example: '5/7' })),
    busy: optional(string({ description: 'Running jobs of the slots of all ready pods.', maxLength: 40, example: '18/20' })),
    backlog: optional(
      integer({
        description: 'Jobs that could run now and do not: waiting, prioritized and due delayed ones, rounded to three digits.',
        minimum: 0,
        maximum: maxCount,
      }),
    ),
    orphaned: optional(
      integer({
        description:
          'Jobs that are active without a worker: theirs died, or was removed, and nobody gave them back yet. They keep the pool from resting at 0. Missing when there are none.',
        minimum: 0,
        maximum: maxCount,
      }),
    ),
    oldestJobTime: optional(dateTime({ description: 'Since when the oldest job that could run waits. Missing when none waits.' })),
    decision: optional(
      string({ description: 'Why there are so many replicas, what limited the number, and what would change it.', maxLength: 4096 }),
    ),
    reason: optional(
      string({ description: 'The one reason among the conditions that matters most now; a column of kubectl get.', maxLength: 1024 }),
    ),
    lastScaleTime: optional(dateTime({ description: 'When the operator changed the number of replicas last.' })),
  },
})

export const workerPool = declareKind({
  kind: 'WorkerPool',
  plural: 'workerpools',
  singular: 'workerpool',
  shortNames: ['wp'],
  description:
    'A WorkerPool runs worker pods for queues and scales them with the work. It owns one Deployment of its own name, or scales an existing one. ' +
    'With minReplicas 0 (the default) no pod runs while there is no work.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Ready', type: 'string', jsonPath: '.status.ready', description: 'Ready pods of desired pods.' },
    { name: 'Desired', type: 'integer', jsonPath: '.status.desiredReplicas', description: 'Replicas that the operator wants.' },
    { name: 'Busy', type: 'string', jsonPath: '.status.busy', description: 'Running jobs of all slots.' },
    { name: 'Backlog', type: 'integer', jsonPath: '.status.backlog', description: 'Jobs that could run now and do not.' },
    { name: 'Oldest', type: 'date', jsonPath: '.status.oldestJobTime', description: 'How long the oldest of them waits.' },
    { name: 'Mode', type: 'string', jsonPath: '.spec.scaling.mode', description: 'Who decides the number of replicas.' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'The reason that matters most now.' },
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
