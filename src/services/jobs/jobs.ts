import { createHash } from 'node:crypto'
import { type Job, jobs as jobResource, pods, type JobTemplate } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { annotations, jobName, labels } from '../../contract/index.ts'
import {
  classifyRefusal,
  describeRefusal,
  errorMessage,
  hasCode,
  placeRefusal,
  type Refusal,
  type RefusalKind,
} from '../../errors/index.ts'
import type { Informer, KubeClient } from '../../kube/index.ts'
import type { Logger } from '../../observability/index.ts'
import {
  endOfJob,
  hasStartedContainer,
  isJobFor,
  isOfTemplate,
  hasUnreadyPods,
  buildJob,
  type JobEnd,
  describeJobTrouble,
  describeLastFailure,
  podSelectorOfJob,
  type PodTrouble,
  ttlSecondsOf,
  type WantedJob,
} from '../../workloads/index.ts'
import { createPodWatch, type PodLook, type PodWatch } from './pod-watch.ts'

/** Which Job: that of this id, of this name. */
export type JobRef = Pick<WantedJob, 'id' | 'namespace' | 'name'>

/** What started Jobs: a run or a schedule. */
export type Starter = { readonly kind: 'TaskExecution' | 'TaskSchedule'; readonly namespace: string; readonly name: string }

export type Creation =
  /** The Job exists, whatever created it. */
  | { readonly kind: 'Created'; readonly warnings: readonly string[] }
  /** Another attempt would be refused too. */
  | { readonly kind: 'Refused'; readonly reason: 'TemplateInvalid' | 'JobNameTaken'; readonly message: string }
  /** Another attempt may succeed. `isRefused`: a quota, an admission webhook, a role; otherwise the API server failed, or something is still going. */
  | { readonly kind: 'Postponed'; readonly message: string; readonly isRefused: boolean }

export type JobLook =
  /** `job` is undefined while the cache does not show yet what this process has created; look again after `againAfterMs`. */
  | { readonly kind: 'Running'; readonly job: Job | undefined; readonly againAfterMs?: number }
  | { readonly kind: 'Ended'; readonly job: Job }
  /** The API server has no such Job. */
  | { readonly kind: 'Absent' }

/** The end of a Job, with the last words of the pod that failed last. */
export type JobReport = JobEnd & { readonly pod?: string }

/** The API server's answer to a dry run. `Unknown`: it did not answer, or something between said no. */
export type Trial =
  { readonly kind: 'Fine' | 'Unknown'; readonly warnings: readonly string[] } | { readonly kind: 'Invalid'; readonly refusal: Refusal }

type Call = { readonly signal: AbortSignal }

/**
 * Kubernetes Jobs that carry out a node or a slot.
 *
 * Guarantees: creation is idempotent by the name, which follows from the id. A Job that carries another id is never touched. A Job that the
 * cache does not show counts as gone only when the API server says so. A Job has no TTL, and so stays, until its end is acknowledged.
 * Does not: know what a Job is the run of, or decide anything. Errors of the API server are thrown, except those of a creation, which may be
 * repeated at any time.
 */
export type Jobs = {
  create(wanted: WantedJob, call: Call): Promise<Creation>
  look(ref: JobRef, call: Call): Promise<JobLook>
  /** The Job as the cache has it. */
  cached(ref: JobRef): Job | undefined
  /** Deletes the Job, and its pods in the background. `Ended`: it had ended already, and stays. */
  remove(ref: JobRef, call: Call): Promise<'Removed' | 'Ended' | 'Absent'>
  /** Describes the end of a Job that has ended. */
  report(job: Job, call: Call): Promise<JobReport>
  /** The end of the Job is recorded: sets its TTL. */
  acknowledge(job: Job, call: Call): Promise<void>
  /** To be called when the cache has shown a change of the Job of this key. */
  noteChange(key: string, current?: Job, previous?: Job): void
  /** The Jobs in the cache, ended and acknowledged ones too. */
  startedBy(starter: Starter): readonly Job[]
  /** What is wrong with the pods of a running Job. */
  trouble(job: Job, call: Call & { readonly log: Logger }): Promise<PodLook>
  /** Whether any container of the Job has ever run, by the API server's own account. */
  hasStarted(job: Job, call: Call): Promise<boolean>
  /** Asks the API server about a template by a dry run. */
  dryRun(namespace: string, template: JobTemplate, call: Call): Promise<Trial>
}

export type JobsDeps = {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'apply' | 'delete' | 'list'>
  /** The Jobs that carry the label of what Taskmill has started. */
  readonly cache: Pick<Informer<Job, 'byStarter'>, 'get' | 'byIndex'>
  readonly clock: Clock
  readonly log: Logger
}

type State = JobsDeps & {
  /** When this process created a Job that the cache has not shown yet, by `namespace/name`. */
  readonly createdAtMs: Map<string, number>
  readonly podWatch: PodWatch
}

const fieldManager = 'taskmill-jobs'
/** Answers that are nobody's refusal: the API server failed or has too much to do, or the namespace is being deleted. */
const passing: ReadonlySet<RefusalKind> = new Set(['Unavailable', 'Overloaded', 'NamespaceGone'])
/** A Job whose pods fail is tried again and again: it fails until a try has run for so long. */
const calmMs = 60_000
/** How long the cache may lag behind a creation of this process before the API server is asked. */
const cacheLagMs = 10_000

export function createJobs(deps: JobsDeps): Jobs {
  const podWatch = createPodWatch({ client: deps.client, clock: deps.clock, describe: describeJobTrouble, calmMs })
  const state: State = { ...deps, createdAtMs: new Map(), podWatch }
  return {
    create: (wanted, call) => createJob(state, wanted, call),
    cached: (ref) => cachedJob(state, ref),
    look: (ref, call) => lookAtJob(state, ref, call),
    remove: (ref, call) => removeJob(state, ref, call),
    report: (job, call) => reportEnd(state, job, call),
    acknowledge: (job, call) => acknowledgeEnd(state, job, call),
    noteChange(key, current, previous) {
      state.createdAtMs.delete(key)
      if (current === undefined) podWatch.forget(previous?.metadata.uid ?? '')
    },
    startedBy: (starter) => deps.cache.byIndex('byStarter', starterKey(starter)),
    async trouble(job, call) {
      const { namespace, name, uid = '', creationTimestamp } = job.metadata
      if (job.spec['suspend'] === true && endOfJob(job) === undefined) return { trouble: suspendedTrouble }
      const look = await podWatch.look(
        uid,
        hasUnreadyPods(job) ? { namespace, name, labelSelector: podSelectorOfJob(job), creationTimestamp } : undefined,
        call,
      )
      if (endOfJob(job) !== undefined) podWatch.forget(uid)
      return look
    },
    async hasStarted(job, { signal }) {
      const { items } = await deps.client.list(pods, {
        namespace: job.metadata.namespace,
        labelSelector: podSelectorOfJob(job),
        limit: 500,
        signal,
      })
      return hasStartedContainer(job, items)
    },
    dryRun: (namespace, template, call) => dryRun(state, namespace, template, call),
  }
}

const suspendedTrouble: PodTrouble = {
  unschedulable: 0,
  reason: 'suspended',
  blocked: 'JobSuspended',
  words:
    'its spec.suspend is true, so it gets no pod. Next: set it to false, or look at the program that has set it (a queueing system admits it later)',
}

function keyOf({ namespace, name }: JobRef): string {
  return `${namespace}/${name}`
}

function cachedJob({ cache }: State, ref: JobRef): Job | undefined {
  const job = cache.get(keyOf(ref))
  return job !== undefined && isJobFor(job, ref.id) ? job : undefined
}

/** Reads the Job from the API server. */
async function readJob({ client }: State, { id, namespace, name }: JobRef, { signal }: Call): Promise<Job | undefined> {
  try {
    const job = await client.get(jobResource, namespace, name, { signal })
    return isJobFor(job, id) ? job : undefined
  } catch (error) {
    if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
    throw error
  }
}

async function createJob(state: State, wanted: WantedJob, call: Call): Promise<Creation> {
  // A repeated intent finds its Job in the cache, mostly. The cache may still show one of the former template, which was deleted.
  const known = cachedJob(state, wanted)
  if (known !== undefined && isOfTemplate(known, wanted.generation)) return { kind: 'Created', warnings: [] }
  const warnings: string[] = []
  try {
    const onWarning = (text: string) => void warnings.push(text)
    await state.client.create(jobResource, buildJob(wanted), { fieldManager, fieldValidation: 'Strict', onWarning, signal: call.signal })
    rememberCreation(state, wanted)
    return { kind: 'Created', warnings }
  } catch (error) {
    call.signal.throwIfAborted()
    if (hasCode(error, 'TM_KUBE_ALREADY_EXISTS')) return ownerOfName(state, wanted, call)
    const refusal = classifyRefusal(error)
    if (refusal.kind === 'Unexpected') throw error
    const message = describeRefusal(placeRefusal(refusal, (field) => `${wanted.field}.${field}`))
    if (refusal.retry === 'OnEdit') return { kind: 'Refused', reason: 'TemplateInvalid', message }
    return { kind: 'Postponed', message, isRefused: !passing.has(refusal.kind) }
  }
}

/** A Job of the name exists: ours from an earlier attempt, or one of another owner. */
async function ownerOfName(state: State, wanted: WantedJob, call: Call): Promise<Creation> {
  const { namespace, name } = wanted
  const job = await readJob(state, wanted, call)
  if (job !== undefined && isOfTemplate(job, wanted.generation)) return { kind: 'Created', warnings: [] }
  if (job !== undefined) {
    return { kind: 'Postponed', isRefused: false, message: `Job "${name}" of the former template is still being deleted` }
  }
  const message = `Job "${name}" in namespace ${namespace} exists, but Taskmill did not create it for this. Next: delete or rename it, and run this again`
  return { kind: 'Refused', reason: 'JobNameTaken', message }
}

function rememberCreation({ clock, createdAtMs }: State, ref: JobRef): void {
  const nowMs = clock.now()
  for (const [key, atMs] of createdAtMs) if (nowMs - atMs >= cacheLagMs) createdAtMs.delete(key)
  createdAtMs.set(keyOf(ref), nowMs)
}

async function lookAtJob(state: State, ref: JobRef, call: Call): Promise<JobLook> {
  const known = cachedJob(state, ref)
  if (known !== undefined) return endOfJob(known) === undefined ? { kind: 'Running', job: known } : { kind: 'Ended', job: known }
  const sinceMs = state.clock.now() - (state.createdAtMs.get(keyOf(ref)) ?? -Infinity)
  if (sinceMs < cacheLagMs) return { kind: 'Running', job: undefined, againAfterMs: cacheLagMs - sinceMs }
  const job = await readJob(state, ref, call)
  if (job === undefined) return { kind: 'Absent' }
  return endOfJob(job) === undefined ? { kind: 'Running', job, againAfterMs: cacheLagMs } : { kind: 'Ended', job }
}

async function removeJob(state: State, ref: JobRef, call: Call): Promise<'Removed' | 'Ended' | 'Absent'> {
  const job = cachedJob(state, ref) ?? (await readJob(state, ref, call))
  if (job === undefined) return 'Absent'
  if (endOfJob(job) !== undefined) return 'Ended'
  const { uid } = job.metadata
  const preconditions = uid === undefined ? {} : { preconditions: { uid } }
  try {
    const how = { propagationPolicy: 'Background', signal: call.signal, ...preconditions } as const
    await state.client.delete(jobResource, ref.namespace, ref.name, how)
    return 'Removed'
  } catch (error) {
    // Gone, or gone and replaced by another Job of the same name.
    if (hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) return 'Absent'
    throw error
  }
}

async function reportEnd({ client, log }: State, job: Job, { signal }: Call): Promise<JobReport> {
  const end = endOfJob(job)
  if (end === undefined) throw new TypeError(`Job ${job.metadata.name} has not ended`)
  if (end.outcome === 'Succeeded') return end
  try {
    const { items } = await client.list(pods, {
      namespace: job.metadata.namespace,
      labelSelector: podSelectorOfJob(job),
      limit: 500,
      signal,
    })
    const last = describeLastFailure(items)
    return last === undefined ? end : { ...end, pod: last.pod, message: `${last.words}; ${end.message ?? end.reason}` }
  } catch (error) {
    signal.throwIfAborted()
    log.warn({ job: job.metadata.name, error: errorMessage(error) }, 'could not list the pods of a failed Job')
    return end
  }
}

async function acknowledgeEnd({ client, podWatch }: State, job: Job, { signal }: Call): Promise<void> {
  const { name, namespace, uid } = job.metadata
  podWatch.forget(uid ?? '')
  const outcome = endOfJob(job)?.outcome ?? 'Failed'
  const body = {
    metadata: { name, namespace, uid, annotations: { [annotations.recorded]: 'true' } },
    spec: { ttlSecondsAfterFinished: ttlSecondsOf(job, outcome) },
  }
  try {
    await client.apply(jobResource, body, { fieldManager, force: true, signal })
  } catch (error) {
    // A user has deleted it.
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
  }
}

async function dryRun({ client, log }: State, namespace: string, template: JobTemplate, { signal }: Call): Promise<Trial> {
  const warnings: string[] = []
  const onWarning = (text: string) => void warnings.push(text)
  const body = buildJob({ ...jobNamed(namespace, ['trial'], `trial/${namespace}`), labels: {}, template })
  try {
    await client.create(jobResource, body, { fieldManager, fieldValidation: 'Strict', dryRun: true, onWarning, signal })
    return { kind: 'Fine', warnings }
  } catch (error) {
    signal.throwIfAborted()
    const refusal = classifyRefusal(error)
    if (refusal.retry === 'OnEdit') return { kind: 'Invalid', refusal }
    log.debug({ namespace, error: describeRefusal(refusal) }, 'the dry run of a Job template got no answer')
    return { kind: 'Unknown', warnings }
  }
}

/** The Job of an id; `parts` say in its name what it is for. */
export function jobNamed(namespace: string, parts: readonly string[], id: string): JobRef {
  return { id, namespace, name: jobName(parts, createHash('sha256').update(id).digest('hex').slice(0, 8)) }
}

/** What started a Job, by its labels. */
export function starterOf(job: Job | undefined): Starter | undefined {
  const { namespace = '', labels: its = {} } = job?.metadata ?? {}
  const kind = its[labels.startedBy]
  if (kind !== 'TaskExecution' && kind !== 'TaskSchedule') return undefined
  const name = its[kind === 'TaskExecution' ? labels.execution : labels.schedule]
  return name === undefined ? undefined : { kind, namespace, name }
}

/** For an index over Jobs. */
export function startersOf(job: Job): readonly string[] {
  const starter = starterOf(job)
  return starter === undefined ? [] : [starterKey(starter)]
}

function starterKey({ kind, namespace, name }: Starter): string {
  return `${kind}/${namespace}/${name}`
}
