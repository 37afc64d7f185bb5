import { taskExecutions, type TaskExecution, type TaskSchedule } from '../api/index.ts'
import { errorMessage } from '../errors/index.ts'
import { describeInexact, findInexactNumbers, isRawNumber, parseJson } from '../json/index.ts'
import type { Written } from '../kube/index.ts'
import { type Arguments, CommandError, usageError, parseDuration, formatDuration } from './arguments.ts'
import { type Command, type Context, fieldManager } from './command.ts'
import { exitCodes, waitForEnd } from './follow-run.ts'
import { parseReference, readObject, type Reference, formatReference } from './reference.ts'

const defaultTtlMs = 86_400_000
const maxTtlMs = 366 * 86_400_000
/** The API server appends five letters, and a name has at most 63. */
const longestPrefix = 57

export const run: Command = {
  target: 'tsch/NAME | tdep/NAME',
  summary: 'run the task of a schedule, or a graph, once and now',
  usage: 'tsch/NAME | tdep/NAME [--payload JSON|@FILE] [--param KEY=VALUE]… [--wait]',
  about:
    'Runs the task, Job or graph of a TaskSchedule (even while it is suspended), or the graph of a TaskDependency: once, now, as a ' +
    'TaskExecution of its own.\nThe schedule is not affected: the run is not one of its slots.',
  options: {
    payload: 'tsch: fields to merge into the payload of its task; @FILE reads a file, @- standard input',
    param: 'tdep: a parameter of the graph, can be repeated; JSON keeps its type: --param days=7 --param who=all',
    'slot-time': 'value of $(slot), such as 2026-11-29T01:00:00Z; default: now',
    ttl: 'how long the TaskExecution is kept after its end; never: for good; default: 1d',
    wait: 'wait for the end and print the progress; Ctrl-C stops the waiting, not the run',
  },
  more: `Exit code with --wait: 0 Succeeded or Skipped, ${exitCodes.Failed} Failed, ${exitCodes.TimedOut} TimedOut, ${exitCodes.Cancelled} Cancelled, ${exitCodes.left} waiting stopped. Without --wait: 0 created.`,
  prepare(args) {
    const [target, ...more] = args.positionals
    const reference = parseReference(target, ['TaskSchedule', 'TaskDependency'])
    if (more.length > 0) throw usageError(`unexpected argument "${more[0]}"`)
    if (args.payload !== undefined && reference.kind === 'TaskDependency') {
      throw usageError('a graph has parameters, not a payload: write --param KEY=VALUE')
    }
    if (args.params.length > 0 && reference.kind === 'TaskSchedule') {
      throw usageError('--param is for graphs (tdep/NAME); use --payload to change the payload of a schedule')
    }
    const ttlMs = ttlOf(args)
    const slotTime = slotTimeOf(args)
    const parameters = parseParameters(args.params)
    const { payload: given } = args
    const inline = given === undefined || given.startsWith('@') ? undefined : parseObject(given, '--payload')
    return async (context) => {
      const payload = given?.startsWith('@') === true ? await fileOf(context, given.slice(1)) : inline
      const source = await readObject(context, reference)
      if (payload !== undefined) needTask(reference, source as TaskSchedule)
      const created = await create(context, reference, {
        [reference.kind === 'TaskSchedule' ? 'scheduleRef' : 'dependencyRef']: { name: reference.name },
        ...(payload === undefined ? {} : { payload }),
        ...(parameters === undefined ? {} : { parameters }),
        ...(slotTime === undefined ? {} : { slotTime }),
        ...(ttlMs === undefined ? {} : { ttlSecondsAfterFinished: Math.ceil(ttlMs / 1000) }),
      })
      const { name } = created.metadata
      const shown = formatReference('TaskExecution', name)
      const { where, program, err } = context
      const kept = ttlMs === undefined ? 'kept until a user deletes it' : `kept for ${formatDuration(ttlMs)} after its end`
      const words = `${shown}${where}: a run of ${reference.shown}, ${kept}.`
      if (!args.wait) {
        return `${words} Follow: kubectl get tex ${name}${where} --watch. Cancel: ${program} cancel ${shown}${where}`
      }
      err(`${words}\n`)
      return waitForEnd(context, created)
    }
  },
}

function create({ client, namespace, onWarning }: Context, { name }: Reference, spec: object): Promise<TaskExecution> {
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
function ttlOf({ ttl }: Arguments): number | undefined {
  if (ttl === undefined) return defaultTtlMs
  if (ttl === 'never') return undefined
  const ms = parseDuration(ttl)
  if (ms === undefined || ms > maxTtlMs) throw usageError(`--ttl ${ttl}: write a duration such as 1h or 7d, at most 366d, or never`)
  return ms
}

function slotTimeOf({ slotTime }: Arguments): string | undefined {
  if (slotTime === undefined) return undefined
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/u.test(slotTime) && !Number.isNaN(Date.parse(slotTime))
  if (!isTime) throw usageError(`--slot-time ${slotTime}: write a time such as 2026-11-29T01:00:00Z`)
  return slotTime
}

/** Parses a JSON object; `what` names it in the error. */
function parseObject(text: string, what: string): object {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    throw usageError(`${what} is not JSON: ${errorMessage(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw usageError(`${what} must be a JSON object, such as {"retainDays": 1}`)
  }
  const [inexact] = findInexactNumbers(value, '')
  if (inexact !== undefined) throw usageError(`${what}: ${inexact.field}: ${describeInexact(inexact.text)}`)
  return value
}

/** Parses `days=7`, `who=all`: JSON keeps its type, everything else is text. Undefined: there are none. */
export function parseParameters(params: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const parameters = new Map<string, unknown>()
  for (const param of params) {
    const at = param.indexOf('=')
    const key = param.slice(0, Math.max(0, at))
    if (key === '') throw usageError(`--param ${param}: write KEY=VALUE, such as days=7`)
    if (parameters.has(key)) throw usageError(`--param ${key} is given twice`)
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
    throw usageError(`--param ${key}=${text} has more digits than a JSON number can keep. As text: --param '${key}="${text}"'`)
  }
  const [inexact] = findInexactNumbers(value, key)
  if (inexact !== undefined) throw usageError(`--param ${inexact.field}: ${describeInexact(inexact.text)}`)
  return value
}
