import type { TaskDependency, TaskExecution, TaskSchedule, TaskTemplate } from '../api/index.ts'
import { compileGraph, type Graph, type GraphFaultReason, type PlanNode, type RunPlan } from '../graph/index.ts'
import { type Fault, hasFaults, type Understood } from './fault.ts'
import { understandParameters } from './task-schedule.ts'

export type RunFaultReason = GraphFaultReason | 'PayloadTooLarge' | 'PayloadWithoutTask'

export type UnderstoodRun = Understood<{ readonly graph: Graph }, RunFaultReason>
export type UnderstoodDependency = Understood<{ readonly graph: Graph }, GraphFaultReason>

/** What a TaskExecution refers to: nothing where it has a task of its own. Of a schedule that starts a graph both are there. */
export type RunSource = { readonly schedule?: TaskSchedule | undefined; readonly graph?: TaskDependency | undefined }

type OfRun = Pick<RunPlan, 'name' | 'slot' | 'timeoutSeconds'> & { readonly parameters?: Readonly<Record<string, unknown>> | undefined }

/** The graph as it would be run: of a run, or as it is for trial. */
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

/** What a TaskExecution runs. */
export function understandExecution(execution: TaskExecution, { schedule, graph }: RunSource): UnderstoodRun {
  const { metadata, spec } = execution
  const of = {
    name: metadata.name,
    slot: spec.slotTime ?? metadata.creationTimestamp,
    timeoutSeconds: spec.timeoutSeconds,
    parameters: spec.parameters,
  }
  if (graph !== undefined) return schedule === undefined ? understandDependency(graph, of) : asScheduled(execution, schedule, graph, of)
  const job = schedule === undefined ? spec.job : schedule.spec.job
  if (job !== undefined && schedule !== undefined && spec.payload !== undefined)
    return payloadOf(schedule, 'creates a Kubernetes Job', 'job')
  const node = job === undefined ? single('task', { task: taskOf(spec, schedule) }) : single('job', { job })
  const { timeoutSeconds, slot } = of
  return understood(
    {
      name: of.name,
      nodes: [node],
      finally: [],
      onNodeFailure: 'Stop',
      parameters: {},
      ...(slot === undefined ? {} : { slot }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    },
    (field) => field.replace(/^nodes\[0\]/u, 'spec'),
  )
}

/** The graph of a schedule, with what the schedule gives to it. */
function asScheduled({ spec }: TaskExecution, schedule: TaskSchedule, graph: TaskDependency, of: OfRun): UnderstoodRun {
  if (spec.payload !== undefined) return payloadOf(schedule, 'starts a graph', 'dependencyRef and parameters')
  const faults: Fault<RunFaultReason>[] = []
  const parameters = understandParameters(schedule, faults)
  if (hasFaults(faults)) return { ok: false, faults }
  if (parameters === undefined) throw new TypeError('neither understood nor faulty')
  return understandDependency(graph, { ...of, parameters: parameters({ slot: of.slot ?? '' }) })
}

function single(name: string, what: Pick<PlanNode, 'task' | 'job'>): PlanNode {
  return { name, dependsOn: [], required: true, ...what }
}

/** Its own, or that of a schedule with its payload changed. */
function taskOf(spec: TaskExecution['spec'], schedule: TaskSchedule | undefined): TaskTemplate {
  const template = schedule === undefined ? spec.task : schedule.spec.task
  if (template === undefined) throw new TypeError('a TaskExecution without anything to run was admitted')
  const payload = spec.payload === undefined ? template.payload : (merged(template.payload ?? {}, spec.payload) as typeof spec.payload)
  return { ...template, ...(payload === undefined ? {} : { payload }) }
}

/** There is nothing that it could be merged into. */
function payloadOf({ metadata }: TaskSchedule, does: string, instead: string): UnderstoodRun {
  const message = `tsch/${metadata.name} ${does}, which has no payload. Next: create a TaskExecution with ${instead} instead`
  return { ok: false, faults: [{ reason: 'PayloadWithoutTask', field: 'spec.payload', message }] }
}

/** Those of `finally` depend on nothing. */
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

/** Objects field by field; all else is replaced. */
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
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
