import type { Job, JobTemplate, OwnerReference } from '../../api/index.ts'
import { annotations, labels, type Slot, slotJobId, parseSlotJobId } from '../../contract/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { SlotStart } from '../../plans/index.ts'
import {
  type CancelResult,
  defaultPendingSeconds,
  type RunObservation,
  jobsPlace,
  primitivePlaces,
  queueOfGeneration,
  type RunOutcome,
} from '../../scheduling/index.ts'
import { cronJobRunName, endOfJob, hasPod, isAcknowledged, slotOfCronJobRun } from '../../workloads/index.ts'
import type { KillPointHook } from '../engine/index.ts'
import { jobNamed, type JobLook, type JobRef, type JobReport, type Jobs } from '../jobs/index.ts'
import { makeOfSlots, nothingAcknowledged, type SlotExecutor, type SlotRef, stillAmong } from './slot-executor.ts'

/** Remembered between two visits; if it is lost, some requests are sent again. */
export type JobSlotsMemory = {
  /** UIDs of Jobs that were acknowledged, until the cache shows it; undefined: none. */
  acknowledged?: Set<string> | undefined
  /** UIDs of Jobs that have waited for long although a container of theirs has run; undefined: none. */
  started?: Set<string> | undefined
}

/** How the Jobs of slots are named and recognized. `place`: of the generations of their runs. */
export type JobNaming = {
  readonly place: string
  readonly refOf: (slot: Slot) => JobRef
  readonly slotOf: (job: Job) => Slot | undefined
}

export type JobSlotsDeps = {
  readonly jobs: Jobs
  readonly naming: JobNaming
  readonly namespace: string
  readonly schedule: string
  /** Its Jobs are garbage-collected with this object; undefined: they stay. */
  readonly owner: OwnerReference | undefined
  /** What a slot starts by the present template; undefined: nothing is placed any more. */
  readonly start: SlotStart | undefined
  /** The generation of that template. */
  readonly generation: string
  readonly memory: JobSlotsMemory
  readonly signal: AbortSignal
  readonly log: Logger
  readonly reachPoint?: KillPointHook | undefined
}

/** Jobs that Taskmill creates for the slots of a ledger, of names that follow from them. */
export function slotJobNaming({ namespace, schedule, ledger }: { namespace: string; schedule: string; ledger: string }): JobNaming {
  const refOf = (slot: Slot) => jobNamed(namespace, [schedule], slotJobId(ledger, slot))
  return {
    place: jobsPlace,
    refOf,
    slotOf({ metadata }) {
      const named = parseSlotJobId(metadata.annotations?.[annotations.jobId] ?? '')
      return named?.ledger === ledger && metadata.name === refOf(named.slot).name ? named.slot : undefined
    },
  }
}

/** Jobs of a CronJob, of the names that its controller gives them. */
export function cronJobNaming({ namespace, name, id }: { namespace: string; name: string; id: string }): JobNaming {
  return {
    place: primitivePlaces.CronJob,
    refOf: (slot) => ({ id, namespace, name: cronJobRunName(name, slot) }),
    slotOf: ({ metadata }) => (metadata.annotations?.[annotations.jobId] === id ? slotOfCronJobRun(name, metadata.name) : undefined),
  }
}

/** The termination message of a container may be a page of its log. */
const maxMessageLength = 2048

/**
 * Runs of slots as Kubernetes Jobs, one for each slot, under a name that follows from the slot. For one visit: each Job is looked at once.
 *
 * Guarantees: those of `Jobs`. A Job without a running or ended pod has not started, and is deleted if its slot is taken back.
 */
export function createJobSlots(deps: JobSlotsDeps): SlotExecutor {
  const { jobs, naming, namespace, schedule, owner, start, memory, signal, log, reachPoint = () => undefined } = deps
  const { refOf, slotOf } = naming
  const call = { signal }
  // The Jobs of a primitive are never replaced by one of another template.
  const madeFrom = naming.place === jobsPlace ? deps.generation : undefined
  const looks = new Map<Slot, JobLook>()
  /** Reports of Jobs that have ended. */
  const reports = new Map<Slot, { readonly job: Job; readonly report: JobReport }>()
  const takenBack = new Set<Slot>()
  let observedAtMs = 0

  /** Jobs of the schedule's slots that have ended, and whose ends are not recorded. */
  function unrecorded(): readonly (readonly [Slot, Job])[] {
    return jobs.startedBy({ kind: 'TaskSchedule', namespace, name: schedule }).flatMap((job) => {
      const slot = slotOf(job)
      return slot === undefined || endOfJob(job) === undefined || isAcknowledged(job) ? [] : [[slot, job] as const]
    })
  }

  async function report(slot: Slot, job: Job): Promise<void> {
    if (reports.get(slot)?.job.metadata.uid !== job.metadata.uid) reports.set(slot, { job, report: await jobs.report(job, call) })
  }

  function makeTemplates(slots: readonly SlotRef[]) {
    if (start?.kind !== 'Job') throw new TypeError('there is no Job to create')
    return makeOfSlots('spec.job', slots, ({ slot }) => start.templateOf(slot))
  }

  function create(slot: Slot, template: JobTemplate) {
    const own = { [labels.startedBy]: 'TaskSchedule', [labels.schedule]: schedule }
    return jobs.create({ ...refOf(slot), labels: own, owner, template, field: 'spec.job', generation: madeFrom }, call)
  }

  async function takeBack(slot: Slot): Promise<'Removed' | 'Started' | 'Absent'> {
    const look = await jobs.look(refOf(slot), call)
    if (look.kind === 'Absent') return 'Absent'
    if (look.kind === 'Ended' || (look.job !== undefined && hasPod(look.job))) return 'Started'
    takenBack.add(slot)
    reachPoint('before delete job')
    const answer = await jobs.remove(refOf(slot), call)
    reachPoint('after delete job')
    if (answer !== 'Ended') return answer
    takenBack.delete(slot)
    return 'Started'
  }

  async function cancel(slot: Slot): Promise<CancelResult> {
    takenBack.add(slot)
    reachPoint('before delete job')
    const answer = await jobs.remove(refOf(slot), call)
    reachPoint('after delete job')
    if (answer === 'Ended') takenBack.delete(slot)
    return answer === 'Removed' ? 'Cancelled' : answer
  }

  /**
   * A run may start anew from another template, or counts as stuck after 15 min, only if none of its containers has ever
   * run.
   */
  async function observeRun({ slot, generation }: SlotRef): Promise<RunObservation> {
    const look = looks.get(slot)
    const seen = lookedAt(look)
    if (seen.state !== 'Waiting' || look?.kind !== 'Running' || look.job === undefined) return seen
    const { job } = look
    const isOld = observedAtMs - Date.parse(job.metadata.creationTimestamp ?? '') >= defaultPendingSeconds * 1000
    const { trouble } = await jobs.trouble(job, { ...call, log })
    const told = trouble?.words === undefined ? seen : { ...seen, trouble: `job/${job.metadata.name}: ${trouble.words}` }
    if (generation === deps.generation && !isOld) return told
    const isUntouched = !(await hasStarted(job))
    return { ...told, isUntouched, isStuck: isUntouched && isOld && job.spec['suspend'] !== true }
  }

  /** Asked once for a Job that has: its answer stays. */
  async function hasStarted(job: Job): Promise<boolean> {
    const { uid = '' } = job.metadata
    if (memory.started?.has(uid) === true) return true
    if (!(await jobs.hasStarted(job, call))) return false
    const started = (memory.started ??= new Set())
    started.add(uid)
    return true
  }

  function endsOf(nowMs: number): readonly RunOutcome[] {
    const outcomes = new Map<Slot, RunOutcome>()
    for (const [slot, { job, report: end }] of reports) outcomes.set(slot, outcomeOf(job, slot, end, nowMs))
    for (const [slot, { kind }] of looks) {
      if (kind !== 'Absent' || takenBack.has(slot)) continue
      const message = `job/${refOf(slot).name} was deleted before its end was recorded`
      outcomes.set(slot, { slot, succeeded: false, reason: 'JobRemoved', message, finishedAtMs: nowMs })
    }
    return [...outcomes.values()]
  }

  return {
    isFor: (generation) => queueOfGeneration(generation) === naming.place,
    async observe(begun, nowMs) {
      observedAtMs = nowMs
      const slots = begun.map(({ slot }) => slot)
      // Only a run that the ledger waits for counts as gone when its Job is not there.
      for (const slot of looks.keys()) if (!slots.includes(slot)) looks.delete(slot)
      await Promise.all(slots.filter((slot) => !looks.has(slot)).map(async (slot) => looks.set(slot, await jobs.look(refOf(slot), call))))
      memory.started = memory.started && stillAmong(memory.started, foundJobs(looks))
      const left = unrecorded()
      const shown = left.map(([, job]) => job)
      memory.acknowledged = memory.acknowledged && stillAmong(memory.acknowledged, shown)
      const pending = left.filter(([, { metadata }]) => memory.acknowledged?.has(metadata.uid ?? '') !== true)
      // Recorded ends too: a broker that was restored may have lost them.
      const found = [...looks].flatMap(([slot, look]) => (look.kind === 'Ended' ? [[slot, look.job] as const] : []))
      const ended = new Map([...pending, ...found])
      for (const slot of reports.keys()) if (!ended.has(slot)) reports.delete(slot)
      await Promise.all([...ended].map(([slot, job]) => report(slot, job)))
      const waits = [...looks.values()].map((look) => (look.kind === 'Running' ? (look.againAfterMs ?? Infinity) : Infinity))
      return { ends: endsOf(nowMs), againAfterMs: Math.min(Infinity, ...waits) }
    },
    starting: {
      kind: 'AfterIntent',
      make: makeTemplates,
      async place(slots) {
        const { made, refused } = makeTemplates(slots)
        reachPoint('before create job')
        const answers = await Promise.all(made.map(async ({ slot, what }) => ({ slot, answer: await create(slot, what) })))
        reachPoint('after create job')
        for (const { slot, answer } of answers) if (answer.kind === 'Refused') refused.set(slot, answer.message)
        const postponed = answers.map(({ answer }) => answer).find(({ kind }) => kind === 'Postponed')
        return { outcome: postponed?.kind === 'Postponed' ? { postponed: postponed.message } : 'Done', refused }
      },
    },
    remove: (slots) => Promise.all(slots.map(({ slot }) => takeBack(slot))),
    cancel: (slots) => Promise.all(slots.map(({ slot }) => cancel(slot))),
    look: (slots) => Promise.all(slots.map(observeRun)),
    async acknowledge(slots) {
      await Promise.all(
        slots.map(async (slot) => {
          const job = reports.get(slot)?.job
          if (job === undefined || isAcknowledged(job)) return
          reachPoint('before acknowledge job')
          await jobs.acknowledge(job, call)
          reachPoint('after acknowledge job')
          const acknowledged = (memory.acknowledged ??= new Set())
          acknowledged.add(job.metadata.uid ?? '')
        }),
      )
      return nothingAcknowledged
    },
    // With the schedule they go, or stay as they are.
    forget: () => Promise.resolve(nothingAcknowledged),
    subjects: () => [],
  }
}

function foundJobs(looks: ReadonlyMap<Slot, JobLook>): readonly Job[] {
  return [...looks.values()].flatMap((look) => (look.kind === 'Absent' || look.job === undefined ? [] : [look.job]))
}

function lookedAt(look: JobLook | undefined): RunObservation {
  if (look === undefined || look.kind === 'Absent') return { state: 'Absent' }
  if (look.kind === 'Ended') return { state: 'Ended' }
  const { job } = look
  if (job === undefined || !hasPod(job)) return { state: 'Waiting' }
  const startedAtMs = Date.parse(job.status?.startTime ?? '')
  return { state: 'Active', ...(Number.isNaN(startedAtMs) ? {} : { startedAtMs }) }
}

function outcomeOf({ metadata }: Job, slot: Slot, end: JobReport, nowMs: number): RunOutcome {
  const { outcome, attemptsMade, pod, startedAtMs, finishedAtMs } = end
  const succeeded = outcome === 'Succeeded'
  const failure = end.reason === 'DeadlineExceeded' ? 'TimedOut' : 'Failed'
  return {
    slot,
    succeeded,
    reason: succeeded ? 'Succeeded' : failure,
    ...(succeeded ? {} : { message: `job/${metadata.name}: ${end.message ?? end.reason}`.slice(0, maxMessageLength) }),
    attemptsMade,
    ...(pod === undefined ? {} : { worker: pod }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    finishedAtMs: finishedAtMs ?? nowMs,
  }
}
