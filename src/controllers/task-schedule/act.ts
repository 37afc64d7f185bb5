import { isTerminating } from '../../api/index.ts'
import { annotations, cronJobId, labels, type OwnerMarker } from '../../contract/index.ts'
import { cronJobName, ownerOfSlots, sampleSlot, type SlotStart } from '../../plans/index.ts'
import { calendarsInUse, type SchedulePlan } from '../../scheduling/index.ts'
import type { Driven, Removal, Site } from '../../services/engine/index.ts'
import {
  createCronJob,
  createJobScheduler,
  createSchedulerJobs,
  type CronJobMemory,
  type JobSchedulerMemory,
  type Primitive,
} from '../../services/primitives/index.ts'
import {
  createExecutionSlots,
  createJobSlots,
  createQueueSlots,
  createSchedulerSlots,
  createSlotKind,
  cronJobNaming,
  deletionPlan,
  type GroupPlace,
  slotJobNaming,
  type SlotExecutor,
  type SlotHappening,
  type SlotPostponed,
} from '../../services/slots/index.ts'
import type { Decision } from './decide.ts'
import type { Membership } from './group.ts'
import { brokerKeyOf, type Context, type Memory, namesOf, type ScheduleSituation, type TaskScheduleDeps, understoodOf } from './gather.ts'

/** What has become of a look: the situation, when to look again, and what was written meanwhile. */
export type Acted = {
  readonly situation: ScheduleSituation | { readonly kind: 'Failed'; readonly error: unknown }
  readonly againAfterMs?: number | undefined
  /** Nothing is left to do until something happens. */
  readonly isWaiting?: boolean
  readonly happened: readonly SlotHappening[]
}

/** Drives the slots of a schedule, as far as the dispatch lease and the decision allow it. */
export async function act(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  { decision, group }: { readonly decision: Decision; readonly group: Membership | undefined },
  context: Context,
): Promise<Acted> {
  const acted = await driveSlots(deps, key, memory, { decision, group }, context)
  // What cannot start holds up nobody else in its group.
  const lease = deps.engine.leaseAt(brokerKeyOf(memory.schedule))
  if (group === undefined || lease.kind !== 'Held') return acted
  if (acted.situation.kind === 'Driven') deps.groups.looked(group, lease.proof.epoch)
  else deps.groups.stepAside(group, lease.proof.epoch, (memory.record?.ledger ?? memory.shown)?.active.length ?? 0)
  return acted
}

async function driveSlots(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  { decision, group }: { readonly decision: Decision; readonly group: Membership | undefined },
  context: Context,
): Promise<Acted> {
  followEnds(deps, key, memory, decision)
  if (decision.kind === 'Invalid') {
    Object.assign(memory, { record: undefined, undecidedSinceMs: undefined })
    return { situation: decision, happened: [] }
  }
  const { plan, start, heldBy } = decision
  const isWanted = () => isThere(deps, key)
  const formerCalendars = memory.calendars
  const kindAt = (site: Site) =>
    kindOf(deps, key, memory, site, {
      plan: { ...plan, formerCalendars, epoch: site.proof.epoch },
      start,
      group: group && deps.groups.place(group, site.proof.epoch),
      isWanted,
    })
  const driven = await deps.engine.drive(memory, brokerKeyOf(memory.schedule), kindAt, context)
  keepCalendars(memory, plan)
  if (driven.situation.kind === 'Standby') await stopPrimitive(deps, key, memory, { start, plan: { ...plan, epoch: 0 } }, context.signal)
  watchJobScheduler(deps, key, memory)
  return { ...driven, situation: situationOf(driven, heldBy, memory) }
}

/** What starts runs by itself does so in the cluster that dispatches, and in no other one. */
async function stopPrimitive(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  wish: Pick<Wish, 'start' | 'plan'>,
  signal: AbortSignal,
): Promise<void> {
  const primitive = cronJobOf(deps, key, memory, signal, wish)
  const { namespace = '', name } = memory.schedule.metadata
  const isSuspended = deps.cronJobs.get(`${namespace}/${cronJobName({ name })}`)?.spec.suspend === true
  if (!isSuspended && (await primitive.isPresent(undefined))) await primitive.stop()
}

/** The next edit of the calendars counts the slots that these left undecided. Without an answer of the broker, the ledger may still have those before. */
function keepCalendars(memory: Memory, plan: Pick<SchedulePlan, 'timing' | 'calendars'>): void {
  const ledger = memory.record?.ledger
  const inUse = ledger && calendarsInUse(ledger, plan)
  if (inUse !== undefined) memory.calendars = inUse
  else if (memory.calendars !== undefined && ledger !== undefined && ledger.timing.calendars === undefined) memory.calendars = undefined
}

/** Reads the ends of its runs only while this process records them. */
function followEnds({ engine, tracking, installation }: TaskScheduleDeps, key: string, memory: Memory, decision: Decision): void {
  const { ledger, doneQueue } = namesOf(installation, key)
  const lease = engine.leaseAt(brokerKeyOf(memory.schedule))
  if (lease.kind !== 'Held' || decision.kind === 'Invalid') tracking.untrack(ledger)
  else tracking.track({ owner: ledger, doneQueue, endpoint: lease.endpoint })
}

function situationOf(
  { situation }: Driven<SlotHappening, SlotPostponed>,
  heldBy: ScheduleSituation | undefined,
  memory: Memory,
): Acted['situation'] {
  if (situation.kind !== 'Driven') return situation
  const withheld = primitiveMemoryOf(memory)?.withheld
  if (heldBy !== undefined || withheld === undefined) return heldBy ?? situation
  const { reason, message } = withheld
  return reason === 'TemplateInvalid' ? { kind: 'Invalid', fault: { reason, message } } : { kind: 'Withheld', reason, message }
}

/** The schedule is being deleted or gone: its ledger goes too, unless it is to stay; what cannot be removed now is orphaned data. */
export async function remove(deps: TaskScheduleDeps, key: string, memory: Memory, context: Context): Promise<Removal<SlotHappening>> {
  const { schedule } = memory
  const understood = understoodOf(memory)
  const start = understood.ok ? understood.start : undefined
  const isWanted = () => !isThere(deps, key)
  const kindAt = (site: Site) =>
    kindOf(deps, key, memory, site, {
      plan: deletionPlan(schedule.spec.deletionPolicy, site.proof.epoch),
      start,
      group: undefined,
      isWanted,
    })
  return deps.engine.remove(memory, brokerKeyOf(schedule), kindAt, context)
}

/** What is placed ahead fires unless it is taken back: a schedule whose deletion has begun counts as gone, whoever still holds it. */
function isThere({ schedules }: TaskScheduleDeps, key: string): boolean {
  const schedule = schedules.get(key)
  return schedule !== undefined && !isTerminating(schedule)
}

type Wish = {
  readonly plan: SchedulePlan
  readonly start: SlotStart | undefined
  readonly group: GroupPlace | undefined
  readonly isWanted: () => boolean
}

function kindOf(deps: TaskScheduleDeps, key: string, memory: Memory, site: Site, { plan, start, group, isWanted }: Wish) {
  const { ledger } = namesOf(deps.installation, key)
  const marker = markerOf(deps, memory)
  const jobScheduler = jobSchedulerOf(deps, key, memory, site, { start, plan })
  return createSlotKind(deps, {
    ...site,
    marker,
    ledger,
    plan,
    memory,
    primitives: [cronJobOf(atBroker(deps, site), key, memory, site.signal, { start, plan }), jobScheduler.primitive],
    executors: [...executorsOf(deps, key, memory, site, { start, generation: plan.generation }), jobScheduler.executor],
    group,
    isWanted,
  })
}

/** The rules see the moments of a CronJob beside those of the ledger, which are the broker's. */
function atBroker(deps: TaskScheduleDeps, { broker }: Pick<Site, 'broker'>): TaskScheduleDeps {
  return { ...deps, clock: { ...deps.clock, now: () => deps.brokerClock.now(broker) } }
}

/** All that may carry out a run of this schedule, also from a former template. */
function executorsOf(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  { broker, proof, signal }: Site,
  { start, generation }: { readonly start: SlotStart | undefined; readonly generation: string },
): readonly SlotExecutor[] {
  const { schedule } = memory
  const { namespace = '', name } = schedule.metadata
  const { ledger, doneQueue } = namesOf(deps.installation, key)
  const pendingCompletions = () => deps.tracking.ended(ledger)
  const whereabouts = () => deps.whereabouts.of(ledger)
  const own = { namespace, schedule: name, start, signal, reachPoint: deps.reachPoint }
  const ofJobs = { ...own, log: deps.log, generation, jobs: deps.jobs, owner: ownerOfSlots(schedule) }
  const ofCronJob = cronJobNaming({ namespace, name: cronJobName(schedule.metadata), id: cronJobId(ledger) })
  return [
    createQueueSlots({ broker, proof, ledger, doneQueue, start, pendingCompletions, whereabouts, reachPoint: deps.reachPoint }),
    createExecutionSlots({ ...own, ledger, client: deps.client, executions: deps.executions, memory }),
    createJobSlots({ ...ofJobs, naming: slotJobNaming({ namespace, schedule: name, ledger }), memory }),
    createJobSlots({ ...ofJobs, naming: ofCronJob, memory: memory.cronJob === undefined ? {} : (memory.cronJobRuns ??= {}) }),
  ]
}

/** The CronJob of the schedule, also one from a former spec. */
function cronJobOf(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  signal: AbortSignal,
  { start, plan }: Pick<Wish, 'start' | 'plan'>,
): Primitive {
  const { schedule } = memory
  const { namespace = '', annotations: notes, generation, uid } = schedule.metadata
  const understood = understoodOf(memory)
  const cronJob = understood.ok && plan.deletion === undefined ? understood.cronJob : undefined
  const name = cronJobName(schedule.metadata)
  const id = cronJobId(namesOf(deps.installation, key).ledger)
  const adopt = notes?.[annotations.adopt]
  const own = { [labels.startedBy]: 'TaskSchedule', [labels.schedule]: schedule.metadata.name }
  return createCronJob(deps, {
    namespace,
    schedule: schedule.metadata.name,
    name,
    id,
    wanted:
      cronJob === undefined || start?.kind !== 'Job'
        ? undefined
        : {
            ...cronJob,
            namespace,
            id,
            labels: own,
            owner: ownerOfSlots(schedule),
            isSuspended: plan.suspended,
            template: start.templateOf(sampleSlot),
            generation: plan.generation,
          },
    plan,
    driftPolicy: schedule.spec.driftPolicy ?? 'Repair',
    adopt,
    version: `${uid}/${generation}/${adopt ?? ''}`,
    isDeleted: plan.deletion !== undefined,
    memory: memoryOfCronJob(deps, `${namespace}/${name}`, memory),
    signal,
  })
}

/** The job scheduler of the schedule, also one from a former spec, and what carries out the runs that it has started. */
function jobSchedulerOf(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  { broker, proof }: Site,
  { start, plan }: Pick<Wish, 'start' | 'plan'>,
): { readonly primitive: Primitive; readonly executor: SlotExecutor } {
  const { metadata, spec } = memory.schedule
  const { ledger, doneQueue } = namesOf(deps.installation, key)
  const understood = understoodOf(memory)
  const isWanted = understood.ok && plan.deletion === undefined
  const own = {
    broker,
    proof,
    ledger,
    doneQueue,
    scheduler: metadata.name,
    nowMs: () => deps.brokerClock.now(broker),
    ledgerOf: () => memory.record?.ledger,
    pendingCompletions: () => deps.tracking.ended(ledger),
    whereabouts: () => deps.whereabouts.of(ledger),
    memory: memoryOfJobScheduler(memory),
  }
  const jobs = createSchedulerJobs({ ...own, spec: isWanted ? understood.jobScheduler?.(ledger) : undefined })
  const adopt = metadata.annotations?.[annotations.adopt]
  return {
    primitive: createJobScheduler({ ...own, jobs, plan, driftPolicy: spec.driftPolicy ?? 'Repair', adopt }),
    executor: createSchedulerSlots({ ...own, jobs, start, reachPoint: deps.reachPoint }),
  }
}

/** There are thousands of schedules, and few have a job scheduler. */
function memoryOfJobScheduler(memory: Memory): NonNullable<Memory['jobScheduler']> {
  if (memory.schedule.spec.engine === 'BullMQ' || memory.record?.ledger?.timing.engine === 'BullMQ') memory.jobScheduler ??= {}
  return memory.jobScheduler ?? {}
}

/** Looks out for edits of its job scheduler, and for the next job, as long as this process follows it. */
function watchJobScheduler({ engine, jobSchedulers }: TaskScheduleDeps, key: string, memory: Memory): void {
  const lease = engine.leaseAt(brokerKeyOf(memory.schedule))
  const { name } = memory.schedule.metadata
  const seen = memory.jobScheduler?.seen
  const isFollowed = memory.record?.ledger?.timing.engine === 'BullMQ'
  if (lease.kind === 'Held' && seen !== undefined && isFollowed) jobSchedulers.watch(key, lease.endpoint, { ...seen, id: name })
  else jobSchedulers.forget(key)
}

/** What is remembered of the primitive that the schedule wants. */
export function primitiveMemoryOf({
  schedule,
  cronJob,
  jobScheduler,
}: Memory): Pick<CronJobMemory | JobSchedulerMemory, 'withheld' | 'drift' | 'done'> | undefined {
  return { Taskmill: undefined, CronJob: cronJob, BullMQ: jobScheduler }[schedule.spec.engine]
}

/** There are thousands of schedules, and few have a CronJob. */
function memoryOfCronJob({ cronJobs }: Pick<TaskScheduleDeps, 'cronJobs'>, key: string, memory: Memory): CronJobMemory {
  const isNeeded = memory.schedule.spec.engine === 'CronJob' || cronJobs.get(key) !== undefined
  if (isNeeded) memory.cronJob ??= {}
  return memory.cronJob ?? {}
}

function markerOf({ cluster }: TaskScheduleDeps, { schedule: { metadata, spec } }: Memory): OwnerMarker {
  const { name, namespace = '' } = metadata
  return { v: 1, cluster, kind: 'TaskSchedule', namespace, name, deletionPolicy: spec.deletionPolicy }
}
