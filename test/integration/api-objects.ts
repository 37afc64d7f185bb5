/** Good objects that use every declared field, and the least ones that are good. */
const apiVersion = 'taskmill.dev/v1alpha1'

const conditions = [
  {
    type: 'Ready',
    status: 'True',
    observedGeneration: 1,
    lastTransitionTime: '2026-11-23T08:00:00Z',
    reason: 'Connected',
    message: 'the broker answers',
  },
]

export const leastBroker = { apiVersion, kind: 'TaskBroker', metadata: { name: 'least' }, spec: { standalone: { address: 'redis:6379' } } }

export const fullBroker = {
  apiVersion,
  kind: 'TaskBroker',
  metadata: { name: 'full' },
  spec: { standalone: { address: 'redis.redis.svc:6379' }, keyPrefix: 'app' },
  status: { conditions, observedGeneration: 1, version: '7.2.5', evictionPolicy: 'noeviction' },
}

const template = { spec: { containers: [{ name: 'worker', image: 'app:1' }] } }

export const leastPool = { apiVersion, kind: 'WorkerPool', metadata: { name: 'least' }, spec: { queues: [{ name: 'email' }], template } }

export const fullPool = {
  apiVersion,
  kind: 'WorkerPool',
  metadata: { name: 'full' },
  spec: {
    brokerRef: { name: 'mail' },
    queues: [{ name: 'email_tasks' }],
    concurrency: 4,
    scaling: {
      minReplicas: 0,
      maxReplicas: 10_000,
      targetBacklogPerReplica: 40,
      behavior: { scaleDown: { stabilizationWindowSeconds: 120 } },
    },
    drainTimeoutSeconds: 300,
    template: {
      // As tools that were written in Go print it.
      metadata: { creationTimestamp: null, labels: { team: 'mail' }, annotations: { note: 'kept' } },
      spec: {
        containers: [{ name: 'worker', image: 'app:1', resources: { requests: { cpu: '1' } }, env: [{ name: 'A', value: 'b' }] }],
        terminationGracePeriodSeconds: 330,
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
      },
    },
  },
  status: {
    conditions,
    observedGeneration: 1,
    desiredReplicas: 7,
    replicas: 7,
    readyReplicas: 5,
    ready: '5/7',
    busy: '18/20',
    backlog: 312,
    // Long ago on every clock: kubectl prints <invalid> for the age of what is still to come.
    oldestJobTime: '2026-01-01T08:00:00Z',
    decision: '7 replicas: 280 jobs need 7 at 40 per replica.',
    reason: 'DeploymentAvailable',
    lastScaleTime: '2026-11-23T08:00:00Z',
  },
}
