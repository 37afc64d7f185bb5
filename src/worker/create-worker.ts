import type { Consumer, ConsumerJob, ConsumerOptions, DrainResult } from '../broker/index.ts'
import type { Clock } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger, TaskOutcome, WorkerMetrics, WorkerSlots } from '../observability/index.ts'
import type { BrokerAccess } from './broker-access.ts'
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
  readonly access: BrokerAccess
  readonly createConsumer: (options: ConsumerOptions) => Consumer
  readonly createMetrics: (slots: WorkerSlots) => WorkerMetrics
}

export type Worker = {
  /** Runs tasks until the signal aborts, then drains. The caller ends the process afterwards: a handler may hang for ever. */
  run(): Promise<DrainResult>
  /** Returns why it takes no jobs now, as sentences. */
  unready(): readonly string[]
  /** Returns the faults that only a restart heals, as sentences. A broker that is away is none: the worker reconnects by itself. */
  problems(): readonly string[]
  readonly metrics: WorkerMetrics
}

/** A restart of Redis and a fail-over take less. A worker that became unready meanwhile would only delay a rollout. */
const unreadyAfterMs = 10_000
/** Every wait of the loop has an end within 10 s. */
const stuckAfterMs = 60_000
/** Time for a connection that was cut to come back with the certificates that the worker has. */
const staleTlsAfterMs = 30_000

/** Makes a worker, which connects at once and takes no job before `run`. */
export function createWorker(deps: WorkerDeps): Worker {
  const { config, signal, log, clock, instance, access } = deps
  const consumer: Consumer = deps.createConsumer({
    address: config.brokerAddress,
    keyPrefix: config.brokerKeyPrefix,
    credentials: access.credentials,
    tls: access.tls,
    queues: config.queues,
    concurrency: config.concurrency,
    name: config.pod,
    instance,
    log,
    clock,
    process: (job, context) => runTask(job, context.signal, { ...deps, metrics }),
  })
  const metrics = deps.createMetrics({ slots: config.concurrency, busy: () => consumer.running() })
  return {
    metrics,
    run: () => run(consumer, deps),
    unready() {
      const { hasConnected, awayMs } = consumer.health()
      if (signal.aborted) return ['draining']
      if (!hasConnected) return [`the broker at ${config.brokerAddress} was not reached yet`]
      return awayMs > unreadyAfterMs ? [`the broker at ${config.brokerAddress} has been away for ${seconds(awayMs)} s`] : []
    },
    problems() {
      const { awayMs, stuckMs } = consumer.health()
      if (signal.aborted) return []
      if (stuckMs > stuckAfterMs) return [`nothing has looked for jobs for ${seconds(stuckMs)} s, although the broker is there`]
      if (awayMs > staleTlsAfterMs && access.hasNewTls()) {
        return [`the files in ${config.brokerTls?.folder} have changed, and the broker cannot be reached with the old ones`]
      }
      return []
    },
  }
}

async function run(consumer: Consumer, { config, tasks, signal, hurry, log }: WorkerDeps): Promise<DrainResult> {
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

type RunDeps = Pick<WorkerDeps, 'tasks' | 'log' | 'clock'> & { readonly metrics: WorkerMetrics }

async function runTask(job: ConsumerJob, signal: AbortSignal, { tasks, log, clock, metrics }: RunDeps): Promise<unknown> {
  // Not `tasks[job.name]`: a job named "constructor" has no handler.
  const handler = Object.hasOwn(tasks, job.name) ? (tasks[job.name] as TaskHandler<unknown>) : undefined
  // Producers choose the names: those that no handler has share one label, so that they cannot fill the memory.
  const labels = { queue: job.queue, type: handler === undefined ? '<unknown>' : job.name }
  metrics.taskStarted(labels)
  if (handler === undefined) {
    metrics.taskEnded(labels, 'failed', 0)
    throw unknownType(job.name, tasks)
  }
  const taskLog = log.child({ job: job.id, type: job.name, queue: job.queue })
  const startedMs = clock.monotonicNow()
  const elapsedMs = () => Math.round(clock.monotonicNow() - startedMs)
  const ended = (outcome: TaskOutcome) => metrics.taskEnded(labels, outcome, (clock.monotonicNow() - startedMs) / 1_000)
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
    ended('succeeded')
    taskLog.debug({ attempt: job.attempt, elapsedMs: elapsedMs() }, 'task succeeded')
    return result
  } catch (error) {
    ended(signal.aborted ? 'interrupted' : isFinal(job, error) ? 'failed' : 'retried')
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

function isFinal(job: ConsumerJob, error: unknown): boolean {
  return job.attempt >= job.maxAttempts || (error instanceof Error && error.name === 'UnrecoverableError')
}

/** Makes an error without another attempt: this worker will know no more types next time. BullMQ recognizes such errors by their name. */
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

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(0)
}
