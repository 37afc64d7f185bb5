import { findCondition, taskExecutions, type TaskExecution } from '../api/index.ts'
import { sleep } from '../clock/index.ts'
import { errorMessage, hasCode } from '../errors/index.ts'
import type { Context, CommandResult } from './command.ts'
import { formatDuration } from './arguments.ts'
import { formatReference } from './reference.ts'

/**
 * Exit codes of commands that wait for a run. 1 and 2 mean that the command itself failed; 130 (`left`) is what shells
 * use for Ctrl-C.
 */
export const exitCodes = { Succeeded: 0, Skipped: 0, Failed: 3, TimedOut: 4, Cancelled: 5, left: 130 } as const
type Outcome = Exclude<keyof typeof exitCodes, 'left'>

const retryMs = 2_000
const watchSeconds = 300
/** A running operator picks up a new run within a second. */
const unseenMs = 10_000
const unseenWords = 'no operator has seen it yet. Next: kubectl get pods -A -l app.kubernetes.io/name=taskmill shows whether one runs'

type Followed = {
  readonly kind: 'Ended' | 'Gone' | 'Left'
  /** The last state that was read. */
  readonly run: TaskExecution
}

/** Waits for the end of a run, prints its progress on stderr, and returns how it ended. */
export async function waitForEnd(context: Context, begun: TaskExecution): Promise<CommandResult> {
  const { where, program } = context
  const { name } = begun.metadata
  const shown = formatReference('TaskExecution', name)
  const { kind, run } = await follow(context, begun)
  if (kind === 'Left') {
    const cancel = run.spec.desiredState === 'Cancelled' ? '' : ` Cancel: ${program} cancel ${shown}${where}`
    return { words: `${shown}${where} continues: ${progressOf(run)}.${cancel}`, exitCode: exitCodes.left }
  }
  const outcome = outcomeOf(run)
  if (outcome === undefined) return { words: `${shown}${where} was deleted, which cancels it`, exitCode: exitCodes.Cancelled }
  return { words: `${shown}${where}: ${endOf(run, outcome)}`, exitCode: exitCodes[outcome] }
}

export function outcomeOf({ status }: TaskExecution): Outcome | undefined {
  const state = status?.state
  return state === undefined || state === 'Pending' || state === 'Running' ? undefined : state
}

async function follow(context: Context, begun: TaskExecution): Promise<Followed> {
  const { client, clock, namespace, err, stop } = context
  const { name, uid } = begun.metadata
  const shown = formatReference('TaskExecution', name)
  let told = ''
  const tell = (words: string): void => {
    if (words !== told) err(`${shown}: ${words}\n`)
    told = words
  }
  let run = begun
  const unseen = clock.setTimeout(() => {
    if (run.status?.state === undefined) tell(unseenWords)
  }, unseenMs)
  /** Notes a state; returns whether it is the end. */
  const see = (seen: TaskExecution): boolean => {
    run = seen
    const isEnded = outcomeOf(run) !== undefined
    if (!isEnded && run.status?.state !== undefined) tell(progressOf(run))
    return isEnded
  }
  try {
    for (;;) {
      try {
        const found = await client.get(taskExecutions, namespace, name, { signal: stop })
        if (found.metadata.uid !== uid) return { kind: 'Gone', run }
        if (see(found)) return { kind: 'Ended', run }
        const { resourceVersion } = found.metadata
        const selection = { namespace, fieldSelector: `metadata.name=${name}`, resourceVersion }
        for await (const event of client.watch(taskExecutions, { ...selection, timeoutSeconds: watchSeconds, signal: stop })) {
          if (event.type === 'BOOKMARK') continue
          if (see(event.object)) return { kind: 'Ended', run }
          if (event.type === 'DELETED') return { kind: 'Gone', run }
        }
      } catch (error) {
        if (stop.aborted) return { kind: 'Left', run }
        if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return { kind: 'Gone', run }
        if (!hasCode(error, 'TM_KUBE_GONE', 'TM_KUBE_UNAVAILABLE', 'TM_KUBE_TOO_MANY_REQUESTS')) throw error
        if (!hasCode(error, 'TM_KUBE_GONE')) tell(`the run continues, but its state cannot be read: ${errorMessage(error)}`)
      }
      // Some proxies end each watch at once. The pause limits the requests.
      await sleep(clock, retryMs, stop).catch(() => undefined)
      if (stop.aborted) return { kind: 'Left', run }
    }
  } finally {
    clock.clearTimeout(unseen)
  }
}

/** `Running 1/4, waiting for summary until 04:10`; `Pending: the TaskBroker …`. */
export function progressOf({ status }: TaskExecution): string {
  const { state = 'Pending', progress, waitingFor } = status ?? {}
  const why = findCondition(status?.conditions, 'Succeeded')
  if (why !== undefined && why.status === 'Unknown' && why.reason !== 'Running') return `${state}${behind(progress)}: ${why.message}`
  return `${state}${behind(progress)}${waitingFor === undefined ? '' : `, waiting for ${waitingFor}`}`
}

function behind(progress: string | undefined): string {
  return progress === undefined ? '' : ` ${progress}`
}

/** `Failed after 12s: task: AttemptsExhausted, the mailbox is full. Next: …`. */
function endOf({ metadata, status }: TaskExecution, outcome: Outcome): string {
  const { durationSeconds, result, failureMessage, nodes = [] } = status ?? {}
  const after = durationSeconds === undefined ? '' : ` after ${formatDuration(durationSeconds * 1000)}`
  const head = `${outcome}${after}`
  if (outcome === 'Succeeded') return result === undefined ? head : `${head}. Result: ${result}`
  if (outcome === 'Skipped') return head
  if (outcome === 'Cancelled') {
    const goOn = nodes.flatMap(({ name, state, message }) =>
      state === 'Cancelled' && message !== undefined ? [`${name}: ${message}`] : [],
    )
    return goOn.length === 0 ? head : `${head}. ${goOn.slice(0, 5).join('; ')}`
  }
  const where = ` -n ${metadata.namespace ?? ''}`
  return `${head}: ${failureMessage ?? 'no message'}. Next: kubectl describe tex ${metadata.name}${where}`
}
