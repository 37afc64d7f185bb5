import type { Clock, TimerHandle } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import { isPassing } from './broker-error.ts'
import type { Connection } from './connection.ts'
import type { JobRun } from './job-run.ts'
import { callScript, loadScript } from './script.ts'

const script = loadScript('renew-locks')
const retryMs = 1_000

export type LockKeeperDeps = {
  readonly connection: Connection
  readonly runs: () => Iterable<JobRun>
  readonly lockDurationMs: number
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Renews the locks of all running jobs, every third of their duration, in one round trip. A job whose lock is lost for good is aborted and
 * released: somebody else has it. While the broker is away nothing is aborted: the lock cannot be anybody else's before it is back.
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
      againMs = Math.min(againMs, retryMs)
      const level = isPassing(error) ? 'debug' : 'error'
      log[level]({ error: errorMessage(error) }, 'locks could not be renewed')
    }
    if (!isStopped) arm(againMs)
  }

  const renewAll = async () => {
    const byBase = Map.groupBy(
      [...runs()].filter(({ state }) => state !== 'Released'),
      ({ source }) => source.base,
    )
    const lost = await callScript(
      connection.redis,
      script,
      [...byBase].map(([base, own]) => ({
        keys: [base],
        args: [lockDurationMs, ...own.flatMap(({ id, token, job }) => [id, token, job.attemptsStarted])],
      })),
    )
    for (const [index, own] of [...byBase.values()].entries()) {
      const ids = new Set(lost[index] as readonly string[])
      // A job whose handler has ended meanwhile may have no lock any more and be as well as can be.
      for (const run of own) if (ids.has(run.id) && !run.isHandled) release(run)
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
  // After an absence the locks may have expired: be there before somebody looks for jobs of dead workers.
  connection.redis.on('ready', () => isStopped || arm(0))

  return {
    async stop() {
      isStopped = true
      if (timer !== undefined) clock.clearTimeout(timer)
      await renewing
    },
  }
}
