import { createHash } from 'node:crypto'
import { type Job, jobs as jobResource, pods, type JobTemplate } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { annotations, jobName, labels } from '../../contract/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Informer, KubeClient } from '../../kube/index.ts'
import type { Logger } from '../../observability/index.ts'
import {
  endOfJob,
  isJobOf,
  isWanting,
  jobBody,
  type JobEnd,
  jobTroubleOf,
  lastWords,
  podsOfJob,
  ttlSecondsOf,
  type WantedJob,
} from '../../workloads/index.ts'
import { createPodWatch, type PodLook } from './pod-watch.ts'

/** Which Job: that of this id, of this name. */
export type JobRef = Pick<WantedJob, 'id' | 'namespace' | 'name'>

/** Who started Jobs: a run or a schedule. */
export type Starter = { readonly kind: 'TaskExecution' | 'TaskSchedule'; readonly namespace: string; readonly name: string }

export type Creation =
  /** It is there, whoever created it. */
  | { readonly kind: 'Created'; readonly warnings: readonly string[] }
  /** Trying again would not change it. */
  | { readonly kind: 'Refused'; readonly reason: 'TemplateInvalid' | 'JobNameTaken'; readonly message: string }
  /** A quota, an admission webhook, an API server that does not answer: it may go another time. */
  | { readonly kind: 'Postponed'; readonly message: string }

export type JobLook =
  /** `job`: undefined while this process's own creation has not come back by the cache; look again then. */
  | { readonly kind: 'Running'; readonly job: Job | undefined; readonly againAfterMs?: number }
  | { readonly kind: 'Ended'; readonly job: Job }
  /** The API server knows none. */
  | { readonly kind: 'Absent' }

/** The end of a Job, with what the pod that failed last had to say. */
export type JobReport = JobEnd & { readonly pod?: string }

export type Trial =
  { readonly kind: 'Fine' | 'Unknown'; readonly warnings: readonly string[] } | { readonly kind: 'Invalid'; readonly message: string }

type Call = { readonly signal: AbortSignal }

/**
 * Kubernetes Jobs as what carries out a node or a slot.
 *
 * Guarantees: creating is idempotent by the name, which follows from the id; a Job that carries another id is never touched; one that the
 * cache does not show counts as gone only when the API server says so; a Job has no TTL, and thus stays, until its end is acknowledged.
 * Does not: know what a Job is the run of, or decide anything. What the API server does not do is thrown, but for a creation, which may be
 * tried again at any time.
 */
export type Jobs = {
  create(wanted: WantedJob, call: Call): Promise<Creation>
  look(ref: JobRef, call: Call): Promise<JobLook>
  /** As the cache has it. */
  cached(ref: JobRef): Job | undefined
  /** With its pods, in the background. `Ended`: it has, and stays. */
  remove(ref: JobRef, call: Call): Promise<'Removed' | 'Ended' | 'Absent'>
  /** Of one that has ended. */
  report(job: Job, call: Call): Promise<JobReport>
  /** Its end is recorded: from now on it has a TTL. */
  acknowledge(job: Job, call: Call): Promise<void>
  /** The cache has shown a change of the one of this key. */
  seen(key: string, current?: Job, previous?: Job): void
  /** Those in the cache, ended and acknowledged ones too. */
  startedBy(starter: Starter): readonly Job[]
  /** What is the matter with the pods of one that runs. */
  trouble(job: Job, call: Call & { readonly log: Logger }): Promise<PodLook>
  /** What the API server would say to this template. */
  tryOut(namespace: string, template: JobTemplate, call: Call): Promise<Trial>
}

export type JobsDeps = {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'apply' | 'delete' | 'list'>
  /** Those that carry the label of what was started by Taskmill. */
  readonly cache: Pick<Informer<Job, 'byStarter'>, 'get' | 'byIndex'>
  readonly clock: Clock
  readonly log: Logger
}

const fieldManager = 'taskmill-jobs'
/** So long the cache may be behind a creation of this process before the API server is asked. */
const behindMs = 10_000

export function createJobs({ client, cache, clock, log }: JobsDeps): Jobs {
  /** When this process created what the cache has not shown yet, by `namespace/name`. */
  const created = new Map<string, number>()
  const podWatch = createPodWatch({ client, clock, tell: jobTroubleOf })
  const keyOf = ({ namespace, name }: JobRef) => `${namespace}/${name}`

  function cached(ref: JobRef): Job | undefined {
    const job = cache.get(keyOf(ref))
    return job !== undefined && isJobOf(job, ref.id) ? job : undefined
  }

  async function newest({ id, namespace, name }: JobRef, { signal }: Call): Promise<Job | undefined> {
    try {
      const job = await client.get(jobResource, namespace, name, { signal })
      return isJobOf(job, id) ? job : undefined
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
      throw error
    }
  }

  async function whoseIs(wanted: WantedJob, call: Call): Promise<Creation> {
    const { namespace, name } = wanted
    if (cached(wanted) !== undefined || (await newest(wanted, call)) !== undefined) return { kind: 'Created', warnings: [] }
    const message = `there is a Job "${name}" in namespace ${namespace} that Taskmill did not create for this. Next: delete or rename it, and run this again`
    return { kind: 'Refused', reason: 'JobNameTaken', message }
  }

  function remember(ref: JobRef): void {
    const nowMs = clock.now()
    for (const [key, atMs] of created) if (nowMs - atMs >= behindMs) created.delete(key)
    created.set(keyOf(ref), nowMs)
  }

  return {
    async create(wanted, call) {
      // Who repeats an intent finds it in the cache, mostly.
      if (cached(wanted) !== undefined) return { kind: 'Created', warnings: [] }
      const warnings: string[] = []
      try {
        const onWarning = (text: string) => void warnings.push(text)
        await client.create(jobResource, jobBody(wanted), { fieldManager, fieldValidation: 'Strict', onWarning, signal: call.signal })
        remember(wanted)
        return { kind: 'Created', warnings }
      } catch (error) {
        call.signal.throwIfAborted()
        if (hasCode(error, 'TM_LEASE_LOST')) throw error
        if (hasCode(error, 'TM_KUBE_ALREADY_EXISTS')) return whoseIs(wanted, call)
        const message = errorMessage(error)
        return isRefusedForGood(error) ? { kind: 'Refused', reason: 'TemplateInvalid', message } : { kind: 'Postponed', message }
      }
    },
    cached,
    async look(ref, call) {
      const known = cached(ref)
      if (known !== undefined) {
        return endOfJob(known) === undefined ? { kind: 'Running', job: known } : { kind: 'Ended', job: known }
      }
      const sinceMs = clock.now() - (created.get(keyOf(ref)) ?? -Infinity)
      if (sinceMs < behindMs) return { kind: 'Running', job: undefined, againAfterMs: behindMs - sinceMs }
      const job = await newest(ref, call)
      if (job === undefined) return { kind: 'Absent' }
      return endOfJob(job) === undefined ? { kind: 'Running', job, againAfterMs: behindMs } : { kind: 'Ended', job }
    },
    async remove(ref, call) {
      const job = cached(ref) ?? (await newest(ref, call))
      if (job === undefined) return 'Absent'
      if (endOfJob(job) !== undefined) return 'Ended'
      const { uid } = job.metadata
      try {
        const preconditions = uid === undefined ? {} : { preconditions: { uid } }
        await client.delete(jobResource, ref.namespace, ref.name, {
          propagationPolicy: 'Background',
          signal: call.signal,
          ...preconditions,
        })
        return 'Removed'
      } catch (error) {
        // Gone, or gone and another one of the same name.
        if (hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) return 'Absent'
        throw error
      }
    },
    async report(job, { signal }) {
      const end = endOfJob(job)
      if (end === undefined) throw new TypeError(`Job ${job.metadata.name} has not ended`)
      if (end.outcome === 'Succeeded') return end
      try {
        const { items } = await client.list(pods, { namespace: job.metadata.namespace, labelSelector: podsOfJob(job), limit: 500, signal })
        const last = lastWords(items)
        return last === undefined ? end : { ...end, pod: last.pod, message: `${last.words}; ${end.message ?? end.reason}` }
      } catch (error) {
        signal.throwIfAborted()
        log.warn({ job: job.metadata.name, error: errorMessage(error) }, 'the pods of a Job that failed could not be listed')
        return end
      }
    },
    async acknowledge(job, { signal }) {
      const { name, namespace, uid } = job.metadata
      podWatch.forget(uid ?? '')
      const outcome = endOfJob(job)?.outcome ?? 'Failed'
      try {
        const body = {
          metadata: { name, namespace, uid, annotations: { [annotations.recorded]: 'true' } },
          spec: { ttlSecondsAfterFinished: ttlSecondsOf(job, outcome) },
        }
        await client.apply(jobResource, body, { fieldManager, force: true, signal })
      } catch (error) {
        // Somebody has deleted it.
        if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
      }
    },
    seen(key, current, previous) {
      created.delete(key)
      if (current === undefined) podWatch.forget(previous?.metadata.uid ?? '')
    },
    startedBy: (starter) => cache.byIndex('byStarter', starterKey(starter)),
    async trouble(job, call) {
      const { namespace, name, uid = '' } = job.metadata
      const look = await podWatch.look(uid, isWanting(job) ? { namespace, name, labelSelector: podsOfJob(job) } : undefined, call)
      if (endOfJob(job) !== undefined) podWatch.forget(uid)
      return look
    },
    async tryOut(namespace, template, { signal }) {
      const warnings: string[] = []
      const onWarning = (text: string) => void warnings.push(text)
      const body = jobBody({ ...jobNamed(namespace, ['trial'], `trial/${namespace}`), labels: {}, template })
      try {
        await client.create(jobResource, body, { fieldManager, fieldValidation: 'Strict', dryRun: true, onWarning, signal })
        return { kind: 'Fine', warnings }
      } catch (error) {
        signal.throwIfAborted()
        if (isRefusedForGood(error)) return { kind: 'Invalid', message: errorMessage(error) }
        log.debug({ namespace, error: errorMessage(error) }, 'a template of a Job could not be tried')
        return { kind: 'Unknown', warnings }
      }
    },
  }
}

/** The Job of an id; `parts` say in its name for what it is. */
export function jobNamed(namespace: string, parts: readonly string[], id: string): JobRef {
  return { id, namespace, name: jobName(parts, createHash('sha256').update(id).digest('hex').slice(0, 8)) }
}

/** Who started a Job, by its labels. */
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

/** What the API server says of the object itself; what somebody in between says may be otherwise another time. */
export function isRefusedForGood(error: unknown): boolean {
  return hasCode(error, 'TM_KUBE_INVALID') && !/admission webhook|denied request/u.test(error.message)
}
