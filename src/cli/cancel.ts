import { taskExecutions, type KubeObject, type TaskExecution } from '../api/index.ts'
import { UsageError } from '../errors/index.ts'
import type { Applied } from '../kube/index.ts'
import { type Command, type Context, fieldManager } from './command.ts'
import { outcomeOf, waitForEnd } from './follow-run.ts'
import { parseReference, readObject } from './reference.ts'

export const cancel: Command = {
  target: 'tex/NAME',
  summary: 'cancel a run',
  usage: 'tex/NAME [--wait]',
  about:
    'Cancels a run: Taskmill removes the jobs that wait in a queue, deletes running Kubernetes Jobs, and starts nothing more except the ' +
    'nodes of finally. A job that a worker already runs continues, but its end no longer counts.',
  options: { wait: 'wait until the run has ended, and list the jobs that still run' },
  more:
    'A cancelled run cannot continue; create another TaskExecution to run it again. Exit code with --wait: 0 when the run has ended, ' +
    'whatever its outcome.',
  prepare({ positionals, wait }) {
    const [target, ...more] = positionals
    const reference = parseReference(target, ['TaskExecution'])
    if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}"`)
    return async (context) => {
      const run = await readObject(context, reference)
      const head = `${reference.shown}${context.where}`
      const outcome = outcomeOf(run)
      if (outcome !== undefined) return `${head} has already ended: ${outcome}. Nothing to cancel`
      const isCancelled = run.spec.desiredState === 'Cancelled'
      if (!isCancelled) await write(context, run)
      const words = isCancelled ? `${head} is already being cancelled.` : `${head}: cancelled.`
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

/** Says which nodes had started, because their jobs may continue. */
function begunOf({ status }: TaskExecution): string {
  const { nodes = [], waitingFor } = status ?? {}
  if (waitingFor === undefined || !nodes.some(({ state }) => state === 'Running')) return ' No node had started.'
  return ` Started: ${waitingFor}. A job that a worker runs continues there, but its end no longer counts; all others are removed.`
}
