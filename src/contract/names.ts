/** Labels that Taskmill puts on what it owns. */
export const labels = {
  /** Name of the WorkerPool that a Deployment or pod belongs to. */
  pool: 'taskmill.dev/pool',
  /** On everything that was started for a run or a slot: the kind of the object that started it. */
  startedBy: 'taskmill.dev/started-by',
  /** Name of the TaskExecution that a Job and its pods run for. */
  execution: 'taskmill.dev/execution',
  /** The node of that run. */
  node: 'taskmill.dev/node',
  /** Name of the TaskSchedule whose slot a Job or TaskExecution is for. */
  schedule: 'taskmill.dev/schedule',
} as const

/** Annotations that Taskmill reads back, to distinguish its own writes from those of others. */
export const annotations = {
  /**
   * The replica count that the operator wrote last. If `spec.replicas` of the Deployment differs, someone else scaled
   * it.
   */
  writtenReplicas: 'taskmill.dev/written-replicas',
  /** On the operator's Lease: the number of the term. Brokers refuse commands of a lower term. */
  epoch: 'taskmill.dev/epoch',
  /**
   * On a Job or TaskExecution: the id of the node or slot that it runs. An object of the same name without it belongs
   * to someone else.
   */
  jobId: 'taskmill.dev/job-id',
  /** On the Job of a slot: which template of its schedule it was made from. */
  template: 'taskmill.dev/template',
  /** On an object that ran for a run or a slot: its end is recorded, so it can be deleted. */
  recorded: 'taskmill.dev/recorded',
  /** On a Job: the ttlSecondsAfterFinished of its template, which is set once its end is recorded. */
  ttlSeconds: 'taskmill.dev/ttl-seconds-after-finished',
  /** On a TaskSchedule, by its user: `DryRun` or `Confirm`, to take over an object of its name that exists already. */
  adopt: 'taskmill.dev/adopt',
  /** On a CronJob: the hash of what the operator wrote last. Another content with this hash is somebody's edit. */
  applied: 'taskmill.dev/applied',
  /** On a CronJob that the operator has stopped: when (Unix ms). */
  stoppedAt: 'taskmill.dev/stopped-at',
  /** On a CronJob that was there before: when it was taken over (Unix ms). */
  adoptedAt: 'taskmill.dev/adopted-at',
} as const

/** Environment of a worker container: written by the operator into the pod template, read by the worker at start. */
export const workerEnv = {
  /** Name of the WorkerPool. */
  pool: 'TASKMILL_POOL',
  /** Namespace of the WorkerPool. */
  namespace: 'TASKMILL_NAMESPACE',
  /** Name of the pod; BullMQ records it in each job that the pod runs (`processedBy`). */
  pod: 'TASKMILL_POD',
  /** Queue names, separated by commas. */
  queues: 'TASKMILL_QUEUES',
  /** Slots of the pod over all its queues. */
  concurrency: 'TASKMILL_CONCURRENCY',
  /** `host:port` of the broker. */
  brokerAddress: 'TASKMILL_BROKER_ADDRESS',
  /** BullMQ's key prefix. */
  brokerKeyPrefix: 'TASKMILL_BROKER_KEY_PREFIX',
  /** Folder with the broker's credentials as files (`username`, `password`), which may change while the worker runs. */
  brokerCredentialsFolder: 'TASKMILL_BROKER_CREDENTIALS',
  /**
   * Folder with the TLS files (`ca.crt`, `tls.crt`, `tls.key`, each optional). If it is set, even to an empty folder,
   * TLS is used.
   */
  brokerTlsFolder: 'TASKMILL_BROKER_TLS',
  /** Name that the broker's certificate is checked against; default: the host of the address. */
  brokerTlsServerName: 'TASKMILL_BROKER_TLS_SERVER_NAME',
  /** Port of `/livez`, `/readyz` and `/metrics` in the worker; 0 or unset: none. */
  httpPort: 'TASKMILL_HTTP_PORT',
  /** How long running jobs may continue after SIGTERM before they return to their queue. */
  drainTimeoutSeconds: 'TASKMILL_DRAIN_TIMEOUT_SECONDS',
} as const
