import { type JsonSchema, kinds } from '../../src/api/index.ts'

/** A manifest that somebody might write, and what the API server answers. One named `full` changes the object of that name. */
export type BadManifest = { readonly title: string; readonly manifest: string; readonly answer: string }

export const badManifests: readonly BadManifest[] = [
  {
    title: 'an address without a port',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskBroker
      metadata: { name: default }
      spec:
        standalone: { address: redis.redis.svc }
    `,
    answer:
      'spec.standalone.address: Invalid value: "string": must be host:port with a port from 1 to 65535, for example redis:6379 or [fd00::7]:6379',
  },
  {
    title: 'another key prefix for queues that exist',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskBroker
      metadata: { name: full }
      spec:
        standalone: { address: redis.redis.svc:6379 }
        keyPrefix: other
    `,
    answer: 'spec.keyPrefix: Forbidden: keyPrefix cannot be changed: the queues would be left behind. Create another TaskBroker.',
  },
  {
    title: 'a TaskBroker that dispatches now and then',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskBroker
      metadata: { name: default }
      spec:
        standalone: { address: redis:6379 }
        dispatch: Passive
    `,
    answer: 'spec.dispatch: Unsupported value: "Passive": supported values: "Active", "Standby"',
  },
  {
    title: 'a status of a TaskBroker that dispatches a little',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskBroker
      metadata: { name: full }
      status:
        dispatch: Partly
    `,
    answer: 'status.dispatch: Unsupported value: "Partly": supported values: "Active", "Standby"',
  },
  {
    title: 'a status of a TaskBroker with a persistence that nobody knows',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskBroker
      metadata: { name: full }
      status:
        persistence: Tape
    `,
    answer: 'status.persistence: Unsupported value: "Tape": supported values: "AOF", "RDB", "None"',
  },
  {
    title: 'a condition of a TaskBroker that is neither true nor false',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskBroker
      metadata: { name: full }
      status:
        conditions:
          - { type: Ready, status: Maybe, reason: Connected, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
    `,
    answer: 'status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"',
  },
  {
    title: 'more replicas at least than at most',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: email }
      spec:
        queues: [{ name: email }]
        scaling: { minReplicas: 20 }
        template:
          spec:
            containers: [{ name: worker, image: "app:1" }]
    `,
    answer: 'spec.scaling.minReplicas: Invalid value: "object": minReplicas must not exceed maxReplicas (10 where it is left out)',
  },
  {
    title: 'a pool with neither pods nor a target',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: email }
      spec:
        queues: [{ name: email }]
    `,
    answer: 'spec: Invalid value: "object": exactly one of template and targetRef must be set',
  },
  {
    title: 'names of variables for pods that belong to somebody else',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: email }
      spec:
        queues: [{ name: email }]
        targetRef: { name: email-worker }
        brokerEnv: { url: REDIS_URL }
    `,
    answer:
      'spec.brokerEnv: Invalid value: "object": brokerEnv needs a template: nothing is injected into the pods of a Deployment that targetRef names',
  },
  {
    title: 'a pool with pods of its own that moves to a target',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: full }
      spec:
        queues: [{ name: email_tasks }]
        targetRef: { name: email-worker }
    `,
    answer:
      'spec: Forbidden: a pool cannot change between template and targetRef: its pods would be left behind. Create another WorkerPool.',
  },
  {
    title: 'a target that is no Deployment',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: email }
      spec:
        queues: [{ name: email }]
        targetRef: { kind: StatefulSet, name: email-worker }
    `,
    answer: 'spec.targetRef.kind: Unsupported value: "StatefulSet": supported values: "Deployment"',
  },
  {
    title: 'a way of scaling that there is not',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: email }
      spec:
        queues: [{ name: email }]
        scaling: { mode: "Off" }
        template:
          spec:
            containers: [{ name: worker, image: "app:1" }]
    `,
    answer: 'spec.scaling.mode: Unsupported value: "Off": supported values: "Auto", "DryRun", "Manual"',
  },
  {
    title: 'a pool that moves to another broker',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: full }
      spec:
        brokerRef: { name: other }
        queues: [{ name: email_tasks }]
        template:
          spec:
            containers: [{ name: worker, image: "app:1" }]
    `,
    answer:
      'spec.brokerRef: Forbidden: brokerRef cannot be changed: the queues would be left behind. Create another WorkerPool for the other broker.',
  },
  {
    title: 'a condition of a WorkerPool that is neither true nor false',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: WorkerPool
      metadata: { name: full }
      status:
        conditions:
          - { type: Ready, status: "yes", reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
    `,
    answer: 'status.conditions[0].status: Unsupported value: "yes": supported values: "True", "False", "Unknown"',
  },
  {
    title: 'a schedule with two ways of saying when',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: nightly }
      spec:
        schedules: ["0 1 * * *"]
        everySeconds: 900
        task: { type: backup, queue: files }
    `,
    answer: 'spec.schedules: Invalid value: "object": exactly one of schedules, everySeconds must be set',
  },
  {
    title: 'an interval in a time zone',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: quarterly }
      spec:
        everySeconds: 900
        timeZone: Europe/Berlin
        task: { type: backup, queue: files }
    `,
    answer:
      'spec.timeZone: Invalid value: "object": timeZone goes with schedules only: everySeconds counts from 1970-01-01T00:00:00Z, the same everywhere. Remove timeZone',
  },
  {
    title: 'a schedule that moves to another broker',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: full }
      spec:
        brokerRef: { name: other }
        schedules: ["0 1 * * *"]
        task: { type: backup, queue: files }
    `,
    answer:
      'spec.brokerRef: Forbidden: brokerRef cannot be changed: the ledger would be left behind. Create another TaskSchedule for the other broker.',
  },
  {
    title: 'a concurrency policy of another tool',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: nightly }
      spec:
        schedules: ["0 1 * * *"]
        concurrencyPolicy: Enqueue
        task: { type: backup, queue: files }
    `,
    answer: 'spec.concurrencyPolicy: Unsupported value: "Enqueue": supported values: "Allow", "Forbid"',
  },
  {
    title: 'runs to catch up with in other words',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: nightly }
      spec:
        schedules: ["0 1 * * *"]
        missedRuns: Catchup
        task: { type: backup, queue: files }
    `,
    answer: 'spec.missedRuns: Unsupported value: "Catchup": supported values: "Latest", "Skip", "All"',
  },
  {
    title: 'a deletion policy of garbage collection',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: nightly }
      spec:
        schedules: ["0 1 * * *"]
        deletionPolicy: Foreground
        task: { type: backup, queue: files }
    `,
    answer: 'spec.deletionPolicy: Unsupported value: "Foreground": supported values: "Delete", "Orphan"',
  },
  {
    title: 'an engine that does not exist',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: nightly }
      spec:
        schedules: ["0 1 * * *"]
        engine: Celery
        task: { type: backup, queue: files }
    `,
    answer: 'spec.engine: Unsupported value: "Celery": supported values: "Taskmill"',
  },
  {
    title: 'a condition of a TaskSchedule that is neither true nor false',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: full }
      status:
        conditions:
          - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
    `,
    answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
  },
  {
    title: 'a last result that is none',
    manifest: `
      apiVersion: taskmill.dev/v1alpha1
      kind: TaskSchedule
      metadata: { name: full }
      status:
        lastResult: Maybe
    `,
    answer: 'status.lastResult: Unsupported value: "Maybe": supported values: "Succeeded", "Failed"',
  },
]

export type Refusable = { readonly kind: string; readonly field: string; readonly words: string }

/** Everything declared of which there must be a bad manifest: each enum and each rule, immutability among them. */
export const refusable: readonly Refusable[] = kinds.flatMap(({ kind, spec, status, rules = [] }) => [
  ...rules.map(({ fieldPath = '', message }) => ({ kind, field: fieldPath.slice(1), words: message })),
  ...refusedIn(kind, spec.json, 'spec'),
  ...refusedIn(kind, status.json, 'status'),
])

function refusedIn(kind: string, schema: JsonSchema, field: string): readonly Refusable[] {
  const { 'x-kubernetes-validations': rules = [], properties = {}, items, additionalProperties } = schema
  const choice = schema.enum === undefined ? [] : [{ kind, field, words: 'Unsupported value' }]
  const broken = rules.map(({ fieldPath = '', message }) => ({ kind, field: `${field}${fieldPath}`, words: message }))
  const below = [
    ...Object.entries(properties).flatMap(([name, child]) => refusedIn(kind, child, `${field}.${name}`)),
    ...(items === undefined ? [] : refusedIn(kind, items, `${field}[0]`)),
    ...(additionalProperties === undefined ? [] : refusedIn(kind, additionalProperties, `${field}[key]`)),
  ]
  return [...choice, ...broken, ...below]
}
