import type { Consumer, ConsumerJob, ConsumerOptions, DrainResult } from '../broker/index.ts'
import type { Clock } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { WorkerConfig } from './config.ts'
import type { TaskHandler, Tasks } from './tasks.ts'

export type WorkerDeps = {
  readonly config: WorkerConfig
  readonly tasks: Tasks
  /** Begins the drain. */
  readonly signal: AbortSignal
  /** Ends the drain time at once. */
  readonly hurry?: AbortSignal
  readonly log: Logger
  readonly clock: Clock
  /** Different at each start of the process. */
  readonly instance: string
  readonly createConsumer: (options: ConsumerOptions) => Consumer
}

/** Runs tasks until the signal aborts, then drains. Whoever called it ends the process afterwards: a handler may hang for ever. */
export async function runWorker(deps: WorkerDeps): Promise<DrainResult> {
  const { config, tasks, signal, hurry, log, clock, instance, createConsumer } = deps
  const consumer = createConsumer({
    address: config.brokerAddress,
    keyPrefix: config.brokerKeyPrefix,
    queues: config.queues,
    concurrency: config.concurrency,
    name: config.pod,
    instance,
    log,
    clock,
    process: (job, context) => runTask(job, context.signal, tasks, log, clock),
  })
  log.info({ pod: config.pod, queues: config.queues, concurrency: config.concurrency, tasks: Object.keys(tasks) }, 'worker started')
  const running = consumer.run()
  await aborted(signal)
  log.info({ running: consumer.running(), timeoutMs: config.drainTimeoutMs }, 'draining')
  const onHurry = () => void consumer.drain(0)
  hurry?.addEventListener('abort', onHurry, { once: true })
  const result = await consumer.drain(hurry?.aborted ? 0 : config.drainTimeoutMs)
  hurry?.removeEventListener('abort', onHurry)
  await running
  log.info(result, 'worker ended')
  return result
}

async function runTask(job: ConsumerJob, signal: AbortSignal, tasks: Tasks, log: Logger, clock: Clock): Promise<unknown> {
  // Not `tasks[job.name]`: a job named "constructor" has no handler.
  const handler = Object.hasOwn(tasks, job.name) ? (tasks[job.name] as TaskHandler<unknown>) : undefined
  if (handler === undefined) throw unknownType(job.name, tasks)
  const taskLog = log.child({ job: job.id, type: job.name, queue: job.queue })
  const startedMs = clock.monotonicNow()
  const elapsedMs = () => Math.round(clock.monotonicNow() - startedMs)
  try {
    const result = await handler(job.data, {
      jobId: job.id,
      type: job.name,
      queue: job.queue,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
      signal,
      log: taskLog,
      progress: (progress) => job.updateProgress(progress),
    })
    taskLog.debug({ attempt: job.attempt, elapsedMs: elapsedMs() }, 'task succeeded')
    return result
  } catch (error) {
    if (signal.aborted)
      taskLog.info({ attempt: job.attempt, elapsedMs: elapsedMs(), reason: errorMessage(signal.reason) }, 'task interrupted')
    else
      taskLog.warn(
        { attempt: job.attempt, maxAttempts: job.maxAttempts, elapsedMs: elapsedMs(), error: errorMessage(error) },
        'task failed',
      )
    throw error
  }
}

/** No other attempt: this worker will know no more types next time. BullMQ tells such errors by their name. */
function unknownType(type: string, tasks: Tasks): Error {
  const known = Object.keys(tasks).toSorted().join(', ')
  return Object.assign(new Error(`no handler for the task type ${JSON.stringify(type)}; this worker knows: ${known}`), {
    name: 'UnrecoverableError',
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
