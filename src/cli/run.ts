import { taskExecutions, type TaskExecution, type TaskSchedule } from '../api/index.ts'
import { errorMessage, UsageError } from '../errors/index.ts'
import { describeInexact, findInexactNumbers, isRawNumber, parseJson } from '../json/index.ts'
import type { Written } from '../kube/index.ts'
import { type Arguments, CommandError, formatDuration, parseDuration, timeOption } from './arguments.ts'
import { type Command, type Context, fieldManager } from './command.ts'
import { exitCodes, waitForEnd } from './follow-run.ts'
import { parseReference, readObject, type Reference, formatReference } from './reference.ts'

const defaultTtlMs = 86_400_000
const maxMs = 366 * 86_400_000
/** The API server appends five letters, and a name has at most 63. */
const longestPrefix = 57

/** What is run: an object that exists, or a task that stands in the arguments. */
type Source =
  | Reference<'TaskSchedule' | 'TaskDependency'>
  | { readonly kind: 'Task'; readonly type: string; readonly queue: string; readonly broker?: string }

const exampleTime = '2026-11-29T01:00:00Z'

export const run: Command = {
  target: 'tsch/NAME | tdep/NAME | TYPE --queue Q',
  summary: 'run a schedule, a graph or a task once',
  usage: 'tsch/NAME | tdep/NAME | TYPE --queue QUEUE [--payload JSON|@FILE] [--param KEY=VALUE]… [--delay DURATION | --at TIME] [--wait]',
  about:
    'Runs the task, Job or graph of a TaskSchedule (even while it is suspended), the graph of a TaskDependency, or a task of this type: once, ' +
    'as a TaskExecution of its own, now or at a later time.\nA schedule is not affected: the run is not one of its slots.',
  options: {
    queue: 'TYPE: the queue in which a worker finds the task',
    broker: 'TYPE: the TaskBroker of that queue; default: default',
    payload: 'TYPE: its payload; tsch: fields to merge into the payload of its task; @FILE reads a file, @- standard input',
    param: 'tdep: a parameter of the graph, can be repeated; JSON keeps its type: --param days=7 --param who=all',
    delay: 'start the run after this time, such as 10m or 1d12h',
    at: `start the run at this time, such as ${exampleTime}`,
    'slot-time': `value of $(slot), such as ${exampleTime}; default: when the run is to start`,
    ttl: 'how long the TaskExecution is kept after its end; never: for good; default: 1d',
    wait: 'wait for the end and print the progress; Ctrl-C stops the waiting, not the run',
  },
  more: `Exit code with --wait: 0 Succeeded or Skipped, ${exitCodes.Failed} Failed, ${exitCodes.TimedOut} TimedOut, ${exitCodes.Cancelled} Cancelled, ${exitCodes.left} waiting stopped. Without --wait: 0 created.`,
  prepare(args) {
    const [target, ...more] = args.positionals
    const source = sourceOf(target, args)
    if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}"`)
    if (args.payload !== undefined && source.kind === 'TaskDependency') {
      throw new UsageError('a graph has parameters, not a payload: write --param KEY=VALUE')
    }
    if (args.params.length > 0 && source.kind !== 'TaskDependency') {
      throw new UsageError(
        source.kind === 'Task'
          ? '--param is for graphs (tdep/NAME); a task has a payload: write --payload'
          : '--param is for graphs (tdep/NAME); use --payload to change the payload of a schedule',
      )
    }
    const ttlMs = ttlOf(args)
    const slotTime = timeOption('--slot-time', args.slotTime, exampleTime)
    const start = startOf(args)
    const parameters = parseParameters(args.params)
    const { payload: given } = args
    const inline = given === undefined || given.startsWith('@') ? undefined : parseObject(given, '--payload')
    return async (context) => {
      const payload = given?.startsWith('@') === true ? await fileOf(context, given.slice(1)) : inline
      const object = source.kind === 'Task' ? undefined : await readObject(context, source)
      if (payload !== undefined && source.kind === 'TaskSchedule') needTask(source, object as TaskSchedule)
      const created = await createRun(context, nameOf(source), {
        ...specOf(source, payload),
        ...(parameters === undefined ? {} : { parameters }),
        ...start,
        ...(slotTime === undefined ? {} : { slotTime }),
        ...(ttlMs === undefined ? {} : { ttlSecondsAfterFinished: Math.ceil(ttlMs / 1000) }),
      })
      const { name } = created.metadata
      const shown = formatReference('TaskExecution', name)
      const { where, program, err } = context
      const kept = ttlMs === undefined ? 'kept until a user deletes it' : `kept for ${formatDuration(ttlMs)} after its end`
      const words = `${shown}${where}: a run of ${shownAs(source)}${startWords(start)}, ${kept}.`
      if (!args.wait) {
        return `${words} Follow: kubectl get tex ${name}${where} --watch. Cancel: ${program} cancel ${shown}${where}`
      }
      err(`${words}\n`)
      return waitForEnd(context, created)
    }
  },
}

/** `tsch/NAME` and `tdep/NAME` are objects; with --queue it is the type of a task, which may contain a slash. */
function sourceOf(target: string | undefined, { queue, broker }: Arguments): Source {
  if (queue !== undefined) {
    if (target === undefined) throw new UsageError('missing type of the task: run TYPE --queue QUEUE')
    return { kind: 'Task', type: target, queue, ...(broker === undefined ? {} : { broker }) }
  }
  if (broker !== undefined)
    throw new UsageError('--broker goes with TYPE --queue QUEUE only: a schedule or a graph runs on its own TaskBroker')
  if (target !== undefined && !target.includes('/')) {
    throw new UsageError(
      `"${target}": to run a task of this type, add --queue QUEUE; to run an object, write tsch/${target} or tdep/${target}`,
    )
  }
  return parseReference(target, ['TaskSchedule', 'TaskDependency'])
}

function specOf(source: Source, payload: object | undefined): object {
  const given = payload === undefined ? {} : { payload }
  switch (source.kind) {
    case 'Task': {
      const { type, queue, broker } = source
      return { task: { type, queue, ...given }, ...(broker === undefined ? {} : { brokerRef: { name: broker } }) }
    }
    case 'TaskSchedule':
      return { scheduleRef: { name: source.name }, ...given }
    case 'TaskDependency':
      return { dependencyRef: { name: source.name } }
  }
}

function shownAs(source: Source): string {
  return source.kind === 'Task' ? `task/${source.type} in ${source.queue}` : source.shown
}

/** What the name of the run begins with: the type of a task may have letters that no name has. */
function nameOf(source: Source): string {
  if (source.kind !== 'Task') return source.name
  const name = source.type
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/gu, '-')
    .replace(/^-/u, '')
  return name === '' ? 'task' : name
}

type Start = { readonly startTime?: string; readonly delaySeconds?: number }

/** When the run starts; nothing: at once. */
function startOf({ delay, at }: Arguments): Start {
  if (delay !== undefined && at !== undefined) throw new UsageError('--delay and --at both say when the run starts: leave one of them out')
  const startTime = timeOption('--at', at, exampleTime)
  if (startTime !== undefined) return { startTime }
  if (delay === undefined) return {}
  const ms = parseDuration(delay)
  if (ms === undefined || ms > maxMs) throw new UsageError(`--delay ${delay}: write a duration such as 10m or 1d12h, at most 366d`)
  return { delaySeconds: ms / 1000 }
}

function startWords({ startTime, delaySeconds }: Start): string {
  if (startTime !== undefined) return ` that starts at ${startTime}`
  return delaySeconds === undefined ? '' : ` that starts in ${formatDuration(delaySeconds * 1000)}`
}

/** Creates a TaskExecution, whose name begins with this one. */
export function createRun({ client, namespace, onWarning }: Context, name: string, spec: object): Promise<TaskExecution> {
  const metadata = { namespace, name: '', generateName: `${name.slice(0, longestPrefix).replace(/[-.]+$/u, '')}-` }
  // No abort signal: the command must know whether the run was created.
  const object = { metadata, spec } as unknown as Written<TaskExecution>
  return client.create(taskExecutions, object, { fieldManager, fieldValidation: 'Strict', onWarning })
}

/** A schedule that starts a Job or a graph has no payload. */
function needTask({ shown }: Reference, { spec }: TaskSchedule): void {
  if (spec.task !== undefined) return
  const graph = spec.dependencyRef?.name
  const next = graph === undefined ? 'leave --payload out' : `run ${formatReference('TaskDependency', graph)} with --param`
  throw new CommandError(`${shown} has no task, so there is no payload to change. Next: ${next}`)
}

async function fileOf({ readText }: Context, path: string): Promise<object> {
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    throw new CommandError(`--payload @${path} cannot be read: ${errorMessage(error)}`)
  }
  return parseObject(text, `--payload @${path}`)
}

/** Returns undefined for `never`. */
export function ttlOf({ ttl }: Arguments): number | undefined {
  if (ttl === undefined) return defaultTtlMs
  if (ttl === 'never') return undefined
  const ms = parseDuration(ttl)
  if (ms === undefined || ms > maxMs) throw new UsageError(`--ttl ${ttl}: write a duration such as 1h or 7d, at most 366d, or never`)
  return ms
}

/** Parses a JSON object; `what` names it in the error. */
function parseObject(text: string, what: string): object {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${errorMessage(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${what} must be a JSON object, such as {"retainDays": 1}`)
  }
  const [inexact] = findInexactNumbers(value, '')
  if (inexact !== undefined) throw new UsageError(`${what}: ${inexact.field}: ${describeInexact(inexact.text)}`)
  return value
}

/** Parses `days=7`, `who=all`: JSON keeps its type, everything else is text. Undefined: there are none. */
export function parseParameters(params: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const parameters = new Map<string, unknown>()
  for (const param of params) {
    const at = param.indexOf('=')
    const key = param.slice(0, Math.max(0, at))
    if (key === '') throw new UsageError(`--param ${param}: write KEY=VALUE, such as days=7`)
    if (parameters.has(key)) throw new UsageError(`--param ${key} is given twice`)
    parameters.set(key, valueOf(key, param.slice(at + 1)))
  }
  return parameters.size === 0 ? undefined : Object.fromEntries(parameters)
}

function valueOf(key: string, text: string): unknown {
  let value: unknown
  try {
    value = parseJson(text)
  } catch {
    return text
  }
  if (isRawNumber(value)) {
    throw new UsageError(`--param ${key}=${text} has more digits than a JSON number can keep. As text: --param '${key}="${text}"'`)
  }
  const [inexact] = findInexactNumbers(value, key)
  if (inexact !== undefined) throw new UsageError(`--param ${inexact.field}: ${describeInexact(inexact.text)}`)
  return value
}
