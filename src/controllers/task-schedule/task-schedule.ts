import {
  findCondition,
  taskSchedules,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
  type TaskSchedule,
  type TaskScheduleStatus,
} from '../../api/index.ts'

import type { BrokerEndpoint, DispatchProof } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { doneQueue, ledgerName, type OwnerMarker, type Slot } from '../../contract/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Logger, type Metrics } from '../../observability/index.ts'
import { ownerOfSlots, summarizeFaults, sampleSlot, understandSchedule, type UnderstoodSchedule } from '../../plans/index.ts'
import type { Ledger, SchedulePlan } from '../../scheduling/index.ts'
import { soonest } from '../../runtime/index.ts'
import {
  type BrokerDirectory,
  type BrokerHold,
  type Brokers,
  createBrokerHold,
  isBrokerFailure,
  type DispatchLeases,
  dispatchLeaseAt,
} from '../../services/brokers/index.ts'
import type { Jobs, Trial } from '../../services/jobs/index.ts'
import {
  createExecutionSlots,
  createJobSlots,
  createQueueSlots,
  emptyExecutionSlotsMemory,
  emptyJobSlotsMemory,
  emptyLedgerMemory,
  type ExecutionSlotsMemory,
  type JobSlotsMemory,
  type LedgerMemory,
  type SlotDriver,
  type VisitResult,
} from '../../services/runs/index.ts'
import type { Tracking } from '../../services/tracking/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { changeEvents, transitionEvents, type Untold } from './events.ts'
import { suspensionOf } from './override.ts'
import { countChanges, tellSchedule } from './schedule-metrics.ts'
import { statusOf, transitionOf } from './status.ts'
import type { Situation, World } from './world.ts'

export type TaskScheduleDeps = {
  readonly client: KubeClient
  readonly schedules: Informer<TaskSchedule>
  readonly dependencies: Pick<Informer<TaskDependency>, 'get'>
  readonly executions: Pick<Informer<TaskExecution, 'byUnrecordedSlot'>, 'get' | 'byIndex'>
  readonly taskBrokers: Informer<TaskBroker>
  readonly directory: BrokerDirectory
  readonly dispatchLeases: DispatchLeases
  readonly brokers: Brokers
  readonly tracking: Tracking
  readonly jobs: Jobs
  readonly driver: SlotDriver
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
  /** What a deleted schedule left in a broker could not be removed now. */
  readonly onLeftBehind: () => void
  /** As of the driver. */
  readonly at?: ((point: string) => void) | undefined
}

/** What is remembered of a schedule between two looks; all of it can be lost, at the price of a read. */
type Memory = {
  /** The object as it was last seen: when it is deleted, this says where its ledger is. */
  schedule: TaskSchedule
  understood: UnderstoodSchedule
  readonly ledger: LedgerMemory
  readonly executions: ExecutionSlotsMemory
  readonly jobs: JobSlotsMemory
  /** Of the template of a Job, and for which version of the schedule. */
  trial?: { readonly version: string; readonly trial: Trial } | undefined
  /** The newest that was read, for people to read while nothing can be. */
  shown?: Ledger | undefined
  readonly untold: Untold
  readonly hold: BrokerHold
  /** In the name of which turn the ledger was read; another turn reads anew. */
  proof?: DispatchProof | undefined
  /** Since when nobody has said whose turn it is. */
  undecidedSinceMs?: number | undefined
}

type Drive = { readonly situation: Situation; readonly againAfterMs?: number | undefined }
type Context = { readonly signal: AbortSignal; readonly log: Logger }

/** A broker that is away is asked again at this pace; a turn that was lost, sooner. */
const retryMs = { unreachable: 2_000, fenced: 1_000, undecided: 5_000, unreadable: 30_000, postponed: 5_000 } as const
/** So long, what people read stays while it is found out whose turn it is: usually one moment later they are told. */
const undecidedMs = 10_000

export function createTaskScheduleController(deps: TaskScheduleDeps): {
  reconcile(key: string, context: Context): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, schedules, directory, dispatchLeases, brokers, tracking, driver, events, metrics, clock, installation } = deps
  const memories = new Map<string, Memory>()
  const status = createStatusWriter<TaskSchedule>({
    client,
    resource: taskSchedules,
    fieldManager: 'taskmill-task-schedule',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskSchedule'),
  })

  function remember(key: string, schedule: TaskSchedule): Memory {
    const known = memories.get(key)
    const { uid, generation } = schedule.metadata
    if (known !== undefined) {
      const isSame = known.schedule.metadata.uid === uid && known.schedule.metadata.generation === generation
      if (!isSame) known.understood = understandSchedule(schedule)
      known.schedule = schedule
      return known
    }
    const ledger = emptyLedgerMemory()
    const hold = createBrokerHold(brokers, () => (ledger.seen = undefined))
    const [executions, jobs] = [emptyExecutionSlotsMemory(), emptyJobSlotsMemory()]
    const memory: Memory = { schedule, understood: understandSchedule(schedule), ledger, executions, jobs, untold: new Map(), hold }
    memories.set(key, memory)
    return memory
  }

  /** What can be done about it, as far as the caches say. */
  function situationOf(
    schedule: TaskSchedule,
    understood: UnderstoodSchedule,
  ): Situation | { readonly kind: 'Held'; readonly endpoint: BrokerEndpoint; readonly proof: DispatchProof } {
    if (!understood.ok) return { kind: 'Invalid', fault: summarizeFaults(understood.faults) }
    return dispatchLeaseAt(deps, brokerKeyOf(schedule))
  }

  async function drive(key: string, memory: Memory, suspended: boolean, context: Context): Promise<Drive> {
    const { schedule, understood } = memory
    const situation = situationOf(schedule, understood)
    if (situation.kind !== 'Held' || !understood.ok) {
      tracking.untrack(namesOf(key).ledger)
      if (situation.kind === 'NoBroker') await memory.hold.release()
      memory.proof = undefined
      memory.ledger.seen = undefined
      const known = situation.kind === 'Held' ? ({ kind: 'Pending' } as const) : situation
      // Whether a broker that does not answer the claim is away, only asking it tells.
      return {
        situation: known.kind === 'Pending' ? await explainPending(memory, known) : known,
        againAfterMs: known.kind === 'Pending' ? retryMs.undecided : undefined,
      }
    }
    const { endpoint, proof } = situation
    const names = namesOf(key)
    tracking.track({ owner: names.ledger, doneQueue: names.doneQueue, endpoint })
    const lastSlot = lastKnownSlot(status.latest(key, schedule), memory.shown)
    const heldBy = missingDependency(schedule, understood) ?? refusedTemplate(await tryOut(memory, context))
    const plan = {
      ...understood.plan,
      suspended,
      isHeld: heldBy !== undefined,
      ...(lastSlot === undefined ? {} : { statusSlot: lastSlot }),
      epoch: proof.epoch,
    }
    try {
      const result = await visit(key, memory, { plan, proof, endpoint, isWanted: () => schedules.get(key) !== undefined }, context)
      const driven = afterVisit(memory, result)
      return heldBy === undefined || driven.situation.kind !== 'Driven' ? driven : { ...driven, situation: heldBy }
    } catch (error) {
      if (hasCode(error, 'TM_EXPRESSION_FAILED', 'TM_EXPRESSION_TOO_COSTLY')) {
        return {
          situation: failedExpression(fieldsOf[understood.start.kind], errorMessage(error)),
        }
      }
      if (hasCode(error, 'TM_LEDGER_UNREADABLE')) {
        return { situation: { kind: 'Unreadable', message: errorMessage(error) }, againAfterMs: retryMs.unreadable }
      }
      if (!isBrokerFailure(error)) throw error
      return { situation: { kind: 'Unreachable', message: errorMessage(error) }, againAfterMs: retryMs.unreachable }
    }
  }

  /** There is no graph of the name that the schedule starts. */
  function missingDependency({ metadata }: TaskSchedule, { start }: Extract<UnderstoodSchedule, { ok: true }>): Situation | undefined {
    const isMissing = start.kind === 'Graph' && deps.dependencies.get(`${metadata.namespace ?? ''}/${start.dependency}`) === undefined
    return isMissing ? { kind: 'NoDependency', name: start.dependency } : undefined
  }

  /** What the API server says to the template of a Job: asked once for each version of the schedule. */
  async function tryOut(memory: Memory, { signal }: Context): Promise<Trial | undefined> {
    const { schedule, understood } = memory
    if (!understood.ok || understood.start.kind !== 'Job') return (memory.trial = undefined)
    const { uid, generation, namespace = '' } = schedule.metadata
    const version = `${uid}/${generation}`
    if (memory.trial?.version === version && memory.trial.trial.kind !== 'Unknown') return memory.trial.trial
    const trial = await deps.jobs.tryOut(namespace, understood.start.templateOf(sampleSlot), { signal })
    memory.trial = { version, trial }
    return trial
  }

  /** A claim that is not answered: the broker is away, or has just been asked. */
  async function explainPending(memory: Memory, pending: Situation): Promise<Situation> {
    const place = directory.get(brokerKeyOf(memory.schedule))
    memory.undecidedSinceMs ??= clock.monotonicNow()
    if (place.kind !== 'Known' || clock.monotonicNow() - memory.undecidedSinceMs < retryMs.undecided) return pending
    try {
      const broker = await memory.hold.follow(place.endpoint)
      await broker.readLedgers([])
      return pending
    } catch (error) {
      return { kind: 'Unreachable', message: errorMessage(error) }
    }
  }

  function afterVisit({ hold: { broker } }: Memory, result: VisitResult): Drive {
    if (result.kind === 'Fenced') return { situation: { kind: 'Pending' }, againAfterMs: retryMs.fenced }
    if (result.kind === 'Postponed') return { situation: result, againAfterMs: retryMs.postponed }
    if (result.kind !== 'Waiting') return { situation: { kind: 'Driven' }, againAfterMs: 0 }
    const nowMs = broker === undefined ? clock.now() : driver.brokerNow(broker)
    return { situation: { kind: 'Driven' }, againAfterMs: result.untilMs === undefined ? undefined : Math.max(0, result.untilMs - nowMs) }
  }

  async function visit(
    key: string,
    memory: Memory,
    how: {
      readonly plan: SchedulePlan
      readonly proof: DispatchProof
      readonly endpoint: BrokerEndpoint
      readonly isWanted: () => boolean
    },
    { signal, log }: Context,
  ): Promise<VisitResult> {
    const { plan, proof, endpoint, isWanted } = how
    const { schedule, understood } = memory
    const names = namesOf(key)
    const broker = await memory.hold.follow(endpoint)
    if (memory.proof?.epoch !== proof.epoch) memory.ledger.seen = undefined
    memory.proof = proof
    return driver.visit({
      ledger: names.ledger,
      broker,
      proof,
      plan,
      marker: markerOf(schedule),
      memory: memory.ledger,
      executors: [
        createQueueSlots({
          ...names,
          broker,
          proof,
          jobOf(slot) {
            if (!understood.ok || understood.start.kind !== 'Task') throw new TypeError('there is no task to place')
            return understood.start.jobOf(names.ledger, names.doneQueue, slot)
          },
          ended: () => tracking.ended(names.ledger),
          onAcknowledged: (ids) => tracking.acknowledged(names.ledger, ids),
          now: () => driver.brokerNow(broker),
          at: deps.at,
        }),
        createExecutionSlots({
          client,
          executions: deps.executions,
          namespace: schedule.metadata.namespace ?? '',
          schedule: schedule.metadata.name,
          ledger: names.ledger,
          executionOf(slot) {
            if (!understood.ok || understood.start.kind !== 'Graph') throw new TypeError('there is no graph to start')
            return understood.start.executionOf(names.ledger, slot)
          },
          memory: memory.executions,
          signal,
          at: deps.at,
        }),
        createJobSlots({
          jobs: deps.jobs,
          namespace: schedule.metadata.namespace ?? '',
          schedule: schedule.metadata.name,
          ledger: names.ledger,
          owner: ownerOfSlots(schedule),
          templateOf(slot) {
            if (!understood.ok || understood.start.kind !== 'Job') throw new TypeError('there is no Job to create')
            return understood.start.templateOf(slot)
          },
          memory: memory.jobs,
          signal,
          at: deps.at,
        }),
      ],
      onChanges(changes, ledger) {
        countChanges(metrics, key, changes)
        for (const event of changeEvents(changes, ledger, memory.untold, clock.now())) events.event(schedule, event)
        for (const change of changes) log.debug({ schedule: key, ...change }, 'a ledger has changed')
      },
      isWanted,
      signal,
    })
  }

  /** The schedule is gone: its ledger goes too, unless it is to stay; what cannot be removed now is left to the sweep. */
  async function remove(key: string, context: Context): Promise<void> {
    const memory = memories.get(key)
    if (memory === undefined) return deps.onLeftBehind()
    try {
      const { schedule, understood } = memory
      const endpoint = directory.get(brokerKeyOf(schedule))
      const turn = dispatchLeases.state(brokerKeyOf(schedule))
      if (turn.kind === 'Active' && endpoint.kind === 'Known' && understood.ok) {
        const plan: SchedulePlan = { ...understood.plan, epoch: turn.proof.epoch, deletion: schedule.spec.deletionPolicy }
        const isWanted = () => schedules.get(key) === undefined
        let result: VisitResult
        do result = await visit(key, memory, { plan, proof: turn.proof, endpoint: endpoint.endpoint, isWanted }, context)
        while (result.kind === 'Busy')
        if (result.kind === 'Fenced') deps.onLeftBehind()
      } else if (turn.kind !== 'Standby') {
        deps.onLeftBehind()
      }
    } catch (error) {
      context.signal.throwIfAborted()
      context.log.warn({ schedule: key, error: errorMessage(error) }, 'a deleted schedule leaves its ledger to the sweep')
      deps.onLeftBehind()
    } finally {
      tracking.untrack(namesOf(key).ledger)
      status.forget(key)
      memories.delete(key)
      await memory.hold.release()
    }
  }

  function namesOf(key: string): { readonly ledger: string; readonly doneQueue: string } {
    const [namespace = '', name = ''] = key.split('/')
    return { ledger: ledgerName(installation, namespace, name), doneQueue: doneQueue(installation, namespace) }
  }

  function markerOf({ metadata, spec }: TaskSchedule): OwnerMarker {
    const { deletionPolicy } = spec
    return { v: 1, cluster: deps.cluster, kind: 'TaskSchedule', namespace: metadata.namespace ?? '', name: metadata.name, deletionPolicy }
  }

  /** While it is being found out whose turn it is, people go on reading what they read before. */
  function isUndecided({ undecidedSinceMs }: Memory, { situation, status: before }: World): boolean {
    if (situation.kind !== 'Pending' || undecidedSinceMs === undefined) return false
    return findCondition(before?.conditions, 'Ready') !== undefined && clock.monotonicNow() - undecidedSinceMs < undecidedMs
  }

  return {
    async reconcile(key, context) {
      const schedule = schedules.get(key)
      if (schedule === undefined || schedule.metadata.deletionTimestamp !== undefined) {
        await remove(key, context)
        return {}
      }
      const memory = remember(key, schedule)
      // Once: what is done and what is said must not fall on two sides of its end.
      const suspension = suspensionOf(schedule, clock.now())
      const { situation, againAfterMs } = await drive(key, memory, suspension.isSuspended, context)
      memory.shown = memory.ledger.seen?.ledger ?? memory.shown
      if (situation.kind === 'Pending') memory.undecidedSinceMs ??= clock.monotonicNow()
      else memory.undecidedSinceMs = undefined
      const before: TaskScheduleStatus | undefined = status.latest(key, schedule)
      const world: World = {
        schedule,
        suspension,
        warnings: memory.trial?.trial.kind === 'Fine' ? memory.trial.trial.warnings : [],
        status: before,
        situation,
        slots: memory.understood.ok ? memory.understood.plan.slots : undefined,
        ledger: memory.shown,
        nowMs: memory.hold.broker === undefined ? clock.now() : driver.brokerNow(memory.hold.broker),
      }
      if (isUndecided(memory, world)) return soonest([againAfterMs ?? retryMs.undecided, suspension.endsInMs])

      const after = statusOf(world)
      const written = await status.write(key, schedule, after, context.signal)
      for (const event of transitionEvents(before, after)) events.event(schedule, event)
      tellSchedule(metrics, key, world, after)
      return soonest([againAfterMs, written.againAfterMs, suspension.endsInMs])
    },
  }
}

/** Where expressions may stand. */
const fieldsOf = { Task: 'spec.task.payload', Job: 'spec.job', Graph: 'spec.parameters' } as const

function refusedTemplate(trial: Trial | undefined): Situation | undefined {
  if (trial?.kind !== 'Invalid') return undefined
  return { kind: 'Invalid', fault: { reason: 'TemplateInvalid', message: `spec.job: ${trial.message}` } }
}

/** One that held for the slot it was tried with, and fails for the one that is due. */
function failedExpression(field: string, message: string): Situation {
  return { kind: 'Invalid', fault: { reason: 'InvalidExpression', message: `${field}: ${message}` } }
}

/** The newest slot that was dispatched, by what people read and by what this process saw: a ledger that knows less has lost it. */
function lastKnownSlot(status: TaskScheduleStatus | undefined, ledger: Ledger | undefined): Slot | undefined {
  const told = Date.parse(status?.lastScheduleTime ?? '') / 1000
  const newest = Math.max(Number.isNaN(told) ? 0 : told, ledger?.lastDispatched?.slot ?? 0)
  return newest === 0 ? undefined : newest
}

function brokerKeyOf({ metadata, spec }: TaskSchedule): string {
  return `${metadata.namespace ?? ''}/${spec.brokerRef.name}`
}
