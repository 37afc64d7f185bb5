import type { Ended, RunEntry } from './entry.ts'
import type { Dependency, PlanNode, RunPlan } from './plan.ts'

/** Reads an entry of a log. Unknown fields are left out; throws on what this version does not understand. */
export function parseEntry(document: string): RunEntry {
  const it = fields(JSON.parse(document), 'the entry')
  if (it['v'] !== 1) throw new TypeError(`v is ${JSON.stringify(it['v'])}, 1 is understood`)
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
  const task = it['task'] === undefined ? undefined : fields(it['task'], 'node.task')
  const job = it['job'] === undefined ? undefined : fields(it['job'], 'node.job')
  if ((task === undefined) === (job === undefined)) throw new TypeError('a node has not exactly one of task and job')
  return {
    name: text(it['name'], 'node.name'),
    dependsOn: list(it['dependsOn'], 'node.dependsOn').map((each): Dependency => ({
      name: text(each['name'], 'dependsOn.name'),
      condition: oneOf(each['condition'], ['Succeeded', 'Failed', 'Completed'], 'dependsOn.condition'),
    })),
    ...optional('when', it['when'], text),
    ...optional('timeoutSeconds', it['timeoutSeconds'], finite),
    required: it['required'] === true,
    // Templates are handed on as they are to whoever knows them.
    ...(task === undefined ? {} : { task: task as PlanNode['task'] }),
    ...(job === undefined ? {} : { job: job as PlanNode['job'] }),
  }
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
  if (found === undefined) throw new TypeError(`${name} is ${JSON.stringify(value)}, none of ${values.join(', ')}`)
  return found
}

function optional<K extends string, V>(key: K, value: unknown, read: (value: unknown, name: string) => V): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: read(value, key) }) as { readonly [P in K]?: V }
}
