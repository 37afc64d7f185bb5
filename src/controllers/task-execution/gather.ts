import { createHash } from 'node:crypto'
import type {
  OwnerReference,
  TaskDependency,
  TaskExecution,
  TaskExecutionStatus,
  TaskQueue,
  TaskSchedule,
  WorkerPool,
} from '../../api/index.ts'
import { apiVersionOf, runSourceOf, slotStartOf, taskExecutions } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { doneQueue, labels, runName } from '../../contract/index.ts'
import type { Run } from '../../graph/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import type { Logger, Metrics } from '../../observability/index.ts'
import { type CalendarFiles, configMapsOf, isRecorded, type RunSource, parseSlotRun, slotsLeftOf } from '../../plans/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import type { Engine, KillPointHook, ObjectMemory, Situation } from '../../services/engine/index.ts'
import { createExecutions } from '../../services/executions/index.ts'
import type { Jobs } from '../../services/jobs/index.ts'
import type { OrphanedData } from '../../services/orphaned-data/index.ts'
import {
  createNodeJobs,
  createNodeRuns,
  isContinued,
  type JobsProgress,
  type NodeJobs,
  type NodeRuns,
  type RunDeps,
  type RunMemory,
} from '../../services/runs/index.ts'
import type { WriteBudget } from '../../services/status/index.ts'
import type { Tracking, Whereabout, Whereabouts } from '../../services/tracking/index.ts'
import { jobWhereabouts, notLookedAt, placedNodes, whereaboutsOf } from './whereabouts.ts'

export type TaskExecutionDeps = RunDeps & {
  readonly client: KubeClient
  readonly executions: Pick<Informer<TaskExecution, 'byStarter'>, 'get' | 'byIndex'>
  readonly schedules: Pick<Informer<TaskSchedule>, 'get'>
  readonly dependencies: Pick<Informer<TaskDependency>, 'get'>
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly pools: Pick<Informer<WorkerPool, 'byBroker'>, 'byIndex'>
  readonly queues: Pick<Informer<TaskQueue, 'byBroker'>, 'byIndex'>
  readonly engine: Engine
  readonly tracking: Tracking
  readonly whereabouts: Whereabouts
  readonly jobs: Jobs
  readonly configMaps: Pick<ConfigMaps, 'follow'>
  readonly orphanedData: Pick<OrphanedData, 'lookAgain'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  readonly installation: string
  /** UID of kube-system. */
  readonly cluster: string
  /** Names of which an object was seen to go. */
  readonly deletedRuns: { has(key: string): boolean }
  readonly reachPoint: KillPointHook
}

export type Context = { readonly signal: AbortSignal; readonly log: Logger }

/** What can be done about a run now: what prevents it, or `Driven`. */
export type ExecutionSituation =
  | Situation
  /** It can never begin: its graph or template has a fault; or its log was lost. */
  | { readonly kind: 'Hopeless'; readonly message: string }
  | { readonly kind: 'NoSource'; readonly message: string }
  /** It has not begun, because it is paused. */
  | { readonly kind: 'Paused' }
  /** It has not begun, because its time (Unix ms) has not come. */
  | { readonly kind: 'Scheduled'; readonly startMs: number }
  | { readonly kind: 'Driven' }

/** What is remembered of a run between two looks; all of it can be lost, at the price of a read. */
export type Memory = ObjectMemory<Run> &
  RunMemory & {
    /** The object as it was last seen: when it is deleted, this says where its log is. */
    execution: TaskExecution
    /** The name of its TaskBroker. */
    broker: string
    /** Whose graph it is a run of. */
    dependency: string | undefined
    readonly jobs: NodeJobs
    readonly runs: NodeRuns
  }

/** What a run refers to, as far as it is there. */
export type Source = { readonly dependency?: string | undefined } & (
  | ({ readonly ok: true; readonly broker: string } & RunSource)
  /** `isUnread`: it is being read for the first time. */
  | { readonly ok: false; readonly message: string; readonly isUnread?: true }
)

/** Everything that is decided on. */
export type Gathered = {
  readonly execution: TaskExecution
  /** The status that was written last. */
  readonly status: TaskExecutionStatus | undefined
  readonly source: Source
  readonly broker: string
  readonly dependency: string | undefined
  /** What the object begins its own run with. */
  readonly token: string
  /** The cluster, if the deletion of an object of that name was seen: a log that this cluster wrote last belongs to that object. */
  readonly deletedIn: string | undefined
}

/** Everything that the status of a run says. */
export type World = {
  readonly execution: TaskExecution
  /** The status that was written last. */
  readonly status: TaskExecutionStatus | undefined
  readonly situation: ExecutionSituation
  readonly broker: string
  /** The TaskDependency whose graph it runs. */
  readonly dependency: string | undefined
  /** As it was read last; undefined: nothing was read, or there is nothing. */
  readonly run: Run | undefined
  /** An object that had the name before had begun it. */
  readonly isContinued: boolean
  /** By node, as far as they were looked for. */
  readonly whereabouts: ReadonlyMap<string, Whereabout>
  /** Nodes that have begun and were not looked for yet. */
  readonly notLookedAt: ReadonlySet<string>
  /** The name of a node's Kubernetes Job, and of its TaskExecution. */
  readonly jobOf: (node: string) => string | undefined
  readonly executionOf: (node: string) => string | undefined
  /** On the broker's clock. */
  readonly nowMs: number
}

type Caches = Pick<TaskExecutionDeps, 'schedules' | 'dependencies' | 'configMaps' | 'deletedRuns' | 'cluster'>

/** Reads the caches. A run keeps the broker and the graph that it began with. */
export function gather(deps: Caches, key: string, execution: TaskExecution, status: TaskExecutionStatus | undefined): Gathered {
  const found = findSource(deps, execution)
  const source = found.ok && status?.startTime === undefined ? withCalendars(deps, key, execution, found) : found
  if (status?.startTime !== undefined) forgetCalendars(deps, key)
  return {
    execution,
    status,
    source,
    broker: status?.broker ?? (source.ok ? source.broker : 'default'),
    dependency: status?.startTime === undefined ? source.dependency : status.dependency,
    token: tokenOf(execution),
    deletedIn: deps.deletedRuns.has(key) ? deps.cluster : undefined,
  }
}

function findSource({ schedules, dependencies }: Caches, { metadata, spec }: TaskExecution): Source {
  const keyOf = (name: string) => `${metadata.namespace ?? ''}/${name}`
  const ofGraph = (dependency: string, schedule?: TaskSchedule): Source => {
    const graph = dependencies.get(keyOf(dependency))
    if (graph === undefined) return { ok: false, dependency, message: missingWords('TaskDependency', dependency) }
    return { ok: true, schedule, dependency, graph, broker: graph.spec.brokerRef.name }
  }
  const source = runSourceOf(spec)
  switch (source.kind) {
    case 'task':
    case 'job':
      return { ok: true, broker: spec.brokerRef?.name ?? 'default' }
    case 'dependencyRef':
      return ofGraph(source.value.name)
    case 'scheduleRef': {
      const schedule = schedules.get(keyOf(source.value.name))
      if (schedule === undefined) return { ok: false, message: missingWords('TaskSchedule', source.value.name) }
      const start = slotStartOf(schedule.spec)
      switch (start.kind) {
        case 'task':
        case 'job':
          return { ok: true, schedule, broker: (schedule.spec.brokerRef ?? spec.brokerRef)?.name ?? 'default' }
        case 'dependencyRef': {
          const graph = ofGraph(start.value.name, schedule)
          // Of a backfill each slot is a run of the graph; it is none itself.
          return graph.ok && spec.range !== undefined ? { ...graph, dependency: undefined } : graph
        }
      }
    }
  }
}

/** The slots of a backfill depend on the ConfigMaps that the calendars of its schedule name. */
function withCalendars(
  { configMaps }: Pick<Caches, 'configMaps'>,
  key: string,
  { spec }: TaskExecution,
  source: Extract<Source, { readonly ok: true }>,
): Source {
  const { schedule } = source
  const refs = schedule === undefined || spec.range === undefined ? [] : configMapsOf(schedule)
  const files: CalendarFiles = configMaps.follow({ kind: 'TaskExecution', key }, refs)
  if (schedule === undefined || refs.length === 0) return source
  const left = slotsLeftOf(schedule, files)
  const { name } = schedule.metadata
  if (left?.kind === 'Unread') return { ok: false, isUnread: true, message: `the calendars of tsch/${name} are being read` }
  if (left?.kind === 'Unusable' && left.reason === 'CalendarNotFound')
    return { ok: false, message: `tsch/${name}: ${left.field}: ${left.message}` }
  return { ...source, files }
}

/** A run that has begun keeps the slots that it began with. */
export function forgetCalendars({ configMaps }: Pick<Caches, 'configMaps'>, key: string): void {
  configMaps.follow({ kind: 'TaskExecution', key }, [])
}

function missingWords(kind: string, name: string): string {
  return `${kind} "${name}" does not exist in this namespace. Next: create it, or delete this TaskExecution`
}

/** Differs between two objects of one name. */
export function tokenOf({ metadata }: TaskExecution): string {
  return createHash('sha256')
    .update(metadata.uid ?? '')
    .digest('hex')
    .slice(0, 8)
}

export function remember(deps: TaskExecutionDeps, memories: Map<string, Memory>, key: string, gathered: Gathered): Memory {
  const { execution, broker, dependency } = gathered
  const known = memories.get(key)
  if (known !== undefined) return Object.assign(known, { execution, broker, dependency })
  const { run } = namesOf(deps.installation, key)
  // The broker may have been restored from an older state. A watch reconciles the run then.
  const lookAnew = () => {
    memory.record = undefined
    deps.whereabouts.forget(run)
  }
  const memory: Memory = Object.assign(deps.engine.remember<Run>(lookAnew), {
    execution,
    broker,
    dependency,
    jobs: nodeJobsOf(deps, execution, run, () => memory.dependency !== undefined),
    runs: nodeRunsOf(deps, execution, run),
  })
  memories.set(key, memory)
  return memory
}

/** Its Jobs belong to the TaskExecution, and are garbage-collected with it. */
function nodeJobsOf({ jobs, reachPoint }: TaskExecutionDeps, { metadata }: TaskExecution, run: string, isOfGraph: () => boolean): NodeJobs {
  const { namespace = '', name, labels: its } = metadata
  const schedule = its?.[labels.schedule]
  const owner = ownerOf(metadata)
  return createNodeJobs({
    jobs,
    run,
    namespace,
    execution: name,
    owner,
    isOfGraph,
    reachPoint,
    ...(schedule === undefined ? {} : { schedule }),
  })
}

/** So do the TaskExecutions of its nodes. */
function nodeRunsOf(
  { client, executions: cache, clock, reachPoint }: TaskExecutionDeps,
  { metadata }: TaskExecution,
  run: string,
): NodeRuns {
  const { namespace = '', name: execution } = metadata
  const executions = createExecutions({ client, namespace, fieldManagers, reachPoint })
  return createNodeRuns({ executions, cache, run, namespace, execution, owner: ownerOf(metadata), clock, reachPoint })
}

const fieldManagers = { create: 'taskmill-task-execution', cancel: 'taskmill-task-execution-cancel' }

function ownerOf({ name, uid = '' }: TaskExecution['metadata']): OwnerReference {
  return { apiVersion: apiVersionOf(taskExecutions), kind: taskExecutions.kind, name, uid, controller: true }
}

/** What the status is made from, once something has been done, or could not be. */
export function worldOf(
  deps: TaskExecutionDeps,
  key: string,
  memory: Memory,
  { execution, status, broker, dependency, token }: Gathered,
  situation: ExecutionSituation,
  run: Run | undefined,
  progress: JobsProgress,
): World {
  return {
    execution,
    status,
    situation,
    broker,
    dependency,
    run,
    isContinued: run !== undefined && isContinued(run, token),
    ...followNodes(deps, key, memory, situation, run, progress),
    jobOf: (node) => (run === undefined ? undefined : memory.jobs.nameOf(run, node)),
    executionOf: (node) => (run === undefined ? undefined : memory.runs.nameOf(run, node)),
    nowMs: deps.engine.now(memory),
  }
}

/** Where the jobs of its nodes are, as far as they were looked for; from now on they are. */
function followNodes(
  deps: TaskExecutionDeps,
  key: string,
  memory: Memory,
  situation: ExecutionSituation,
  record: Run | undefined,
  progress: JobsProgress,
): Pick<World, 'whereabouts' | 'notLookedAt'> {
  const { whereabouts } = deps
  const { run, doneQueue: queue } = namesOf(deps.installation, key)
  const placed = record === undefined ? [] : placedNodes(record, run, queue)
  const brokerKey = brokerKeyOf(memory)
  const place = deps.directory.get(brokerKey)
  const isToFollow = placed.length > 0 && situation.kind === 'Driven' && place.kind === 'Known'
  if (isToFollow) whereabouts.follow(run, place.endpoint, placed)
  else whereabouts.forget(run)
  const found = whereabouts.of(run)
  const [pools, queues] = [deps.pools.byIndex('byBroker', brokerKey), deps.queues.byIndex('byBroker', brokerKey)]
  const ofOthers = record === undefined ? [] : [...memory.runs.whereabouts(record), ...jobWhereabouts(record, progress)]
  return {
    whereabouts: new Map([...whereaboutsOf(placed, found, pools, queues, deps.engine.now(memory)), ...ofOthers]),
    notLookedAt: notLookedAt(placed, found, progress),
  }
}

/** Whether its end is not in the ledger of its schedule yet: with the mark that says so it is looked at again. */
export function isAwaited({ schedules }: Pick<TaskExecutionDeps, 'schedules'>, execution: TaskExecution): boolean {
  const run = isRecorded(execution) ? undefined : parseSlotRun(execution)
  return run !== undefined && schedules.get(`${execution.metadata.namespace ?? ''}/${run.schedule}`) !== undefined
}

/** `namespace/name` of its TaskBroker. */
export function brokerKeyOf({ execution, broker }: Pick<Memory, 'execution' | 'broker'>): string {
  return `${execution.metadata.namespace ?? ''}/${broker}`
}

/** Its names in the broker. */
export function namesOf(installation: string, key: string): { readonly run: string; readonly doneQueue: string } {
  const [namespace = '', name = ''] = key.split('/')
  return { run: runName(installation, namespace, name), doneQueue: doneQueue(installation, namespace) }
}
