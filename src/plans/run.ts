import {
  kubeTime,
  plannedStartMs,
  runSourceOf,
  slotStartOf,
  type TaskDependency,
  type TaskExecution,
  type TaskSchedule,
} from '../api/index.ts'
import { compileGraph, type Graph, type GraphFaultReason, type PlanNode, type RunPlan } from '../graph/index.ts'
import { isRawNumber } from '../json/index.ts'
import { backfillNodes, type BackfillFaultReason, slotsInRange } from './backfill.ts'
import { type Fault, hasFaults, type Understood } from './fault.ts'
import { understandParameters } from './task-schedule.ts'

export type RunFaultReason = GraphFaultReason | BackfillFaultReason | 'PayloadTooLarge' | 'PayloadWithoutTask'

export type UnderstoodRun = Understood<{ readonly graph: Graph }, RunFaultReason>
export type UnderstoodDependency = Understood<{ readonly graph: Graph }, GraphFaultReason>

/** The objects that a TaskExecution refers to: none if it has a task of its own; both if a schedule starts a graph. */
export type RunSource = { readonly schedule?: TaskSchedule | undefined; readonly graph?: TaskDependency | undefined }

type OfRun = Pick<RunPlan, 'name' | 'slot' | 'timeoutSeconds'> & { readonly parameters?: Readonly<Record<string, unknown>> | undefined }

/** Compiles the graph as it would run: for a run, or for a check. */
export function understandDependency({ metadata, spec }: TaskDependency, of: OfRun = { name: metadata.name }): UnderstoodDependency {
  const timeoutSeconds = of.timeoutSeconds ?? spec.timeoutSeconds
  return understood(
    {
      name: of.name,
      nodes: spec.nodes.map(nodeOf),
      finally: (spec.finally ?? []).map(nodeOf),
      onNodeFailure: spec.onNodeFailure,
      parameters: { ...spec.parameters, ...of.parameters },
      ...(of.slot === undefined ? {} : { slot: of.slot }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    },
    (field) => `spec.${field}`,
  )
}

/** Compiles what a TaskExecution runs. */
export function understandExecution(execution: TaskExecution, { schedule, graph }: RunSource): UnderstoodRun {
  const { metadata, spec } = execution
  const of = {
    name: metadata.name,
    slot: slotOf(execution),
    timeoutSeconds: spec.timeoutSeconds,
    parameters: spec.parameters,
  }
  const source = runSourceOf(spec)
  switch (source.kind) {
    case 'task':
      return understandSingle(of, single('task', { task: source.value }))
    case 'job':
      return understandSingle(of, single('job', { job: source.value }))
    case 'dependencyRef':
      return understandDependency(given(graph), of)
    case 'scheduleRef':
      return understandScheduled(execution, given(schedule), graph, of)
  }
}

/** The value of `$(slot)`. */
function slotOf(execution: TaskExecution): string | undefined {
  const { metadata, spec } = execution
  const startMs = plannedStartMs(execution)
  return spec.slotTime ?? (startMs === undefined ? metadata.creationTimestamp : kubeTime(startMs))
}

/** Compiles the template of a schedule, or its graph, with the changes of the execution. */
function understandScheduled(
  execution: TaskExecution,
  schedule: TaskSchedule,
  graph: TaskDependency | undefined,
  of: OfRun,
): UnderstoodRun {
  const { spec } = execution
  const start = slotStartOf(schedule.spec)
  switch (start.kind) {
    case 'task': {
      const { payload } = start.value
      const changed = spec.payload === undefined ? payload : (merged(payload ?? {}, spec.payload) as typeof spec.payload)
      const task = { ...start.value, ...(changed === undefined ? {} : { payload: changed }) }
      return understandTemplate(execution, schedule, of, 'task', { task })
    }
    case 'job':
      if (spec.payload !== undefined) return payloadOf(schedule, 'creates a Kubernetes Job', 'job')
      return understandTemplate(execution, schedule, of, 'job', { job: start.value })
    case 'dependencyRef':
      if (spec.payload !== undefined) return payloadOf(schedule, 'starts a graph', 'dependencyRef and parameters')
      if (spec.range !== undefined) return rangeOfGraphs(schedule)
      return asScheduled(schedule, given(graph), of)
  }
}

/** Runs the template of a schedule once, or once for each slot of a range. */
function understandTemplate(
  { metadata, spec: { range } }: TaskExecution,
  schedule: TaskSchedule,
  of: OfRun,
  name: 'task' | 'job',
  what: Pick<PlanNode, 'task' | 'job'>,
): UnderstoodRun {
  const once = understandSingle(of, single(name, what))
  if (range === undefined || !once.ok) return once
  const slots = slotsInRange(schedule, range, metadata.creationTimestamp)
  if ('reason' in slots) return { ok: false, faults: [slots] }
  const nodes = backfillNodes(slots, range.parallelism, what)
  return 'reason' in nodes ? { ok: false, faults: [nodes] } : understandNodes(of, nodes)
}

function rangeOfGraphs({ metadata }: TaskSchedule): UnderstoodRun {
  const message = `tsch/${metadata.name} starts graphs, which cannot run over a range. Next: create a TaskExecution with slotTime for each slot`
  return { ok: false, faults: [{ reason: 'RangeInvalid', field: 'spec.range', message }] }
}

/** The caller has already looked up the referenced objects. */
function given<T>(referred: T | undefined): T {
  if (referred === undefined) throw new TypeError('a TaskExecution is understood without what it refers to')
  return referred
}

/** A run of one node. */
function understandSingle(of: OfRun, node: PlanNode): UnderstoodRun {
  return understandNodes(of, [node])
}

function understandNodes({ name, timeoutSeconds, slot }: OfRun, nodes: readonly PlanNode[]): UnderstoodRun {
  return understood(
    {
      name,
      nodes,
      finally: [],
      onNodeFailure: 'Stop',
      parameters: {},
      ...(slot === undefined ? {} : { slot }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    },
    (field) => field.replace(/^nodes\[0\]/u, 'spec'),
  )
}

/** Compiles the graph of a schedule with the schedule's parameters. */
function asScheduled(schedule: TaskSchedule, graph: TaskDependency, of: OfRun): UnderstoodRun {
  const faults: Fault<RunFaultReason>[] = []
  const parameters = understandParameters(schedule, faults)
  if (hasFaults(faults)) return { ok: false, faults }
  if (parameters === undefined) throw new TypeError('neither understood nor faulty')
  return understandDependency(graph, { ...of, parameters: parameters({ slot: of.slot ?? '' }) })
}

function single(name: string, what: Pick<PlanNode, 'task' | 'job'>): PlanNode {
  return { name, dependsOn: [], required: true, ...what }
}

/** There is no payload into which it could be merged. */
function payloadOf({ metadata }: TaskSchedule, does: string, instead: string): UnderstoodRun {
  const message = `tsch/${metadata.name} ${does}, which has no payload. Next: create a TaskExecution with ${instead} instead`
  return { ok: false, faults: [{ reason: 'PayloadWithoutTask', field: 'spec.payload', message }] }
}

/** Nodes of `finally` have no dependencies. */
function nodeOf({ dependsOn = [], ...node }: TaskDependency['spec']['nodes'][number]): PlanNode {
  return { ...node, dependsOn }
}

function understood(plan: RunPlan, fieldOf: (field: string) => string): UnderstoodDependency {
  const compiled = compileGraph(plan)
  if (compiled.ok) return compiled
  const faults: Fault<GraphFaultReason>[] = compiled.faults.map((fault) => ({ ...fault, field: fieldOf(fault.field) }))
  if (!hasFaults(faults)) throw new TypeError('neither understood nor faulty')
  return { ok: false, faults }
}

/** Merges objects field by field; replaces everything else. */
function merged(below: unknown, above: unknown): unknown {
  if (!isObject(below) || !isObject(above)) return above
  return Object.fromEntries(
    [...new Set([...Object.keys(below), ...Object.keys(above)])].map((name) => [
      name,
      name in above ? merged(below[name], above[name]) : below[name],
    ]),
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}
