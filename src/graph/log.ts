/**
 * The log of a run: its record in the broker. The plan is pinned in the first entry, so a later change of the
 * TaskDependency does not affect a run that has started.
 */
import type { NodeExecutorName, TaskDependency } from '../api/index.ts'
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
type Templates = { readonly [K in NodeExecutorName]: NonNullable<ApiNode[K]> }

/** A node; it carries the template of exactly one executor. */
export type PlanNode = { readonly [K in NodeExecutorName]?: Templates[K] | undefined } & {
  readonly name: string
  readonly dependsOn: readonly Dependency[]
  /** CEL expression that yields true or false, evaluated when the edges hold. */
  readonly when?: string | undefined
  /** From the start of the node to a final state, including retries. */
  readonly timeoutSeconds?: number | undefined
  /** Whether the run fails when this node fails. */
  readonly required: boolean
}

/** What runs a node, and its template. */
export type NodeExecutor = { readonly [K in NodeExecutorName]: { readonly kind: K; readonly template: Templates[K] } }[NodeExecutorName]

/** An executor of the API that is missing here does not compile. */
const executors = namesOf({ task: true, job: true } satisfies Record<NodeExecutorName, true>)

/** Returns the executor of a node, or of its effect. Throws if there is not exactly one. */
export function executorOf(node: Pick<PlanNode, NodeExecutorName>): NodeExecutor {
  const [kind, ...more] = executors.filter((name) => node[name] !== undefined)
  if (kind === undefined || more.length > 0) throw new TypeError(`a node must have exactly one of ${executors.join(' and ')}`)
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

export type Begun = { readonly v: 1; readonly kind: 'Begun'; readonly atMs: number; readonly token: string; readonly plan: RunPlan }

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
  const it = fields(parseJson(document), 'the entry')
  if (it['v'] !== 1) throw new TypeError(`v is ${JSON.stringify(it['v'])}, but only 1 is supported`)
  const kinds = ['Begun', 'Started', 'Placed', 'Stopping', 'Ended', 'Cancelling', 'TimedOut', 'Finished', 'Deleting', 'Archived'] as const
  const kind = oneOf(it['kind'], kinds, 'kind')
  const atMs = finite(it['atMs'], 'atMs')
  switch (kind) {
    case 'Begun':
      return { v: 1, kind, atMs, token: text(it['token'], 'token'), plan: readPlan(it['plan']) }
    case 'Started':
    case 'Placed':
      return { v: 1, kind, atMs, node: text(it['node'], 'node') }
    case 'Stopping':
      return { v: 1, kind, atMs, node: text(it['node'], 'node'), why: oneOf(it['why'], ['TimedOut', 'Cancelled'], 'why') }
    case 'Ended':
      return readEnded(it, atMs)
    case 'Cancelling':
    case 'TimedOut':
    case 'Deleting':
      return { v: 1, kind, atMs }
    case 'Finished':
      return { v: 1, kind, atMs, ...readOutcome(it) }
    case 'Archived':
      return { v: 1, kind, atMs, token: text(it['token'], 'token'), ...readOutcome(it) }
  }
}

function readOutcome(it: Fields): Pick<Finished, 'outcome' | 'reason' | 'message'> {
  return {
    outcome: oneOf(it['outcome'], ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped'], 'outcome'),
    reason: text(it['reason'], 'reason'),
    message: text(it['message'], 'message'),
  }
}

function readEnded(it: Fields, atMs: number): Ended {
  return {
    v: 1,
    kind: 'Ended',
    atMs,
    node: text(it['node'], 'node'),
    outcome: oneOf(it['outcome'], ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped', 'Omitted'], 'outcome'),
    reason: text(it['reason'], 'reason'),
    ...optional('message', it['message'], text),
    ...optional('result', it['result'], (value) => value),
    ...optional('attemptsMade', it['attemptsMade'], finite),
    ...optional('attempts', it['attempts'], finite),
    ...optional('worker', it['worker'], text),
    ...optional('startedAtMs', it['startedAtMs'], finite),
    ...optional('finishedAtMs', it['finishedAtMs'], finite),
  }
}

function readPlan(value: unknown): RunPlan {
  const it = fields(value, 'plan')
  return {
    name: text(it['name'], 'plan.name'),
    nodes: list(it['nodes'], 'plan.nodes').map(readNode),
    finally: list(it['finally'], 'plan.finally').map(readNode),
    onNodeFailure: oneOf(it['onNodeFailure'], ['Stop', 'Continue'], 'plan.onNodeFailure'),
    ...optional('timeoutSeconds', it['timeoutSeconds'], finite),
    parameters: fields(it['parameters'], 'plan.parameters'),
    ...optional('slot', it['slot'], text),
  }
}

function readNode(it: Fields): PlanNode {
  // Templates are passed on unchanged to the code that knows them.
  const templates = executors.flatMap((name) => (it[name] === undefined ? [] : [[name, fields(it[name], `node.${name}`)] as const]))
  const node: PlanNode = {
    name: text(it['name'], 'node.name'),
    dependsOn: list(it['dependsOn'], 'node.dependsOn').map((each): Dependency => ({
      name: text(each['name'], 'dependsOn.name'),
      condition: oneOf(each['condition'], ['Succeeded', 'Failed', 'Completed'], 'dependsOn.condition'),
    })),
    ...optional('when', it['when'], text),
    ...optional('timeoutSeconds', it['timeoutSeconds'], finite),
    required: it['required'] === true,
    ...Object.fromEntries(templates),
  }
  executorOf(node)
  return node
}

type Fields = Readonly<Record<string, unknown>>

function fields(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${name} is not an object`)
  return value as Fields
}

function list(value: unknown, name: string): readonly Fields[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`)
  return value.map((each) => fields(each, name))
}

function finite(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`${name} is not a number`)
  return value
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} is not a string`)
  return value
}

function oneOf<T extends string>(value: unknown, values: readonly T[], name: string): T {
  const found = values.find((each) => each === value)
  if (found === undefined) throw new TypeError(`${name} is ${JSON.stringify(value)}, but must be one of ${values.join(', ')}`)
  return found
}

function optional<K extends string, V>(key: K, value: unknown, read: (value: unknown, name: string) => V): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: read(value, key) }) as { readonly [P in K]?: V }
}
