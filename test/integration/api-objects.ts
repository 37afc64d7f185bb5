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
  spec: {
    standalone: { address: 'redis.redis.svc:6379' },
    keyPrefix: 'app',
    credentialsSecretRef: { name: 'redis-auth' },
    tls: { caSecretRef: { name: 'redis-ca' }, clientCertificateSecretRef: { name: 'redis-client' }, serverName: 'redis.acme.dev' },
    dispatch: 'Standby',
  },
  status: {
    conditions,
    observedGeneration: 1,
    version: '7.2.5',
    evictionPolicy: 'noeviction',
    memory: '1.2Mi/256Mi',
    persistence: 'AOF',
    appendFsync: 'everysec',
    dispatch: 'Standby',
    clockSkewSeconds: -3,
  },
}

const template = { spec: { containers: [{ name: 'worker', image: 'app:1' }] } }

export const leastPool = { apiVersion, kind: 'WorkerPool', metadata: { name: 'least' }, spec: { queues: [{ name: 'email' }], template } }

/** Of a template and a target there is only one. */
export const targetPool = {
  apiVersion,
  kind: 'WorkerPool',
  metadata: { name: 'target' },
  spec: { queues: [{ name: 'email' }], targetRef: { kind: 'Deployment', name: 'email-worker' } },
  status: {},
}

export const fullPool = {
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
  },
  status: {
    conditions,
    observedGeneration: 1,
    desiredReplicas: 7,
    replicas: 7,
    readyReplicas: 5,
    selector: 'taskmill.dev/pool=full',
    ignoredReplicas: 3,
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

export const leastSchedule = {
  apiVersion,
  kind: 'TaskSchedule',
  metadata: { name: 'least' },
  spec: { everySeconds: 900, task: { type: 'backup', queue: 'files' } },
  status: {},
}

/** Of schedules and everySeconds there is only one. */
export const fullSchedule = {
  apiVersion,
  kind: 'TaskSchedule',
  metadata: { name: 'full' },
  spec: {
    brokerRef: { name: 'mail' },
    schedules: ['0 1 * * 0', '@daily'],
    timeZone: 'Europe/Berlin',
    suspend: false,
    concurrencyPolicy: 'Forbid',
    missedRuns: 'All',
    missedRunsLimit: 5,
    startingDeadlineSeconds: 21_600,
    pendingDeadlineSeconds: 600,
    runDeadlineSeconds: 3600,
    deletionPolicy: 'Orphan',
    engine: 'Taskmill',
    task: {
      type: 'backup-user-data',
      queue: 'file_tasks',
      payload: { retainDays: 30, slot: '$(slot)', deep: [{ any: [null, true, 1.5] }] },
      priority: 50,
      retry: { maxRetries: 3, initialDelaySeconds: 3600 },
    },
  },
  status: {
    conditions,
    observedGeneration: 1,
    schedule: '0 1 * * 0; @daily',
    timeZone: 'Europe/Berlin',
    nextRuns: ['2026-11-29T00:00:00Z', '2026-11-29T23:00:00Z'],
    next: '2026-11-29T00:00Z',
    activeRuns: 0,
    lastScheduleTime: '2026-01-01T08:00:00Z',
    lastSuccessTime: '2026-01-01T07:00:05Z',
    lastFailureTime: '2026-01-01T08:00:05Z',
    lastFailureMessage: 'the disk is full',
    lastResult: 'Failed',
    consecutiveFailures: 3,
    missedRuns: [{ reason: 'Overlap', count: 2, lastSlotTime: '2026-01-01T06:00:00Z' }],
    reason: 'AttemptsExhausted',
  },
}
