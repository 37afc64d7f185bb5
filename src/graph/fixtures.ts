/** Plans as the tests of this folder write them. */
import { applyEntry, compileGraph, foldRun, nextRunStep, notePlaced, noteRemoved } from './index.ts'
import type {
  Dependency,
  EdgeCondition,
  Graph,
  NodeEnd,
  PlanNode,
  Removal,
  Run,
  RunEntry,
  RunKnowledge,
  RunPlan,
  RunStep,
} from './index.ts'

const task = { type: 'work', queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 0 } }

/** `'a'`, or `'a Failed'`. */
export function needs(...texts: readonly string[]): readonly Dependency[] {
  return texts.map((text) => {
    const [name = '', condition = 'Succeeded'] = text.split(' ')
    return { name, condition: condition as EdgeCondition }
  })
}

export function nodeOf(name: string, dependsOn: readonly string[] = [], more: Partial<PlanNode> = {}): PlanNode {
  return {
    name,
    dependsOn: needs(...dependsOn),
    required: true,
    ...(more.job === undefined && more.run === undefined ? { task } : {}),
    ...more,
  }
}

/** The template of a Job with these containers. */
export function jobOf(containers: readonly object[], pod: object = {}): NonNullable<PlanNode['job']> {
  const named = containers.map((container, index) => ({ name: `c${index}`, image: 'acme:1', ...container }))
  return { spec: { template: { spec: { restartPolicy: 'Never', containers: named, ...pod } } } }
}

/** One that carries this payload. */
export function payloadOf(payload: Record<string, unknown>): Partial<PlanNode> {
  return { task: { ...task, payload } }
}

export function planOf(nodes: readonly PlanNode[], more: Partial<RunPlan> = {}): RunPlan {
  return { name: 'run', nodes, finally: [], onNodeFailure: 'Stop', parameters: {}, ...more }
}

/** A run whose steps are carried out at once, by a broker in which nothing goes wrong. */
export type Stage = {
  readonly run: Run
  readonly graph: Graph
  /** As it is stored. */
  readonly log: readonly string[]
  /** Carries out all steps until there is only to wait; tells them in words, the wait last. */
  play(nowMs: number, knowledge?: Partial<RunKnowledge>, removals?: Readonly<Record<string, Removal>>): readonly string[]
}

export function stageOf(plan: RunPlan, log: string[] = []): Stage {
  const compiled = compileGraph(plan)
  if (!compiled.ok) throw new Error(compiled.faults.map(({ field, message }) => `${field}: ${message}`).join('; '))
  const folded = foldRun(log)
  if (!folded.ok) throw new Error(folded.message)
  const { run } = folded
  const begin = { token: 'token', graph: compiled.graph }
  return {
    run,
    graph: compiled.graph,
    log,
    play(nowMs, knowledge = {}, removals = {}) {
      const told: string[] = []
      let ended = knowledge.ended ?? []
      for (;;) {
        const step = nextRunStep(run, { desired: 'Running', begin, ...knowledge, ended }, nowMs)
        told.push(inWords(step))
        if (step.kind === 'Wait' || step.kind === 'Delete') return told
        if (step.kind === 'Append') for (const entry of step.entries) log.push(JSON.stringify(applyEntry(run, entry) && entry))
        if (step.kind === 'Place')
          notePlaced(
            run,
            step.nodes.map(({ name }) => name),
          )
        if (step.kind === 'Remove') for (const node of step.nodes) noteRemoved(run, node, removals[node] ?? 'Removed')
        if (step.kind === 'Acknowledge') ended = ended.filter(({ node }) => !step.nodes.includes(node))
      }
    },
  }
}

function inWords(step: RunStep): string {
  switch (step.kind) {
    case 'Append':
      return `append ${step.what}: ${step.entries.map(entryInWords).join(', ')}`
    case 'Place':
      return `place ${step.nodes.map(({ name }) => name).join(' ')}`
    case 'Remove':
    case 'Acknowledge':
      return `${step.kind.toLowerCase()} ${step.nodes.join(' ')}`
    case 'Delete':
      return 'delete'
    case 'Wait':
      return step.untilMs === undefined ? 'wait' : `wait until ${step.untilMs}`
  }
}

function entryInWords(entry: RunEntry): string {
  switch (entry.kind) {
    case 'Ended':
      return `${entry.node} ${entry.outcome}${entry.outcome === entry.reason ? '' : ` (${entry.reason})`}`
    case 'Started':
    case 'Placed':
    case 'Stopping':
      return `${entry.kind} ${entry.node}`
    case 'Finished':
      return `Finished ${entry.outcome}`
    default:
      return entry.kind
  }
}

export const succeeded = (node: string, more: Partial<NodeEnd> = {}): NodeEnd => ({
  node,
  outcome: 'Succeeded',
  reason: 'Succeeded',
  ...more,
})
export const failed = (node: string, more: Partial<NodeEnd> = {}): NodeEnd => ({
  node,
  outcome: 'Failed',
  reason: 'AttemptsExhausted',
  ...more,
})
