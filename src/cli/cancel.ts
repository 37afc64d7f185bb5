import { taskExecutions, type KubeObject, type TaskExecution } from '../api/index.ts'
import type { Applied } from '../kube/index.ts'
import { usageError } from './arguments.ts'
import { type Command, type Context, fieldManager } from './command.ts'
import { outcomeOf, waitForEnd } from './follow-run.ts'
import { parseReference, readObject } from './reference.ts'

export const cancel: Command = {
  target: 'tex/NAME',
  summary: 'cancel a run',
  usage: 'tex/NAME [--wait]',
  about:
    'Cancels a run: what waits in a queue is taken back, nothing starts any more but the nodes of finally. A Kubernetes Job is deleted. A job that a worker has taken goes on there, and does not count any more.',
  options: { wait: 'wait until the run has ended, and say which jobs go on' },
  more: 'It cannot be taken back: run it again with another TaskExecution. Exit code with --wait: 0 once it has ended, however.',
  prepare({ positionals, wait }) {
    const [target, ...more] = positionals
    const reference = parseReference(target, ['TaskExecution'])
    if (more.length > 0) throw usageError(`"${more[0]}" is one word too many`)
    return async (context) => {
      const run = await readObject(context, reference)
      const head = `${reference.shown}${context.where}`
      const outcome = outcomeOf(run)
      if (outcome !== undefined) return `${head} has ended before: ${outcome}. Nothing to cancel`
      const isCancelled = run.spec.desiredState === 'Cancelled'
      if (!isCancelled) await write(context, run)
      const words = isCancelled ? `${head} is being cancelled already.` : `${head}: cancelled.`
      if (!wait) return `${words}${begunOf(run)} Follow: kubectl get ${reference.shown}${context.where} --watch`
      context.err(`${words}\n`)
      const { words: end, exitCode } = await waitForEnd(context, run)
      return { words: end, exitCode: exitCode > 100 ? exitCode : 0 }
    }
  },
}

async function write({ client, onWarning }: Context, { metadata }: TaskExecution): Promise<void> {
  const { name, namespace, uid } = metadata
  const body: Applied<KubeObject & Pick<TaskExecution, 'spec'>> = {
    metadata: { name, namespace, uid },
    spec: { desiredState: 'Cancelled' },
  }
  await client.apply(taskExecutions, body, { fieldManager, force: true, fieldValidation: 'Strict', onWarning })
}

/** What had begun: of that goes on what is in a worker's hands. */
function begunOf({ status }: TaskExecution): string {
  const { nodes = [], waitingFor } = status ?? {}
  if (waitingFor === undefined || !nodes.some(({ state }) => state === 'Running')) return ' No node had begun.'
  return ` Begun: ${waitingFor}. What a worker runs goes on there and does not count any more; the rest is taken back.`
}
