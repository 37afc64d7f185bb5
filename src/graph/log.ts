/**
 * The log of a run: its record in the broker. The plan is pinned in the first entry, so a later change of the
 * TaskDependency does not affect a run that has started.
 */
import type { NodeExecutorName, TaskDependency } from '../api/index.ts'
import { type Fields, readFields, readList, readNumber, readOneOf, readOptional, readText, readVersion } from '../contract/index.ts'
import { parseJson } from '../json/index.ts'

/**
 * What an edge requires of the upstream node. `Failed` holds for `Failed` and `TimedOut`. `Completed` holds for every
 * final state, also `Skipped`, `Omitted` and `Cancelled`.
 */
export type EdgeCondition = 'Succeeded' | 'Failed' | 'Completed'

/** `Skipped`: its `when` was false. `Omitted`: an edge's condition can no longer hold, or the run stopped before it. */
export type NodeOutcome = 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped' | 'Omitted'

export type Dependency = { readonly name: string; readonly condition: EdgeCondition }

type ApiNode = TaskDependency['spec']['nodes'][number]
/** A run of another graph: the TaskDependency, and parameters in place of its own. */
export type RunTemplate = { readonly dependency: string; readonly parameters?: Readonly<Record<string, unknown>> | undefined }
/** What authors can write in a node, and what only the plans of Taskmill have. */
type Templates = { readonly [K in NodeExecutorName]: NonNullable<ApiNode[K]> } & { readonly run: RunTemplate }
export type ExecutorName = keyof Templates

/** A node; it carries the template of exactly one executor. */
export type PlanNode = { readonly [K in ExecutorName]?: Templates[K] | undefined } & {
  readonly name: string
  readonly dependsOn: readonly Dependency[]
  /** CEL expression that yields true or false, evaluated when the edges hold. */
  readonly when?: string | undefined
  /** From the start of the node to a final state, including retries. */
  readonly timeoutSeconds?: number | undefined
  /** Whether the run fails when this node fails. */
  readonly required: boolean
  /** The slot of the node, in RFC 3339, in place of that of the run. */
  readonly slot?: string | undefined
}

/** What runs a node, and its template. */
export type NodeExecutor = { readonly [K in ExecutorName]: { readonly kind: K; readonly template: Templates[K] } }[ExecutorName]

/** An executor of the API that is missing here does not compile. */
const executors = namesOf({ task: true, job: true, run: true } satisfies Record<ExecutorName, true>)

/** Returns the executor of a node, or of its effect. Throws if there is not exactly one. */
export function executorOf(node: Pick<PlanNode, ExecutorName>): NodeExecutor {
  const [kind, ...more] = executors.filter((name) => node[name] !== undefined)
  if (kind === undefined || more.length > 0) throw new TypeError(`a node must have exactly one of ${executors.join(', ')}`)
  return { kind, template: node[kind] } as NodeExecutor
}

function namesOf<K extends string>(table: Readonly<Record<K, true>>): readonly K[] {
  return Object.keys(table) as K[]
}

export type RunPlan = {
  /** The value of `run.name` in expressions. */
  readonly name: string
  readonly nodes: readonly PlanNode[]
  /** Nodes without dependencies that start together when every other node is final. */
  readonly finally: readonly PlanNode[]
  /**
   * `Stop`: after a required node has failed, only nodes that react to a failure start, and nodes that follow those.
   * `Continue`: every node that does not depend on the failed one continues.
   */
  readonly onNodeFailure: 'Stop' | 'Continue'
  /** From the start of the run to the end of its last node; `finally` comes after it. */
  readonly timeoutSeconds?: number | undefined
  readonly parameters: Readonly<Record<string, unknown>>
  /** The slot of the run, in RFC 3339. */
  readonly slot?: string | undefined
}

/** An entry records one decision and is never changed. */

/** `Skipped`: no node ran, and none failed. */
export type RunOutcome = 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped'

/** Why a started node is stopped. */
export type StopReason = 'TimedOut' | 'Cancelled'

/** How the effect of a node ended, as far as is known. */
export type NodeReport = {
  readonly reason: string
  readonly message?: string
  /** JSON. */
  readonly result?: unknown
  readonly attemptsMade?: number
  readonly attempts?: number
  readonly worker?: string
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
}

/** The end of a node's effect, as it was delivered. */
export type NodeEnd = NodeReport & { readonly node: string; readonly outcome: 'Succeeded' | 'Failed' }

/**
 * `v` is 2 if a node has a slot of its own: an operator that does not know such nodes would run them without it, so it must refuse the log. A
 * node that is a run makes every operator refuse it that does not know those.
 */
export type Begun = { readonly v: 1 | 2; readonly kind: 'Begun'; readonly atMs: number; readonly token: string; readonly plan: RunPlan }

/** The intent to run a node. From here on its job may be in the queue, or its Kubernetes Job may exist. */
export type Started = { readonly v: 1; readonly kind: 'Started'; readonly atMs: number; readonly node: string }

/**
 * The Kubernetes Job of a node existed. If it is gone later, it is not created again, by any process. A queue job needs
 * no such entry, because its queue remembers it.
 */
export type Placed = { readonly v: 1; readonly kind: 'Placed'; readonly atMs: number; readonly node: string }

/** The effect of a node is being removed. */
export type Stopping = {
  readonly v: 1
  readonly kind: 'Stopping'
  readonly atMs: number
  readonly node: string
  readonly why: StopReason
}

export type Ended = NodeReport & {
  readonly v: 1
  readonly kind: 'Ended'
  readonly atMs: number
  readonly node: string
  readonly outcome: NodeOutcome
}

/** The run as a whole is stopped: only `finally` nodes start. */
export type RunStopped = { readonly v: 1; readonly kind: 'Cancelling' | 'TimedOut'; readonly atMs: number }

export type Finished = {
  readonly v: 1
  readonly kind: 'Finished'
  readonly atMs: number
  readonly outcome: RunOutcome
  readonly reason: string
  readonly message: string
}

/**
 * The object of the run is gone, or the log cannot be trusted: what the run started is being removed, and then the log
 * is deleted. No run continues this log.
 */
type Deleting = { readonly v: 1; readonly kind: 'Deleting'; readonly atMs: number }

/** What is kept of a run that ended long ago, in place of its whole log: nothing of it can happen again. */
export type Archived = {
  readonly v: 1
  readonly kind: 'Archived'
  /** When the run ended. */
  readonly atMs: number
  /** Of the object that began the run. */
  readonly token: string
  readonly outcome: RunOutcome
  readonly reason: string
  readonly message: string
}

/** The first entry is `Begun`; the last is `Finished` or `Deleting`. Or `Archived` stands alone. */
export type RunEntry = Begun | Started | Placed | Stopping | Ended | RunStopped | Finished | Deleting | Archived
/** What may follow `Begun`. */
export type LaterEntry = Exclude<RunEntry, { readonly kind: 'Begun' | 'Archived' }>

/** Reads one entry of a log and drops unknown fields. Throws on what this version does not understand. */
export function parseEntry(document: string): RunEntry {
  const it = readVersion(parseJson(document), 'the entry', 2)
  const kinds = ['Begun', 'Started', 'Placed', 'Stopping', 'Ended', 'Cancelling', 'TimedOut', 'Finished', 'Deleting', 'Archived'] as const
  const kind = readOneOf(it['kind'], kinds, 'kind')
  const atMs = readNumber(it['atMs'], 'atMs')
  switch (kind) {
    case 'Begun':
      return begunWith(readText(it['token'], 'token'), readPlan(it['plan']), atMs)
    case 'Started':
    case 'Placed':
      return { v: 1, kind, atMs, node: readText(it['node'], 'node') }
    case 'Stopping':
      return { v: 1, kind, atMs, node: readText(it['node'], 'node'), why: readOneOf(it['why'], ['TimedOut', 'Cancelled'], 'why') }
    case 'Ended':
      return readEnded(it, atMs)
    case 'Cancelling':
    case 'TimedOut':
    case 'Deleting':
      return { v: 1, kind, atMs }
    case 'Finished':
      return { v: 1, kind, atMs, ...readOutcome(it) }
    case 'Archived':
      return { v: 1, kind, atMs, token: readText(it['token'], 'token'), ...readOutcome(it) }
  }
}

export function begunWith(token: string, plan: RunPlan, atMs: number): Begun {
  const hasSlots = [...plan.nodes, ...plan.finally].some(({ slot }) => slot !== undefined)
  return { v: hasSlots ? 2 : 1, kind: 'Begun', atMs, token, plan }
}

function readOutcome(it: Fields): Pick<Finished, 'outcome' | 'reason' | 'message'> {
  return {
    outcome: readOneOf(it['outcome'], ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped'], 'outcome'),
    reason: readText(it['reason'], 'reason'),
    message: readText(it['message'], 'message'),
  }
}

function readEnded(it: Fields, atMs: number): Ended {
  return {
    v: 1,
    kind: 'Ended',
    atMs,
    node: readText(it['node'], 'node'),
    outcome: readOneOf(it['outcome'], ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped', 'Omitted'], 'outcome'),
    reason: readText(it['reason'], 'reason'),
    ...readOptional('message', it['message'], readText),
    ...readOptional('result', it['result'], (value) => value),
    ...readOptional('attemptsMade', it['attemptsMade'], readNumber),
    ...readOptional('attempts', it['attempts'], readNumber),
    ...readOptional('worker', it['worker'], readText),
    ...readOptional('startedAtMs', it['startedAtMs'], readNumber),
    ...readOptional('finishedAtMs', it['finishedAtMs'], readNumber),
  }
}

function readPlan(value: unknown): RunPlan {
  const it = readFields(value, 'plan')
  return {
    name: readText(it['name'], 'plan.name'),
    nodes: readList(it['nodes'], 'plan.nodes').map(readNode),
    finally: readList(it['finally'], 'plan.finally').map(readNode),
    onNodeFailure: readOneOf(it['onNodeFailure'], ['Stop', 'Continue'], 'plan.onNodeFailure'),
    ...readOptional('timeoutSeconds', it['timeoutSeconds'], readNumber),
    parameters: readFields(it['parameters'], 'plan.parameters'),
    ...readOptional('slot', it['slot'], readText),
  }
}

function readNode(it: Fields): PlanNode {
  // Templates are passed on unchanged to the code that knows them.
  const templates = executors.flatMap((name) => (it[name] === undefined ? [] : [[name, readFields(it[name], `node.${name}`)] as const]))
  const node: PlanNode = {
    name: readText(it['name'], 'node.name'),
    dependsOn: readList(it['dependsOn'], 'node.dependsOn').map((each): Dependency => ({
      name: readText(each['name'], 'dependsOn.name'),
      condition: readOneOf(each['condition'], ['Succeeded', 'Failed', 'Completed'], 'dependsOn.condition'),
    })),
    ...readOptional('when', it['when'], readText),
    ...readOptional('timeoutSeconds', it['timeoutSeconds'], readNumber),
    required: it['required'] === true,
    ...readOptional('slot', it['slot'], readText),
    ...Object.fromEntries(templates),
  }
  executorOf(node)
  return node
}
