import { createHash } from 'node:crypto'
import {
  executionEvent,
  taskExecutions,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
  type TaskExecutionStatus,
  type TaskQueue,
  type TaskSchedule,
  type WorkerPool,
} from '../../api/index.ts'
import type { BrokerEndpoint, DispatchProof } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import { doneQueue, type OwnerMarker, runName, type SubjectKind } from '../../contract/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import type { Logger, Metrics } from '../../observability/index.ts'
import type { Run } from '../../graph/index.ts'
import { isRecorded, type RunSource, parseSlotRun, summarizeFaults, understandExecution } from '../../plans/index.ts'
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
import type { Jobs } from '../../services/jobs/index.ts'
import type { JobsDoing, NodeJobs, RunDriver, RunMemory, RunVisit, RunVisitResult } from '../../services/runs/index.ts'
import type { Tracking, Whereabouts } from '../../services/tracking/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { entryEvents } from './events.ts'
import { placedNodes, whereaboutsOf } from './placed-nodes.ts'
import { countRun, openRun } from './run-metrics.ts'
import { jobWhereabouts, nodeJobsOf } from './job-nodes.ts'
import { isFinal, statusOf, transitionOf } from './status.ts'
import { gaugeIntervalMs } from './write-interval.ts'
import { isContinued, verdictOn } from './verdict.ts'
import type { Situation, World } from './world.ts'

export type TaskExecutionDeps = {
  readonly client: KubeClient
  readonly executions: Pick<Informer<TaskExecution>, 'get'>
  readonly schedules: Pick<Informer<TaskSchedule>, 'get'>
  readonly dependencies: Pick<Informer<TaskDependency>, 'get'>
  readonly taskBrokers: Pick<Informer<TaskBroker>, 'get'>
  readonly pools: Pick<Informer<WorkerPool, 'byBroker'>, 'byIndex'>
  readonly queues: Pick<Informer<TaskQueue, 'byBroker'>, 'byIndex'>
  readonly directory: BrokerDirectory
  readonly dispatchLeases: DispatchLeases
  readonly brokers: Brokers
  readonly tracking: Tracking
  readonly whereabouts: Whereabouts
  readonly driver: RunDriver
  readonly jobs: Jobs
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
  /** Whether an object of that name was seen to go. */
  readonly hasDeparted: (key: string) => boolean
  /** Called before and after every effect and every write to the API server, so that a test can end the process there. */
  readonly at: (point: string) => void
  /** Asks for another look at a run. */
  readonly enqueue: (key: string) => void
  /** What a deleted run left in a broker could not be removed now. */
  readonly onLeftBehind: () => void
}

/** What is remembered of a run between two looks; all of it can be lost, at the price of a read. */
type Memory = {
  /** The object as it was last seen: when it is deleted, this says where its log is. */
  execution: TaskExecution
  broker: string
  /** Whose graph it is a run of. */
  dependency: string | undefined
  readonly log: RunMemory
  readonly hold: BrokerHold
  readonly jobs: NodeJobs
}

type Context = { readonly signal: AbortSignal; readonly log: Logger }
type Drive = { readonly situation: Situation; readonly againAfterMs?: number | undefined }
/** What a run refers to, as far as it is there. */
type Source = { readonly dependency?: string | undefined } & (
  ({ readonly ok: true; readonly broker: string } & RunSource) | { readonly ok: false; readonly message: string }
)

/** A broker that is away is asked again at this pace; a turn that was lost, sooner. */
const retryMs = { unreachable: 2_000, fenced: 1_000, undecided: 5_000, unreadable: 30_000 } as const

export function createTaskExecutionController(deps: TaskExecutionDeps): {
  reconcile(key: string, context: Context): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, executions, brokers, tracking, whereabouts, driver, events, metrics, clock, installation, at } = deps
  const memories = new Map<string, Memory>()
  const writer = createStatusWriter<TaskExecution>({
    client,
    resource: taskExecutions,
    fieldManager: 'taskmill-task-execution',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    gaugeIntervalMs: (status) => gaugeIntervalMs(status, clock.now()),
  })

  function sourceOf({ metadata, spec }: TaskExecution): Source {
    const keyOf = (name: string) => `${metadata.namespace ?? ''}/${name}`
    const { scheduleRef } = spec
    const schedule = scheduleRef && deps.schedules.get(keyOf(scheduleRef.name))
    if (scheduleRef !== undefined && schedule === undefined) return { ok: false, message: missingWords('TaskSchedule', scheduleRef.name) }
    const dependency = (spec.dependencyRef ?? schedule?.spec.dependencyRef)?.name
    if (dependency === undefined) return { ok: true, schedule, broker: (schedule?.spec.brokerRef ?? spec.brokerRef)?.name ?? 'default' }
    const graph = deps.dependencies.get(keyOf(dependency))
    if (graph === undefined) return { ok: false, dependency, message: missingWords('TaskDependency', dependency) }
    return { ok: true, schedule, dependency, graph, broker: graph.spec.brokerRef.name }
  }

  /** What can be done about it, as far as the caches say. */
  function situationAt(
    brokerKey: string,
  ): Situation | { readonly kind: 'Held'; readonly endpoint: BrokerEndpoint; readonly proof: DispatchProof } {
    const turn = dispatchLeaseAt(deps, brokerKey)
    return turn.kind === 'Pending' ? { kind: 'Undecided' } : turn
  }

  async function drive(key: string, memory: Memory, source: Source, hasBegun: boolean, context: Context): Promise<Drive> {
    const { execution } = memory
    const situation = situationAt(`${execution.metadata.namespace ?? ''}/${memory.broker}`)
    if (situation.kind !== 'Held') {
      memory.log.run = undefined
      return { situation, againAfterMs: situation.kind === 'Undecided' ? retryMs.undecided : undefined }
    }
    const { endpoint, proof } = situation
    try {
      const broker = await memory.hold.follow(endpoint)
      const names = namesOf(key)
      tracking.track({ owner: names.run, doneQueue: names.doneQueue, endpoint })
      const understood = source.ok && !hasBegun ? understandExecution(execution, source) : undefined
      const begin = understood?.ok === true ? { token: tokenOf(execution), graph: understood.graph } : undefined
      const desired = execution.spec.desiredState
      const judge = (run: Run, cluster: string | undefined) =>
        verdictOn(run, {
          token: tokenOf(execution),
          status: writer.latest(key, execution),
          isOfDeparted: cluster === deps.cluster && deps.hasDeparted(key),
        })
      const result = await visit(key, memory, { broker, proof, desired, begin, judge }, context)
      if (result.kind === 'Lost') {
        if (!isFinal(writer.latest(key, execution)?.state)) events.event(execution, executionEvent('LedgerRegressed', lostWords))
        return { situation: { kind: 'Hopeless', message: lostWords } }
      }
      if (memory.log.run?.length === 0 && result.kind === 'Waiting') {
        if (understood?.ok === false) return { situation: { kind: 'Hopeless', message: summarizeFaults(understood.faults).message } }
        if (!source.ok) return { situation: { kind: 'NoSource', message: source.message } }
      }
      if (result.kind === 'Fenced') return { situation: { kind: 'Undecided' }, againAfterMs: retryMs.fenced }
      if (result.kind !== 'Waiting') return { situation: { kind: 'Driven' }, againAfterMs: 0 }
      const againAfterMs = result.untilMs === undefined ? undefined : Math.max(0, result.untilMs - driver.brokerNow(broker))
      return { situation: { kind: 'Driven' }, againAfterMs }
    } catch (error) {
      if (hasCode(error, 'TM_LEDGER_UNREADABLE')) {
        return { situation: { kind: 'Unreadable', message: errorMessage(error) }, againAfterMs: retryMs.unreadable }
      }
      if (!isBrokerFailure(error)) throw error
      return { situation: { kind: 'Unreachable', message: errorMessage(error) }, againAfterMs: retryMs.unreachable }
    }
  }

  function visit(
    key: string,
    memory: Memory,
    how: Pick<RunVisit, 'broker' | 'proof' | 'desired' | 'begin' | 'judge'>,
    { signal, log }: Context,
  ): Promise<RunVisitResult> {
    const { execution } = memory
    const names = namesOf(key)
    const isDeletion = how.desired === 'Deleted'
    const { uid } = execution.metadata
    return driver.visit({
      ...how,
      ...names,
      memory: memory.log,
      marker: markerOf(execution),
      subjects: subjectsOf(memory),
      ended: () => tracking.ended(names.run),
      jobs: memory.jobs,
      onAcknowledged: (ids) => tracking.acknowledged(names.run, ids),
      onEntries(entries) {
        for (const event of entryEvents(entries, execution)) events.event(execution, event)
        for (const entry of entries) log.debug({ execution: key, kind: entry.kind }, 'a run has changed')
      },
      // What is deleted goes on being deleted, and nothing else.
      isWanted: () => isDeletion || executions.get(key)?.metadata.uid === uid,
      signal,
    })
  }

  /** The run is gone: what it began is taken back, and its log goes; what cannot be removed now is left to the sweep. */
  async function remove(key: string, context: Context): Promise<void> {
    const memory = memories.get(key)
    if (memory === undefined) return deps.onLeftBehind()
    const names = namesOf(key)
    try {
      const situation = situationAt(`${memory.execution.metadata.namespace ?? ''}/${memory.broker}`)
      if (situation.kind === 'Held') {
        const broker = await memory.hold.follow(situation.endpoint)
        const how = { broker, proof: situation.proof, desired: 'Deleted' } as const
        let result: RunVisitResult
        do result = await visit(key, memory, how, context)
        while (result.kind === 'Busy')
        if (result.kind === 'Fenced') deps.onLeftBehind()
      } else if (situation.kind !== 'Standby') {
        deps.onLeftBehind()
      }
    } catch (error) {
      context.signal.throwIfAborted()
      context.log.warn({ execution: key, error: errorMessage(error) }, 'a deleted run leaves its log to the sweep')
      deps.onLeftBehind()
    } finally {
      tracking.untrack(names.run)
      writer.forget(key)
      memories.delete(key)
      await memory.hold.release()
    }
  }

  /**
   * Jobs that ran when their node was stopped end some time, and a broker that was restored brings jobs back: somebody has to take away the
   * news of it.
   */
  function followLateEnds(key: string, { execution, broker }: Memory, status: TaskExecutionStatus | undefined): void {
    const names = namesOf(key)
    const isStopped = status?.nodes?.some(({ state }) => state === 'TimedOut' || state === 'Cancelled') === true
    if (!isStopped && !tracking.hasUnclaimed(names.run)) return
    const situation = situationAt(`${execution.metadata.namespace ?? ''}/${broker}`)
    if (situation.kind !== 'Held') return
    tracking.track({ owner: names.run, doneQueue: names.doneQueue, endpoint: situation.endpoint })
  }

  /** Its end is not in the ledger of its schedule yet; with the mark that says so it is looked at again. */
  function isAwaited(execution: TaskExecution): boolean {
    const run = isRecorded(execution) ? undefined : parseSlotRun(execution)
    return run !== undefined && deps.schedules.get(`${execution.metadata.namespace ?? ''}/${run.schedule}`) !== undefined
  }

  async function tell(key: string, execution: TaskExecution, status: TaskExecutionStatus, { signal }: Context) {
    at('before status')
    const written = await writer.write(key, execution, status, signal)
    at('after status')
    return written
  }

  /** Its time after the end is over: it is deleted, and with that what it left in the broker. */
  async function expire(
    execution: TaskExecution,
    finishTime: string | undefined,
    { signal }: Context,
  ): Promise<{ requeueAfterMs?: number }> {
    const { ttlSecondsAfterFinished } = execution.spec
    if (ttlSecondsAfterFinished === undefined || finishTime === undefined || isAwaited(execution)) return {}
    const leftMs = Date.parse(finishTime) + ttlSecondsAfterFinished * 1000 - clock.now()
    if (leftMs > 0) return { requeueAfterMs: leftMs }
    const { namespace, name, uid } = execution.metadata
    at('before expire')
    try {
      await client.delete(taskExecutions, namespace, name, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    } catch (error) {
      if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
    }
    at('after expire')
    return {}
  }

  function remember(key: string, execution: TaskExecution, of: Pick<Memory, 'broker' | 'dependency'>): Memory {
    const known = memories.get(key)
    if (known !== undefined) {
      return Object.assign(known, { execution, ...of })
    }
    const log: RunMemory = { run: undefined }
    const forget = () => {
      log.run = undefined
      whereabouts.forget(namesOf(key).run)
    }
    // What waits for hours would not find out otherwise that its broker was restored from an older state.
    const hold = createBrokerHold(brokers, forget, () => {
      forget()
      deps.enqueue(key)
    })
    const jobs = nodeJobsOf(deps.jobs, execution, namesOf(key).run, deps.at)
    const memory: Memory = { execution, ...of, log, hold, jobs }
    memories.set(key, memory)
    return memory
  }

  /** Where the jobs of its nodes are, as far as anybody has looked; from now on they are looked for. */
  function whereaboutsIn(key: string, { log, hold, broker }: Memory, situation: Situation): World['whereabouts'] {
    const names = namesOf(key)
    const placed = log.run === undefined ? [] : placedNodes(log.run, names.run, names.doneQueue)
    const brokerKey = `${key.slice(0, key.indexOf('/'))}/${broker}`
    const place = deps.directory.get(brokerKey)
    if (placed.length === 0 || hold.broker === undefined || situation.kind !== 'Driven' || place.kind !== 'Known') {
      whereabouts.forget(names.run)
      return new Map()
    }
    whereabouts.follow(names.run, place.endpoint, placed)
    const [pools, queues] = [deps.pools.byIndex('byBroker', brokerKey), deps.queues.byIndex('byBroker', brokerKey)]
    return whereaboutsOf(placed, whereabouts.of(names.run), pools, queues)
  }

  function namesOf(key: string): { readonly run: string; readonly doneQueue: string } {
    const [namespace = '', name = ''] = key.split('/')
    return { run: runName(installation, namespace, name), doneQueue: doneQueue(installation, namespace) }
  }

  function markerOf({ metadata }: TaskExecution): OwnerMarker {
    const { namespace = '', name } = metadata
    return { v: 1, cluster: deps.cluster, kind: 'TaskExecution', namespace, name, deletionPolicy: 'Delete' }
  }

  return {
    async reconcile(key, context) {
      const execution = executions.get(key)
      if (execution === undefined || execution.metadata.deletionTimestamp !== undefined) {
        await remove(key, context)
        return {}
      }
      const former = memories.get(key)
      // Its deletion and what came after were told as one.
      if (former !== undefined && former.execution.metadata.uid !== execution.metadata.uid) await remove(key, context)
      const before = writer.latest(key, execution)
      const source = sourceOf(execution)
      const broker = before?.broker ?? (source.ok ? source.broker : 'default')
      // What it began with it keeps.
      const dependency = before?.startTime === undefined ? source.dependency : before.dependency
      const memory = remember(key, execution, { broker, dependency })
      openRun(metrics, execution, dependency)
      const names = namesOf(key)
      const wasFinal = isFinal(before?.state)
      if (wasFinal) followLateEnds(key, memory, before)
      if (wasFinal && tracking.ended(names.run).length === 0 && !memory.jobs.mayBeLeft()) {
        await memory.hold.release()
        return expire(execution, before?.finishTime, context)
      }
      const worldOf = (situation: Situation, run: World['run'], doing: JobsDoing = { jobs: [] }): World => ({
        execution,
        status: before,
        situation,
        broker,
        dependency,
        run,
        isContinued: run !== undefined && isContinued(run, tokenOf(execution)),
        whereabouts: run === undefined ? new Map() : new Map([...whereaboutsIn(key, memory, situation), ...jobWhereabouts(run, doing)]),
        jobOf: (node) => (run === undefined ? undefined : memory.jobs.nameOf(run, node)),
        nowMs: memory.hold.broker === undefined ? clock.now() : driver.brokerNow(memory.hold.broker),
      })
      if (before?.broker === undefined && source.ok && execution.spec.task === undefined && execution.spec.job === undefined) {
        // Where its log is has to be known, whatever becomes of what it refers to.
        await tell(key, execution, statusOf(worldOf({ kind: 'Undecided' }, undefined)), context)
      }
      const { situation, againAfterMs } =
        source.ok || before?.broker !== undefined
          ? await drive(key, memory, source, before?.startTime !== undefined, context)
          : { situation: { kind: 'NoSource', message: source.message } as const, againAfterMs: undefined }
      if (wasFinal) return expire(execution, before?.finishTime, context)
      const run = memory.log.run
      const isTakenOver = before?.startTime === undefined && run !== undefined && isContinued(run, tokenOf(execution))
      if (isTakenOver) events.event(execution, executionEvent('Continued', continuedWords))
      const seen = run !== undefined && run.length > 0 ? run : undefined
      const doing = seen === undefined ? undefined : await memory.jobs.doing(seen, context)
      const after = statusOf(worldOf(situation, seen, doing))
      const written = await tell(key, execution, after, context)
      const waits = [againAfterMs, written.againAfterMs, doing?.againAfterMs]
      if (isFinal(after.state) && !isTakenOver) countRun(metrics, execution, after)
      if (isFinal(after.state)) waits.push((await expire(execution, after.finishTime, context)).requeueAfterMs)
      return soonest(waits)
    },
  }
}

function missingWords(kind: string, name: string): string {
  return `${kind} "${name}" does not exist in this namespace. Next: create it, or delete this TaskExecution`
}

const lostWords =
  'the broker lost the log of this run, or a part of it (it was restored from an older state, or keeps nothing): what its jobs did is not known, and nothing is started again. Next: look at the persistence of the broker, and create another TaskExecution'
const continuedWords =
  'it goes on with the run that an object of the same name had begun, whose log is still in the broker. Next: if another run was meant, delete it and create it again, or under another name'

function subjectsOf({ dependency }: Memory): readonly { readonly subjectKind: SubjectKind; readonly subject: string }[] {
  return dependency === undefined ? [] : [{ subjectKind: 'TaskDependency', subject: dependency }]
}

function tokenOf({ metadata }: TaskExecution): string {
  return createHash('sha256')
    .update(metadata.uid ?? '')
    .digest('hex')
    .slice(0, 8)
}
