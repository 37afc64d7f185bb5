import { workerPool } from '../../../src/api/index.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const until = '2026-01-01T09:00:00Z'

const template = { spec: { containers: [{ name: 'worker', image: 'app:1' }] } }

const least = { apiVersion, kind: 'WorkerPool', metadata: { name: 'least' }, spec: { queues: [{ name: 'email' }], template } }

/** Of a template and a target there is only one. */
const targetPool = {
  apiVersion,
  kind: 'WorkerPool',
  metadata: { name: 'target' },
  spec: { queues: [{ name: 'email' }], targetRef: { kind: 'Deployment', name: 'email-worker' } },
  status: {},
}

const full = {
  apiVersion,
  kind: 'WorkerPool',
  metadata: { name: 'full' },
  spec: {
    replicas: 3,
    brokerRef: { name: 'mail' },
    queues: [{ name: 'email_tasks' }],
    concurrency: 4,
    scaling: {
      mode: 'Auto',
      minReplicas: 0,
      maxReplicas: 10_000,
      targetBacklogPerReplica: 40,
      behavior: { scaleDown: { stabilizationWindowSeconds: 120 } },
    },
    drainTimeoutSeconds: 300,
    brokerEnv: {
      url: 'REDIS_URL',
      address: 'REDIS_ADDRESS',
      host: 'REDIS_HOST',
      port: 'REDIS_PORT',
      username: 'REDIS_USERNAME',
      password: 'REDIS_PASSWORD',
      keyPrefix: 'REDIS_PREFIX',
    },
    template: {
      // As tools that were written in Go print it.
      metadata: { creationTimestamp: null, labels: { team: 'mail' }, annotations: { note: 'kept' } },
      spec: {
        containers: [{ name: 'worker', image: 'app:1', resources: { requests: { cpu: '1' } }, env: [{ name: 'A', value: 'b' }] }],
        terminationGracePeriodSeconds: 330,
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
      },
    },
    override: { until, by: 'oncall', reason: 'incident 4711', mode: 'Manual', replicas: 5, suspend: false },
  },
  status: {
    conditions,
    observedGeneration: 1,
    desiredReplicas: 7,
    replicas: 7,
    readyReplicas: 5,
    selector: 'taskmill.dev/pool=full',
    ignoredReplicas: 3,
    replicasBeforeOverride: 4,
    ready: '5/7',
    busy: '18/20',
    backlog: 312,
    orphaned: 1,
    // Long ago on every clock: kubectl prints <invalid> for the age of what is still to come.
    oldestJobTime: '2026-01-01T08:00:00Z',
    decision: '7 replicas: 280 jobs need 7 at 40 per replica.',
    reason: 'DeploymentAvailable',
    lastScaleTime: '2026-11-23T08:00:00Z',
  },
}

export const workerPoolCase: KindCase = {
  kind: workerPool,
  full,
  alternatives: [{ path: ['spec', 'targetRef'], object: targetPool }],
  least: {
    object: least,
    spec: {
      ...least.spec,
      replicas: 0,
      brokerRef: { name: 'default' },
      concurrency: 1,
      scaling: {
        mode: 'Auto',
        minReplicas: 0,
        maxReplicas: 10,
        targetBacklogPerReplica: 10,
        behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
      },
      drainTimeoutSeconds: 30,
    },
  },
  words: [
    { field: 'spec.override', values: [{ until }, { until, suspend: false }] },
    { field: 'spec.override', values: [{ until, mode: 'DryRun', replicas: 0 }], named: 'spec.override.mode' },
    { field: 'spec.override', values: [{ until, suspend: true, mode: 'Auto' }], named: 'spec.override.suspend' },
    { field: 'spec.queues[0].name', values: ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n'] },
    { field: 'spec.brokerRef.name', values: ['Default', '-a', 'a_b'] },
    { field: 'spec.brokerRef', values: [{ name: 'other' }, undefined] },
    { field: 'spec.scaling', values: [{ minReplicas: 11 }, { minReplicas: 5, maxReplicas: 4 }], named: 'spec.scaling.minReplicas' },
    { field: 'spec.targetRef.name', at: 'spec.targetRef', values: ['Email', '-a', 'a_b', 'a/b'].map((name) => ({ name })) },
    { field: 'spec', values: [{ queues: [{ name: 'a' }] }, { queues: [{ name: 'a' }], targetRef: { name: 'a' } }] },
    ...['url', 'address', 'host', 'port', 'username', 'password', 'keyPrefix'].map((name) => ({
      field: `spec.brokerEnv.${name}`,
      values: ['A-B', '1A', 'A B', '$(A)'],
    })),
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'READY', 'DESIRED', 'BUSY', 'BACKLOG', 'OLDEST', 'MODE', 'REASON', 'AGE'],
    row: /^full +5\/7 +7 +18\/20 +312 +\d+[smhdy]\S* +Auto +DeploymentAvailable +\S+$/u,
  },
  badManifests: [
    {
      title: 'an override that overrides nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: WorkerPool
        metadata: { name: email }
        spec:
          queues: [{ name: email }]
          template:
            spec:
              containers: [{ name: worker, image: "app:1" }]
          override: { until: "2026-11-29T04:00:00Z", suspend: false }
      `,
      answer: 'spec.override: Invalid value: "object": an override of a pool needs at least one of mode, replicas and suspend: true',
    },
    {
      title: 'replicas by hand that the queues decide',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: WorkerPool
        metadata: { name: email }
        spec:
          queues: [{ name: email }]
          template:
            spec:
              containers: [{ name: worker, image: "app:1" }]
          override: { until: "2026-11-29T04:00:00Z", mode: Auto, replicas: 5 }
      `,
      answer: 'spec.override.mode: Invalid value: "object": replicas are a manual setting: leave mode out, or set it to Manual',
    },
    {
      title: 'a suspended pool with five replicas',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: WorkerPool
        metadata: { name: email }
        spec:
          queues: [{ name: email }]
          template:
            spec:
              containers: [{ name: worker, image: "app:1" }]
          override: { until: "2026-11-29T04:00:00Z", suspend: true, replicas: 5 }
      `,
      answer: 'spec.override.suspend: Invalid value: "object": suspend means 0 replicas in every mode: leave mode and replicas out',
    },
    {
      title: 'an override with a mode of its own',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: WorkerPool
        metadata: { name: email }
        spec:
          queues: [{ name: email }]
          template:
            spec:
              containers: [{ name: worker, image: "app:1" }]
          override: { until: "2026-11-29T04:00:00Z", mode: Night }
      `,
      answer: 'spec.override.mode: Unsupported value: "Night": supported values: "Auto", "DryRun", "Manual"',
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
      answer: 'spec.scaling.minReplicas: Invalid value: "object": minReplicas must not exceed maxReplicas (default 10)',
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
        'spec.brokerEnv: Invalid value: "object": brokerEnv needs a template: the operator adds no environment to the pods of the Deployment of targetRef',
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
        'spec: Forbidden: a pool cannot change between template and targetRef: its pods would stay behind. Create another WorkerPool.',
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
        'spec.brokerRef: Forbidden: brokerRef cannot be changed: the queues would stay behind. Create another WorkerPool for the other broker.',
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
  ],
}
