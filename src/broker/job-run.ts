import { sleep, type Clock, type TimerHandle } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { isPassing } from './broker-error.ts'
import { isRefusedByQueue, renewLocks, type QueueSource, type Settled, type TakenJob } from './bullmq/index.ts'
import type { Connection } from './connection.ts'
import type { ConsumerJob, ProcessJob } from './consumer-port.ts'

/** One run of one job, from its fetch to its end. */
export type JobRun = {
  readonly source: QueueSource
  readonly job: TakenJob
  readonly id: string
  readonly token: string
  readonly abort: AbortController
  /**
   * `Running`: the job is ours. `Draining`: it will be handed back, unless it succeeds before. `Released`: it is not ours any more, and its
   * outcome is dropped.
   */
  state: 'Running' | 'Draining' | 'Released'
  /** The handler has ended. */
  isHandled: boolean
  /** The outcome is about to be stored: the job is not to be handed back any more. */
  isStoring: boolean
}

export type JobRunDeps = {
  readonly process: ProcessJob
  readonly connection: Connection
  /** Aborts when the consumer gives up waiting for the broker. */
  readonly gaveUp: AbortSignal
  readonly log: Logger
  readonly clock: Clock
  /** Whether the reply to the end of this job should bring the next one of its queue. */
  readonly wantsNext: (run: JobRun) => boolean
  /** A reply was lost that may have brought a job locked with the run's token. */
  readonly onLostReply: (run: JobRun) => void
}

/** Between two tries: some servers accept connections and refuse every command for a while. */
const pauseMs = 100
/** Between two tries to renew locks. */
const retryRenewalMs = 1_000

/** Runs the handler and stores its outcome, however long the broker is away meanwhile. Never rejects. */
export async function runJob(run: JobRun, deps: JobRunDeps): Promise<Settled> {
  const { job, source, abort } = run
  let outcome: { readonly result: unknown } | { readonly error: Error }
  try {
    // BullMQ may have decided before the run that the job fails, for example because it was lost too often.
    if (job.deferredFailure) throw Object.assign(new Error(job.deferredFailure), { name: 'UnrecoverableError' })
    outcome = { result: await deps.process(viewOf(job, source.name), { signal: abort.signal }) }
  } catch (error) {
    outcome = { error: asError(error) }
  }
  run.isHandled = true
  run.isStoring = !isDropped(run, 'error' in outcome)
  return await settle(run, outcome, deps)
}

async function settle(
  run: JobRun,
  firstOutcome: { readonly result: unknown } | { readonly error: Error },
  deps: JobRunDeps,
): Promise<Settled> {
  const { job, source, token, id } = run
  const { connection, gaveUp, log, clock } = deps
  let outcome = firstOutcome
  let isRepeated = false
  while (!isDropped(run, 'error' in outcome)) {
    const wantsNext = !isRepeated && deps.wantsNext(run)
    try {
      return 'error' in outcome
        ? await source.fail(job, outcome.error, token, wantsNext)
        : await source.complete(job, outcome.result, token, wantsNext)
    } catch (error) {
      if (isPassing(error)) {
        if (wantsNext) deps.onLostReply(run)
        isRepeated = true
        try {
          await connection.waitUntilBack(gaveUp)
          await sleep(clock, pauseMs, gaveUp)
        } catch {
          run.state = 'Released'
          log.warn({ queue: source.name, job: id, error: errorMessage(error) }, 'the outcome of a job could not be stored')
          return { outcome: 'Abandoned' }
        }
      } else if (isRefusedByQueue(error)) {
        // After a lost reply this is how it looks when the first try had worked.
        if (!isRepeated) log.warn({ queue: source.name, job: id, error: errorMessage(error) }, 'a job ended that was no longer ours')
        return { outcome: 'Dropped' }
      } else if ('error' in outcome) {
        log.error({ queue: source.name, job: id, error: errorMessage(error) }, 'the failure of a job could not be stored')
        return { outcome: 'Dropped' }
      } else {
        // The result cannot be stored: it is not JSON, or the broker does not take it. The job must not look as if it still ran.
        outcome = { error: asError(error) }
      }
    }
  }
  return { outcome: 'Dropped' }
}

/** A job that is to be handed back fails by being aborted: that is no attempt. */
function isDropped(run: JobRun, hasFailed: boolean): boolean {
  return run.state === 'Released' || (run.state === 'Draining' && hasFailed)
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(errorMessage(thrown))
}

function viewOf(job: TakenJob, queue: string): ConsumerJob {
  return {
    id: job.id ?? '',
    queue,
    name: job.name,
    data: job.data as unknown,
    attempt: job.attemptsMade + 1,
    maxAttempts: Math.max(job.opts.attempts ?? 1, 1),
    updateProgress: (progress) => job.updateProgress(progress),
  }
}

export type LockKeeperDeps = {
  readonly connection: Connection
  readonly runs: () => Iterable<JobRun>
  readonly lockDurationMs: number
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Renews the locks of all running jobs, every third of their duration, in one round trip. A job whose lock is lost for good is aborted and
 * released: another worker has it. While the broker is away nothing is aborted: no other worker can get the lock before it is back.
 */
export function createLockKeeper({ connection, runs, lockDurationMs, clock, log }: LockKeeperDeps): { stop(): Promise<void> } {
  let timer: TimerHandle | undefined
  let renewing: Promise<void> = Promise.resolve()
  let isStopped = false

  const renew = async () => {
    let againMs = lockDurationMs / 3
    try {
      await renewAll()
    } catch (error) {
      againMs = Math.min(againMs, retryRenewalMs)
      const level = isPassing(error) ? 'debug' : 'error'
      log[level]({ error: errorMessage(error) }, 'locks could not be renewed')
    }
    if (!isStopped) arm(againMs)
  }

  const renewAll = async () => {
    const held = [...runs()].filter(({ state }) => state !== 'Released')
    for (const run of await renewLocks(connection.redis, held, lockDurationMs)) {
      // A job whose handler has ended meanwhile may have no lock any more and be as well as can be.
      if (!run.isHandled) release(run)
    }
  }

  const release = (run: JobRun) => {
    run.state = 'Released'
    log.warn({ queue: run.source.name, job: run.id }, 'the lock of a job is lost; its run is aborted')
    run.abort.abort(new DOMException('the worker lost the lock of this job: it runs elsewhere', 'AbortError'))
  }

  const arm = (ms: number) => {
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = clock.setTimeout(() => {
      renewing = renew()
    }, ms)
  }
  arm(lockDurationMs / 3)
  // After an absence the locks may have expired: renew them before another worker looks for jobs of dead workers.
  connection.redis.on('ready', () => isStopped || arm(0))

  return {
    async stop() {
      isStopped = true
      if (timer !== undefined) clock.clearTimeout(timer)
      await renewing
    },
  }
}
