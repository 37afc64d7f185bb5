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
