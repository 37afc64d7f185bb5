import { taskExecutions, type TaskExecution, type TaskSchedule } from '../api/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Written } from '../kube/index.ts'
import type { Arguments } from './arguments.ts'
import { CommandError, usageError } from './command-error.ts'
import { type Command, type Context, fieldManager } from './command.ts'
import { parseDuration, sayDuration } from './duration.ts'
import { exitCodes, waitForEnd } from './follow-run.ts'
import { parseObject, parseParameters } from './json-values.ts'
import { parseReference, readObject, type Reference, shownAs } from './reference.ts'

const defaultTtlMs = 86_400_000
const maxTtlMs = 366 * 86_400_000
/** The API server appends five letters, and a name has 63 at most. */
const longestPrefix = 57

export const run: Command = {
  usage: 'tsch/NAME | tdep/NAME [--payload JSON|@FILE] [--param KEY=VALUE]… [--wait]',
  about:
    'Runs what a TaskSchedule runs, also while it is suspended, or the graph of a TaskDependency: once, now, as a TaskExecution of its own.\nThe schedule goes on as before: the run is none of its slots.',
  options: {
    payload: 'tsch: fields to merge over the payload of its task; @FILE reads a file, @- standard input',
    param: 'tdep: a parameter of the graph, as often as needed; JSON keeps its type: --param days=7 --param who=all',
    'slot-time': 'what $(slot) stands for, such as 2026-11-29T01:00:00Z; default: now',
    ttl: 'how long the TaskExecution is kept after its end; never: for good; default: 1d',
    wait: 'wait for the end, and tell how far it is on the way; Ctrl-C ends the waiting, not the run',
  },
  more: `Exit code with --wait: 0 Succeeded or Skipped, ${exitCodes.Failed} Failed, ${exitCodes.TimedOut} TimedOut, ${exitCodes.Cancelled} Cancelled, ${exitCodes.left} no longer waited for. Without it: 0 created.`,
  prepare(args) {
    const [target, ...more] = args.positionals
    const reference = parseReference(target, ['TaskSchedule', 'TaskDependency'])
    if (more.length > 0) throw usageError(`"${more[0]}" is one word too many`)
    if (args.payload !== undefined && reference.kind === 'TaskDependency') {
      throw usageError('a graph has parameters, no payload: write --param KEY=VALUE')
    }
    if (args.params.length > 0 && reference.kind === 'TaskSchedule') {
      throw usageError("--param is for graphs (tdep/NAME); a schedule's payload is changed by --payload")
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
      const shown = shownAs('TaskExecution', name)
      const { where, program, err } = context
      const kept = ttlMs === undefined ? 'kept until somebody deletes it' : `kept for ${sayDuration(ttlMs)} after its end`
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
  // Not to be stopped: whether it was created has to be known.
  const object = { metadata, spec } as unknown as Written<TaskExecution>
  return client.create(taskExecutions, object, { fieldManager, fieldValidation: 'Strict', onWarning })
}

/** What else a schedule may start has no payload. */
function needTask({ shown }: Reference, { spec }: TaskSchedule): void {
  if (spec.task !== undefined) return
  const graph = spec.dependencyRef?.name
  const next = graph === undefined ? 'leave --payload out' : `run ${shownAs('TaskDependency', graph)} with --param`
  throw new CommandError(`${shown} has no task whose payload could be changed. Next: ${next}`)
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

/** Undefined: for good. */
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
  if (!isTime) throw usageError(`--slot-time ${slotTime}: write a moment such as 2026-11-29T01:00:00Z`)
  return slotTime
}
