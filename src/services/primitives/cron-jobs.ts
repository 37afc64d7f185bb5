import { type CronJob, cronJobs as cronJobResource } from '../../api/index.ts'
import { annotations, type Slot, slotTime } from '../../contract/index.ts'
import { classifyRefusal, describeRefusal, hasCode, placeRefusal } from '../../errors/index.ts'
import type { Followed } from '../../scheduling/index.ts'
import { buildCronJob, describeDifferences, findDifferences, isCronJobFor, type WantedCronJob } from '../../workloads/index.ts'
import {
  appliedHash,
  cacheLagMs,
  controllerLagMs,
  type CronJobContext,
  type CronJobDeps,
  type CronJobVisit,
  currentOf,
  hashOf,
  isAppliedTo,
  knownRuns,
  newestSettled,
  readCronJob,
  rememberGone,
  rememberWritten,
  settlesAtMs,
  slotAt,
  stateOf,
  stoppedAtOf,
  surveyRuns,
  tokenOf,
} from './cron-job-view.ts'
import { type Primitive, type PrimitiveAnswer, unknownAdoption } from './primitive.ts'

const fieldManager = 'taskmill-cron-jobs'
/** Another program that writes it back, or an admission webhook, must not make the operator write the same without end. */
const repairEveryMs = 30_000
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
  const context: CronJobContext = { ...deps, ...visit }
  const { wanted } = visit
  return {
    engine: 'CronJob',
    isPresent: () => Promise.resolve(currentOf(context) !== undefined),
    observe: (_, nowMs) => observe(context, nowMs),
    start: (after) => (wanted === undefined ? Promise.resolve('Done') : orPostponed(context, () => write(context, after, wanted))),
    stop: () => orPostponed(context, () => stop(context), 'Later'),
    async survey() {
      await surveyRuns(context)
      return 'Done'
    },
    remove: () => remove(context),
  }
}

async function observe(context: CronJobContext, nowMs: number): Promise<Followed> {
  const { wanted, memory, version, driftPolicy, name } = context
  const cronJob = currentOf(context)
  const state = stateOf(cronJob, nowMs)
  const token = tokenOf(cronJob)
  const stoppedAtMs = stoppedAtOf(cronJob) ?? nowMs
  const adoptedAtMs = Number(cronJob?.metadata.annotations?.[annotations.adoptedAt] ?? Number.NaN)
  const settledAtMs = settlesAtMs(context, nowMs)
  const seen = {
    runs: knownRuns(context, token),
    settledUntil: state === 'Stopped' ? slotAt(stoppedAtMs) : newestSettled(context, nowMs),
    surveyedUntil: memory.survey?.token === token ? memory.survey.until : 0,
    ...(Number.isNaN(adoptedAtMs) ? {} : { notOursUntil: notOursUntil(adoptedAtMs, nowMs) }),
    againAtMs: earliest(state === 'Stopping' ? stoppedAtMs + controllerLagMs : settledAtMs, memory.written && nowMs + cacheLagMs),
  }
  memory.drift = undefined
  const { withheld } = memory
  if (withheld !== undefined && withheld.version === version && nowMs < withheld.untilMs && wanted !== undefined) {
    // What somebody else's CronJob starts is none of this schedule's slots. A template that is refused leaves the CronJob as it was.
    const foreign = withheld.reason === 'TemplateInvalid' ? {} : { notOursUntil: slotAt(nowMs) }
    return withheld.reason === 'TemplateInvalid' && cronJob !== undefined
      ? { ...seen, state, isInStep: true }
      : { ...seen, ...foreign, state: 'Withheld', isInStep: false, againAtMs: earliest(withheld.untilMs, settledAtMs) }
  }
  memory.withheld = undefined
  if (cronJob === undefined || wanted === undefined) return { ...seen, state, isInStep: false }
  const differences = await comparedOrGone(() => compare(context, cronJob, wanted))
  if (differences === 'Gone') return { ...seen, state: 'Absent', isInStep: false }
  const isApplied = isAppliedTo(cronJob, wanted)
  const isLeft = differences !== undefined && isApplied && driftPolicy === 'Report'
  if (isLeft) memory.drift = `CronJob "${name}": ${differences}`
  const isInStep = isLeft || (differences === undefined && isApplied)
  const pauseMs = pauseBeforeRepair(context, wanted)
  if (isInStep || pauseMs <= 0) return { ...seen, state, isInStep }
  return { ...seen, state, isInStep: true, againAtMs: earliest(seen.againAtMs, nowMs + pauseMs) }
}

/** For how many ms the same is not written again, because that has just been done. */
function pauseBeforeRepair({ memory, clock }: CronJobContext, want: WantedCronJob): number {
  const { hash, againAtMs = -Infinity } = memory.applied ?? {}
  return hash === appliedHash(want) ? againAtMs + repairEveryMs - clock.now() : 0
}

/** For some seconds after the adoption, a Job is of the CronJob as it was, or already a run, which has to be seen before its slot is passed. */
function notOursUntil(adoptedAtMs: number, nowMs: number): Slot {
  return slotAt(nowMs < adoptedAtMs + 2 * controllerLagMs ? adoptedAtMs : adoptedAtMs + controllerLagMs)
}

/** A refusal counts as a difference: the attempt to write it says why. */
async function comparedOrGone(compareIt: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await compareIt()
  } catch (error) {
    if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return 'Gone'
    const { isAnswer, retry } = classifyRefusal(error)
    if (!isAnswer || retry === 'AtOnce') throw error
    return 'the API server refuses what it should be'
  }
}

/** In words, how it differs from what is wanted; undefined: not at all. The API server is asked once for each pair. */
async function compare(context: CronJobContext, cronJob: CronJob, want: WantedCronJob): Promise<string | undefined> {
  const { client, memory, signal } = context
  const { uid, generation, labels: its, annotations: notes, ownerReferences } = cronJob.metadata
  const key = hashOf(JSON.stringify([uid, generation, its, notes?.[annotations.jobId], ownerReferences, want]))
  if (memory.compared?.key === key) return memory.compared.differences
  const { metadata, spec } = mergedWith(context, cronJob, want)
  const { resourceVersion: _, ...anyVersion } = metadata
  const how = { fieldManager, fieldValidation: 'Strict', dryRun: true, signal } as const
  const would = await client.update(cronJobResource, { metadata: anyVersion, spec }, how)
  const inSpec = findDifferences(cronJob.spec, would.spec)
  const differences = inWords([...(inSpec.length === 0 ? [] : [describeDifferences(inSpec)]), ...metadataDifferences(cronJob, want)])
  memory.compared = { key, differences }
  return differences
}

function inWords(differences: readonly string[]): string | undefined {
  return differences.length === 0 ? undefined : differences.join('; ')
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

/** What is written over it: the whole spec, and of the metadata what is Taskmill's. */
function mergedWith({ clock, id }: CronJobContext, cronJob: CronJob, want: WantedCronJob): Pick<CronJob, 'metadata' | 'spec'> {
  const { metadata, spec } = buildCronJob(want)
  const { labels: its, annotations: notes, ownerReferences = [] } = cronJob.metadata
  const { [annotations.stoppedAt]: _, ...kept } = notes ?? {}
  // Somebody may have resumed it since it was stopped last.
  const stoppedAtMs = (cronJob.spec.suspend === true ? stoppedAtOf(cronJob) : undefined) ?? clock.now()
  const others = ownerReferences.filter(({ kind, controller }) => kind !== 'TaskSchedule' && controller !== true)
  return {
    metadata: {
      ...cronJob.metadata,
      labels: { ...its, ...metadata.labels },
      annotations: {
        ...kept,
        ...metadata.annotations,
        [annotations.applied]: appliedHash(want),
        ...(want.isSuspended ? { [annotations.stoppedAt]: String(stoppedAtMs) } : {}),
        ...(isCronJobFor(cronJob, id) ? {} : { [annotations.adoptedAt]: String(clock.now()) }),
      },
      ownerReferences: [...others, ...(metadata.ownerReferences ?? [])],
    },
    spec,
  }
}

async function write(context: CronJobContext, after: Slot, want: WantedCronJob): Promise<PrimitiveAnswer> {
  const { client, clock, name, id, adopt, driftPolicy, memory, signal, reachPoint = () => undefined } = context
  const live = await readCronJob(context)
  if (live?.metadata.deletionTimestamp !== undefined) return { postponed: `CronJob "${name}" is still being deleted` }
  const isForeign = live !== undefined && !isCronJobFor(live, id)
  if (isForeign && adopt !== 'Confirm') return withhold(context, live, want)
  const isOwn = live !== undefined && !isForeign
  const isApplied = isOwn && isAppliedTo(live, want)
  // Then an edit of the spec stays, but without its labels and its owner the CronJob is not found.
  const isLeft = isApplied && driftPolicy === 'Report'
  const differences =
    live === undefined ? undefined : isLeft ? inWords(metadataDifferences(live, want)) : await compare(context, live, want)
  if (isOwn && ((isApplied && differences === undefined) || pauseBeforeRepair(context, want) > 0)) {
    rememberWritten(context, live)
    return 'Done'
  }
  const placed = isLeft ? live : await startAfter(context, live ?? (await create(context, want)), after)
  const { metadata, spec } = mergedWith(context, placed, want)
  const body = isLeft ? { metadata: { ...metadata, annotations: live.metadata.annotations ?? {} }, spec: live.spec } : { metadata, spec }
  reachPoint('before update cron job')
  rememberWritten(context, await client.update(cronJobResource, body, { fieldManager, fieldValidation: 'Strict', signal }))
  reachPoint('after update cron job')
  const hash = appliedHash(want)
  const isAgain = isOwn && (isApplied || memory.applied?.hash === hash)
  memory.applied = { hash, ...(isAgain && { againAtMs: clock.now() }) }
  const done = (memory.done ??= [])
  if (isForeign) done.push({ kind: 'Adopted', message: `CronJob "${name}": ${differences ?? 'nothing differed'}` })
  else if (isApplied && differences !== undefined)
    done.push({ kind: 'Repaired', message: `CronJob "${name}" had been edited: ${differences}` })
  return 'Done'
}

/** Suspended: it starts nothing before it knows from when on. */
async function create(context: CronJobContext, want: WantedCronJob): Promise<CronJob> {
  const { client, signal, reachPoint = () => undefined } = context
  const body = buildCronJob({ ...want, isSuspended: true })
  reachPoint('before create cron job')
  const created = await client.create(cronJobResource, body, { fieldManager, fieldValidation: 'Strict', signal })
  reachPoint('after create cron job')
  rememberWritten(context, created)
  return created
}

/** From here on the controller looks for due slots. */
async function startAfter(context: CronJobContext, cronJob: CronJob, after: Slot): Promise<CronJob> {
  const { client, namespace, name, signal, reachPoint = () => undefined } = context
  const last = Date.parse(cronJob.status?.lastScheduleTime ?? '') / 1000
  if (last >= after) return cronJob
  const { uid } = cronJob.metadata
  const status = { lastScheduleTime: slotTime(after) }
  reachPoint('before cron job status')
  const body = { metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) }, status }
  const answer = await client.applyStatus(cronJobResource, body, { fieldManager, force: true, signal })
  reachPoint('after cron job status')
  return answer
}

/** It is somebody else's: says so, and what taking it over would change. */
async function withhold(context: CronJobContext, theirs: CronJob, want: WantedCronJob): Promise<PrimitiveAnswer> {
  const { clock, name, schedule, adopt, version, memory } = context
  const untilMs = clock.now() + withheldMs
  if (adopt === 'DryRun') {
    const differences = (await compare(context, theirs, want)) ?? 'nothing'
    const message =
      `taking over CronJob "${name}" would change: ${differences}. Next: to do it, kubectl annotate --overwrite tsch ${schedule} ` +
      `${annotations.adopt}=Confirm`
    memory.withheld = { reason: 'AdoptionDryRun', message, version, untilMs }
    return 'Done'
  }
  const message =
    `CronJob "${name}" exists and does not belong to this TaskSchedule, so nothing is changed.${unknownAdoption(adopt)} Next: to see what taking it over ` +
    `would change, kubectl annotate --overwrite tsch ${schedule} ${annotations.adopt}=DryRun; or delete or rename it`
  memory.withheld = { reason: 'NameTaken', message, version, untilMs }
  return 'Done'
}

/** A refusal of the template waits for an edit, everything else is tried again: also a stop, which no edit of the template helps. */
async function orPostponed(
  context: CronJobContext,
  attempt: () => Promise<PrimitiveAnswer>,
  onInvalid: 'OnEdit' | 'Later' = 'OnEdit',
): Promise<PrimitiveAnswer> {
  const { name, version, memory, signal } = context
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
    if (refusal.retry !== 'OnEdit' || onInvalid === 'Later') return { postponed: `CronJob "${name}": ${message}` }
    memory.withheld = { reason: 'TemplateInvalid', message, version, untilMs: Infinity }
    return 'Done'
  }
}

async function stop(context: CronJobContext): Promise<PrimitiveAnswer> {
  const { client, clock, namespace, name, id, memory, signal, reachPoint = () => undefined } = context
  const live = await readCronJob(context)
  if (live === undefined || live.metadata.deletionTimestamp !== undefined || !isCronJobFor(live, id)) {
    rememberGone(context)
    return 'Done'
  }
  memory.survey = undefined
  if (live.spec.suspend === true && stoppedAtOf(live) !== undefined) {
    rememberWritten(context, live)
    return 'Done'
  }
  const { [annotations.applied]: _, ...kept } = live.metadata.annotations ?? {}
  const notes = { ...kept, [annotations.stoppedAt]: String(clock.now()) }
  const { metadata, spec } = live
  reachPoint('before stop cron job')
  const body = { metadata: { ...metadata, name, namespace, annotations: notes }, spec: { ...spec, suspend: true } }
  memory.applied = undefined
  rememberWritten(context, await client.update(cronJobResource, body, { fieldManager, signal }))
  reachPoint('after stop cron job')
  return 'Done'
}

async function remove(context: CronJobContext): Promise<PrimitiveAnswer> {
  const { client, namespace, name, id, isDeleted, memory, signal, reachPoint = () => undefined } = context
  const live = await readCronJob(context)
  if (live === undefined || live.metadata.deletionTimestamp !== undefined || !isCronJobFor(live, id)) {
    rememberGone(context)
    return 'Done'
  }
  const { uid } = live.metadata
  reachPoint('before delete cron job')
  try {
    const propagationPolicy = isDeleted ? 'Background' : 'Orphan'
    await client.delete(cronJobResource, namespace, name, {
      propagationPolicy,
      ...(uid === undefined ? {} : { preconditions: { uid } }),
      signal,
    })
  } catch (error) {
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
  }
  reachPoint('after delete cron job')
  Object.assign(memory, { removed: uid, written: undefined, survey: undefined, applied: undefined })
  return 'Done'
}

function earliest(...moments: readonly (number | undefined)[]): number | undefined {
  const first = Math.min(...moments.map((moment) => moment ?? Infinity))
  return first === Infinity ? undefined : first
}
