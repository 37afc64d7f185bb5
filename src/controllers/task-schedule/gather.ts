import {
  type CronJob,
  finalStateOf,
  type BlockedScheduleReason,
  overrideAt,
  overrideOrigin,
  type TaskDependency,
  type TaskExecution,
  type TaskQueue,
  type TaskSchedule,
  type TaskScheduleStatus,
  type WorkerPool,
} from '../../api/index.ts'
import { type Clock, sleep } from '../../clock/index.ts'
import { doneQueue, ledgerName, type Slot } from '../../contract/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import type { Logger, Metrics } from '../../observability/index.ts'
import {
  configMapsOf,
  type ConfigMapReading,
  type LeftByFiles,
  type ScheduleFaultReason,
  sampleSlot,
  understandSchedule,
  type UnderstoodSchedule,
} from '../../plans/index.ts'
import type { DueSource, KnownCalendars, Ledger, MissedReason } from '../../scheduling/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import type { Engine, ObjectMemory, Situation } from '../../services/engine/index.ts'
import type { Jobs, Trial } from '../../services/jobs/index.ts'
import type { OrphanedData } from '../../services/orphaned-data/index.ts'
import type { CronJobMemory, JobSchedulerMemory, JobSchedulerWatch, Withheld } from '../../services/primitives/index.ts'
import {
  emptySlotMemory,
  type ExecutionSlotsMemory,
  type JobSlotsMemory,
  type LedgerRecord,
  type SchedulerSlotsMemory,
  type SlotDeps,
  type SlotMemory,
  type ConcurrencyGroups,
  type SlotPostponed,
} from '../../services/slots/index.ts'
import type { WriteBudget } from '../../services/status/index.ts'
import type { Tracking, Whereabouts } from '../../services/tracking/index.ts'
import { type GroupState, type Membership, membershipOf } from './group.ts'

export type TaskScheduleDeps = SlotDeps & {
  readonly client: KubeClient
  readonly schedules: Pick<Informer<TaskSchedule, 'byGroup'>, 'get' | 'byIndex'>
  readonly groups: Omit<ConcurrencyGroups, 'onChange'>
  readonly dependencies: Pick<Informer<TaskDependency>, 'get'>
  readonly executions: Pick<Informer<TaskExecution, 'byUnrecordedSlot' | 'bySchedule'>, 'get' | 'byIndex'>
  readonly pools: Pick<Informer<WorkerPool, 'byBroker'>, 'byIndex'>
  readonly queues: Pick<Informer<TaskQueue, 'byBroker'>, 'byIndex'>
  readonly cronJobs: Pick<Informer<CronJob>, 'get'>
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly engine: Engine
  readonly tracking: Tracking
  readonly whereabouts: Whereabouts
  readonly jobSchedulers: Pick<JobSchedulerWatch, 'watch' | 'forget'>
  readonly jobs: Jobs
  readonly configMaps: Pick<ConfigMaps, 'follow'>
  readonly orphanedData: Pick<OrphanedData, 'lookAgain'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** Calls back when what can be read again is to be dropped. */
  readonly onMemoryShort: (handler: () => void) => void
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
}

export type Context = { readonly signal: AbortSignal; readonly log: Logger }

/** Whether a schedule is suspended: by its override while that has an effect, else by its spec. */
export type Suspension = {
  readonly isSuspended: boolean
  /** `suspended until 2026-11-29T04:00:00Z by oncall: "incident 4711"`; undefined: no override has an effect. */
  readonly override?: string
  readonly endsInMs?: number
}

/** What can be done about a schedule now: what prevents it, or `Driven`. */
export type ScheduleSituation =
  | Situation
  | SlotPostponed
  | { readonly kind: 'Invalid'; readonly fault: { readonly reason: ScheduleFaultReason | 'TemplateInvalid'; readonly message: string } }
  /** Active runs are followed, and no slot is decided. */
  | { readonly kind: 'NoDependency'; readonly name: string }
  /** Its primitive may not be touched: it belongs to somebody else. */
  | { readonly kind: 'Withheld'; readonly reason: Exclude<Withheld['reason'], 'TemplateInvalid'>; readonly message: string }
  | Extract<LeftByFiles, { readonly kind: 'Unusable' }>
  | { readonly kind: 'Driven' }

/** Missed slots since the last Event about them, by reason. */
export type UnreportedMisses = Map<MissedReason, { count: number; lastSlot: Slot; reportedAtMs: number | undefined }>

/** What is remembered of a schedule between two looks; all of it can be lost, at the price of a read. */
export type Memory = ObjectMemory<LedgerRecord> &
  SlotMemory &
  ExecutionSlotsMemory &
  JobSlotsMemory & {
    /** The object as it was last seen: when it is deleted, this says where its ledger is. */
    schedule: TaskSchedule
    /** Undefined until it is needed: see `understoodOf`. */
    understood: UnderstoodSchedule | undefined
    /** What its calendars leave, as long as their ConfigMaps are the same. */
    left?: LeftMemory | undefined
    /** The calendars by which the slots of its ledger were decided when it was driven last; undefined: it had none. */
    calendars?: KnownCalendars | undefined
    /** What the API server says to the template of a Job, and for which version of the schedule. */
    trial?: TrialMemory | undefined
    /** The newest ledger that was read, for people to read while none can be. */
    shown?: Ledger | undefined
    /** Of its CronJob; undefined: it never had one. */
    cronJob?: CronJobMemory | undefined
    /** Of its job scheduler; undefined: it never had one. */
    jobScheduler?: (JobSchedulerMemory & SchedulerSlotsMemory) | undefined
    /** Of the Jobs of its CronJob. */
    cronJobRuns?: JobSlotsMemory | undefined
    /** What kept runs from going on when they were looked at last. */
    blockages?: Blockages | undefined
    /** Undefined: none. There are thousands of schedules, and few of them miss anything. */
    unreported?: UnreportedMisses | undefined
  }

type LeftMemory = { readonly understood: UnderstoodSchedule; readonly readings: readonly ConfigMapReading[]; readonly left: LeftByFiles }

/** `trial` is Unknown until there is an answer. */
type TrialMemory = { readonly version: string; trial: Trial; readonly tryAgainAtMs: number }

/** What keeps an active run from starting, running or ending, and what to do. */
export type Blockage = {
  readonly slot: Slot
  readonly reason: BlockedScheduleReason
  readonly message: string
  /** Something of it has run, so that an edit of the schedule does not start it anew. */
  readonly hasBegun: boolean
  /** The command that ends it. */
  readonly endedBy?: string | undefined
}

/** `blocked`: the oldest run first. `unknown`: runs that were not looked at yet, or all of them, because the ledger was not read. */
export type Blockages = { readonly blocked: readonly Blockage[]; readonly unknown: ReadonlySet<Slot> | 'All' }

/** Where an active run is, as far as it is known. */
export type RunDetail = {
  /** The object that carries it out: `tex/NAME`, `job/NAME`. */
  readonly run?: string
  /** Whether something of it has run: a worker, a pod, a node. */
  readonly isStarted?: boolean
  /** Of the current attempt (Unix ms). */
  readonly startedAtMs?: number
  /** `queued in email_tasks (no pool)`; missing while a worker or a pod runs it. */
  readonly waitingFor?: string
}

/** Everything that is decided on. */
export type Gathered = {
  readonly schedule: TaskSchedule
  readonly understood: UnderstoodSchedule
  /** The status that was written last. */
  readonly status: TaskScheduleStatus | undefined
  readonly suspension: Suspension
  /** The newest ledger that this process saw. */
  readonly shown: Ledger | undefined
  /** What its calendars leave; undefined unless they name ConfigMaps. */
  readonly left: LeftByFiles | undefined
  /** Whether the graph that its slots start is there. */
  readonly hasDependency: boolean
  /** Undefined: it creates no Jobs, or no cluster holds the dispatch lease. */
  readonly trial: Trial | undefined
  /** When the newest successful run by hand ended (Unix ms). Undefined: there is none, or it does not matter. */
  readonly succeededByHandAtMs: number | undefined
  /** Undefined: it is in no concurrency group. */
  readonly group: Membership | undefined
}

/** Everything that the status of a schedule says. */
export type World = {
  readonly schedule: TaskSchedule
  /** The status that was written last. */
  readonly status: TaskScheduleStatus | undefined
  readonly situation: ScheduleSituation
  readonly suspension: Suspension
  /** What the API server says to the template of a Job that it would accept. */
  readonly warnings: readonly string[]
  /** What keeps active runs from going on. */
  readonly blockages: Blockages
  /** How its primitive differs from its spec, by an edit that stays. */
  readonly drift: string | undefined
  /** Of active runs that were looked at. */
  readonly details: ReadonlyMap<Slot, RunDetail>
  /** Its slots, and when their runs are due. Undefined while the spec cannot be understood. */
  readonly due: DueSource | undefined
  /** The newest that is known; undefined: none was read. */
  readonly ledger: Ledger | undefined
  /** Undefined: it is in no concurrency group. */
  readonly group: GroupState | undefined
  /** On the broker's clock. */
  readonly nowMs: number
}

/** What the object asks for. It is understood once per generation, because that compiles its expressions, and again when memory was short. */
export function understoodOf(memory: Memory): UnderstoodSchedule {
  return (memory.understood ??= understandSchedule(memory.schedule))
}

export function remember(memories: Map<string, Memory>, engine: Engine, key: string, schedule: TaskSchedule): Memory {
  const known = memories.get(key)
  const { uid, generation } = schedule.metadata
  if (known !== undefined) {
    const isSame = known.schedule.metadata.uid === uid && known.schedule.metadata.generation === generation
    if (!isSame) known.understood = undefined
    known.schedule = schedule
    return known
  }
  const memory: Memory = Object.assign(engine.remember<LedgerRecord>(), emptySlotMemory(), {
    schedule,
    understood: undefined,
  })
  memories.set(key, memory)
  return memory
}

/** Reads the caches, and asks the API server once for each version of a template. */
export async function gather(
  deps: Pick<TaskScheduleDeps, 'engine' | 'jobs' | 'dependencies' | 'executions' | 'schedules' | 'configMaps' | 'clock'>,
  key: string,
  memory: Memory,
  status: TaskScheduleStatus | undefined,
  { signal }: Context,
): Promise<Gathered> {
  const { schedule, shown } = memory
  // Once: what is done and what is said must not fall on two sides of its end.
  const suspension = suspensionOf(schedule, deps.clock.now())
  const isHeld = deps.engine.leaseAt(brokerKeyOf(schedule)).kind === 'Held'
  const trial = isHeld ? await dryRunTemplate(deps, memory, signal) : undefined
  // Nothing asks again without the dispatch lease, so nothing waits for an answer either.
  if (!isHeld && memory.trial?.trial.kind === 'Unknown') memory.trial = undefined
  const understood = understoodOf(memory)
  const left = readCalendars(deps, key, memory, understood)
  return {
    schedule,
    understood,
    status,
    suspension,
    shown,
    left,
    hasDependency: hasDependency(deps, memory),
    trial,
    succeededByHandAtMs: succeededByHandAtMs(deps, schedule),
    group: membershipOf(deps, key, schedule),
  }
}

/** Reads the calendars of a schedule from the ConfigMaps that they name, again only if one of these is another. */
function readCalendars(
  { configMaps }: Pick<TaskScheduleDeps, 'configMaps'>,
  key: string,
  memory: Memory,
  understood: UnderstoodSchedule,
): LeftByFiles | undefined {
  const { schedule, left: known } = memory
  const leaveByFiles = understood.ok ? understood.leaveByFiles : undefined
  if (leaveByFiles === undefined) {
    if (known !== undefined) forgetCalendars(configMaps, key)
    return (memory.left = undefined)
  }
  const files = configMaps.follow({ kind: 'TaskSchedule', key }, configMapsOf(schedule))
  const readings = [...files.values()]
  const isSame = known?.understood === understood && readings.every((reading, index) => reading === known.readings[index])
  if (!isSame) memory.left = { understood, readings, left: leaveByFiles(files) }
  return memory.left?.left
}

export function forgetCalendars(configMaps: Pick<ConfigMaps, 'follow'>, key: string): void {
  configMaps.follow({ kind: 'TaskSchedule', key }, [])
}

/** With `dependsOnPast`, a run by hand that succeeds makes up for a failed one. */
function succeededByHandAtMs({ executions }: Pick<TaskScheduleDeps, 'executions'>, { metadata, spec }: TaskSchedule): number | undefined {
  if (spec.dependsOnPast !== true) return undefined
  const succeeded = executions
    .byIndex('bySchedule', `${metadata.namespace ?? ''}/${metadata.name}`)
    .filter((run) => finalStateOf(run) === 'Succeeded')
    .map(({ status }) => Date.parse(status?.finishTime ?? ''))
    .filter((ms) => !Number.isNaN(ms))
  return succeeded.length === 0 ? undefined : Math.max(...succeeded)
}

export function suspensionOf({ spec }: TaskSchedule, nowMs: number): Suspension {
  const active = overrideAt(spec.override, nowMs)
  if (active === undefined) return { isSuspended: spec.suspend }
  const { override, endsInMs } = active
  return {
    isSuspended: override.suspend,
    override: `${override.suspend ? 'suspended' : 'not suspended'} ${overrideOrigin(override)}`,
    endsInMs,
  }
}

function hasDependency({ dependencies }: Pick<TaskScheduleDeps, 'dependencies'>, memory: Memory): boolean {
  const understood = understoodOf(memory)
  if (!understood.ok || understood.start.kind !== 'Graph') return true
  return dependencies.get(`${memory.schedule.metadata.namespace ?? ''}/${understood.start.dependency}`) !== undefined
}

/** A dry run is answered in milliseconds, or else by an API server with which nothing is to wait: the ledger needs only the broker. */
const trialPatienceMs = 500
/** The pause after a dry run that got no answer to the template. */
const trialRetryMs = 30_000

/**
 * Asks once for each version of a template, and again every 30 s while there is no answer to it. A look waits at most 500 ms for it; a later one finds
 * the answer.
 */
async function dryRunTemplate(
  { jobs, clock }: Pick<TaskScheduleDeps, 'jobs' | 'clock'>,
  memory: Memory,
  signal: AbortSignal,
): Promise<Trial | undefined> {
  const { schedule } = memory
  const understood = understoodOf(memory)
  if (!understood.ok || understood.start.kind !== 'Job') return (memory.trial = undefined)
  const { uid, generation, namespace = '' } = schedule.metadata
  const version = `${uid}/${generation}`
  const known = memory.trial?.version === version ? memory.trial : undefined
  if (known !== undefined && (known.trial.kind !== 'Unknown' || clock.now() < known.tryAgainAtMs)) return known.trial
  const started: TrialMemory = { version, trial: { kind: 'Unknown', warnings: [] }, tryAgainAtMs: clock.now() + trialRetryMs }
  memory.trial = started
  const trying = jobs.dryRun(namespace, understood.start.templateOf(sampleSlot), { signal }).then((trial) => void (started.trial = trial))
  const patience = new AbortController()
  await Promise.race([trying, sleep(clock, trialPatienceMs, patience.signal)])
    // Without an answer the next look in 30 s asks again; one that comes later is found by the next look.
    .catch(() => undefined)
    .finally(() => patience.abort())
  trying.catch(() => undefined)
  signal.throwIfAborted()
  return started.trial
}

/** When a dry run without an answer is looked at or sent again. */
export function trialAgainAfterMs({ trial }: Pick<Memory, 'trial'>, nowMs: number): number | undefined {
  if (trial?.trial.kind !== 'Unknown') return undefined
  return Math.max(0, trial.tryAgainAtMs - nowMs)
}

/** `namespace/name` of its TaskBroker. */
export function brokerKeyOf({ metadata, spec }: TaskSchedule): string {
  return `${metadata.namespace ?? ''}/${spec.brokerRef.name}`
}

/** Its names in the broker. */
export function namesOf(installation: string, key: string): { readonly ledger: string; readonly doneQueue: string } {
  const [namespace = '', name = ''] = key.split('/')
  return { ledger: ledgerName(installation, namespace, name), doneQueue: doneQueue(installation, namespace) }
}
