/** What is known of the CronJob of a schedule: from the cache, from the answers to own writes, and from the API server itself. */
import { createHash } from 'node:crypto'
import { type CronJob, cronJobs as cronJobResource, type Job, jobs as jobResource } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { annotations, labels, type Slot } from '../../contract/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { Informer, KubeClient, ListPage } from '../../kube/index.ts'
import type { Followed, FollowedRun, SchedulePlan } from '../../scheduling/index.ts'
import { isAcknowledged, isCronJobFor, slotOfCronJobRun, type WantedCronJob } from '../../workloads/index.ts'
import type { KillPointHook } from '../engine/index.ts'
import type { Jobs } from '../jobs/index.ts'

/** Why a CronJob may not be written, in words. */
export type Withheld = { readonly reason: 'NameTaken' | 'AdoptionDryRun' | 'TemplateInvalid'; readonly message: string }

/** What is remembered of the CronJob of a schedule between two visits. If it is lost, some requests are sent again. */
export type CronJobMemory = {
  /** The answer to the last write, until the cache shows it or a later version. */
  written?: { readonly object: CronJob; readonly atMs: number } | undefined
  /** UID of one that was removed, while the cache still shows it. */
  removed?: string | undefined
  /** How it differs from what is wanted; `key` names both. */
  compared?: { readonly key: string; readonly differences: string | undefined } | undefined
  /** What was read from the API server itself; it holds for the CronJob of this token. */
  survey?: { readonly token: string; readonly until: Slot; readonly runs: readonly FollowedRun[] } | undefined
  withheld?: (Withheld & { readonly version: string; readonly untilMs: number }) | undefined
  /** An edit of somebody else's that stays, by driftPolicy Report. */
  drift?: string | undefined
  /** What was written last, and when the same was written again over a CronJob of the schedule's (Unix ms). */
  applied?: { readonly hash: string; readonly againAtMs?: number } | undefined
  /** What was done to it since the last report. */
  done?: { readonly kind: 'Repaired' | 'Adopted'; readonly message: string }[] | undefined
}

export type CronJobDeps = {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update' | 'applyStatus' | 'delete' | 'list'>
  /** The CronJobs that carry the label of what Taskmill has created. */
  readonly cronJobs: Pick<Informer<CronJob>, 'get'>
  readonly jobs: Pick<Jobs, 'startedBy'>
  /** The one by which `observe` is asked. */
  readonly clock: Pick<Clock, 'now'>
  readonly reachPoint?: KillPointHook | undefined
}

/** The CronJob of one schedule, for one visit. */
export type CronJobVisit = {
  readonly namespace: string
  readonly schedule: string
  readonly name: string
  readonly id: string
  /** Undefined: the schedule wants none, now. */
  readonly wanted: WantedCronJob | undefined
  readonly plan: Pick<SchedulePlan, 'slots' | 'startingDeadlineSeconds'>
  readonly driftPolicy: 'Repair' | 'Report'
  /** The value of the annotation `adopt`. */
  readonly adopt: string | undefined
  /** Of the schedule's spec and annotations: after an edit, what was withheld is tried again. */
  readonly version: string
  /** The schedule is deleted: its Jobs go too. */
  readonly isDeleted: boolean
  readonly memory: CronJobMemory
  readonly signal: AbortSignal
}

export type CronJobContext = CronJobDeps & CronJobVisit

/** How long the CronJob controller may take from a decision to the Job, and its view of a CronJob may be behind. */
export const controllerLagMs = 10_000
/**
 * How long a Job may come after the slot that the controller decided to start: with its default limit of requests, 1,000 CronJobs of one minute
 * take it about half a minute.
 */
const creationLagMs = 300_000
/** How long a cache may lag behind a write of this process. */
export const cacheLagMs = 10_000
const pageSize = 500

/** The newest version that this process knows; undefined: there is none, it is being deleted, or it is somebody else's. */
export function currentOf({ cronJobs, clock, namespace, name, id, memory }: CronJobContext): CronJob | undefined {
  const cached = cronJobs.get(`${namespace}/${name}`)
  const { written } = memory
  const isAhead = written !== undefined && clock.now() - written.atMs < cacheLagMs && isNewer(written.object, cached)
  if (written !== undefined && !isAhead) memory.written = undefined
  const known = isAhead ? written.object : cached
  const isGone = known === undefined || known.metadata.deletionTimestamp !== undefined || known.metadata.uid === memory.removed
  return isGone || !isCronJobFor(known, id) ? undefined : known
}

/** Versions of one object are numbers that grow. */
function isNewer({ metadata: one }: CronJob, other: CronJob | undefined): boolean {
  if (other === undefined) return true
  return Number(one.resourceVersion ?? 0) > Number(other.metadata.resourceVersion ?? 0)
}

/** The API server has none: what the cache still shows is gone. */
export function rememberGone({ cronJobs, namespace, name, memory }: CronJobContext): void {
  Object.assign(memory, { removed: cronJobs.get(`${namespace}/${name}`)?.metadata.uid, written: undefined })
}

/** Asks the API server. */
export async function readCronJob({ client, namespace, name, signal }: CronJobContext): Promise<CronJob | undefined> {
  try {
    return await client.get(cronJobResource, namespace, name, { signal })
  } catch (error) {
    if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
    throw error
  }
}

export function rememberWritten({ memory, clock }: CronJobContext, object: CronJob): void {
  memory.written = { object, atMs: clock.now() }
}

export function stateOf(cronJob: CronJob | undefined, nowMs: number): Followed['state'] {
  if (cronJob === undefined) return 'Absent'
  const stoppedAtMs = stoppedAtOf(cronJob)
  if (cronJob.spec.suspend !== true || stoppedAtMs === undefined) return 'Running'
  return nowMs < stoppedAtMs + controllerLagMs ? 'Stopping' : 'Stopped'
}

/** When the operator stopped it (Unix ms); undefined: it did not. */
export function stoppedAtOf(cronJob: CronJob | undefined): number | undefined {
  const text = cronJob?.metadata.annotations?.[annotations.stoppedAt]
  return text === undefined || Number.isNaN(Number(text)) ? undefined : Number(text)
}

/**
 * The newest slot that the controller of a CronJob that runs will not start any more, if it has not. The controller notes the slot that it started
 * last, and starts none up to it. Otherwise it may start the newest due one, however late, but for a deadline.
 */
export function newestSettled(context: CronJobContext, nowMs: number): Slot {
  const { slots, startingDeadlineSeconds } = context.plan
  const until = slotAt(nowMs - creationLagMs)
  const [newest = 1] = slots.between(0, until, 1)
  const tooLate = startingDeadlineSeconds === undefined ? 0 : until - startingDeadlineSeconds
  const started = Date.parse(currentOf(context)?.status?.lastScheduleTime ?? '') / 1000 || 0
  return Math.max(newest - 1, tooLate, started)
}

/** When the next slot is settled by time alone (Unix ms). */
export function settlesAtMs({ plan }: CronJobContext, nowMs: number): number | undefined {
  const next = plan.slots.next(slotAt(nowMs - creationLagMs))
  return next === undefined ? undefined : next * 1000 + creationLagMs
}

/** The runs of the CronJob that the cache shows, or a survey has found. */
export function knownRuns(context: CronJobContext, token: string): readonly FollowedRun[] {
  const { jobs, namespace, schedule, memory } = context
  const seen = jobs.startedBy({ kind: 'TaskSchedule', namespace, name: schedule }).flatMap((job) => runOf(context, job))
  const surveyed = memory.survey?.token === token ? memory.survey.runs : []
  const slots = new Set(seen.map(({ slot }) => slot))
  return [...seen, ...surveyed.filter(({ slot }) => !slots.has(slot))]
}

function runOf({ name, id }: CronJobContext, job: Job): readonly FollowedRun[] {
  const { metadata } = job
  const slot = slotOfCronJobRun(name, metadata.name)
  if (metadata.annotations?.[annotations.jobId] !== id || slot === undefined || isAcknowledged(job)) return []
  const generation = metadata.annotations[annotations.template] ?? ''
  return [{ slot, generation, createdAtMs: Date.parse(metadata.creationTimestamp ?? '') || slot * 1000 }]
}

/** Reads the Jobs from the API server. What is found holds as long as the CronJob is not stopped, resumed or replaced. */
export async function surveyRuns(context: CronJobContext): Promise<void> {
  const { client, clock, namespace, schedule, memory, signal } = context
  const cronJob = currentOf(context)
  const nowMs = clock.now()
  const until = stateOf(cronJob, nowMs) === 'Stopped' ? slotAt(nowMs) : newestSettled(context, nowMs)
  const labelSelector = `${labels.startedBy}=TaskSchedule,${labels.schedule}=${schedule}`
  const runs: FollowedRun[] = []
  let page: ListPage<Job> | undefined
  do {
    page = await client.list<Job>(jobResource, { namespace, labelSelector, limit: pageSize, continue: page?.continue, signal })
    runs.push(...page.items.flatMap((job) => runOf(context, job)))
  } while (page.continue !== undefined)
  memory.survey = { token: tokenOf(cronJob), until, runs }
}

/** Names the CronJob, and the stop since which nothing of it has begun. */
export function tokenOf(cronJob: CronJob | undefined): string {
  return `${cronJob?.metadata.uid ?? ''}/${stoppedAtOf(cronJob) ?? ''}`
}

/** Another content under the hash of what was written is an edit of somebody else's. */
export function isAppliedTo({ metadata }: CronJob, want: WantedCronJob): boolean {
  return metadata.annotations?.[annotations.applied] === appliedHash(want)
}

export function appliedHash(want: WantedCronJob): string {
  return hashOf(JSON.stringify(want))
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

export function slotAt(ms: number): Slot {
  return Math.floor(ms / 1000)
}
