import { createHash } from 'node:crypto'
import { type CronJob, cronJobs as cronJobResource, type Job, jobs as jobResource } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { annotations, labels, type Slot, slotTime } from '../../contract/index.ts'
import { classifyRefusal, describeRefusal, hasCode, placeRefusal } from '../../errors/index.ts'
import type { Informer, KubeClient, ListPage } from '../../kube/index.ts'
import type { Followed, FollowedRun, Ledger, SchedulePlan } from '../../scheduling/index.ts'
import {
  buildCronJob,
  describeDifferences,
  findDifferences,
  isAcknowledged,
  isCronJobFor,
  slotOfCronJobRun,
  type WantedCronJob,
} from '../../workloads/index.ts'
import type { KillPointHook } from '../engine/index.ts'
import type { Jobs } from '../jobs/index.ts'
import type { Primitive, PrimitiveAnswer } from './primitive.ts'

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
  /** What was done to it since the last report. */
  done?: { readonly kind: 'Repaired' | 'Adopted'; readonly message: string }[] | undefined
}

export type CronJobDeps = {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update' | 'patch' | 'applyStatus' | 'delete' | 'list'>
  /** The CronJobs that carry the label of what Taskmill has created. */
  readonly cronJobs: Pick<Informer<CronJob>, 'get'>
  readonly jobs: Pick<Jobs, 'startedBy'>
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

const fieldManager = 'taskmill-cron-jobs'
/** How long the CronJob controller may take from a decision to the Job, and its view of a CronJob may be behind. */
const controllerLagMs = 10_000
/** How long a cache may lag behind a write of this process. */
const cacheLagMs = 10_000
const pageSize = 500
/** An object of somebody else's is looked at again after this time. */
const withheldMs = 30_000

/**
 * The CronJob of a schedule, which the operator creates and keeps in step.
 *
 * Guarantees, beside those of `Primitive`: a CronJob that does not carry the schedule's id is never written, except when its user confirms
 * that it is taken over. It is written as a whole, so that a field that somebody has added goes too; labels and annotations of others stay.
 *
 * How it starts no slot that is decided: the CronJob controller starts what is due after `status.lastScheduleTime`. Before a CronJob gets
 * another schedule or is resumed, that is set to the newest decided slot.
 */
export function createCronJob(deps: CronJobDeps, visit: CronJobVisit): Primitive {
  const { client, cronJobs, jobs, clock, reachPoint = () => undefined } = deps
  const { namespace, schedule, name, id, wanted, plan, memory, signal, version } = visit
  const call = { signal }
  const key = `${namespace}/${name}`

  /** The newest version that this process knows; undefined: there is none, or it is being deleted. */
  function current(): CronJob | undefined {
    const cached = cronJobs.get(key)
    const { written } = memory
    const isAhead = written !== undefined && clock.now() - written.atMs < cacheLagMs && isNewer(written.object, cached)
    if (written !== undefined && !isAhead) memory.written = undefined
    const known = isAhead ? written.object : cached
    const isGone = known === undefined || known.metadata.deletionTimestamp !== undefined || known.metadata.uid === memory.removed
    return isGone || !isCronJobFor(known, id) ? undefined : known
  }

  async function read(): Promise<CronJob | undefined> {
    try {
      return await client.get(cronJobResource, namespace, name, call)
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
      throw error
    }
  }

  function remember(object: CronJob): CronJob {
    memory.written = { object, atMs: clock.now() }
    return object
  }

  function newestSettled(nowMs: number): Slot {
    const until = Math.floor((nowMs - controllerLagMs) / 1000)
    // The controller starts the newest slot that is due, however late, unless a deadline says otherwise.
    const [newest = 1] = plan.slots.between(0, until, 1)
    return Math.max(newest - 1, plan.startingDeadlineSeconds === undefined ? 0 : until - plan.startingDeadlineSeconds)
  }

  function stateOf(cronJob: CronJob | undefined, nowMs: number): Followed['state'] {
    if (cronJob === undefined) return 'Absent'
    const stoppedAtMs = stoppedAtOf(cronJob)
    if (cronJob.spec.suspend !== true || stoppedAtMs === undefined) return 'Running'
    return nowMs < stoppedAtMs + controllerLagMs ? 'Stopping' : 'Stopped'
  }

  function runOf(job: Job): readonly FollowedRun[] {
    const { metadata } = job
    const slot = slotOfCronJobRun(name, metadata.name)
    if (metadata.annotations?.[annotations.jobId] !== id || slot === undefined || isAcknowledged(job)) return []
    const generation = metadata.annotations[annotations.template] ?? ''
    return [{ slot, generation, createdAtMs: Date.parse(metadata.creationTimestamp ?? '') || slot * 1000 }]
  }

  /** Seen by the cache, or by a survey of this very CronJob. */
  function knownRuns(token: string): readonly FollowedRun[] {
    const seen = jobs.startedBy({ kind: 'TaskSchedule', namespace, name: schedule }).flatMap(runOf)
    const surveyed = memory.survey?.token === token ? memory.survey.runs : []
    const slots = new Set(seen.map(({ slot }) => slot))
    return [...seen, ...surveyed.filter(({ slot }) => !slots.has(slot))]
  }

  /** In words, how it differs from what is wanted; undefined: not at all. */
  async function compare(cronJob: CronJob, want: WantedCronJob): Promise<string | undefined> {
    const { uid, generation, labels: its, annotations: notes, ownerReferences } = cronJob.metadata
    const text = JSON.stringify([uid, generation, its, notes?.[annotations.applied], notes?.[annotations.jobId], ownerReferences, want])
    const compared = hashOf(text)
    if (memory.compared?.key === compared) return memory.compared.differences
    const { metadata, spec } = merged(cronJob, want)
    const { resourceVersion: _, ...anyVersion } = metadata
    const how = { fieldManager, fieldValidation: 'Strict', dryRun: true, ...call } as const
    const would = await client.update(cronJobResource, { metadata: anyVersion, spec }, how)
    const inSpec = findDifferences(cronJob.spec, would.spec)
    const inMetadata = metadataDifferences(cronJob, want)
    const words = [...(inSpec.length === 0 ? [] : [describeDifferences(inSpec)]), ...inMetadata]
    const differences = words.length === 0 ? undefined : words.join('; ')
    memory.compared = { key: compared, differences }
    return differences
  }

  /** What is written over it: the whole spec, and of the metadata what is Taskmill's. */
  function merged(cronJob: CronJob, want: WantedCronJob) {
    const { metadata, spec } = buildCronJob(want)
    const { labels: its, annotations: notes, ownerReferences = [] } = cronJob.metadata
    const { [annotations.stoppedAt]: stoppedAt, ...kept } = notes ?? {}
    const adoptedAt = isCronJobFor(cronJob, id) ? undefined : String(clock.now())
    const others = ownerReferences.filter(({ kind, controller }) => kind !== 'TaskSchedule' && controller !== true)
    return {
      metadata: {
        ...cronJob.metadata,
        labels: { ...its, ...metadata.labels },
        annotations: {
          ...kept,
          ...metadata.annotations,
          [annotations.applied]: appliedHash(want),
          ...(want.isSuspended ? { [annotations.stoppedAt]: stoppedAt ?? String(clock.now()) } : {}),
          ...(adoptedAt === undefined ? {} : { [annotations.adoptedAt]: adoptedAt }),
        },
        ownerReferences: [...others, ...(metadata.ownerReferences ?? [])],
      },
      spec,
    }
  }

  /** From here on the controller looks for due slots. */
  async function startAfter(cronJob: CronJob, after: Slot): Promise<CronJob> {
    const last = Date.parse(cronJob.status?.lastScheduleTime ?? '') / 1000
    if (last >= after) return cronJob
    reachPoint('before cron job status')
    const { uid } = cronJob.metadata
    const status = { lastScheduleTime: slotTime(after) }
    const body = { metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) }, status }
    const answer = await client.applyStatus(cronJobResource, body, { fieldManager, force: true, ...call })
    reachPoint('after cron job status')
    return answer
  }

  async function create(want: WantedCronJob): Promise<CronJob> {
    const body = buildCronJob({ ...want, isSuspended: true })
    reachPoint('before create cron job')
    const created = await client.create(cronJobResource, body, { fieldManager, fieldValidation: 'Strict', ...call })
    reachPoint('after create cron job')
    return remember(created)
  }

  async function write(after: Slot, want: WantedCronJob): Promise<PrimitiveAnswer> {
    const live = await read()
    if (live?.metadata.deletionTimestamp !== undefined) return { postponed: `CronJob "${name}" is still being deleted` }
    const isForeign = live !== undefined && !isCronJobFor(live, id)
    if (isForeign && visit.adopt !== 'Confirm') return withhold(live, want)
    const differences = live === undefined ? undefined : await compare(live, want)
    const isEdited = live !== undefined && !isForeign && differences !== undefined && isAppliedTo(live, want)
    if (live !== undefined && !isForeign && differences === undefined) {
      remember(live)
      return 'Done'
    }
    const placed = await startAfter(live ?? (await create(want)), after)
    reachPoint('before update cron job')
    remember(await client.update(cronJobResource, merged(placed, want), { fieldManager, fieldValidation: 'Strict', ...call }))
    reachPoint('after update cron job')
    const done = (memory.done ??= [])
    if (isForeign) done.push({ kind: 'Adopted', message: `CronJob "${name}": ${differences ?? 'nothing differed'}` })
    else if (isEdited) done.push({ kind: 'Repaired', message: `CronJob "${name}" had been edited: ${differences}` })
    return 'Done'
  }

  /** It is somebody else's: says so, and what taking it over would change. */
  async function withhold(theirs: CronJob, want: WantedCronJob): Promise<PrimitiveAnswer> {
    const untilMs = clock.now() + withheldMs
    if (visit.adopt !== 'DryRun') {
      const message =
        `CronJob "${name}" exists and does not belong to this TaskSchedule, so nothing is changed. Next: to see what taking it over would ` +
        `change, kubectl annotate tsch ${schedule} ${annotations.adopt}=DryRun; or delete or rename it`
      memory.withheld = { reason: 'NameTaken', message, version, untilMs }
      return 'Done'
    }
    const differences = (await compare(theirs, want)) ?? 'nothing but labels'
    const message =
      `taking over CronJob "${name}" would change: ${differences}. Next: to do it, kubectl annotate --overwrite tsch ${schedule} ` +
      `${annotations.adopt}=Confirm`
    memory.withheld = { reason: 'AdoptionDryRun', message, version, untilMs }
    return 'Done'
  }

  /** A refusal of the template waits for an edit, everything else is tried again. */
  async function orPostponed(attempt: () => Promise<PrimitiveAnswer>): Promise<PrimitiveAnswer> {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      const refusal = classifyRefusal(error)
      if (refusal.kind === 'Unexpected') throw error
      memory.written = undefined
      // Somebody was faster: it is observed again.
      if (refusal.retry === 'AtOnce') return 'Done'
      const message = describeRefusal(placeRefusal(refusal, (field) => field.replace(/^spec\.jobTemplate\b/u, 'spec.job')))
      if (refusal.retry !== 'OnEdit') return { postponed: `CronJob "${name}": ${message}` }
      memory.withheld = { reason: 'TemplateInvalid', message, version, untilMs: Infinity }
      return 'Done'
    }
  }

  return {
    engine: 'CronJob',
    isPresent: () => Promise.resolve(current() !== undefined),
    async observe(_: Ledger, nowMs) {
      const cronJob = current()
      const state = stateOf(cronJob, nowMs)
      const token = tokenOf(cronJob)
      const settledUntil = state === 'Stopped' ? slotAt(stoppedAtOf(cronJob) ?? 0) : newestSettled(nowMs)
      const adoptedAtMs = Number(cronJob?.metadata.annotations?.[annotations.adoptedAt] ?? Number.NaN)
      const next = plan.slots.next(Math.floor((nowMs - controllerLagMs) / 1000))
      const settlesAtMs = next === undefined ? undefined : next * 1000 + controllerLagMs
      const seen = {
        runs: knownRuns(token),
        settledUntil,
        surveyedUntil: memory.survey?.token === token ? memory.survey.until : 0,
        // A Job of the CronJob as it was is made for some seconds more.
        ...(Number.isNaN(adoptedAtMs) ? {} : { notOursUntil: Math.min(slotAt(adoptedAtMs + controllerLagMs), slotAt(nowMs)) }),
        againAtMs: earliest(
          state === 'Stopping' ? (stoppedAtOf(cronJob) ?? nowMs) + controllerLagMs : settlesAtMs,
          memory.written && nowMs + cacheLagMs,
        ),
      }
      memory.drift = undefined
      const { withheld } = memory
      if (withheld !== undefined && withheld.version === version && nowMs < withheld.untilMs && wanted !== undefined) {
        const againAtMs = earliest(withheld.untilMs, settlesAtMs)
        // A template that is refused keeps the CronJob as it was.
        return withheld.reason === 'TemplateInvalid' && cronJob !== undefined
          ? { ...seen, state, isInStep: true }
          : { ...seen, state: 'Withheld', isInStep: false, againAtMs }
      }
      memory.withheld = undefined
      if (cronJob === undefined || wanted === undefined) return { ...seen, state, isInStep: false }
      const differences = await comparedOrGone(() => compare(cronJob, wanted))
      if (differences === 'Gone') return { ...seen, state: 'Absent', isInStep: false }
      const isEdited = differences !== undefined && isAppliedTo(cronJob, wanted)
      const isLeft = isEdited && visit.driftPolicy === 'Report'
      if (isLeft) memory.drift = `CronJob "${name}": ${differences}`
      return { ...seen, state, isInStep: isLeft || (differences === undefined && isAppliedTo(cronJob, wanted)) }
    },
    start: (after) => (wanted === undefined ? Promise.resolve('Done') : orPostponed(() => write(after, wanted))),
    stop: () =>
      orPostponed(async () => {
        const live = await read()
        if (live === undefined || live.metadata.deletionTimestamp !== undefined || !isCronJobFor(live, id)) return 'Done'
        if (live.spec.suspend === true && stoppedAtOf(live) !== undefined) return remember(live) && 'Done'
        const notes = { [annotations.stoppedAt]: String(clock.now()), [annotations.applied]: null }
        const body = {
          metadata: { name, namespace, resourceVersion: live.metadata.resourceVersion, annotations: notes },
          spec: { suspend: true },
        }
        memory.survey = undefined
        reachPoint('before stop cron job')
        remember(
          await client.patch(cronJobResource, body as unknown as Parameters<typeof client.patch<CronJob>>[1], { fieldManager, ...call }),
        )
        reachPoint('after stop cron job')
        return 'Done'
      }),
    async survey() {
      const cronJob = current()
      const nowMs = clock.now()
      const until = stateOf(cronJob, nowMs) === 'Stopped' ? slotAt(nowMs) : newestSettled(nowMs)
      const labelSelector = `${labels.startedBy}=TaskSchedule,${labels.schedule}=${schedule}`
      const runs: FollowedRun[] = []
      let page: ListPage<Job> | undefined
      do {
        page = await client.list<Job>(jobResource, { namespace, labelSelector, limit: pageSize, continue: page?.continue, ...call })
        runs.push(...page.items.flatMap(runOf))
      } while (page.continue !== undefined)
      memory.survey = { token: tokenOf(cronJob), until, runs }
      return 'Done'
    },
    async remove() {
      const live = await read()
      if (live === undefined || live.metadata.deletionTimestamp !== undefined || !isCronJobFor(live, id)) {
        memory.removed = cronJobs.get(key)?.metadata.uid
        memory.written = undefined
        return 'Done'
      }
      const { uid } = live.metadata
      const preconditions = uid === undefined ? {} : { preconditions: { uid } }
      reachPoint('before delete cron job')
      try {
        const propagationPolicy = visit.isDeleted ? 'Background' : 'Orphan'
        await client.delete(cronJobResource, namespace, name, { propagationPolicy, ...preconditions, ...call })
      } catch (error) {
        if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
      }
      reachPoint('after delete cron job')
      Object.assign(memory, { removed: uid, written: undefined, survey: undefined })
      return 'Done'
    },
  }
}

/** Another content under the hash of what was written is an edit of somebody else's. */
function isAppliedTo({ metadata }: CronJob, want: WantedCronJob): boolean {
  return metadata.annotations?.[annotations.applied] === appliedHash(want)
}

function appliedHash(want: WantedCronJob): string {
  return hashOf(JSON.stringify(want))
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function metadataDifferences({ metadata }: CronJob, { labels: ours, owner }: WantedCronJob): readonly string[] {
  const missing = Object.entries(ours).filter(([label, value]) => metadata.labels?.[label] !== value)
  const owners = metadata.ownerReferences?.filter(({ kind }) => kind === 'TaskSchedule') ?? []
  const isOwned = owners.length === (owner === undefined ? 0 : 1) && owners.every(({ uid }) => uid === owner?.uid)
  return [
    ...missing.map(([label, value]) => `metadata.labels[${label}] is not ${JSON.stringify(value)}`),
    ...(isOwned ? [] : ['metadata.ownerReferences differs']),
  ]
}

/** A refusal counts as a difference: the attempt to write it says why. */
async function comparedOrGone(compare: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await compare()
  } catch (error) {
    if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return 'Gone'
    const { isAnswer, retry } = classifyRefusal(error)
    if (!isAnswer || retry === 'AtOnce') throw error
    return 'the API server refuses what it should be'
  }
}

/** When the operator stopped it; undefined: it did not. */
function stoppedAtOf(cronJob: CronJob | undefined): number | undefined {
  const text = cronJob?.metadata.annotations?.[annotations.stoppedAt]
  return text === undefined || Number.isNaN(Number(text)) ? undefined : Number(text)
}

/** Names the CronJob, and the stop since which nothing of it has begun. */
function tokenOf(cronJob: CronJob | undefined): string {
  return `${cronJob?.metadata.uid ?? ''}/${stoppedAtOf(cronJob) ?? ''}`
}

/** Versions of one object are numbers that grow. */
function isNewer({ metadata: one }: CronJob, other: CronJob | undefined): boolean {
  if (other === undefined) return true
  return Number(one.resourceVersion ?? 0) > Number(other.metadata.resourceVersion ?? 0)
}

function earliest(...moments: readonly (number | undefined)[]): number | undefined {
  const first = Math.min(...moments.map((moment) => moment ?? Infinity))
  return first === Infinity ? undefined : first
}

function slotAt(ms: number): Slot {
  return Math.floor(ms / 1000)
}
