import type {
  Broker,
  DispatchProof,
  EndedJob,
  JobSchedulerDifference,
  JobSchedulerReading,
  SchedulerJob,
  StoredJobScheduler,
} from '../../broker/index.ts'
import { annotations, schedulerJobId, type Slot } from '../../contract/index.ts'
import {
  type Followed,
  type FollowedRun,
  generationOf,
  hashOfGeneration,
  type Ledger,
  parseTiming,
  placeOfRuns,
  type SchedulePlan,
  type SlotSource,
} from '../../scheduling/index.ts'
import type { Withheld } from './cron-job-view.ts'
import { type Primitive, type PrimitiveAnswer, unknownAdoption } from './primitive.ts'
import type { SchedulerJobs } from './scheduler-jobs.ts'

/** What is remembered of the job scheduler of a schedule between two visits. Nothing is decided by it. */
export type JobSchedulerMemory = {
  /** Why it may not be changed. */
  withheld?: Withheld | undefined
  /** An edit of somebody else's that stays, by driftPolicy Report. */
  drift?: string | undefined
  /** What was done to it since the last report. */
  done?: { readonly kind: 'Repaired' | 'Adopted'; readonly message: string }[] | undefined
  /** As it was read last; undefined: there is none, or nobody looks at it. */
  seen?: { readonly queue: string; readonly version: string | undefined } | undefined
}

export type JobSchedulerDeps = {
  readonly broker: Broker
  readonly proof: DispatchProof
  /** The ledger of the schedule. */
  readonly ledger: string
  readonly doneQueue: string
  /** Id of the scheduler. */
  readonly scheduler: string
  readonly plan: Pick<SchedulePlan, 'timing' | 'slots' | 'suspended' | 'generation'>
  readonly driftPolicy: 'Repair' | 'Report'
  /** The value of the annotation `adopt`. */
  readonly adopt: string | undefined
  readonly ledgerOf: () => Ledger | undefined
  readonly jobs: SchedulerJobs
  readonly pendingCompletions: () => readonly EndedJob[]
  readonly memory: JobSchedulerMemory
  /** On the broker's clock. */
  readonly nowMs: () => number
}

/** One read asks for the jobs of so many slots. */
const slotsPerRead = 100
/** While its next job is due and no worker has taken it, it is looked at again after half of the time since, within these. */
const lookAgainMs = { least: 1_000, most: 30_000 }
const mostTries = 3

/**
 * The job scheduler of BullMQ that starts the runs of one schedule, for one visit. It stands in the queue of the ledger's timing under the name of
 * the schedule. To stop it is to remove it.
 *
 * Relies on: a job that it has made is never taken back once it is due (the broker's scripts see to that), so every run that may start is found by
 * its id; it makes its next job when a worker takes the one before, so that no slot before its next job can still get a run.
 */
export function createJobScheduler(deps: JobSchedulerDeps): Primitive {
  const { ledger: owner, jobs } = deps

  const read = async (ledger: Ledger): Promise<JobSchedulerReading> => {
    const { reading } = await readFor(deps, ledger, deps.nowMs())
    return reading
  }

  /** Its next job stays if it is due; then no scheduler names it any more. */
  async function remove(): Promise<PrimitiveAnswer> {
    const { broker, proof, doneQueue, scheduler } = deps
    for (let tries = 0; tries < mostTries; tries++) {
      const ledger = deps.ledgerOf()
      if (ledger === undefined) return 'Done'
      jobs.forget()
      const { stored, owner: found } = await read(ledger)
      if (found !== owner) return 'Done'
      const ref = { queue: queueOf(ledger), id: scheduler, doneQueue, expected: stored }
      const answer = await broker.removeJobScheduler(ref, proof)
      jobs.forget()
      if (answer.outcome === 'Fenced') return 'Fenced'
      if (answer.outcome === 'Removed' && answer.next.state !== 'Removed') jobs.remember(answer.next.atMs)
      if (answer.outcome !== 'Changed') return 'Done'
    }
    return { postponed: `the job scheduler "${deps.scheduler}" changes all the time, so it could not be removed` }
  }

  return {
    engine: 'BullMQ',
    async isPresent(ledger) {
      return ledger?.timing.engine === 'BullMQ' && (await read(ledger)).owner === owner
    },
    async observe(ledger, nowMs) {
      // All that follows holds for one moment: the clock may be corrected by an answer.
      const { reading, slots, isTruncated } = await readFor(deps, ledger, nowMs)
      return observed(deps, ledger, reading, { nowMs, readUntil: isTruncated ? slots.at(-1) : undefined })
    },
    start: (after) => start(deps, after, remove),
    stop: remove,
    survey() {
      jobs.forget()
      return Promise.resolve('Done')
    },
    remove,
  }
}

function queueOf({ timing }: Ledger): string {
  return timing.schedulerQueue ?? ''
}

/** Reads the scheduler, and the jobs of the slots that are due and not decided, oldest first. */
async function readFor(
  { jobs, plan }: JobSchedulerDeps,
  ledger: Ledger,
  nowMs: number,
): Promise<{ readonly reading: JobSchedulerReading; readonly slots: readonly Slot[]; readonly isTruncated: boolean }> {
  const source = slotsBy(ledger, plan)
  const now = Math.floor(nowMs / 1000)
  const slots: Slot[] = []
  for (let slot = source?.next(ledger.cursor); slot !== undefined && slot <= now && slots.length < slotsPerRead; slot = source?.next(slot))
    slots.push(slot)
  const reading = await jobs.read(
    queueOf(ledger),
    slots.map((slot) => slot * 1000),
  )
  return { reading, slots, isTruncated: slots.length === slotsPerRead }
}

/** The slots of the timing that the scheduler was made by. */
function slotsBy({ timing }: Ledger, plan: JobSchedulerDeps['plan']): SlotSource | undefined {
  if (JSON.stringify(timing) === JSON.stringify({ ...plan.timing, suspended: timing.suspended })) return plan.slots
  const parsed = parseTiming(timing)
  return parsed.ok ? parsed.slots : undefined
}

function observed(
  deps: JobSchedulerDeps,
  ledger: Ledger,
  reading: JobSchedulerReading,
  { nowMs, readUntil = Infinity }: { readonly nowMs: number; readonly readUntil: Slot | undefined },
): Followed {
  const { memory, driftPolicy } = deps
  const { stored, jobs } = reading
  const now = Math.floor(nowMs / 1000)
  const isForeign = isOfOthers(deps, reading)
  const isLeft = driftPolicy === 'Report' && !isForeign && stored?.isAsWritten === false
  memory.seen = { queue: queueOf(ledger), version: stored?.version }
  memory.withheld = isForeign ? withheldBecause(deps, ledger, reading) : undefined
  memory.drift = isLeft ? `${nameOf(deps, ledger)}: ${describeDifferences(stored.differences)}` : undefined
  // Of an absent one nothing is settled: it is put again, and the newest slot that is due still runs.
  const settled = stored === undefined || isForeign ? ledger.cursor : Math.min(Math.floor((stored.nextMs - 1) / 1000), now, readUntil)
  const settledUntil = Math.max(ledger.cursor, settled)
  return {
    // Of one that somebody removed it is still noted whose it was: to stop it removes that too.
    state: memory.withheld !== undefined ? 'Withheld' : stored === undefined && reading.owner !== deps.ledger ? 'Absent' : 'Running',
    isInStep: isLeft || isInStep(deps, ledger, reading, now),
    runs: isForeign ? [] : runsOf(deps, ledger, jobs, nowMs),
    settledUntil,
    surveyedUntil: settledUntil,
    // What somebody else's scheduler runs is none of this schedule's slots.
    ...(isForeign ? { notOursUntil: now } : {}),
    ...(stored === undefined ? {} : { againAtMs: lookAgainAt(stored, nowMs) }),
  }
}

function isOfOthers({ ledger }: JobSchedulerDeps, { stored, owner }: JobSchedulerReading): boolean {
  return stored !== undefined && owner !== ledger
}

/** Why a scheduler of somebody else's is left alone; undefined: its user has confirmed that it is taken over. */
function withheldBecause(deps: JobSchedulerDeps, ledger: Ledger, { stored, owner }: JobSchedulerReading): Withheld | undefined {
  const { adopt, scheduler } = deps
  const name = nameOf(deps, ledger)
  const annotate = (value: string): string => `kubectl annotate --overwrite tsch ${scheduler} ${annotations.adopt}=${value}`
  if (owner !== undefined) {
    const message = `${name} belongs to another schedule (${owner}), so nothing is changed. Next: give this TaskSchedule another name, or task.queue another queue`
    return { reason: 'NameTaken', message }
  }
  if (adopt === 'Confirm') return undefined
  if (adopt === 'DryRun') {
    const message = `taking over ${name} would change: ${describeDifferences(stored?.differences ?? [])}. Next: to do it, ${annotate('Confirm')}`
    return { reason: 'AdoptionDryRun', message }
  }
  const message = `${name} exists and does not belong to this TaskSchedule, so nothing is changed.${unknownAdoption(adopt)} Next: to see what taking it over would change, ${annotate('DryRun')}; or remove it`
  return { reason: 'NameTaken', message }
}

function nameOf({ scheduler }: JobSchedulerDeps, ledger: Ledger): string {
  return `the job scheduler "${scheduler}" of queue "${queueOf(ledger)}"`
}

function runsOf(deps: JobSchedulerDeps, { timing, cursor }: Ledger, jobs: readonly SchedulerJob[], nowMs: number): readonly FollowedRun[] {
  const { schedulerQueue = '' } = timing
  const generation = generationOf(hashOfGeneration(deps.plan.generation), placeOfRuns({ engine: 'BullMQ', schedulerQueue }))
  return (
    jobs
      // Only an edit of others makes a job between two seconds.
      .filter((job) => job.atMs % 1000 === 0 && job.atMs / 1000 > cursor && isRun(deps, job, nowMs))
      .map(({ atMs }) => ({ slot: atMs / 1000, generation, createdAtMs: atMs }))
  )
}

/** Whether a job is a run of its slot: it is due, and runs, has run or will. */
function isRun({ scheduler, pendingCompletions }: JobSchedulerDeps, { atMs, state, isFollowed }: SchedulerJob, nowMs: number): boolean {
  switch (state) {
    case 'Delayed':
      return atMs <= nowMs
    case 'Waiting':
    case 'Active':
    case 'Ended':
      return true
    case 'Absent':
      // It is not kept, or somebody removed it: its end says which.
      return isFollowed && pendingCompletions().some(({ id, outcome }) => id === schedulerJobId(scheduler, atMs) && outcome !== 'Removed')
  }
}

function isInStep({ plan, ledger: own }: JobSchedulerDeps, ledger: Ledger, reading: JobSchedulerReading, now: Slot): boolean {
  const { stored, owner } = reading
  if (plan.suspended || nextSlotAfter(plan.slots, ledger.cursor, now) === undefined) return stored === undefined || owner !== own
  return stored !== undefined && owner === own && stored.differences.length === 0 && isAlive(reading) && isNextFollowed(reading)
}

function nextJobOf({ stored, jobs }: JobSchedulerReading): SchedulerJob | undefined {
  return jobs.find(({ atMs }) => atMs === stored?.nextMs)
}

/** A scheduler whose next job has ended, or is gone, makes no other. */
function isAlive(reading: JobSchedulerReading): boolean {
  const next = nextJobOf(reading)
  return next !== undefined && next.state !== 'Ended' && next.state !== 'Absent'
}

function isNextFollowed(reading: JobSchedulerReading): boolean {
  const next = nextJobOf(reading)
  return next?.isFollowed === true || (next !== undefined && next.atMs % 1000 !== 0)
}

const shownDifferences = 4
const longestValue = 60

/** `pattern is "0 4 * * *", not "0 3 * * *"`. The payload may hold a secret, and is not shown. */
function describeDifferences(differences: readonly JobSchedulerDifference[]): string {
  if (differences.length === 0) return 'nothing'
  const shown = differences.slice(0, shownDifferences).map(({ field, ours, theirs }) => {
    if (theirs === undefined) return `${field} is missing`
    if (ours === undefined) return `${field} was added`
    const isShown = field !== 'data' && Math.max(ours.length, theirs.length) <= longestValue
    return isShown ? `${field} is ${JSON.stringify(theirs)}, not ${JSON.stringify(ours)}` : `${field} differs`
  })
  const more = differences.length - shown.length
  return [...shown, ...(more === 0 ? [] : [`${more} more`])].join('; ')
}

/** The newest slot after `after` that is due, else the next one. */
function nextSlotAfter(slots: SlotSource, after: Slot, now: Slot): Slot | undefined {
  return slots.between(after, now, 1).at(-1) ?? slots.next(Math.max(after, now))
}

function lookAgainAt({ nextMs }: StoredJobScheduler, nowMs: number): number {
  if (nextMs > nowMs) return nextMs
  return nowMs + Math.min(Math.max((nowMs - nextMs) / 2, lookAgainMs.least), lookAgainMs.most)
}

async function start(deps: JobSchedulerDeps, after: Slot, remove: () => Promise<PrimitiveAnswer>): Promise<PrimitiveAnswer> {
  const { broker, proof, scheduler, doneQueue, jobs, plan, ledger: owner, nowMs } = deps
  const { spec } = jobs
  let last = after
  for (let tries = 0; tries < mostTries; tries++) {
    const ledger = deps.ledgerOf()
    if (ledger === undefined) return 'Done'
    jobs.forget()
    const atMs = nowMs()
    const { reading } = await readFor(deps, ledger, atMs)
    const { stored } = reading
    const isForeign = isOfOthers(deps, reading)
    if (isForeign && withheldBecause(deps, ledger, reading) !== undefined) return 'Done'
    const now = Math.floor(atMs / 1000)
    const next = nextSlotAfter(plan.slots, last, now)
    if (spec === undefined || plan.suspended || next === undefined) return stored === undefined ? 'Done' : await remove()
    if (stored !== undefined && !isForeign && stored.differences.length === 0 && isAlive(reading))
      return await followNext(deps, ledger, stored)
    const nextMs = next * 1000
    const queue = queueOf(ledger)
    const put = { queue, id: scheduler, spec, expected: stored, nextMs, doneQueue, done: { v: 1, ledger: owner, slot: next } } as const
    const outcome = await broker.putJobScheduler(put, nowMs(), proof)
    jobs.forget()
    if (outcome === 'Done') noteChange(deps, ledger, reading)
    if (outcome === 'Done' || outcome === 'Fenced') return outcome
    // The job of that slot has run: the scheduler was stopped after that, or its clock goes before.
    if (outcome === 'Taken') last = next
  }
  return { postponed: `the job scheduler "${scheduler}" changes all the time, so it could not be brought in step` }
}

/** For the Events: that it was taken over, or that an edit of somebody else's was repaired. */
function noteChange(deps: JobSchedulerDeps, ledger: Ledger, reading: JobSchedulerReading): void {
  const { memory } = deps
  const { stored, owner } = reading
  const differences = describeDifferences(stored?.differences ?? [])
  const kind = isOfOthers(deps, reading) ? 'Adopted' : 'Repaired'
  const isRemoved = stored === undefined && owner === deps.ledger
  if (kind === 'Repaired' && !isRemoved && stored?.isAsWritten !== false) return
  const what = kind === 'Adopted' ? differences : isRemoved ? 'it had been removed' : `it had been edited: ${differences}`
  memory.done = [...(memory.done ?? []), { kind, message: `${nameOf(deps, ledger)}: ${what}` }]
}

/** The end of its next job is to arrive, also if nothing of the job is kept. */
async function followNext({ jobs }: JobSchedulerDeps, ledger: Ledger, { nextMs }: StoredJobScheduler): Promise<PrimitiveAnswer> {
  await jobs.follow([{ slot: nextMs / 1000, queue: queueOf(ledger) }])
  jobs.forget()
  return 'Done'
}
