/**
 * Names that people bring from Celery, KEDA, CronJobs, Argo and Airflow, and what Taskmill calls the same. The test beside it holds that
 * every field named here exists.
 */
import type { Kind } from '../api/index.ts'

/** A field of ours, written from the place of the unknown one, or (`words`) why there is none. */
type Ours = { readonly field: string; readonly words?: string } | { readonly words: string }

const field = (path: string, words?: string): Ours => (words === undefined ? { field: path } : { field: path, words })
const none = (words: string): Ours => ({ words })

const retries = {
  maxretries: field('retry.maxRetries'),
  retries: field('retry.maxRetries'),
  attempts: field('retry.maxRetries', 'without the first attempt'),
  retrylimit: field('retry.maxRetries'),
  backofflimit: field('retry.maxRetries'),
  defaultretrydelay: field('retry.initialDelaySeconds'),
  retrydelay: field('retry.initialDelaySeconds'),
  retrybackoff: field('retry.initialDelaySeconds', 'doubled after each failure'),
  countdown: field('retry.initialDelaySeconds'),
}

/**
 * By the short name of the kind, or by the field that holds the unknown one; names without case, dashes and underscores.
 */
export const foreignNames: Readonly<Record<string, Readonly<Record<string, Ours>>>> = {
  wp: {
    minreplicacount: field('scaling.minReplicas'),
    minreplicas: field('scaling.minReplicas'),
    maxreplicacount: field('scaling.maxReplicas'),
    maxreplicas: field('scaling.maxReplicas'),
    idlereplicacount: field('scaling.minReplicas', '0 is the default'),
    autoscale: field('scaling'),
    autoscaling: field('scaling'),
    mode: field('scaling.mode'),
    pollinginterval: none('the operator follows the queues and does not poll them. Remove it'),
    cooldownperiod: field('scaling.behavior.scaleDown.stabilizationWindowSeconds'),
    stabilizationwindowseconds: field('scaling.behavior.scaleDown.stabilizationWindowSeconds'),
    behavior: field('scaling.behavior'),
    triggers: field('queues'),
    queue: field('queues', 'a list of names'),
    queuename: field('queues', 'a list of names'),
    scaletargetref: field('targetRef'),
    queuelength: field('scaling.targetBacklogPerReplica'),
    listlength: field('scaling.targetBacklogPerReplica'),
    targetbacklogperreplica: field('scaling.targetBacklogPerReplica'),
    workerconcurrency: field('concurrency'),
    prefetch: none('a worker takes a job only when it has a free place. Remove it'),
    prefetchmultiplier: none('a worker takes a job only when it has a free place. Remove it'),
    workerprefetchmultiplier: none('a worker takes a job only when it has a free place. Remove it'),
    terminationgraceperiodseconds: field('drainTimeoutSeconds'),
    podtemplate: field('template'),
    image: field('template.spec.containers', 'with an image in each'),
    containers: field('template.spec.containers'),
    env: field('template.spec.containers', 'with env in each'),
    resources: field('template.spec.containers', 'with resources in each'),
    broker: field('brokerRef'),
    paused: field('override.suspend', 'or the command taskmill suspend'),
  },
  tsch: {
    cron: field('schedules', 'a list of expressions'),
    crontab: field('schedules', 'a list of expressions'),
    cronexpression: field('schedules', 'a list of expressions'),
    schedule: field('schedules', 'a list of expressions'),
    scheduleinterval: field('schedules', 'a list of expressions'),
    interval: field('everySeconds'),
    every: field('everySeconds'),
    period: field('everySeconds'),
    seconds: field('everySeconds'),
    tz: field('timeZone'),
    enabled: field('suspend', 'with the opposite value'),
    paused: field('suspend'),
    concurrency: field('concurrencyPolicy'),
    maxactiveruns: field('concurrencyPolicy', 'Forbid is one at a time'),
    catchup: field('missedRuns'),
    startingdeadline: field('startingDeadlineSeconds'),
    expires: field('startingDeadlineSeconds'),
    jobtemplate: field('job'),
    successfuljobshistorylimit: field('job.spec.ttlSecondsAfterFinished', 'a time instead of a number'),
    failedjobshistorylimit: field('job.spec.ttlSecondsAfterFinished', 'a time instead of a number'),
    workflowspec: field('dependencyRef', 'and a TaskDependency'),
    workflowtemplateref: field('dependencyRef'),
    type: field('task.type'),
    queue: field('task.queue'),
    payload: field('task.payload'),
    args: field('task.payload', 'an object'),
    kwargs: field('task.payload'),
    priority: field('task.priority'),
    retry: field('task.retry'),
    ...Object.fromEntries(
      Object.entries(retries).map(([name, ours]) => [name, 'field' in ours ? { ...ours, field: `task.${ours.field}` } : ours]),
    ),
  },
  tdep: {
    dag: field('nodes'),
    tasks: field('nodes'),
    steps: field('nodes'),
    templates: field('nodes'),
    jobs: field('nodes'),
    entrypoint: none('the nodes without dependsOn start first. Remove it'),
    dependencies: field('nodes', 'with dependsOn in each'),
    onexit: field('finally'),
    exithandler: field('finally'),
    arguments: field('parameters'),
    params: field('parameters'),
    failfast: field('onNodeFailure'),
    activedeadlineseconds: field('timeoutSeconds'),
    timeout: field('timeoutSeconds'),
  },
  nodes: {
    dependencies: field('dependsOn', 'a list of {name: …}'),
    depends: field('dependsOn', 'a list of {name: …}'),
    runafter: field('dependsOn', 'a list of {name: …}'),
    needs: field('dependsOn', 'a list of {name: …}'),
    upstream: field('dependsOn', 'a list of {name: …}'),
    if: field('when'),
    condition: field('when', 'or dependsOn[].condition'),
    timeout: field('timeoutSeconds'),
    activedeadlineseconds: field('timeoutSeconds'),
    type: field('task.type'),
    queue: field('task.queue'),
    payload: field('task.payload'),
    args: field('task.payload', 'an object'),
    arguments: field('task.payload'),
    template: field('task', 'or job'),
    ...Object.fromEntries(
      Object.entries(retries).map(([name, ours]) => [name, 'field' in ours ? { ...ours, field: `task.${ours.field}` } : ours]),
    ),
  },
  task: {
    ...retries,
    name: field('type'),
    taskname: field('type'),
    task: field('type'),
    jobname: field('type'),
    args: field('payload', 'an object with a name for each value'),
    kwargs: field('payload'),
    arguments: field('payload'),
    data: field('payload'),
    params: field('payload'),
    queuename: field('queue'),
    routingkey: field('queue'),
  },
  retry: {
    limit: field('maxRetries'),
    attempts: field('maxRetries', 'without the first attempt'),
    delay: field('initialDelaySeconds'),
    backoff: field('initialDelaySeconds', 'doubled after each failure'),
    countdown: field('initialDelaySeconds'),
    defaultretrydelay: field('initialDelaySeconds'),
  },
  scaling: {
    minreplicacount: field('minReplicas'),
    maxreplicacount: field('maxReplicas'),
    min: field('minReplicas'),
    max: field('maxReplicas'),
    queuelength: field('targetBacklogPerReplica'),
    listlength: field('targetBacklogPerReplica'),
    cooldownperiod: field('behavior.scaleDown.stabilizationWindowSeconds'),
    pollinginterval: none('the operator follows the queues and does not poll them. Remove it'),
  },
  tex: {
    workflowtemplateref: field('dependencyRef'),
    taskref: field('task'),
    type: field('task.type'),
    queue: field('task.queue'),
    args: field('task.payload', 'an object'),
    kwargs: field('task.payload'),
    arguments: field('parameters', 'of a graph, or payload of a task'),
    timeout: field('timeoutSeconds'),
    activedeadlineseconds: field('timeoutSeconds'),
    ttl: field('ttlSecondsAfterFinished'),
    ttlstrategy: field('ttlSecondsAfterFinished'),
    cancel: field('desiredState', 'Cancelled'),
    ...Object.fromEntries(
      Object.entries(retries).map(([name, ours]) => [name, 'field' in ours ? { ...ours, field: `task.${ours.field}` } : ours]),
    ),
  },
  tmb: {
    host: field('standalone.address', 'host:port'),
    port: field('standalone.address', 'host:port'),
    address: field('standalone.address'),
    url: field('standalone.address', 'host:port'),
    uri: field('standalone.address', 'host:port'),
    redis: field('standalone'),
    brokerurl: field('standalone.address', 'host:port'),
    password: field('credentialsSecretRef', 'a Secret with the key password'),
    username: field('credentialsSecretRef', 'a Secret with the key username'),
    auth: field('credentialsSecretRef'),
    prefix: field('keyPrefix'),
  },
  tq: {
    name: field('queueName'),
    queue: field('queueName'),
    paused: field('suspend'),
    concurrency: field('maxConcurrency'),
    parallelism: field('maxConcurrency'),
    resultexpires: field('retention.completedSeconds'),
    removeoncomplete: field('retention.completedSeconds'),
    removeonfail: field('retention.failedSeconds'),
  },
  tal: {
    for: field('forSeconds'),
    window: field('windowSeconds'),
    channels: field('channelRefs', 'a list of {name: …}'),
    summary: field('message'),
    messagetemplate: field('message', 'with $(…)'),
    description: field('message'),
    runbook: field('runbookURL'),
    cooldown: field('cooldownSeconds'),
  },
  tac: {
    url: field('webhook.url'),
    slack: field('webhook', 'to a service that writes to Slack'),
    email: field('webhook', 'to a service that sends mail'),
    pagerduty: field('webhook', 'to a service that calls PagerDuty'),
    severity: field('minimumSeverity'),
  },
}

/** Returns what Taskmill calls a field of another system, as words behind a finding; empty if it is no such name. */
export function foreignHint({ shortNames: [kind = ''] }: Kind, path: string): string {
  const steps = path.split('.').map((step) => step.replace(/\[.*\]$/u, ''))
  const name = (steps.at(-1) ?? '').toLowerCase().replaceAll(/[-_]/gu, '')
  const holder = steps.at(-2) ?? ''
  const ours = foreignNames[holder === 'spec' ? kind : holder === 'finally' ? 'nodes' : holder]?.[name]
  if (ours === undefined) return ''
  if (!('field' in ours)) return `; ${ours.words}`
  return `; here it is ${ours.field}${ours.words === undefined ? '' : ` (${ours.words})`}`
}
