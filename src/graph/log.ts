/** What a run is made of. It is pinned in the first entry of the run's log. */
import type { NodeExecutorName, TaskDependency } from '../api/index.ts'

/**
 * What an edge asks of the upstream node. `Failed` holds for `Failed` and `TimedOut`; `Completed` as soon as it is final, however: also
 * `Skipped`, `Omitted`, `Cancelled`.
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
  /** CEL that yields true or false, asked when the edges hold. */
  readonly when?: string | undefined
  /** From its start to a final state, retries included. */
  readonly timeoutSeconds?: number | undefined
  /** Whether its failure is one of the run. */
  readonly required: boolean
}

/** What runs a node, and what it is given. */
export type NodeExecutor = { readonly [K in NodeExecutorName]: { readonly kind: K; readonly template: Templates[K] } }[NodeExecutorName]

/** An executor of the API that is missing here does not compile. */
const executors = namesOf({ task: true, job: true } satisfies Record<NodeExecutorName, true>)

/** The executor of a node. Throws on a node that has not exactly one. */
export function executorOf(node: PlanNode): NodeExecutor {
  const [kind, ...more] = executors.filter((name) => node[name] !== undefined)
  if (kind === undefined || more.length > 0) throw new TypeError(`a node must have exactly one of ${executors.join(' and ')}`)
  return { kind, template: node[kind] } as NodeExecutor
}

function namesOf<K extends string>(table: Readonly<Record<K, true>>): readonly K[] {
  return Object.keys(table) as K[]
}

export type RunPlan = {
  /** What expressions know as `run.name`. */
  readonly name: string
  readonly nodes: readonly PlanNode[]
  /** They depend on nothing, and start together when every node is final. */
  readonly finally: readonly PlanNode[]
  /**
   * `Stop`: once a required node has failed, nothing starts any more but what reacts to a failure, and what follows that. `Continue`: whatever
   * does not depend on the failed node goes on.
   */
  readonly onNodeFailure: 'Stop' | 'Continue'
  /** From the begin to the end of the last node; `finally` comes after it. */
  readonly timeoutSeconds?: number | undefined
  readonly parameters: Readonly<Record<string, unknown>>
  /** The slot that the run is of, in RFC 3339. */
  readonly slot?: string | undefined
}

/** The entries of a run's log: its state of record. An entry says what was decided, and is never changed. */

/** `Skipped`: no node ran and none failed. */
export type RunOutcome = 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped'

/** Why a node that has started is stopped. */
export type StopReason = 'TimedOut' | 'Cancelled'

/** How the effect of a node ended, as far as it tells. */
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

/** The end of a node's effect, as it was told. */
export type NodeEnd = NodeReport & { readonly node: string; readonly outcome: 'Succeeded' | 'Failed' }

export type Begun = { readonly v: 1; readonly kind: 'Begun'; readonly atMs: number; readonly token: string; readonly plan: RunPlan }

/** The intent: from here on the node's job may be in its queue, its Job may exist. */
export type Started = { readonly v: 1; readonly kind: 'Started'; readonly atMs: number; readonly node: string }

/** Its Kubernetes Job was there: it is not created anew when it is gone, whoever looks for it. A job of a queue needs no such word: its queue knows. */
export type Placed = { readonly v: 1; readonly kind: 'Placed'; readonly atMs: number; readonly node: string }

/** Its effect is being taken back. */
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

/** The run as a whole: nothing starts any more but `finally`. */
export type RunStopped = { readonly v: 1; readonly kind: 'Cancelling' | 'TimedOut'; readonly atMs: number }

export type Finished = {
  readonly v: 1
  readonly kind: 'Finished'
  readonly atMs: number
  readonly outcome: RunOutcome
  readonly reason: string
  readonly message: string
}

/** Its object is gone, or the log itself cannot be relied on: what it began is being taken back, and then the log goes. Nobody continues it. */
type Deleting = { readonly v: 1; readonly kind: 'Deleting'; readonly atMs: number }

/** The first is `Begun`; `Finished` or `Deleting` is the last. */
export type RunEntry = Begun | Started | Placed | Stopping | Ended | RunStopped | Finished | Deleting

/** Reads an entry of a log. Unknown fields are left out; throws on what this version does not understand. */
export function parseEntry(document: string): RunEntry {
  const it = fields(JSON.parse(document), 'the entry')
  if (it['v'] !== 1) throw new TypeError(`v is ${JSON.stringify(it['v'])}, but only 1 is supported`)
  const kinds = ['Begun', 'Started', 'Placed', 'Stopping', 'Ended', 'Cancelling', 'TimedOut', 'Finished', 'Deleting'] as const
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
      return {
        v: 1,
        kind,
        atMs,
        outcome: oneOf(it['outcome'], ['Succeeded', 'Failed', 'TimedOut', 'Cancelled', 'Skipped'], 'outcome'),
        reason: text(it['reason'], 'reason'),
        message: text(it['message'], 'message'),
      }
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
  // Templates are handed on as they are to whoever knows them.
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
