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
import { type Slot, slotTime } from '../contract/index.ts'
import { describeError } from '../expressions/index.ts'
import { isRawNumber } from '../json/index.ts'
import type { CalendarFiles } from './calendars.ts'
import { backfillNodes, type BackfillFaultReason, slotsInRange } from './backfill.ts'
import { type Fault, hasFaults, type Understood } from './fault.ts'
import { sampleSlot, understandParameters } from './task-schedule.ts'

export type RunFaultReason = GraphFaultReason | BackfillFaultReason | 'PayloadTooLarge' | 'PayloadWithoutTask'

export type UnderstoodRun = Understood<{ readonly graph: Graph }, RunFaultReason>
export type UnderstoodDependency = Understood<{ readonly graph: Graph }, GraphFaultReason>

/**
 * The objects that a TaskExecution refers to: none if it has a task of its own; both if a schedule starts a graph. `files`: for a range, the
 * ConfigMaps that the calendars of the schedule name.
 */
export type RunSource = {
  readonly schedule?: TaskSchedule | undefined
  readonly graph?: TaskDependency | undefined
  readonly files?: CalendarFiles | undefined
}

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
export function understandExecution(execution: TaskExecution, { schedule, graph, files = new Map() }: RunSource): UnderstoodRun {
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
      return understandScheduled({ execution, schedule: given(schedule), files, of }, graph)
  }
}

/** The value of `$(slot)`. */
function slotOf(execution: TaskExecution): string | undefined {
  const { metadata, spec } = execution
  const startMs = plannedStartMs(execution)
  return spec.slotTime ?? (startMs === undefined ? metadata.creationTimestamp : kubeTime(startMs))
}

type Scheduled = {
  readonly execution: TaskExecution
  readonly schedule: TaskSchedule
  readonly files: CalendarFiles
  readonly of: OfRun
}

/** Compiles the template of a schedule, or its graph, with the changes of the execution. */
function understandScheduled(scheduled: Scheduled, graph: TaskDependency | undefined): UnderstoodRun {
  const { execution, schedule, of } = scheduled
  const { spec } = execution
  const start = slotStartOf(schedule.spec)
  switch (start.kind) {
    case 'task': {
      const { payload } = start.value
      const changed = spec.payload === undefined ? payload : (merged(payload ?? {}, spec.payload) as typeof spec.payload)
      const task = { ...start.value, ...(changed === undefined ? {} : { payload: changed }) }
      return understandTemplate(scheduled, 'task', { task })
    }
    case 'job':
      if (spec.payload !== undefined) return payloadOf(schedule, 'creates a Kubernetes Job', 'job')
      return understandTemplate(scheduled, 'job', { job: start.value })
    case 'dependencyRef':
      if (spec.payload !== undefined) return payloadOf(schedule, 'starts a graph', 'dependencyRef and parameters')
      return spec.range === undefined ? asScheduled(schedule, given(graph), of) : understandGraphs(scheduled, given(graph))
  }
}

/** Runs the template of a schedule once, or once for each slot of a range. */
function understandTemplate(scheduled: Scheduled, name: 'task' | 'job', what: Pick<PlanNode, 'task' | 'job'>): UnderstoodRun {
  const { of, execution } = scheduled
  const once = understandSingle(of, single(name, what))
  return execution.spec.range === undefined || !once.ok ? once : understandRange(scheduled, () => what)
}

/** Runs the graph of a schedule once for each slot of a range: each run reads the graph when it begins, as those of slots do. */
function understandGraphs(scheduled: Scheduled, graph: TaskDependency): UnderstoodRun {
  const { schedule, of } = scheduled
  const faults: Fault<RunFaultReason>[] = []
  const parameters = understandParameters(schedule, faults)
  if (hasFaults(faults)) return { ok: false, faults }
  if (parameters === undefined) throw new TypeError('neither understood nor faulty')
  const own = (slot: Slot) => ({ parameters: schedule.spec.parameters && parameters({ slot: slotTime(slot) }) })
  const once = understandDependency(graph, { name: of.name, slot: of.slot, ...own(sampleSlot) })
  if (!once.ok) return once
  try {
    return understandRange(scheduled, (slot) => ({ run: { dependency: graph.metadata.name, ...own(slot) } }))
  } catch (error) {
    return { ok: false, faults: [{ reason: 'InvalidExpression', field: 'spec.parameters', message: describeError(error) }] }
  }
}

function understandRange({ execution, schedule, files, of }: Scheduled, whatOf: Parameters<typeof backfillNodes>[2]): UnderstoodRun {
  const { metadata, spec } = execution
  if (spec.range === undefined) throw new TypeError('a TaskExecution without a range')
  const found = slotsInRange(schedule, spec.range, metadata.creationTimestamp, files)
  if ('reason' in found) return { ok: false, faults: [found] }
  const nodes = backfillNodes(found.slots, spec.range.parallelism, whatOf)
  return 'reason' in nodes ? { ok: false, faults: [nodes] } : understandNodes(of, nodes)
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
