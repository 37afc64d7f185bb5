import type { TaskDependency, TaskExecution, TaskSchedule } from '../api/index.ts'
import { compileGraph, type Graph, type GraphFaultReason, type PlanNode, type RunPlan } from '../graph/index.ts'
import { type Fault, hasFaults, type Understood } from './fault.ts'

export type UnderstoodRun = Understood<{ readonly graph: Graph }, GraphFaultReason>

type OfRun = Pick<RunPlan, 'name' | 'slot' | 'timeoutSeconds'> & { readonly parameters?: Readonly<Record<string, unknown>> | undefined }

/** The graph as it would be run: of a run, or as it is for trial. */
export function understandDependency({ metadata, spec }: TaskDependency, of: OfRun = { name: metadata.name }): UnderstoodRun {
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

/** What a TaskExecution runs: `source` is the object that it refers to, undefined where it has a task of its own. */
export function understandExecution(execution: TaskExecution, source: TaskSchedule | TaskDependency | undefined): UnderstoodRun {
  const { metadata, spec } = execution
  const of = {
    name: metadata.name,
    slot: spec.slotTime ?? metadata.creationTimestamp,
    timeoutSeconds: spec.timeoutSeconds,
    parameters: spec.parameters,
  }
  if (source !== undefined && 'nodes' in source.spec) return understandDependency(source as TaskDependency, of)
  const template = source === undefined ? spec.task : (source as TaskSchedule).spec.task
  if (template === undefined) throw new TypeError('a TaskExecution without anything to run was admitted')
  const payload = spec.payload === undefined ? template.payload : (merged(template.payload ?? {}, spec.payload) as typeof spec.payload)
  const task = { ...template, ...(payload === undefined ? {} : { payload }) }
  const node: PlanNode = { name: 'task', dependsOn: [], required: true, task }
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

/** Those of `finally` depend on nothing. */
function nodeOf({ dependsOn = [], ...node }: TaskDependency['spec']['nodes'][number]): PlanNode {
  return { ...node, dependsOn }
}

function understood(plan: RunPlan, fieldOf: (field: string) => string): UnderstoodRun {
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
